// Reactor: from unread input to heads.
#pragma once

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "http/proxy_protocol.hpp"
#include "shard/reactor.hpp"

namespace pinion::shard {

// Takes from the unread input what can be taken now: heads, bodies, in order.
template <class K>
void Reactor<K>::read_input(Connection& connection) {
    while (connection.has_input() && connection.state == ConnectionState::open && !connection.close_after) {
        const std::uint32_t segment = connection.input_first;
        SegmentRecord nothing{};
        SegmentRecord& piece = segment == NONE ? nothing : segments_[segment];
        if (connection.body != NONE) {
            std::uint32_t consumed = 0;
            char* bytes = region_.at(segments_.region_offset(segment)) + piece.begin;
            const bool going = read_body(connection, bytes, std::uint32_t(piece.end - piece.begin), consumed);
            if (connection.input_first != segment) return;  // terminated
            piece.begin = std::uint16_t(piece.begin + consumed);
            connection.input_bytes -= consumed;
            if (piece.begin == piece.end) drop_front(connection);
            if (!going) return;
            continue;
        }
        if (connection.exchanges >= settings_.limits.pipeline || output_full(connection)) return;
        // No request is served behind one that asked for the end (RFC 9112 §9.6).
        if (connection.last != NONE && !exchanges_[connection.last].keep_alive) return;
        if (connection.first != NONE && !room_behind()) return;  // goes on when the first has been answered
        if (connection.wait != Wait::nothing) return;
        // The first one of a turn is always read: nobody waits for a client that pipelines.
        const bool pipelined = connection.turn == turn_ && !connection.head_complete;
        if (pipelined && pipelined_left_ == 0) return wait_on(connection, Wait::turn);
        if (exchanges_.peek() == NONE) return wait_for_slot(connection, Wait::slot);
        if (connection.proxy_expected) {
            if (!read_proxy_header(connection, piece)) return;
            if (piece.begin == piece.end) drop_front(connection);
            continue;
        }
        const bool going = connection.head_complete     ? take_up_head(connection, piece)
                           : connection.head_length > 0 ? read_head_block(connection, piece)
                                                        : read_head(connection, piece, segment);
        if (!going) return;
        if (segment != NONE && connection.input_first == segment && piece.begin == piece.end) drop_front(connection);
    }
    const bool drained = connection.input_first == NONE && connection.state == ConnectionState::open;
    if (drained && connection.peer_closed && connection.body != NONE) body_broke_off(connection);
}

template <class K>
http::HeadLimits Reactor<K>::head_limits() const {
    return {settings_.limits.head_bytes, settings_.limits.fields, settings_.limits.target_bytes};
}

// False: the connection is at its end.
template <class K>
bool Reactor<K>::read_proxy_header(Connection& connection, SegmentRecord& piece) {
    const std::uint32_t before = connection.head_length;
    const std::uint32_t length =
        std::min<std::uint32_t>(std::uint32_t(piece.end - piece.begin), http::PROXY_HEADER_MAX - before);
    const char* bytes = region_.at(segments_.region_offset(connection.input_first)) + piece.begin;
    if (!save_partial_head(connection, bytes, length)) {
        terminate(connection, true);
        return false;
    }
    http::ProxyHeader header;
    const http::ProxyResult result =
        http::parse_proxy_header(region_.at(connection.head_block), connection.head_length, header);
    if (result == http::ProxyResult::bad) {
        terminate(connection, true);  // who sent it is no balancer, and expects no HTTP answer
        return false;
    }
    const std::uint32_t consumed = result == http::ProxyResult::complete ? header.length - before : length;
    piece.begin = std::uint16_t(piece.begin + consumed);
    connection.input_bytes -= consumed;
    if (result == http::ProxyResult::partial) return true;
    drop_head_block(connection);
    connection.proxy_expected = false;
    if (header.has_address) {
        std::memcpy(&addresses_[index_of(connection)].address, &header.address, sizeof(sockaddr_in6));
        connection.has_address = true;
    }
    if (!admit_address(connection)) {
        ++counters_.refused;
        terminate(connection, true);
        return false;
    }
    return true;
}

// A head that begins in this segment. False: nothing more can be read now.
template <class K>
bool Reactor<K>::read_head(Connection& connection, SegmentRecord& piece, std::uint32_t segment) {
    const std::uint32_t index = exchanges_.peek();
    char* bytes = region_.at(segments_.region_offset(segment)) + piece.begin;
    const std::uint32_t length = std::uint32_t(piece.end - piece.begin);
    http::Head head;
    const http::HeadResult result = http::parse_head(bytes, length, 0, head_limits(), head, region_.slot(index).fields);
    if (result == http::HeadResult::complete) {
        if (const Wait what = slot_for(connection, head, bytes, index, length - head.length); what != Wait::nothing) {
            // It waits with its head's bytes only: the segment goes back.
            if (!save_partial_head(connection, bytes, head.length)) {
                refuse(connection, 503);
                return false;
            }
            head_waits(connection, piece, head.length, what);
            return false;
        }
        piece.begin = std::uint16_t(piece.begin + head.length);
        connection.input_bytes -= head.length;
        segments_.hold(segment);
        begin_request(connection, begin_exchange(connection), head, bytes,
                      Hold{segments_.region_offset(segment), layout::SEGMENT_BYTES, HoldKind::segments}, piece);
        return connection.state == ConnectionState::open;
    }
    if (result != http::HeadResult::partial) {
        refuse(connection, std::uint16_t(result));
        return false;
    }
    if (!may_grow(connection, length) || !save_partial_head(connection, bytes, length)) {
        refuse(connection, 503);
        return false;
    }
    piece.begin = piece.end;
    connection.input_bytes -= length;
    return true;
}

// Goes on with a head that began in an earlier segment.
template <class K>
bool Reactor<K>::read_head_block(Connection& connection, SegmentRecord& piece) {
    const std::uint32_t before = connection.head_length;
    const std::uint32_t room = settings_.limits.head_bytes + 1 - std::min(before, settings_.limits.head_bytes);
    const std::uint32_t length = std::min<std::uint32_t>(std::uint32_t(piece.end - piece.begin), room);
    const char* bytes = region_.at(segments_.region_offset(connection.input_first)) + piece.begin;
    if (!may_grow(connection, length) || !save_partial_head(connection, bytes, length)) {
        refuse(connection, 503);
        return false;
    }
    const std::uint32_t index = exchanges_.peek();
    char* block = region_.at(connection.head_block);
    http::Head head;
    const http::HeadResult result =
        http::parse_head(block, connection.head_length, before, head_limits(), head, region_.slot(index).fields);
    if (result == http::HeadResult::complete) {
        const std::uint32_t consumed = head.length - before;
        if (const Wait what = slot_for(connection, head, block, index, 0); what != Wait::nothing) {
            connection.head_length = head.length;
            head_waits(connection, piece, consumed, what);
            return false;
        }
        piece.begin = std::uint16_t(piece.begin + consumed);
        connection.input_bytes -= consumed;
        return begin_from_block(connection, head, piece);
    }
    if (result != http::HeadResult::partial) {
        refuse(connection, std::uint16_t(result));
        return false;
    }
    piece.begin = std::uint16_t(piece.begin + length);
    connection.input_bytes -= length;
    return true;
}

// The head in the head block has no slot yet; `consumed` bytes of the piece belong to it.
template <class K>
void Reactor<K>::head_waits(Connection& connection, SegmentRecord& piece, std::uint32_t consumed, Wait what) {
    connection.head_complete = true;
    piece.begin = std::uint16_t(piece.begin + consumed);
    connection.input_bytes -= consumed;
    if (piece.begin == piece.end) drop_front(connection);
    wait_for_slot(connection, what);
}

// Goes on with a head that has waited for a slot; `piece` is what was received behind it.
template <class K>
bool Reactor<K>::take_up_head(Connection& connection, SegmentRecord& piece) {
    const std::uint32_t index = exchanges_.peek();
    char* block = region_.at(connection.head_block);
    http::Head head;
    const http::HeadResult result =
        http::parse_head(block, connection.head_length, 0, head_limits(), head, region_.slot(index).fields);
    if (result != http::HeadResult::complete) {  // the lane has written where it has no business
        refuse(connection, 400);
        return false;
    }
    if (const Wait what = slot_for(connection, head, block, index, std::uint32_t(piece.end - piece.begin));
        what != Wait::nothing) {
        wait_for_slot(connection, what);
        return false;
    }
    switch (sender_of(connection, head)) {
        case Sender::there: break;
        case Sender::ended_early: refuse(connection, 400); return false;
        case Sender::gone: terminate(connection, true); return false;
    }
    return begin_from_block(connection, head, piece);
}

// While a head waits nothing is received: who has gone is seen here, before a handler is called for it. A client that
// has sent all of its request, and ended its sending side, waits for the answer.
template <class K>
auto Reactor<K>::sender_of(const Connection& connection, const http::Head& head) const -> Sender {
    if constexpr (requires { kernel_.peer_state(0); }) {
        constexpr std::uint64_t LEAST_CHUNKED = 5;  // 0 CR LF CR LF
        const auto peer = kernel_.peer_state(connection.socket);
        if (peer.reset) return Sender::gone;
        // What an armed receive has taken may be on its way; it tells of the end, too.
        if (!peer.ended || connection.receive_armed) return Sender::there;
        if (!settings_.half_open) return Sender::gone;
        const std::uint64_t body = head.framing == http::Framing::none      ? 0
                                   : head.framing == http::Framing::chunked ? LEAST_CHUNKED
                                                                            : head.content_length;
        const bool whole = std::uint64_t(connection.input_bytes) + peer.unread >= body;
        return whole ? Sender::there : Sender::ended_early;
    }
    return Sender::there;
}

template <class K>
bool Reactor<K>::begin_from_block(Connection& connection, const http::Head& head, SegmentRecord& piece) {
    const std::uint32_t index = begin_exchange(connection);
    const Hold hold = leave_head_block(connection);
    begin_request(connection, index, head, region_.at(hold.offset), hold, piece);
    return connection.state == ConnectionState::open;
}

// Appends to the connection's head block, which doubles as it fills: a client that trickles pins bytes, not segments.
template <class K>
bool Reactor<K>::save_partial_head(Connection& connection, const char* bytes, std::uint32_t length) {
    const std::uint32_t needed = connection.head_length + length;
    if (connection.head_length == 0 && connection.first == NONE) {
        connection.deadline_ms = clock_.now_ms + settings_.timeouts.head;
    }
    if (needed > connection.head_block_bytes) {
        const std::uint32_t size = std::max<std::uint32_t>(std::bit_ceil(needed), layout::GRANULE_BYTES);
        const std::uint32_t block = segments_.take_block(size);
        if (block == layout::NO_OFFSET) return false;
        if (connection.head_length > 0) {
            std::memcpy(region_.at(block), region_.at(connection.head_block), connection.head_length);
        }
        if (connection.head_block != NONE) segments_.give_block(connection.head_block, connection.head_block_bytes);
        connection.head_block = block;
        connection.head_block_bytes = size;
    }
    std::memcpy(region_.at(connection.head_block) + connection.head_length, bytes, length);
    connection.head_length = needed;
    return true;
}

// The connection has no head block any more; who called holds what was it.
template <class K>
Hold Reactor<K>::leave_head_block(Connection& connection) {
    const std::uint32_t block = std::exchange(connection.head_block, NONE);
    const std::uint32_t bytes = std::exchange(connection.head_block_bytes, 0);
    connection.head_length = 0;
    connection.head_complete = false;
    return block == NONE ? Hold{} : Hold{block, bytes, HoldKind::block};
}

template <class K>
void Reactor<K>::drop_head_block(Connection& connection) {
    give_hold(leave_head_block(connection));
}

}  // namespace pinion::shard
