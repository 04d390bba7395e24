// Reactor: one turn, from its completions to what it submits.
#pragma once

#include <algorithm>
#include <ctime>

#include "shard/reactor.hpp"

namespace pinion::shard {

template <class K>
std::string Reactor<K>::open() {
    const Limits& limits = settings_.limits;
    read_clock();
    if (!region_.map(limits.slots, limits.arena_bytes) || !segments_.open(region_, limits.arena_bytes) ||
        !connections_.map(limits.connections) || !exchanges_.map(limits.slots) || !parts_.map(most_parts()) ||
        !vectors_.map(limits.connections) || !addresses_.map(limits.connections) ||
        !timers_.init(limits.connections, clock_.now_ms)) {
        return "cannot map the shard's memory: lower limits.arena, limits.connections or limits.slots";
    }
    for (std::uint32_t i = 0; i < settings_.routes.size(); ++i) {
        http::PatternError error;
        if (!router_.add(settings_.routes[i].pattern, settings_.routes[i].methods, i, error)) {
            return settings_.routes[i].pattern + ": " + error.message;
        }
    }
    const bool by_address = limits.address_connections != 0 || limits.address_rate != 0;
    if (by_address && !clients_.open(limits.connections, limits.address_connections, limits.address_rate)) {
        return "cannot map the table of client addresses: lower limits.connections";
    }
    if (settings_.access_log >= 0) log_ = std::make_unique<AccessLog>(settings_.access_log);
    // Never all of a small arena: answers and unfinished heads need some too.
    lent_max_ = std::min(LENT_MAX, std::max(segments_.count() / 4, 1u));
    lent_target_ = std::min(LENT_START, std::max(segments_.count() / 4, 1u));
    reserve_ = std::max(segments_.count() / 4, 1u);
    input_reserve_ = segments_.count() < BANDED_SEGMENTS ? reserve_ : reserve_ / 2;
    run_segments_ = run_segments_of(segments_.count());
    run_target_max_ = most_runs_of(segments_.count());
    if (segments_.count() >= BANDED_SEGMENTS) {
        kept_bytes_max_ = segments_.count() / KEPT_PART * layout::SEGMENT_BYTES;
    }
    accept_armed_.assign(settings_.listeners.size(), 0);
    return {};
}

template <class K>
void Reactor<K>::start() {
    read_clock();
    for (std::uint32_t i = 0; i < settings_.listeners.size(); ++i) arm_accept(i);
}

template <class K>
void Reactor<K>::read_clock() {
    timespec time;
    if constexpr (requires { kernel_.monotonic(); }) {
        time = kernel_.monotonic();  // a simulation has a clock of its own
    } else {
        clock_gettime(CLOCK_MONOTONIC, &time);
    }
    clock_.now_ms = std::uint64_t(time.tv_sec) * 1000 + std::uint64_t(time.tv_nsec) / 1000000;
    clock_.now_ns = double(time.tv_sec) * 1e9 + double(time.tv_nsec);
    clock_gettime(CLOCK_REALTIME_COARSE, &time);
    if (time.tv_sec != date_.second) date_.refresh(time.tv_sec);
}

template <class K>
bool Reactor<K>::turn(io::Driver driver) {
    driver_ = driver;
    ++counters_.turns[unsigned(driver)];
    read_clock();
    observe_queues();
    ++turn_;
    // Never all of the slots: each that is answered natively has its own until the turn ends.
    pipelined_left_ = std::clamp(settings_.limits.slots / 2, 1u, PIPELINED_MAX);
    newcomers_turn();
    slot_came_back();  // before those who have not waited
    turn_came();
    const unsigned batch = lane_is_crowded() ? BATCH_CROWDED : BATCH;
    const unsigned count = kernel_.harvest(completions_, batch);
    for (unsigned i = 0; i < count; ++i) {
        // Segment n + 1 is on its way into the cache while n is worked on.
        if (i + 1 < count && completions_[i + 1].segment != io::NO_SEGMENT) {
            __builtin_prefetch(region_.at(segments_.region_offset(completions_[i + 1].segment)));
        }
        const io::Completion& completion = completions_[i];
        if (completion.token.operation == Operation::accept) {
            accepted(completion);
            continue;
        }
        Connection* connection = find(completion.token);
        if (connection == nullptr) continue;
        switch (completion.token.operation) {
            case Operation::receive: received(completion); break;
            case Operation::receive_into: received_into(*connection, completion.result); break;
            case Operation::send: sent(*connection, completion.result); break;
            case Operation::shutdown:
                connection->shutdown_armed = false;
                mark(*connection);
                break;
            case Operation::close: closed(*connection); break;
            default: break;
        }
    }
    finish_turn();
    return count == batch || turn_owed();
}

template <class K>
void Reactor<K>::flush(io::Driver driver) {
    driver_ = driver;
    read_clock();
    finish_turn();
}

template <class K>
void Reactor<K>::finish_turn() {
    read_lanes();
    timers_.advance(clock_.now_ms, lane_is_crowded() ? EXPIRIES_CROWDED : EXPIRIES,
                    [this](std::uint32_t index) { expired(index); });
    if (accept_retry_ms_ != 0 && clock_.now_ms >= accept_retry_ms_) {
        accept_retry_ms_ = 0;
        for (std::uint32_t i = 0; i < settings_.listeners.size(); ++i) arm_accept(i);
    }
    serve_backlog();
    serve_waiting();
    if (send_lone()) serve_waiting();
    lend_segments();
    serve_starved();
    const std::uint32_t window = std::min(share(2 * reserve_), STREAM_WINDOW_BYTES);
    for (LaneEnd& lane : lanes_) {
        if (lane.state() == LaneState::live || lane.state() == LaneState::draining) {
            grant_credits(lane);
            lane.set_window(window);
            lane.publish();
        }
    }
    kernel_.submit();
    if (log_) log_->flush();
}

// Bodies, their ends and aborts come more quickly than handlers take them, and requests wait behind them.
template <class K>
bool Reactor<K>::lane_is_crowded() {
    LaneEnd* lane = live();
    return lane != nullptr && lane->events() >= ENTRIES_WAITING;
}

// Those whom what has come back may serve, and everybody to whom something has happened.
template <class K>
void Reactor<K>::serve_waiting() {
    slot_came_back();
    break_off_stalled();  // for those who still wait
    break_off_slow_upload();
    room_came_back();
    settle_marked();
}

// What it has brought is known before anybody sleeps: else it would be the loop's next round.
template <class K>
bool Reactor<K>::send_lone() {
    io::Completion completion;
    if (!kernel_.send_lone(&completion)) return false;
    if (Connection* connection = find(completion.token)) sent(*connection, completion.result);
    return true;
}

template <class K>
void Reactor<K>::settle_marked() {
    while (dirty_ != NONE) {
        Connection& connection = connections_[dirty_];
        dirty_ = connection.next_dirty;
        connection.in_dirty = false;
        settle(connection);
    }
}

template <class K>
void Reactor<K>::lend_segments() {
    // Input never takes the last of the arena: what has been asked must be answered for input to be read. And more than
    // a batch is lent from what is plenty.
    while (kernel_.lent() < lent_target_ &&
           segments_.free_count() > (kernel_.lent() < BATCH ? input_reserve_ : 2 * reserve_)) {
        const std::uint32_t segment = segments_.take();
        if (segment == NONE) break;
        kernel_.lend(segment);
    }
}

template <class K>
std::uint64_t Reactor<K>::next_deadline_ms() const {
    std::uint64_t next = std::min(timers_.next_ms(), next_break_off_ms());
    if constexpr (requires { kernel_.unsubmitted(); }) {
        if (kernel_.unsubmitted()) next = std::min(next, clock_.now_ms + SUBMIT_RETRY_MS);
    }
    return accept_retry_ms_ != 0 && accept_retry_ms_ < next ? accept_retry_ms_ : next;
}

template <class K>
std::int64_t Reactor<K>::next_timeout_ms() const {
    const std::uint64_t next = next_deadline_ms();
    if (next == UINT64_MAX) return -1;
    timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    const std::uint64_t now = std::uint64_t(time.tv_sec) * 1000 + std::uint64_t(time.tv_nsec) / 1000000;
    return next <= now ? 0 : std::int64_t(next - now);
}

}  // namespace pinion::shard
