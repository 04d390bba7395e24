// Reactor: request bodies, from the input to their lane.
#pragma once

#include <algorithm>

#include "shard/reactor.hpp"

namespace pinion::shard {

// Body bytes, decoded in place and handed to whom they are for. False: nothing more can be read now.
template <class K>
bool Reactor<K>::read_body(Connection& connection, char* bytes, std::uint32_t length, std::uint32_t& consumed) {
    Exchange& exchange = exchanges_[connection.body];
    if (!body_room(exchange)) {
        wait_for_room(connection);
        return false;
    }
    std::size_t data = 0;
    std::size_t trailers = 0;  // behind the data
    std::size_t used = 0;
    bool done = false;
    if (exchange.framing == http::Framing::length) {
        data = used = std::size_t(std::min<std::uint64_t>(length, exchange.body_remaining));
        done = exchange.body_remaining == data;
    } else {
        const http::ChunkedLimits limits{4096, 16384, 65536};
        http::ChunkedPiece piece{};
        const http::ChunkedResult result = exchange.decoder.decode(bytes, length, limits, piece);
        data = piece.data;
        trailers = piece.trailers;
        used = piece.consumed;
        if (result == http::ChunkedResult::complete) {
            done = true;
        } else if (result != http::ChunkedResult::more) {
            const bool owed = !exchange.begun && exchange.linked && !exchange.complete;
            if (!owed) {
                break_body_off(connection, exchange);
                return false;
            }
            abandon(exchange, layout::AbortReason::body_refused);
            answer_status(exchange, std::uint16_t(result), true);
            return false;
        }
    }
    if (exchange.body_received + data > exchange.body_limit) {
        if (exchange.begun || !exchange.linked || exchange.complete) {
            break_body_off(connection, exchange);
            return false;
        }
        abandon(exchange, layout::AbortReason::body_refused);
        answer_status(exchange, 413, true);
        return false;
    }
    if (exchange.body_discard && exchange.body_received + data > DISCARD_MAX) {
        stop_reading(connection, exchange);
        return false;
    }
    if (!exchange.body_discard) {
        push_body(exchange, EntryType::body, region_.offset_of(bytes), std::uint32_t(data));
        push_body(exchange, EntryType::trailers, region_.offset_of(bytes + data), std::uint32_t(trailers));
    }
    consumed = std::uint32_t(used);
    exchange.body_received += data;
    // While parts arrive the handler waits for the client, not the client for the handler.
    exchange.deadline_ms = clock_.now_ms + handler_timeout(exchange);
    exchange.expect_continue = false;  // it did not wait for the 100
    exchange.body_moved_ms = clock_.now_ms;
    // What came quickly is no credit for a pause.
    const auto later = [&](std::uint64_t deadline_ms, std::uint32_t bytes_per_second, std::uint32_t pause_ms) {
        return std::min(deadline_ms + data * 1000 / bytes_per_second, clock_.now_ms + pause_ms);
    };
    exchange.body_deadline_ms = later(exchange.body_deadline_ms, LEAST_BYTES_PER_SECOND, settings_.timeouts.body);
    const std::uint64_t owed_ms = std::max(exchange.wanted_deadline_ms, clock_.now_ms - WANTED_DEBT_MS);
    exchange.wanted_deadline_ms = later(owed_ms, WANTED_BYTES_PER_SECOND, WANTED_PAUSE_MS);
    if (exchange.framing == http::Framing::length) exchange.body_remaining -= data;
    if (done) body_complete(exchange);
    return true;
}

// Its end has been read, or nobody reads on.
template <class K>
void Reactor<K>::close_body(Exchange& exchange) {
    if (!exchange.body_open) return;
    exchange.body_open = false;
    --uploads_;
    Connection& connection = connections_[exchange.connection];
    if (connection.body == index_of(exchange)) connection.body = NONE;
}

template <class K>
void Reactor<K>::body_complete(Exchange& exchange) {
    close_body(exchange);
    if (!exchange.body_discard) push_body_end(exchange, false);
    if (exchange.stage == Stage::ended) release(exchange);
}

// A request that will never be whole (RFC 9112 §8). Earlier ones of a half-closed client still get their answers.
template <class K>
void Reactor<K>::body_broke_off(Connection& connection) {
    Exchange& body = exchanges_[connection.body];
    // Nobody reads it: what is on its way to the client is whole all the same.
    if (settings_.half_open && body.body_discard) return stop_reading(connection, body);
    if (!settings_.half_open || body.begun || !body.linked) return terminate(connection, false);
    // Its handler learns that the client is gone, and by that of its body: thousands may break off at once.
    abandon(body, layout::AbortReason::client_gone);
    mark(connection);
    answer_status(body, 400, true);
}

// Its rest is malformed or too long, and the answer has begun. Who does not read it may still give that answer.
template <class K>
void Reactor<K>::break_body_off(Connection& connection, Exchange& exchange) {
    if (exchange.body_discard) return stop_reading(connection, exchange);
    terminate(connection, true);
}

// Too much of a body that nobody wants: what has been asked is answered, then the connection closes.
template <class K>
void Reactor<K>::stop_reading(Connection& connection, Exchange& exchange) {
    close_body(exchange);
    exchange.close_after = true;
    connection.state = ConnectionState::finishing;
    drop_input(connection);
    mark(connection);
    release(exchange);
}

// False: no further part of this body can go to the lane now; requests, ends and aborts keep their room on the ring.
// True: two may, one of its data and one of its trailers.
template <class K>
bool Reactor<K>::body_room(const Exchange& exchange) {
    if (exchange.body_discard) return true;
    if (body_full(exchange) || exchange.stage == Stage::backlog || exchange.backlogged > 0) return false;
    if (exchange.stage != Stage::lane) return true;
    // Requests wait behind parts, and parts may come more quickly than handlers take them.
    LaneEnd& lane = lanes_[exchange.lane];
    if (exchange.body_held > 0 && lane.entries() >= ENTRIES_WAITING) return false;
    return lane.request_space() > 4 * settings_.limits.slots;
}

// The caller has made sure of body_room(). `type`: body or trailers; both are given back by `consumed`.
template <class K>
void Reactor<K>::push_body(Exchange& exchange, EntryType type, std::uint32_t offset, std::uint32_t length) {
    if (length == 0 || exchange.stage != Stage::lane) return;
    lanes_[exchange.lane].push(type, index_of(exchange), exchange.generation, offset, length);
    segments_.hold_range(offset, length);
    count_body_part(offset, length, exchange.lane, 1);
    exchange.body_held += segments_.spanned(offset, length);
}

template <class K>
void Reactor<K>::push_body_end(Exchange& exchange, bool broken) {
    if (exchange.stage == Stage::lane) push(exchange.lane, EntryType::body_end, exchange, broken);
}

template <class K>
void Reactor<K>::body_too_slow(Connection& connection) {
    mark(connection);
    Exchange& body = exchanges_[connection.body];
    if (body.begun || !body.linked) return terminate(connection, true);
    abandon(body, layout::AbortReason::body_too_slow);
    answer_status(body, 408, true);
}

// The body was held back since it last moved: its client has as much time as it had then.
template <class K>
void Reactor<K>::not_the_client(Exchange& exchange) {
    const std::uint64_t held_ms = clock_.now_ms - exchange.body_moved_ms;
    exchange.body_deadline_ms = std::min(exchange.body_deadline_ms + held_ms, clock_.now_ms + settings_.timeouts.body);
    exchange.wanted_deadline_ms = std::min(exchange.wanted_deadline_ms + held_ms, clock_.now_ms + WANTED_PAUSE_MS);
    exchange.body_moved_ms = clock_.now_ms;
}

// Counted by segment, not by request: parts may come back after their request has been answered.
template <class K>
void Reactor<K>::take_consumed(LaneEnd& lane, const layout::Entry& entry) {
    const std::uint32_t offset = entry.argument;
    const std::uint32_t length = entry.argument2;
    if (!has_body_part(lane.index(), offset, length)) return break_lane(lane, "a body part that it never had");
    count_body_part(offset, length, lane.index(), -1);
    segments_.drop_range(offset, length);
    Exchange& exchange = exchanges_[entry.head >> 8];
    if (exchange.generation != entry.generation || exchange.stage == Stage::free) return;
    const bool open = exchange.body_open && exchange.connection != NONE;
    const bool held_back = open && !client_is_slow(connections_[exchange.connection]);
    exchange.body_held -= std::min(segments_.spanned(offset, length), exchange.body_held);
    if (open) {
        Connection& connection = connections_[exchange.connection];
        if (held_back) not_the_client(exchange);
        mark(connection);
        read_input(connection);
    }
}

template <class K>
void Reactor<K>::count_body_part(std::uint32_t offset, std::uint32_t length, std::uint32_t lane, int change) {
    const std::uint32_t last = segments_.segment_of(offset + length - 1);
    for (std::uint32_t s = segments_.segment_of(offset); s <= last; ++s) {
        segments_[s].body_parts[lane] = std::uint16_t(segments_[s].body_parts[lane] + change);
    }
}

// The lane has body parts in each segment of this range, so that one may be taken back from it.
template <class K>
bool Reactor<K>::has_body_part(std::uint32_t lane, std::uint32_t offset, std::uint32_t length) {
    if (length == 0 || !segments_.inside(offset, length)) return false;
    const std::uint32_t last = segments_.segment_of(offset + length - 1);
    for (std::uint32_t s = segments_.segment_of(offset); s <= last; ++s) {
        if (segments_[s].body_parts[lane] == 0) return false;
    }
    return true;
}

}  // namespace pinion::shard
