// Reactor: connections that wait for a segment, a slot, room on a lane or the next turn, first in, first out.
#pragma once

#include <algorithm>
#include <utility>

#include "shard/reactor.hpp"

namespace pinion::shard {

// `link`: the member that leads to the next on the list.
template <class K>
void Reactor<K>::append(WaitList& list, Connection& connection, std::uint32_t Connection::*link) {
    const std::uint32_t index = index_of(connection);
    connection.*link = NONE;
    (list.first == NONE ? list.first : connections_[list.last].*link) = index;
    list.last = index;
    ++list.count;
}

template <class K>
WaitList& Reactor<K>::list_of(Wait what) {
    switch (what) {
        case Wait::segment: return starved_heads_;
        case Wait::body_segment: return starved_bodies_;
        case Wait::first_word: return unheard_;
        case Wait::slot: return slotless_;
        case Wait::lane_slot: return laneless_;
        case Wait::new_slot: return newcomers_;
        case Wait::upload_slot: return uploadless_;
        case Wait::room: return roomless_;
        case Wait::turn: return turnless_;
        case Wait::nothing: break;
    }
    PINION_ASSERT(false);
}

template <class K>
void Reactor<K>::wait_on(Connection& connection, Wait what) {
    WaitList& list = list_of(what);
    connection.wait = what;
    connection.waiting_before = list.last;
    append(list, connection, &Connection::next_waiting);
}

// Whoever ends leaves at once: what it waits for may never come.
template <class K>
void Reactor<K>::stop_waiting(Connection& connection) {
    if (connection.wait == Wait::nothing) return;
    WaitList& list = list_of(std::exchange(connection.wait, Wait::nothing));
    const std::uint32_t before = connection.waiting_before;
    const std::uint32_t next = connection.next_waiting;
    (before == NONE ? list.first : connections_[before].next_waiting) = next;
    (next == NONE ? list.last : connections_[next].waiting_before) = before;
    --list.count;
}

template <class K>
Connection& Reactor<K>::waited(std::uint32_t index) {
    Connection& connection = connections_[index];
    stop_waiting(connection);
    mark(connection);
    return connection;
}

// Takes the first off a list that is not empty.
template <class K>
Connection& Reactor<K>::next_of(const WaitList& list) {
    return waited(list.first);
}

template <class K>
void Reactor<K>::wait_for_segment(Connection& connection) {
    if (connection.body == NONE) return wait_on(connection, Wait::segment);
    exchanges_[connection.body].body_moved_ms = clock_.now_ms;  // up to now its client may have been silent
    wait_on(connection, Wait::body_segment);
}

// One re-arm for each segment that is there, heads and bodies in turn. What it frees is lent at once, for those behind.
template <class K>
void Reactor<K>::serve_starved() {
    std::uint32_t served = 0;
    const auto serve = [&](WaitList& list) {
        Connection& connection = next_of(list);
        if (connection.body != NONE) not_the_client(exchanges_[connection.body]);
        if (connection.has_input()) read_input(connection);
        settle_marked();
        lend_segments();
        ++served;
    };
    for (bool going = true; going;) {
        going = false;
        if (starved_heads_.first != NONE && served < kernel_.lent()) {
            serve(starved_heads_);
            going = true;
        }
        if (starved_bodies_.first == NONE) continue;
        // A body holds a slot: those who hold the other segments may wait for that.
        Connection& body = connections_[starved_bodies_.first];
        body.wait = Wait::nothing;
        const bool goes_on = served < kernel_.lent() || receive_from_reserve(body);
        body.wait = Wait::body_segment;
        if (!goes_on) continue;
        serve(starved_bodies_);
        going = true;
    }
}

template <class K>
void Reactor<K>::wait_for_slot(Connection& connection, Wait what) {
    if (connection.wait != Wait::nothing) return;
    connection.deadline_ms = clock_.now_ms + settings_.timeouts.handler;  // its own part is done
    if (what == Wait::slot) return wait_on(connection, what);
    // Each holds memory for its head, which must not become the last for those who need no slot.
    const std::uint32_t kept = (reserve_ + input_reserve_) / (connection.proven ? 4 : 2);
    const bool crowded = segments_.free_count() <= kept && input_reserve_ < reserve_;
    if (slot_waiters() >= settings_.limits.queue || crowded) return refuse(connection, 503);
    wait_on(connection, what);
}

// After a turn: a slot that came back as its end settled connections.
template <class K>
bool Reactor<K>::slot_waiter_may_go() {
    return (slotless_.first != NONE && exchanges_.peek() != NONE) || (laneless_.first != NONE && has_lane_slot()) ||
           (newcomers_.first != NONE && has_new_slot()) ||
           (uploadless_.first != NONE && has_slot_for(connections_[uploadless_.first]) && has_upload_slot());
}

template <class K>
void Reactor<K>::slot_came_back() {
    while (slotless_.first != NONE && exchanges_.peek() != NONE) read_input(next_of(slotless_));
    while (laneless_.first != NONE && has_lane_slot()) serve_lane_waiter(laneless_.first);
    while (newcomers_.first != NONE && has_new_slot()) serve_lane_waiter(newcomers_.first);
    while (uploadless_.first != NONE && has_slot_for(connections_[uploadless_.first]) && has_upload_slot()) {
        serve_lane_waiter(uploadless_.first);
    }
}

template <class K>
void Reactor<K>::serve_lane_waiter(std::uint32_t index) {
    Connection& connection = waited(index);
    if (connection.state == ConnectionState::open) read_input(connection);
}

// When a connection began to wait for a slot.
template <class K>
double Reactor<K>::waiting_since_ns(const Connection& connection) const {
    return double(connection.deadline_ms - settings_.timeouts.handler) * 1e6;
}

template <class K>
void Reactor<K>::wait_for_room(Connection& connection) {
    if (connection.wait == Wait::nothing) wait_on(connection, Wait::room);
}

// Before anything new is read: who waits longest comes first, as far as this turn's allowance goes.
template <class K>
void Reactor<K>::turn_came() {
    for (const std::uint32_t last = turnless_.last; turnless_.first != NONE && pipelined_left_ > 0;) {
        Connection& connection = next_of(turnless_);
        read_input(connection);
        if (index_of(connection) == last) return;
    }
}

// Once round the list, which is no longer than there are slots: who still finds no room queues behind.
template <class K>
void Reactor<K>::room_came_back() {
    for (const std::uint32_t last = roomless_.last; roomless_.first != NONE;) {
        Connection& connection = next_of(roomless_);
        if (connection.body != NONE) not_the_client(exchanges_[connection.body]);
        read_input(connection);
        if (index_of(connection) == last) return;
    }
}

}  // namespace pinion::shard
