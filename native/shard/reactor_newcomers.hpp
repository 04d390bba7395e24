// Reactor: connections that have not taken an answer yet, and what a turn does for them.
//
// A newcomer costs a turn many times what the next request of an old client does, most of it in the kernel, and it may
// be one that never takes what it asks for. Of thousands at once a turn hears a few, sends so many bytes to them and
// hands a few of their requests to the worker: turns stay short for everybody else, and no newcomer waits for ever.
#pragma once

#include <algorithm>

#include "shard/reactor.hpp"

namespace pinion::shard {

// As a turn begins: who was left over comes first.
template <class K>
void Reactor<K>::newcomers_turn() {
    newcomers_left_ = {.first_words = NEWCOMERS, .output_bytes = NEWCOMERS_OUTPUT};
    while (unheard_.first != NONE && newcomers_left_.first_words > 0) hear(next_of(unheard_));
    while (unsent_.first != NONE && newcomers_left_.output_bytes > 0) {
        Connection& connection = connections_[unsent_.first];
        unsent_.first = connection.next_unsent;
        --unsent_.count;
        connection.unsent = false;
        settle(connection);
    }
    while (unsent_streams_.first != NONE && newcomers_left_.output_bytes > 0 && lane_is_open_to_newcomers()) {
        Connection& connection = connections_[unsent_streams_.first];
        unsent_streams_.first = connection.next_unsent_stream;
        --unsent_streams_.count;
        connection.unsent_stream = false;
        settle(connection);
    }
}

// Whether its first receive may be armed now; else it waits for a turn.
template <class K>
bool Reactor<K>::hear(Connection& connection) {
    if (newcomers_left_.first_words == 0) {
        wait_on(connection, Wait::first_word);
        return false;
    }
    --newcomers_left_.first_words;
    connection.heard = true;
    return true;
}

// Whether its output may be sent now; else a later turn settles it. Whatever happens to it meanwhile, it stays on the
// list: its end, too, and who gets its record next, who may wait on the other list.
template <class K>
bool Reactor<K>::may_send(Connection& connection) {
    if (connection.proven) return true;
    const bool stream = parts_[connection.output_first].exchange != NONE;  // its handler goes on when this has left
    std::uint32_t& left = newcomers_left_.output_bytes;
    if (left > 0 && (!stream || lane_is_open_to_newcomers())) {
        left -= std::min(left, std::max(connection.output_bytes, NEWCOMERS_OUTPUT / NEWCOMERS_SENDS));
        if (stream && live() != nullptr) newcomer_enters(*live());
        return true;
    }
    if (stream && !connection.unsent_stream) {
        connection.unsent_stream = true;
        append(unsent_streams_, connection, &Connection::next_unsent_stream);
    }
    if (!stream && !connection.unsent) {
        connection.unsent = true;
        append(unsent_, connection, &Connection::next_unsent);
    }
    return false;
}

// The last slots are not for them, nor the last memory while many answers that come in parts hold it.
template <class K>
bool Reactor<K>::newcomers_slot_is_free() const {
    const std::uint32_t slots = exchanges_.capacity();
    const bool held = streams_ > slots / PROVEN_SLOTS && segments_.free_count() <= reserve_;
    return !held && slots - exchanges_.used() > native_slots() + slots / PROVEN_SLOTS;
}

// Only a few entries may wait on the lane for one of theirs to join them: who comes then waits for these alone. While
// others keep it busy, one of theirs comes behind so many.
template <class K>
bool Reactor<K>::lane_is_open_to_newcomers() {
    LaneEnd* lane = live();
    if (lane == nullptr) return true;
    lane->request_space();  // sees what has been taken
    const std::uint32_t taken = lane->requests_taken();
    const bool too_early = newcomer_next_ - taken - 1 < NEWCOMERS_EVERY;  // anything else is of a lane before
    return lane->request_tail() - taken < NEWCOMERS_WAITING || !too_early;
}

// Their part of what a turn finds taken may come all at once.
template <class K>
void Reactor<K>::newcomer_enters(const LaneEnd& lane) {
    const std::uint32_t taken = lane.requests_taken();
    const auto most = std::int32_t(NEWCOMERS_WAITING * NEWCOMERS_EVERY);
    const std::int32_t owed = std::clamp(std::int32_t(taken - newcomer_next_), 0, most);
    newcomer_next_ = taken - std::uint32_t(owed) + NEWCOMERS_EVERY;
}

template <class K>
bool Reactor<K>::has_new_slot() {
    return newcomers_slot_is_free() && lane_is_open_to_newcomers();
}

}  // namespace pinion::shard
