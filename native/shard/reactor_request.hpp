// Reactor: a complete head becomes an exchange, and finds its route.
#pragma once

#include <string>
#include <string_view>

#include "http/character_classes.hpp"
#include "shard/reactor.hpp"

namespace pinion::shard {

// Takes the slot that peek() promised and appends it to the connection's order.
template <class K>
std::uint32_t Reactor<K>::begin_exchange(Connection& connection) {
    const std::uint32_t index = exchanges_.take();
    PINION_ASSERT(index != NONE);
    Exchange& exchange = exchanges_[index];
    const std::uint32_t generation = (exchange.generation + 1) & 0xffffff;
    exchange = Exchange{};
    exchange.generation = generation;
    exchange.next = NONE;
    exchange.connection = index_of(connection);
    exchange.lane = NONE;
    exchange.stage = Stage::native;
    exchange.linked = true;
    exchange.waited = connection.head_complete;
    exchange.received_ns = exchange.waited ? waiting_since_ns(connection) : clock_.now_ns;
    exchange.parts_first = exchange.parts_last = NONE;
    exchange.minor_version = 1;
    exchange.body_limit = settings_.limits.body_bytes;
    exchange.deadline_ms = clock_.now_ms + settings_.timeouts.handler;
    if (connection.first == NONE) {
        connection.first = index;
    } else {
        exchanges_[connection.last].next = index;
        ++behind_;
    }
    connection.last = index;
    ++connection.exchanges;
    if (connection.turn == turn_ && pipelined_left_ > 0) --pipelined_left_;
    connection.turn = turn_;
    ++counters_.requests;
    return index;
}

// Takes the first request out of its connection's order.
template <class K>
Exchange& Reactor<K>::unlink_first(Connection& connection) {
    Exchange& exchange = exchanges_[connection.first];
    connection.first = exchange.next;
    --connection.exchanges;
    exchange.linked = false;
    if (connection.first == NONE) {
        connection.last = NONE;
    } else {
        --behind_;
    }
    return exchange;
}

// While draining a connection ends with the last of the requests that are under way on it: none of them is dropped.
template <class K>
void Reactor<K>::end_with(Exchange& exchange) {
    if (draining_ && connections_[exchange.connection].last == index_of(exchange)) exchange.keep_alive = false;
}

template <class K>
void Reactor<K>::begin_request(Connection& connection, std::uint32_t index, const http::Head& head, char* base,
                               Hold hold, SegmentRecord& piece) {
    Exchange& exchange = exchanges_[index];
    exchange.hold = hold;
    exchange.minor_version = head.minor_version;
    exchange.is_head = head.method == http::Method::HEAD;
    exchange.keep_alive = head.keep_alive && !draining_;
    exchange.expect_continue = head.expect_continue;
    exchange.framing = head.framing;
    exchange.method = head.method;
    exchange.target_offset = region_.offset_of(base) + head.target.offset;
    exchange.target_length = head.target.length;

    http::Match match{};
    layout::Slot& slot = region_.slot(index);
    if (log_) log_->make_id(reinterpret_cast<char*>(slot.id));
    const std::string_view path(base + head.path.offset, head.path.length);
    if (path == "*") {
        match.kind = http::Match::Kind::not_found;
    } else {
        match = router_.match(head.method, path, base, slot.parameters);
    }
    const Route* route = match.kind == http::Match::Kind::found ? &settings_.routes[match.route] : nullptr;
    if (route != nullptr) {
        exchange.route = std::uint16_t(match.route);
        exchange.routed = true;
        if (route->body_limit >= 0) exchange.body_limit = std::uint64_t(route->body_limit);
        if (route->handler_timeout_ms != 0) exchange.deadline_ms = clock_.now_ms + route->handler_timeout_ms;
    }
    if (connection.exchanges == 2) connection.behind_ms = UINT64_MAX;
    connection.behind_ms = std::min(connection.behind_ms, exchange.deadline_ms);

    const bool in_time = admit_rate(connection);
    if (in_time && head.framing == http::Framing::length && head.content_length > exchange.body_limit) {
        return answer_status(exchange, 413, true);  // before any of it is read
    }
    begin_body(connection, index, head, base, hold, piece);

    // Only the last request of a segment gets its tail: what was received behind it is not overwritten.
    if (hold.kind == HoldKind::segments && piece.begin == piece.end && !exchange.body_open) {
        const std::uint32_t begin = hold.offset + ((std::uint32_t(piece.end) + 63u) & ~63u);
        const std::uint32_t end = hold.offset + layout::SEGMENT_BYTES;
        if (begin + layout::HEADROOM_BYTES + 64 <= end) {
            exchange.answer_begin = begin;
            exchange.answer_end = end;
        }
    }

    const bool handled = route != nullptr && route->kind == Route::Kind::handler;
    if (!handled && exchange.body_open) exchange.body_discard = true;
    if (!in_time) return answer_status(exchange, 429);
    if (route == nullptr) return answer_without_route(exchange, match, head, path);
    switch (route->kind) {
        case Route::Kind::handler: fill_slot(index, head, base, match); return enqueue(exchange, index);
        case Route::Kind::fixed:
            return answer_natively(exchange, route->fixed.status, route->fixed.fields, route->fixed.body,
                                   layout::ContentType::none);
        case Route::Kind::live: return answer_natively(exchange, 200, {}, "live\n");
        case Route::Kind::ready:
            if (draining_) return answer_natively(exchange, 503, {}, "draining\n");
            // Also while one of them lives: it is not expected to live long.
            if (crash_loop_) return answer_natively(exchange, 503, {}, "workers end again and again\n");
            if (live_ == NONE) return answer_natively(exchange, 503, {}, "no live worker\n");
            return answer_natively(exchange, 200, {}, "ready\n");
    }
}

// Where the request's body is, and who reads it.
template <class K>
void Reactor<K>::begin_body(Connection& connection, std::uint32_t index, const http::Head& head, char* base, Hold hold,
                            SegmentRecord& piece) {
    Exchange& exchange = exchanges_[index];
    layout::Slot& slot = region_.slot(index);
    slot.request_flags = layout::request_flag::BODY_COMPLETE;
    slot.body_offset = slot.body_length = 0;
    connection.streams = true;
    if (head.framing == http::Framing::none) return;
    slot.request_flags = layout::request_flag::HAS_BODY;
    if (head.framing == http::Framing::chunked) slot.request_flags |= layout::request_flag::CHUNKED;
    exchange.body_remaining = head.content_length;
    const bool large = head.framing == http::Framing::chunked || head.content_length >= LARGE_BODY_BYTES;
    connection.streams = !large;
    const bool empty = head.framing == http::Framing::length && head.content_length == 0;
    const bool in_line = head.framing == http::Framing::length &&
                         head.content_length <= std::uint64_t(piece.end - piece.begin) &&
                         hold.kind == HoldKind::segments && !empty;
    if (in_line || empty) slot.request_flags |= layout::request_flag::BODY_COMPLETE;
    if (in_line) {
        slot.body_offset = region_.offset_of(base) + head.length;
        slot.body_length = std::uint32_t(head.content_length);
        piece.begin = std::uint16_t(piece.begin + head.content_length);
        connection.input_bytes -= std::uint32_t(head.content_length);
    } else if (!empty) {
        exchange.body_open = true;
        ++uploads_;
        exchange.body_moved_ms = clock_.now_ms;
        exchange.body_deadline_ms = clock_.now_ms + settings_.timeouts.body;
        exchange.wanted_deadline_ms = clock_.now_ms + WANTED_PAUSE_MS;
        connection.body = index;
        if (connection.receive_stream && large)
            pause_receive(connection);  // goes on with single-shot receives, which can pause
    }
}

template <class K>
void Reactor<K>::answer_without_route(Exchange& exchange, const http::Match& match, const http::Head& head,
                                      std::string_view path) {
    if (path == "*") return answer_natively(exchange, 204, {}, {}, layout::ContentType::none);
    if (match.kind == http::Match::Kind::bad_parameter) return answer_status(exchange, 400);
    if (match.kind != http::Match::Kind::method_not_allowed) return answer_status(exchange, 404);
    if (head.method == http::Method::CONNECT) return answer_status(exchange, 501, true);
    std::string allow;
    for (unsigned m = 0; m < http::METHOD_COUNT; ++m) {
        const bool implied = m == unsigned(http::Method::HEAD) && (match.allowed & (1u << unsigned(http::Method::GET)));
        if (!(match.allowed & (1u << m)) && !implied) continue;
        if (!allow.empty()) allow += ", ";
        allow += http::METHOD_NAMES[m];
    }
    std::string fields;
    const std::uint16_t lengths[2] = {5, std::uint16_t(allow.size())};
    fields.append(reinterpret_cast<const char*>(lengths), 4).append("Allow").append(allow);
    ++counters_.refused;
    answer_natively(exchange, 405, fields, "405 Method Not Allowed\n");
}

// What Host says beside an absolute-form target is ignored: handlers see the target's authority (RFC 9112 §3.2.2).
inline void take_host_of_target(layout::Slot& slot, const http::Head& head, const char* base) {
    for (unsigned i = 0; i < head.field_count; ++i) {
        layout::FieldLine& field = slot.fields[i];
        if (!http::equals_ignoring_case(base + field.name_offset, field.name_length, "host")) continue;
        field.value_offset = head.host.offset;
        field.value_length = head.host.length;
    }
}

template <class K>
void Reactor<K>::fill_slot(std::uint32_t index, const http::Head& head, const char* base, const http::Match& match) {
    const Exchange& exchange = exchanges_[index];
    layout::Slot& slot = region_.slot(index);
    slot.handler = settings_.routes[match.route].handler;
    slot.route = match.route;
    slot.method = std::uint8_t(head.method);
    slot.minor_version = head.minor_version;
    std::uint16_t flags = slot.request_flags;
    if (head.expect_continue) flags |= layout::request_flag::EXPECT_CONTINUE;
    if (head.keep_alive) flags |= layout::request_flag::KEEP_ALIVE;
    if (head.escaped) flags |= layout::request_flag::TARGET_ESCAPED;
    if (exchange.is_head) flags |= layout::request_flag::HEAD;
    if (head.absolute_form) flags |= layout::request_flag::ABSOLUTE_FORM;
    if (log_) flags |= layout::request_flag::HAS_ID;
    slot.request_flags = flags;
    slot.head_offset = region_.offset_of(base);
    slot.head_length = head.length;
    slot.target_offset = head.target.offset;
    slot.target_length = head.target.length;
    slot.path_offset = head.path.offset;
    slot.path_length = head.path.length;
    slot.query_offset = head.query.offset;
    slot.query_length = head.query.length;
    slot.field_count = head.field_count;
    if (head.absolute_form) take_host_of_target(slot, head, base);
    slot.parameter_count = match.parameter_count;
    slot.content_length = head.framing == http::Framing::chunked ? -1.0 : double(head.content_length);
    if (head.framing == http::Framing::none) slot.content_length = 0;
    slot.received_ns = exchange.received_ns;
    slot.answer_offset = exchange.answer_begin;
    slot.answer_end = exchange.answer_end;
    slot.connection = exchange.connection;
}

template <class K>
std::uint32_t Reactor<K>::handler_timeout(const Exchange& exchange) const {
    const std::uint32_t own = exchange.routed ? settings_.routes[exchange.route].handler_timeout_ms : 0;
    return own != 0 ? own : settings_.timeouts.handler;
}

// Gives the record back once nobody needs it: not its connection's order, not its body's reader, not its lane.
template <class K>
void Reactor<K>::release(Exchange& exchange) {
    if (exchange.linked || exchange.body_open || exchange.lane_holds || exchange.stage == Stage::free) return;
    streams_ -= exchange.streams;
    breaking_off_ -= exchange.broken_off;
    give_hold(exchange.hold);
    exchange.hold = Hold{};
    exchange.stage = Stage::free;
    exchanges_.give(index_of(exchange));
}

}  // namespace pinion::shard
