// Reactor: clients that take nothing of what is sent to them, and what gives way to others.
//
// A connection stalls when its output has waited for `stall_ms()`: from then on it counts as a newcomer again, and
// stands on a list, longest first, until all of its output has left. Nobody is harmed by that. But while others wait
// for a slot or for memory, one of these is broken off for each who waits: the one that stands there longest and has
// taken less than LEAST_BYTES_PER_SECOND since it stands there. So no look at a connection that nobody waits for.
#pragma once

#include <algorithm>

#include "shard/reactor.hpp"

namespace pinion::shard {

// One second by default. Who lets clients take longer lets them stall for longer.
template <class K>
std::uint64_t Reactor<K>::stall_ms() const {
    return std::max(settings_.timeouts.write / STALL_PART, 1u);
}

// Bytes that the client has received, ever. What the kernel has taken says little: its buffers hold megabytes, and
// report room in steps that a slow but honest client needs minutes for.
template <class K>
std::uint64_t Reactor<K>::taken_bytes(const Connection& connection) const {
    std::uint64_t taken = connection.sent_bytes;
    if constexpr (requires { kernel_.unacknowledged(connection.socket); }) {
        taken -= std::min<std::uint64_t>(taken, kernel_.unacknowledged(connection.socket));
    }
    return taken;
}

// Goes to the end of the list, and is measured from now on.
template <class K>
void Reactor<K>::stall(Connection& connection) {
    unstall(connection);
    connection.stalled = true;
    connection.proven = false;
    connection.stalled_ms = clock_.now_ms;
    connection.stalled_bytes = taken_bytes(connection);
    const std::uint32_t index = index_of(connection);
    connection.stalled_next = NONE;
    connection.stalled_before = stalled_.last;
    (stalled_.first == NONE ? stalled_.first : connections_[stalled_.last].stalled_next) = index;
    stalled_.last = index;
}

template <class K>
void Reactor<K>::unstall(Connection& connection) {
    if (!connection.stalled) return;
    connection.stalled = false;
    const std::uint32_t before = connection.stalled_before;
    const std::uint32_t next = connection.stalled_next;
    (before == NONE ? stalled_.first : connections_[before].stalled_next) = next;
    (next == NONE ? stalled_.last : connections_[next].stalled_before) = before;
}

// How many slots are to be had from those who stall: one for each who waits, less those on their way back.
template <class K>
std::uint32_t Reactor<K>::slots_wanted() const {
    const std::uint32_t wanted = slot_waiters() + (memory_short() ? BATCH : 0);
    return wanted - std::min(wanted, breaking_off_);
}

template <class K>
bool Reactor<K>::memory_short() const {
    return segments_.free_count() <= reserve_ || starved_heads_.first != NONE || starved_bodies_.first != NONE;
}

template <class K>
void Reactor<K>::break_off_stalled() {
    for (unsigned looks = 0; stalled_.first != NONE && looks < STALLED_LOOKS && slots_wanted() > 0; ++looks) {
        Connection& connection = connections_[stalled_.first];
        const std::uint64_t stood_ms = clock_.now_ms - connection.stalled_ms;
        if (stood_ms < stall_ms()) return;
        const std::uint64_t least = stood_ms * LEAST_BYTES_PER_SECOND / 1000;
        // What has not been offered to it cannot be taken.
        const bool takes = !connection.send_armed ||
                           taken_bytes(connection) >= connection.stalled_bytes + std::max<std::uint64_t>(least, 1);
        // Who has got its answers whole, but for what is on its way, holds memory only.
        const std::uint32_t first = connection.first;
        if (takes || (first == NONE && !memory_short())) {
            stall(connection);
            continue;
        }
        terminate(connection, true);
        if (first == NONE || !exchanges_[first].lane_holds) continue;
        exchanges_[first].broken_off = true;
        ++breaking_off_;
    }
}

// The same for uploads: while others wait to begin, the slowest of those that bring less than WANTED_BYTES_PER_SECOND,
// or nothing for WANTED_PAUSE_MS, ends now and then.
template <class K>
void Reactor<K>::break_off_slow_upload() {
    if (!upload_slot_wanted() || clock_.now_ms < upload_look_ms_) return;
    upload_look_ms_ = clock_.now_ms + UPLOAD_LOOK_MS;  // at every slot
    std::uint32_t slowest = NONE;
    std::uint64_t earliest = clock_.now_ms;
    for (std::uint32_t i = 0; i < exchanges_.capacity(); ++i) {
        const Exchange& exchange = exchanges_[i];
        if (!exchange.body_open || exchange.connection == NONE || exchange.wanted_deadline_ms >= earliest) continue;
        const Connection& connection = connections_[exchange.connection];
        if (connection.body != i || !client_is_slow(connection)) continue;
        slowest = i;
        earliest = exchange.wanted_deadline_ms;
    }
    if (slowest == NONE) return;
    Exchange& body = exchanges_[slowest];
    if (body.body_discard)
        return stop_reading(connections_[body.connection], body);  // its answer is whole all the same
    body_too_slow(connections_[body.connection]);
}

// When one of these may have something to do; UINT64_MAX: not as things are.
template <class K>
std::uint64_t Reactor<K>::next_break_off_ms() const {
    const std::uint64_t upload_ms = upload_slot_wanted() ? upload_look_ms_ : UINT64_MAX;
    if (stalled_.first == NONE || slots_wanted() == 0) return upload_ms;
    return std::min(upload_ms, connections_[stalled_.first].stalled_ms + stall_ms());
}

}  // namespace pinion::shard
