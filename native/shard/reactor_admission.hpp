// Reactor: which requests are taken, and how much of the arena one connection or request may hold.
#pragma once

#include <algorithm>
#include <bit>

#include "shard/reactor.hpp"

namespace pinion::shard {

// --- by time: how long requests wait for their handler ---
//
// Controlled delay, for a server's queue: as long as the queue has been empty at some time in the last `interval`,
// a burst may wait. Has it not, the queue is a standing one: a new request is refused while the oldest has waited for
// `target` or longer, and who has waited for `interval` is refused too. So handlers are never idle, and who is served
// has waited for `interval` at most, for about `target` mostly. A queue that does not move is no overload: one handler
// holds the core, and what waits for it may be served in no time when it is done.
//
// Nobody waits in vain, either: who would wait for most of `interval`, going by how the queue has moved since it
// was empty, is refused at once.

// Newcomers have a queue of their own, and a small part of each turn (reactor_newcomers.hpp): how long they wait says
// nothing to others.

// Once a turn, before its requests come in.
template <class K>
void Reactor<K>::observe_queues() {
    LaneEnd* lane = live();
    const Oldest oldest = oldest_waiting();  // before the lane's counts: it sees what has been taken
    const std::uint32_t taken = lane == nullptr ? 0 : lane->requests_taken();
    const std::uint32_t waiting = lane == nullptr ? 0 : lane->waiting() + (slots_move() ? laneless_.count : 0);
    const bool moves = taken != queue_.taken;
    observe(queue_, oldest.proven_ns, moves, taken, waiting);
    observe(newcomer_queue_, oldest.newcomer_ns, moves, newcomers_entered_, newcomers_.count);
    // They move as fast as the lane while nobody else fills it; sure is their part of it. And then they wait there.
    newcomer_queue_.overloaded |= too_long(queue_, newcomers_.count * NEWCOMERS_EVERY, 1);
    if (!newcomer_queue_.overloaded) newcomer_queue_.overloaded_ms = clock_.now_ms;
    if (lane != nullptr && (queue_.overloaded || newcomer_queue_.overloaded)) shed(*lane);
    if (newcomer_queue_.overloaded) shed_newcomers();
}

// `oldest_ns`: when the first in the queue came; 0: nobody waits. `moves`: the lane does.
template <class K>
void Reactor<K>::observe(QueueWatch& queue, double oldest_ns, bool moves, std::uint32_t taken, std::uint32_t waiting) {
    if (oldest_ns == 0 || moves) {
        queue.longest_ms = std::max(queue.longest_ms, clock_.now_ms - queue.moved_ms);
        queue.moved_ms = clock_.now_ms;
    }
    queue.taken = taken;
    const Admission& admission = settings_.admission;
    const bool held = clock_.now_ms - queue.moved_ms >= admission.interval_ms;
    if (oldest_ns == 0 || held) {
        queue.empty_ms = clock_.now_ms;
        queue.empty_taken = taken;
        queue.longest_ms = 0;
    }
    const bool stands = clock_.now_ms - queue.empty_ms > admission.interval_ms &&
                        clock_.now_ns - oldest_ns >= double(admission.target_ms) * 1e6;
    queue.overloaded = (admission.target_ms != 0 && stands) || too_long(queue, waiting, 3);
}

// Whether a request that came now, behind so many, would wait for more quarters of `interval`. While a queue is too
// young to say, none does.
template <class K>
bool Reactor<K>::too_long(const QueueWatch& queue, std::uint32_t waiting, std::uint32_t quarters) const {
    // Up to when it last moved, and without the longest time in which it did not: who holds the core, or held it then,
    // is no measure of the others.
    const std::uint64_t moving_ms = queue.moved_ms > queue.empty_ms ? queue.moved_ms - queue.empty_ms : 0;
    const std::uint64_t elapsed_ms = moving_ms - std::min(moving_ms, queue.longest_ms);
    const std::uint32_t taken = queue.taken - queue.empty_taken;
    if (settings_.admission.target_ms == 0 || elapsed_ms < YOUNG_QUEUE_MS || taken < YOUNG_QUEUE_TAKEN) return false;
    return elapsed_ms * waiting / taken > std::uint64_t{settings_.admission.interval_ms} * quarters / 4;
}

template <class K>
bool Reactor<K>::overloaded_for(const Connection& connection) const {
    if (connection.proven || queue_.overloaded) return queue_.overloaded;
    // A turn hears few of those that come at once: who was there shortly before it was too much has come in time.
    const std::uint64_t accepted_ms = connection.deadline_ms - settings_.timeouts.head;  // or when its head began
    const bool in_time = newcomer_queue_.overloaded_ms - accepted_ms - 1 < settings_.admission.interval_ms;
    return newcomer_queue_.overloaded && !in_time;
}

// Refuses those at the front of an overloaded queue that have waited for too long.
template <class K>
void Reactor<K>::shed(LaneEnd& lane) {
    std::uint32_t most = BATCH;
    lane.waiting_requests([&](const layout::Entry& entry) {
        const std::uint32_t slot = entry.head >> 8;
        if (slot >= exchanges_.capacity() || most-- == 0) return false;
        Exchange& exchange = exchanges_[slot];
        if (exchange.generation != entry.generation || exchange.stage != Stage::lane) return true;  // given up already
        const bool overloaded = (exchange.newcomer ? newcomer_queue_ : queue_).overloaded;
        const bool too_late = clock_.now_ns - exchange.received_ns >= double(settings_.admission.interval_ms) * 1e6;
        if (overloaded && too_late && abandon(exchange, layout::AbortReason::timed_out)) answer_status(exchange, 503);
        return true;  // a newcomer behind others may have waited for longer
    });
}

template <class K>
void Reactor<K>::shed_newcomers() {
    shedding_ = true;  // whose turn it is gets 503
    for (std::uint32_t most = BATCH; most > 0 && newcomers_.first != NONE && exchanges_.peek() != NONE; --most) {
        const double waited_ns = clock_.now_ns - waiting_since_ns(connections_[newcomers_.first]);
        if (waited_ns >= double(settings_.admission.interval_ms) * 1e6) {
            serve_lane_waiter(newcomers_.first);
        } else if (too_long(queue_, newcomers_.count * NEWCOMERS_EVERY, 4)) {
            serve_lane_waiter(newcomers_.last);  // came before that was known
        } else {
            break;
        }
    }
    shedding_ = false;
}

// When the oldest requests came that have not reached their handlers. Without a live worker none waits: the backlog is
// for the next one.
template <class K>
Oldest Reactor<K>::oldest_waiting() {
    Oldest oldest;
    LaneEnd* lane = live();
    if (lane == nullptr || !lane->counts_possible()) return oldest;
    std::uint32_t most = OLDEST_LOOKS;
    lane->waiting_requests([&](const layout::Entry& entry) {
        const std::uint32_t slot = entry.head >> 8;  // or what the worker has written there
        if (slot < exchanges_.capacity()) {
            const Exchange& exchange = exchanges_[slot];
            double& ns = exchange.newcomer ? oldest.newcomer_ns : oldest.proven_ns;
            if (ns == 0) ns = exchange.received_ns;
        }
        return --most > 0 && (oldest.proven_ns == 0 || oldest.newcomer_ns == 0);
    });
    const auto since = [&](const WaitList& list) { return waiting_since_ns(connections_[list.first]); };
    const bool newcomers_wait = newcomers_.first != NONE && slots_move();
    if (oldest.newcomer_ns == 0 && newcomers_wait) oldest.newcomer_ns = since(newcomers_);
    if (oldest.proven_ns == 0 && laneless_.first != NONE) oldest.proven_ns = since(laneless_);
    // Those that wait for slots, and not for their part of the lane, wait like everybody else.
    if (oldest.proven_ns == 0 && newcomers_wait && !newcomers_slot_is_free()) oldest.proven_ns = since(newcomers_);
    return oldest;
}

// --- by slots ---

// Slow readers may hold the slots that others wait for: then such a wait says nothing of the handlers.
template <class K>
bool Reactor<K>::slots_move() const {
    return streams_ <= exchanges_.used() / 2;
}

// The last slots are kept for requests that need no handler: health and fixed answers go on when handlers do not.
template <class K>
std::uint32_t Reactor<K>::native_slots() const {
    const std::uint32_t slots = exchanges_.capacity();
    return slots == 1 ? 0 : std::max(slots / NATIVE_SLOTS, 1u);
}

template <class K>
bool Reactor<K>::has_lane_slot() const {
    return exchanges_.capacity() - exchanges_.used() > native_slots();
}

template <class K>
bool Reactor<K>::has_slot_for(const Connection& connection) {
    return connection.proven ? has_lane_slot() : has_new_slot();
}

// Uploads that still arrive leave slots to others: their clients decide how long they take.
template <class K>
bool Reactor<K>::has_upload_slot() const {
    return uploads_ < std::max(exchanges_.capacity() / UPLOAD_SLOTS, 1u);
}

template <class K>
bool Reactor<K>::upload_slot_wanted() const {
    return uploadless_.first != NONE && !has_upload_slot();
}

// What this request, with `behind` bytes at hand behind its head, has to wait for before it may take the next slot.
// What is refused for overload needs its slot for a moment only.
template <class K>
Wait Reactor<K>::slot_for(const Connection& connection, const http::Head& head, const char* base, std::uint32_t slot,
                          std::uint32_t behind) {
    const bool arrives = head.framing == http::Framing::chunked || head.content_length > behind;
    const Wait what = !has_slot_for(connection)       ? (connection.proven ? Wait::lane_slot : Wait::new_slot)
                      : arrives && !has_upload_slot() ? Wait::upload_slot
                                                      : Wait::nothing;
    if (what == Wait::nothing || shedding_ || (overloaded_for(connection) && !connection.head_complete))
        return Wait::nothing;
    const std::string_view path(base + head.path.offset, head.path.length);
    if (path == "*") return Wait::nothing;
    const http::Match match = router_.match(head.method, path, base, region_.slot(slot).parameters);
    const bool handled =
        match.kind == http::Match::Kind::found && settings_.routes[match.route].kind == Route::Kind::handler;
    return handled ? what : Wait::nothing;
}

// --- by address ---

// False: this client has its share of connections already.
template <class K>
bool Reactor<K>::admit_address(Connection& connection) {
    if (!clients_.limits_connections() || peer_address(connection) != 0) return true;
    const AddressTable::Key key = AddressTable::key_of(addresses_[index_of(connection)].address);
    if (key == 0) return true;
    connection.counted = clients_.connect(key);
    return connection.counted;
}

// False: this client's requests come too fast.
template <class K>
bool Reactor<K>::admit_rate(Connection& connection) {
    if (!clients_.limits_requests() || peer_address(connection) != 0) return true;
    const AddressTable::Key key = AddressTable::key_of(addresses_[index_of(connection)].address);
    return key == 0 || clients_.request(key, std::uint64_t(clock_.now_ns / 1000));
}

// --- by memory ---
//
// Each bound is the configured one or a share of what is free above the reserve, whichever is less (dynamic thresholds,
// as switches have them): few may hold much, many hold little each, and no number of slow clients gets the last of the
// arena. Who holds nothing may always begin.

template <class K>
std::uint32_t Reactor<K>::share(std::uint32_t kept) const {
    const std::uint32_t free = segments_.free_count();
    return free <= kept ? 0 : (free - kept) * (layout::SEGMENT_BYTES / SHARE);
}

template <class K>
bool Reactor<K>::input_full(const Connection& connection) const {
    const std::uint32_t held = connection.input_segments * layout::SEGMENT_BYTES;
    return held > 0 && held >= std::min(settings_.limits.connection_bytes, share());
}

template <class K>
bool Reactor<K>::output_full(const Connection& connection) const {
    return connection.output_bytes > 0 && connection.output_bytes >= std::min(OUTPUT_HIGH_WATER, share());
}

template <class K>
bool Reactor<K>::body_full(const Exchange& exchange) const {
    return exchange.body_held > 0 && exchange.body_held >= std::min(BODY_HELD_MAX, share());
}

// Unfinished heads are held for as long as their clients like, and what they hold must not become the last: neither for
// input nor for answers.
template <class K>
bool Reactor<K>::may_grow(const Connection& connection, std::uint32_t length) const {
    const std::uint32_t needed = connection.head_length + length;
    if (needed <= connection.head_block_bytes || input_reserve_ == reserve_) return true;
    const std::uint32_t segments = std::bit_ceil(needed) / layout::SEGMENT_BYTES;
    return segments_.free_count() > (reserve_ + input_reserve_) / 2 + segments;
}

// Whether one more request may begin behind another of its connection. Its answer waits in memory for those before it:
// were that the last memory, they could not be answered.
template <class K>
bool Reactor<K>::room_behind() const {
    return segments_.free_count() > reserve_ + behind_ * BEHIND_SEGMENTS;
}

}  // namespace pinion::shard
