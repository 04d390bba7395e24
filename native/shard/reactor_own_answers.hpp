// Reactor: what it answers itself: fixed answers, refusals, and what there is no memory for.
#pragma once

#include <algorithm>
#include <bit>
#include <cstring>
#include <string_view>

#include "http/status_line.hpp"
#include "shard/reactor.hpp"

namespace pinion::shard {

template <class K>
void Reactor<K>::answer_natively(Exchange& exchange, std::uint16_t status, std::string_view fields,
                                 std::string_view body, layout::ContentType type) {
    if (!write_natively(exchange, status, fields, body, type)) answer_in_texts(exchange, 503);
}

// An answer of the reactor's own: behind the request if there is room, else in a block. `body` is copied when it is
// short, so that head and body leave as one part; a longer one has to outlive the connection. False: there is no memory
// for it.
template <class K>
bool Reactor<K>::write_natively(Exchange& exchange, std::uint16_t status, std::string_view fields,
                                std::string_view body, layout::ContentType type) {
    Connection& connection = connections_[exchange.connection];
    exchange.stage = Stage::native;
    // Whether the body follows at all is the client's choice once it has asked: its bytes could be the next request.
    if (exchange.expect_continue && exchange.body_open) exchange.close_after = true;
    if (exchange.body_open && exchange.framing == http::Framing::length && exchange.body_remaining > DISCARD_MAX) {
        exchange.close_after = true;
    }
    end_with(exchange);
    if (!exchange.keep_alive) exchange.close_after = true;
    if (exchange.body_open) exchange.body_discard = true;
    http::ResponseHead head{};
    head.status = status;
    head.content_type = body.empty() ? layout::ContentType::none : type;
    head.minor_version = exchange.minor_version;
    head.keep_alive = !exchange.close_after;
    head.length_known = true;
    head.content_length = body.size();
    head.fields = fields.data();
    head.fields_length = fields.size();
    const std::size_t head_bytes = http::head_size(head);
    if (exchange.is_head) body = {};
    const bool copied = body.size() <= 2048;
    const std::size_t total = head_bytes + (copied ? body.size() : 0);
    char* at = nullptr;
    Hold hold{};
    // A lane that still holds the slot reads the request and may write behind it until it gives the slot back.
    if (exchange.answer_end - exchange.answer_begin >= total && exchange.answer_end != 0 && !exchange.lane_holds) {
        at = region_.at(exchange.answer_begin);
        hold = exchange.hold;  // the part takes over the request's own hold
        exchange.hold = Hold{};
    } else {
        const std::uint32_t size = std::max<std::uint32_t>(std::bit_ceil(std::uint32_t(total)), layout::GRANULE_BYTES);
        const std::uint32_t block = size > 65536 ? layout::NO_OFFSET : segments_.take_block(size);
        if (block == layout::NO_OFFSET) return false;
        at = region_.at(block);
        hold = {block, size, HoldKind::block};
    }
    http::write_head(head, date_, at + head_bytes);
    if (copied && !body.empty()) std::memcpy(at + head_bytes, body.data(), body.size());
    add_part(exchange, at, std::uint32_t(total), hold);
    if (!copied && !body.empty()) add_part(exchange, body.data(), std::uint32_t(body.size()), Hold{});
    exchange.status = status;
    exchange.answer_bytes = body.size();
    exchange.begun = exchange.complete = true;
    exchange.begun_ns = clock_.now_ns;
    mark(connection);
    return true;
}

inline std::string_view status_body(std::uint16_t status) {
    switch (status) {
        case 400: return "400 Bad Request\n";
        case 404: return "404 Not Found\n";
        case 408: return "408 Request Timeout\n";
        case 413: return "413 Content Too Large\n";
        case 414: return "414 URI Too Long\n";
        case 417: return "417 Expectation Failed\n";
        case 429: return "429 Too Many Requests\n";
        case 431: return "431 Request Header Fields Too Large\n";
        case 500: return "500 Internal Server Error\n";
        case 501: return "501 Not Implemented\n";
        case 502: return "502 Bad Gateway\n";
        case 503: return "503 Service Unavailable\n";
        case 504: return "504 Gateway Timeout\n";
        case 505: return "505 HTTP Version Not Supported\n";
        default: return "\n";
    }
}

template <class K>
void Reactor<K>::answer_status(Exchange& exchange, std::uint16_t status, bool close) {
    ++counters_.refused;
    // A slot is not kept for the rest of a body that nobody wants when slots are what is short.
    if (exchange.body_open && (status == 503 || status == 429 || !has_lane_slot())) close = true;
    if (close) {
        exchange.close_after = true;
        // Nothing behind this message can be trusted to be a request.
        Connection& connection = connections_[exchange.connection];
        close_body(exchange);
        connection.state = ConnectionState::finishing;
        drop_input(connection);
    }
    using namespace std::string_view_literals;
    const std::string_view retry = status == 503 || status == 429 ? "\x0b\0\x01\0Retry-After1"sv : std::string_view{};
    if (!write_natively(exchange, status, retry, status_body(status), layout::ContentType::text_plain)) {
        answer_in_texts(exchange, status);
    }
}

// What there is no memory for: an answer without a body, in texts that are there whatever happens. It is the last one
// of its connection.
template <class K>
auto Reactor<K>::texts_of(std::uint16_t status) -> std::array<Text, 3> {
    const std::uint32_t date = kept_dates_.take(date_);
    const bool retry = status == 503 || status == 429;
    return {{{http::status_line_of(status), Hold{}},
             {retry ? "Retry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n"
                    : "Content-Length: 0\r\nConnection: close\r\n",
              Hold{}},
             {kept_dates_.text(date), Hold{date, 0, HoldKind::date}}}};
}

template <class K>
void Reactor<K>::answer_in_texts(Exchange& exchange, std::uint16_t status) {
    for (const auto& [text, hold] : texts_of(status)) {
        add_part(exchange, text.data(), std::uint32_t(text.size()), hold);
    }
    exchange.status = status;
    exchange.begun = exchange.complete = exchange.close_after = true;
    exchange.begun_ns = clock_.now_ns;
    mark(connections_[exchange.connection]);
}

// There is no slot to answer in, and nothing to wait behind.
template <class K>
void Reactor<K>::refuse_without_slot(Connection& connection, std::uint16_t status) {
    ++counters_.refused;
    drop_input(connection);
    connection.state = ConnectionState::finishing;
    connection.close_after = true;
    for (const auto& [text, hold] : texts_of(status)) {
        const std::uint32_t index = parts_.take();
        PINION_ASSERT(index != NONE);
        parts_[index] = Part{text.data(), std::uint32_t(text.size()), NONE, hold, NONE, 0, 0};
        (connection.output_first == NONE ? connection.output_first : parts_[connection.output_last].next) = index;
        connection.output_last = index;
        connection.output_bytes += std::uint32_t(text.size());
    }
}

// The bytes at hand are no request: the answer waits its turn behind earlier ones, then the connection closes. They
// count toward the client's rate all the same.
template <class K>
void Reactor<K>::refuse(Connection& connection, std::uint16_t status) {
    if (!admit_rate(connection)) status = 429;
    mark(connection);
    stop_waiting(connection);
    drop_head_block(connection);
    if (exchanges_.peek() == NONE) return refuse_without_slot(connection, status);
    answer_status(exchanges_[begin_exchange(connection)], status, true);
}

}  // namespace pinion::shard
