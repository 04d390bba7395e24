// Reactor: what crosses to the workers and back. Everything that a worker writes is checked; what cannot be breaks its
// lane, and never the reactor.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdio>

#include "shard/reactor.hpp"

namespace pinion::shard {

template <class K>
LaneEnd* Reactor<K>::live() {
    return live_ == NONE ? nullptr : &lanes_[live_];
}

template <class K>
bool Reactor<K>::has_responses() const {
    for (const LaneEnd& lane : lanes_) {
        if ((lane.state() == LaneState::live || lane.state() == LaneState::draining) && lane.has_responses())
            return true;
    }
    return false;
}

template <class K>
std::uint32_t Reactor<K>::queued() const {
    return std::uint32_t(backlog_.size()) + (live_ == NONE ? 0 : lanes_[live_].unread());
}

template <class K>
void Reactor<K>::push(std::uint32_t index, EntryType type, const Exchange& exchange, std::uint32_t argument) {
    LaneEnd& lane = lanes_[index];
    if (lane.deferred.empty() && lane.request_space() > 0) {
        return lane.push(type, index_of(exchange), exchange.generation, argument);
    }
    lane.deferred.push_back({std::uint32_t(type) | index_of(exchange) << 8, exchange.generation, argument, 0});
}

template <class K>
void Reactor<K>::push_deferred(LaneEnd& lane) {
    while (!lane.deferred.empty() && lane.request_space() > 0) {
        const layout::Entry& entry = lane.deferred.front();
        lane.push(EntryType(entry.head & 0xff), entry.head >> 8, entry.generation, entry.argument, entry.argument2);
        lane.deferred.pop_front();
    }
}

template <class K>
void Reactor<K>::enqueue(Exchange& exchange, std::uint32_t index) {
    const Connection& connection = connections_[exchange.connection];
    if (shedding_ || (!exchange.waited && overloaded_for(connection))) return answer_status(exchange, 503);
    LaneEnd* lane = live();
    if (lane == nullptr || !backlog_.empty() || lane->request_space() < 3 * settings_.limits.slots) {
        if (backlog_.size() >= settings_.limits.queue) return answer_status(exchange, 503);
        exchange.stage = Stage::backlog;
        backlog_.push_back({std::uint32_t(EntryType::request) | index << 8, exchange.generation, 0, 0});
        return;
    }
    if (lane->waiting() >= settings_.limits.queue) return answer_status(exchange, 503);
    exchange.newcomer = !connection.proven;
    if (exchange.newcomer) {
        newcomer_enters(*lane);
        ++newcomers_entered_;
    }
    layout::Slot& slot = region_.slot(index);
    store_release(slot.state, exchange.generation << 8 | std::uint32_t(SlotState::queued));
    exchange.stage = Stage::lane;
    exchange.lane = lane->index();
    exchange.lane_holds = true;
    ++lane->held;
    lane->push(EntryType::request, index, exchange.generation);
}

// Requests that waited for a lane go to it in order, with the body parts that came behind them.
template <class K>
void Reactor<K>::serve_backlog() {
    for (LaneEnd& lane : lanes_) {
        if (lane.state() == LaneState::live || lane.state() == LaneState::draining) push_deferred(lane);
    }
    while (!backlog_.empty()) {
        const layout::Entry entry = backlog_.front();
        const std::uint32_t index = entry.head >> 8;
        const EntryType type = EntryType(entry.head & 0xff);
        Exchange& exchange = exchanges_[index];
        if (exchange.generation != entry.generation ||
            (exchange.stage != Stage::backlog && exchange.stage != Stage::lane)) {
            if (is_body_part(type)) segments_.drop_range(entry.argument, entry.argument2);
            backlog_.pop_front();
            continue;
        }
        LaneEnd* lane = exchange.stage == Stage::lane ? &lanes_[exchange.lane] : live();
        if (lane == nullptr || lane->request_space() < 3 * settings_.limits.slots) return;
        if (type == EntryType::request) {
            if (lane->waiting() >= settings_.limits.queue) return;
            store_release(region_.slot(index).state, exchange.generation << 8 | std::uint32_t(SlotState::queued));
            exchange.stage = Stage::lane;
            exchange.lane = lane->index();
            exchange.lane_holds = true;
            ++lane->held;
        } else {
            --exchange.backlogged;
            if (is_body_part(type)) count_body_part(entry.argument, entry.argument2, lane->index(), 1);
        }
        lane->push(type, index, exchange.generation, entry.argument, entry.argument2);
        backlog_.pop_front();
    }
}

// Answering and abandoning race by one compare-and-swap. False: the lane has answered, its entry is on the way; what
// it brings is dropped.
template <class K>
bool Reactor<K>::abandon(Exchange& exchange, layout::AbortReason reason) {
    const Stage stage = exchange.stage;
    if (stage != Stage::lane && stage != Stage::backlog) return true;
    exchange.stage = Stage::ended;
    if (stage == Stage::backlog) return true;
    layout::Slot& slot = region_.slot(index_of(exchange));
    std::atomic_ref<std::uint32_t> word(slot.state);
    std::uint32_t seen = word.load(std::memory_order_acquire);
    while (seen >> 8 == exchange.generation) {
        const SlotState state = SlotState(seen & 0xff);
        if (state == SlotState::answered || state == SlotState::abandoned) return false;
        if (!word.compare_exchange_weak(seen, exchange.generation << 8 | std::uint32_t(SlotState::abandoned),
                                        std::memory_order_acq_rel, std::memory_order_acquire)) {
            continue;
        }
        // One that was still queued gives itself back when it is popped.
        if (state != SlotState::queued) push(exchange.lane, EntryType::abort, exchange, std::uint32_t(reason));
        return true;
    }
    return false;
}

template <class K>
void Reactor<K>::read_lanes() {
    for (LaneEnd& lane : lanes_) {
        if (lane.state() != LaneState::live && lane.state() != LaneState::draining) continue;
        if (!lane.counts_possible()) {
            break_lane(lane, "a ring count that cannot be");
            continue;
        }
        layout::Entry entry;
        std::uint32_t count = 0;
        while (count < region_.ring_entries() && lane.pop(entry)) {
            ++count;
            read_entry(lane, entry);
            if (lane.state() == LaneState::quarantined) return;
        }
        if (count > 0) lane.acknowledge();
    }
}

template <class K>
void Reactor<K>::read_entry(LaneEnd& lane, const layout::Entry& entry) {
    const std::uint32_t index = entry.head >> 8;
    const EntryType type = EntryType(entry.head & 0xff);
    if (type == EntryType::keep) return take_keep(lane, entry);
    if (index >= exchanges_.capacity()) return break_lane(lane, "a slot number that does not exist");
    if (type == EntryType::consumed) return take_consumed(lane, entry);
    Exchange& exchange = exchanges_[index];
    const bool owned = exchange.generation == entry.generation && exchange.lane_holds && exchange.lane == lane.index();
    if (!owned) {
        // What concerns only the body may come after the answer.
        if (type == EntryType::body_discard || type == EntryType::continue_) return;
        return break_lane(lane, "an entry for a slot that is not the lane's");
    }
    switch (type) {
        case EntryType::answer: return take_answer(lane, exchange, entry);
        case EntryType::fields: return take_fields(lane, exchange, entry);
        case EntryType::part: return take_part(lane, exchange, entry);
        case EntryType::end: return take_end(lane, exchange, entry);
        case EntryType::fail: return take_fail(lane, exchange);
        case EntryType::give_back: return given_back(lane, exchange);
        case EntryType::body_discard: exchange.body_discard = true; break;
        case EntryType::continue_: exchange.want_continue = true; break;
        default: return break_lane(lane, "an entry of an unknown type");
    }
    // Of one that is neither linked nor read any more the connection may be another client's.
    if (exchange.connection != NONE && (exchange.linked || exchange.body_open)) {
        Connection& connection = connections_[exchange.connection];
        mark(connection);
        read_input(connection);
    }
}

// The slot is the reactor's again.
template <class K>
void Reactor<K>::given_back(LaneEnd& lane, Exchange& exchange) {
    exchange.lane_holds = false;
    --lane.held;
    exchange.body_held = 0;
    if (exchange.stage == Stage::lane) {
        // Given back without an answer although nobody abandoned it.
        if (exchange.begun) return terminate(connections_[exchange.connection], true);
        exchange.stage = Stage::ended;
        return answer_status(exchange, 500);
    }
    release(exchange);
}

// Checks that [begin, end) is memory that the lane may hand out now, and moves its credit cursor over it.
template <class K>
bool Reactor<K>::claim_range(LaneEnd& lane, std::uint32_t begin, std::uint32_t end) {
    const auto found = std::find_if(lane.runs.begin(), lane.runs.end(),
                                    [&](const CreditRun& run) { return begin >= run.begin && begin < run.end; });
    // Nothing goes back from a lane that breaks the rules: its thread may still write there.
    if (found == lane.runs.end() || begin < found->cursor || end > found->end || end < begin) return false;
    found->cursor = end;
    for (auto skipped = found - lane.runs.begin(); skipped > 0; --skipped) {
        drop_run(lane.runs.front(), lane.runs.front().end / layout::SEGMENT_BYTES);
        lane.runs.pop_front();
    }
    return true;
}

// The lane's own hold on the run's segments before `until` (region offset / SEGMENT_BYTES) ends. They are not the
// run's any more: they may come back to the lane as another one while this one is still there.
template <class K>
void Reactor<K>::drop_run(CreditRun& run, std::uint32_t until) {
    for (; run.dropped < until; ++run.dropped) {
        segments_.drop(segments_.segment_of(run.dropped * layout::SEGMENT_BYTES));
    }
    run.begin = run.dropped * layout::SEGMENT_BYTES;
}

template <class K>
void Reactor<K>::break_lane(LaneEnd& lane, const char* what) {
    // At once: the log's line, by the keeper that replaces its worker, comes with the main thread's next turn.
    std::fprintf(stderr, "pinion: lane %u broke the rules of shared memory: %s\n", lane.index(), what);
    why_broken_[lane.index()] = what;
    broken_lanes_ |= 1u << lane.index();
    quarantine_lane(lane.index());
}

template <class K>
void Reactor<K>::grant_credits(LaneEnd& lane) {
    if (lane.starved() && lane.run_target < run_target_max_) lane.run_target *= 2;
    // What the worker has taken off the ring and used up is known by its answers only; ungranted is what counts.
    while (lane.runs.size() < lane.run_target && lane.credit_space() > 0) {
        std::uint32_t count = 0;
        const std::uint32_t run = segments_.take_run(run_segments_, count);
        if (run == layout::NO_OFFSET) return;
        lane.grant(run, count * layout::SEGMENT_BYTES);
    }
}

}  // namespace pinion::shard
