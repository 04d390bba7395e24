// Reactor: connections that wait for a segment, a slot or room on a lane, first in, first out.
#pragma once

#include <algorithm>
#include <utility>

#include "shard/reactor.hpp"

namespace pinion::shard {

template <class K>
void Reactor<K>::wait_on(WaitList& list, Connection& connection, Wait what, bool ahead) {
    const std::uint32_t index = index_of(connection);
    connection.wait = what;
    connection.next_waiting = ahead ? list.first : NONE;
    if (list.first == NONE) {
        list.first = list.last = index;
    } else if (ahead) {
        list.first = index;
    } else {
        connections_[list.last].next_waiting = index;
        list.last = index;
    }
}

// Takes the first off a list that is not empty.
template <class K>
Connection& Reactor<K>::next_of(WaitList& list) {
    Connection& connection = connections_[list.first];
    list.first = connection.next_waiting;
    if (list.first == NONE) list.last = NONE;
    connection.wait = Wait::nothing;
    mark(connection);
    return connection;
}

// Those whose body is being read go first: they hold a slot.
template <class K>
void Reactor<K>::wait_for_segment(Connection& connection) {
    wait_on(starved_, connection, Wait::segment, connection.body != NONE);
}

// One re-arm for each segment that is there. What it frees is lent at once, for those behind it.
template <class K>
void Reactor<K>::serve_starved() {
    for (std::uint32_t served = 0; starved_.first != NONE; ++served) {
        Connection& first = connections_[starved_.first];
        first.wait = Wait::nothing;
        if (served >= kernel_.lent() && !receive_from_reserve(first)) {
            first.wait = Wait::segment;
            return;
        }
        Connection& connection = next_of(starved_);
        if (connection.input_first != NONE) read_input(connection);
        settle_marked();
        lend_segments();
    }
}

template <class K>
void Reactor<K>::wait_for_slot(Connection& connection, bool of_lane) {
    if (connection.wait != Wait::nothing) return;
    connection.deadline_ms = clock_.now_ms + settings_.timeouts.handler;  // its own part is done
    wait_on(of_lane ? laneless_ : slotless_, connection, of_lane ? Wait::lane_slot : Wait::slot);
}

template <class K>
void Reactor<K>::slot_came_back() {
    while (slotless_.first != NONE && exchanges_.peek() != NONE) read_input(next_of(slotless_));
    // Who has waited is not refused for having waited.
    const bool overloaded = std::exchange(overloaded_, false);
    while (laneless_.first != NONE && has_lane_slot()) read_input(next_of(laneless_));
    overloaded_ = overloaded;
}

template <class K>
void Reactor<K>::wait_for_room(Connection& connection) {
    if (connection.wait == Wait::nothing) wait_on(roomless_, connection, Wait::room);
}

// Once round the list, which is no longer than there are slots: who still finds no room queues behind.
template <class K>
void Reactor<K>::room_came_back() {
    for (const std::uint32_t last = roomless_.last; roomless_.first != NONE;) {
        Connection& connection = next_of(roomless_);
        if (connection.body != NONE) {
            // It was not the client who was slow.
            Exchange& body = exchanges_[connection.body];
            body.body_deadline_ms = std::max(body.body_deadline_ms, clock_.now_ms + settings_.timeouts.body);
        }
        read_input(connection);
        if (index_of(connection) == last) return;
    }
}

}  // namespace pinion::shard
