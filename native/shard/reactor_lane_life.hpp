// Reactor: the life of a lane: reserved, live, draining, quarantined, released.
#pragma once

#include <algorithm>
#include <atomic>
#include <deque>
#include <vector>

#include "shard/reactor.hpp"

namespace pinion::shard {

template <class K>
std::int32_t Reactor<K>::reserve_lane() {
    for (std::uint32_t i = 0; i < layout::MAX_LANES; ++i) {
        if (lanes_[i].state() != LaneState::empty) continue;
        lanes_[i].open(region_, i);
        lanes_[i].set_state(LaneState::warming);
        lanes_[i].held = 0;
        lanes_[i].run_target = 2;
        lanes_[i].shared().kept_bytes = kept_bytes_max_;
        // A long head is held until it has left: a sixteenth of the arena, as for whatever one may hold.
        lanes_[i].shared().fields_bytes = std::min(layout::ANSWER_FIELDS_BYTES, settings_.limits.arena_bytes / SHARE);
        broken_lanes_ &= ~(1u << i);
        return std::int32_t(i);
    }
    return -1;
}

template <class K>
void Reactor<K>::go_live(std::uint32_t lane, const std::vector<http::MethodSet>& by_handler) {
    if (lanes_[lane].state() != LaneState::warming) return;
    if (!by_handler.empty()) narrow_routes(by_handler);
    if (live_ != NONE) lanes_[live_].set_state(LaneState::draining);
    lanes_[lane].set_state(LaneState::live);
    live_ = lane;
    // The pace of its queue is not the last one's.
    read_clock();
    const std::uint32_t taken = lanes_[lane].requests_taken();
    queue_ = {.empty_ms = clock_.now_ms, .moved_ms = clock_.now_ms, .empty_taken = taken, .taken = taken};
}

// What a module's object or factory answers is known when a worker has loaded it: from then on 405 needs none.
template <class K>
void Reactor<K>::narrow_routes(const std::vector<http::MethodSet>& by_handler) {
    std::vector<http::MethodSet> answered;
    for (const Route& route : settings_.routes) {
        const bool said = route.kind == Route::Kind::handler && route.handler < by_handler.size();
        answered.push_back(said ? by_handler[route.handler] : route.methods);
    }
    router_.narrow(answered);
}

template <class K>
void Reactor<K>::quarantine_lane(std::uint32_t lane_index) {
    LaneEnd& lane = lanes_[lane_index];
    if (lane.state() == LaneState::empty || lane.state() == LaneState::quarantined) return;
    read_clock();
    if (lane.state() == LaneState::live || lane.state() == LaneState::draining) {
        layout::Entry entry;  // what it has answered counts
        for (std::uint32_t most = region_.ring_entries(); most > 0 && lane.counts_possible(); --most) {
            if (lane.state() == LaneState::quarantined || lane_broken(lane_index) || !lane.pop(entry)) break;
            read_entry(lane, entry);
        }
        if (lane.state() == LaneState::quarantined) return;
    }
    lane.publish();
    lane.set_state(LaneState::quarantined);
    if (live_ == lane_index) live_ = NONE;
    requeue(lane);
    for (std::uint32_t i = 0; i < exchanges_.reached(); ++i) {
        Exchange& exchange = exchanges_[i];
        if (exchange.stage != Stage::lane || exchange.lane != lane_index) continue;
        exchange.stage = Stage::ended;
        if (exchange.connection == NONE) continue;
        Connection& connection = connections_[exchange.connection];
        if (exchange.begun) {
            terminate(connection, true);
        } else {
            answer_status(exchange, 502);
        }
    }
}

// Queued requests of a lane that is given up wait for the next one, with the body parts behind them, under a new
// generation: the old worker's compare-and-swap on them fails from now on. They are older than what waits already.
template <class K>
void Reactor<K>::requeue(LaneEnd& lane) {
    std::deque<layout::Entry> older;
    std::vector<std::uint32_t> requeued;
    const auto is_requeued = [&](std::uint32_t index) {
        return std::find(requeued.begin(), requeued.end(), index) != requeued.end();
    };
    const auto take = [&](layout::Entry entry) {
        const std::uint32_t index = entry.head >> 8;
        const EntryType type = EntryType(entry.head & 0xff);
        if (index >= exchanges_.capacity()) return;
        Exchange& exchange = exchanges_[index];
        const std::uint32_t next_generation = (entry.generation + 1) & 0xffffff;
        if (type == EntryType::request) {
            // One that it has begun to answer is not put back by what it writes: the next lane could not answer it.
            if (exchange.stage != Stage::lane || exchange.lane != lane.index() || !exchange.lane_holds ||
                exchange.begun || exchange.generation != entry.generation) {
                return;
            }
            std::uint32_t expected = entry.generation << 8 | std::uint32_t(SlotState::queued);
            if (!std::atomic_ref<std::uint32_t>(region_.slot(index).state)
                     .compare_exchange_strong(expected, next_generation << 8 | std::uint32_t(SlotState::queued))) {
                return;
            }
            exchange.generation = next_generation;
            exchange.lane = NONE;
            exchange.lane_holds = false;
            exchange.stage = Stage::backlog;
            exchange.backlogged = exchange.body_held = 0;
            requeued.push_back(index);
            --lane.held;
        } else if ((is_body_part(type) || type == EntryType::body_end) && is_requeued(index) &&
                   exchange.generation == next_generation) {
            if (is_body_part(type) && !has_body_part(lane.index(), entry.argument, entry.argument2)) return;
            ++exchange.backlogged;
            if (is_body_part(type)) {
                count_body_part(entry.argument, entry.argument2, lane.index(), -1);
                exchange.body_held += segments_.spanned(entry.argument, entry.argument2);
            }
        } else {
            return;
        }
        entry.generation = next_generation;
        older.push_back(entry);
    };
    const std::uint32_t unread = region_.ring_entries() - lane.request_space();
    for (std::uint32_t count = lane.request_tail() - unread; count != lane.request_tail(); ++count) {
        take(lane.request_at(count));
    }
    for (const layout::Entry& each : lane.deferred) take(each);
    lane.deferred.clear();
    // Body parts of theirs that had not even reached the ring.
    for (layout::Entry& entry : backlog_) {
        Exchange& exchange = exchanges_[entry.head >> 8];
        if (EntryType(entry.head & 0xff) == EntryType::request || !is_requeued(entry.head >> 8) ||
            exchange.generation != ((entry.generation + 1) & 0xffffff)) {
            continue;
        }
        entry.generation = exchange.generation;
        ++exchange.backlogged;
        if (is_body_part(EntryType(entry.head & 0xff))) {
            exchange.body_held += segments_.spanned(entry.argument, entry.argument2);
        }
    }
    backlog_.insert(backlog_.begin(), older.begin(), older.end());
}

template <class K>
void Reactor<K>::release_lane(std::uint32_t lane_index) {
    LaneEnd& lane = lanes_[lane_index];
    if (lane.state() == LaneState::empty) return;
    quarantine_lane(lane_index);
    for (std::uint32_t i = 0; i < exchanges_.reached(); ++i) {
        Exchange& exchange = exchanges_[i];
        if (!exchange.lane_holds || exchange.lane != lane_index) continue;
        exchange.lane_holds = false;
        release(exchange);
    }
    for (std::uint32_t s = 0; s < segments_.count(); ++s) {
        SegmentRecord& record = segments_[s];
        for (; record.body_parts[lane_index] > 0; --record.body_parts[lane_index]) segments_.drop(s);
    }
    for (KeptBody& kept : lane.kept) drop_kept(lane, kept);
    while (!lane.runs.empty()) {
        drop_run(lane.runs.front(), lane.runs.front().end / layout::SEGMENT_BYTES);
        lane.runs.pop_front();
    }
    lane.set_state(LaneState::empty);
}

}  // namespace pinion::shard
