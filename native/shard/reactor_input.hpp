// Reactor: from received segments to heads and bodies.
#pragma once

#include <algorithm>
#include <bit>
#include <cstring>

#include "http/proxy_protocol.hpp"
#include "shard/reactor.hpp"

namespace pinion::shard {

template <class K>
void Reactor<K>::received(const io::Completion& completion) {
    Connection& connection = *find(completion.token);
    if (!completion.more) connection.receive_armed = connection.receive_stream = connection.receive_cancelled = false;
    mark(connection);
    if (completion.result > 0) {
        const std::uint32_t segment = completion.segment;
        if (connection.state != ConnectionState::open || connection.close_after) {
            segments_.give(segment);
            connection.drained += std::uint32_t(completion.result);
            if (connection.state == ConnectionState::lingering && connection.drained > LINGER_BYTES) {
                terminate(connection, true);
            }
            return;
        }
        segments_[segment].users = 1;
        append_input(connection, segment, std::uint32_t(completion.result));
        read_input(connection);
        // A stream that fills its allowance stops; what the kernel has under way still arrives and is owned.
        if (connection.receive_armed && input_full(connection)) {
            pause_receive(connection);
        }
        return;
    }
    if (completion.segment != io::NO_SEGMENT) segments_.give(completion.segment);
    if (completion.result == -ENOBUFS) {
        lent_target_ = std::min(lent_target_ * 2, lent_max_);
        if (connection.state == ConnectionState::closing || waits(connection)) return;
        return wait_for_segment(connection);
    }
    // ECANCELED and EFAULT: we stopped it, or the thread that armed it has died, the data still in the socket.
    if (completion.result == -ECANCELED || completion.result == -EFAULT || completion.result == -EINTR) return;
    if (completion.result == 0) return stream_ended(connection);
    terminate(connection, false);
}

template <class K>
void Reactor<K>::received_into(Connection& connection, std::int32_t result) {
    connection.receive_armed = connection.receive_into = connection.receive_cancelled = false;
    mark(connection);
    const std::uint32_t run = connection.block;
    const std::uint32_t bytes = connection.block_segments * layout::SEGMENT_BYTES;
    connection.block = NONE;
    if (result > 0 && connection.body != NONE && connection.state == ConnectionState::open) {
        if (exchanges_[connection.body].framing == http::Framing::chunked) {  // the next request may be behind its end
            keep_run(connection, run, bytes, std::uint32_t(result));
            return read_input(connection);
        }
        std::uint32_t consumed = 0;
        // The run is as long as the body's rest at most: all of it is taken, or nothing.
        read_body(connection, region_.at(run), std::uint32_t(result), consumed);
        if (consumed == 0 && connection.body != NONE && connection.state == ConnectionState::open) {
            return keep_run(connection, run, bytes, std::uint32_t(result));
        }
    } else if (result == 0) {
        stream_ended(connection);
    } else if (result < 0 && result != -ECANCELED && result != -EFAULT && result != -EINTR) {
        terminate(connection, false);
    }
    segments_.drop_range(run, bytes);  // what became a body part has a user of its own
}

// A run that nobody takes now becomes unread input, segment by segment.
template <class K>
void Reactor<K>::keep_run(Connection& connection, std::uint32_t run, std::uint32_t bytes, std::uint32_t length) {
    const std::uint32_t first = segments_.segment_of(run);
    for (std::uint32_t n = 0; n < bytes / layout::SEGMENT_BYTES; ++n) {
        const std::uint32_t kept = std::min(length, layout::SEGMENT_BYTES);
        if (kept == 0) {
            segments_.drop(first + n);
        } else {
            append_input(connection, first + n, kept);
        }
        length -= kept;
    }
}

template <class K>
void Reactor<K>::append_input(Connection& connection, std::uint32_t segment, std::uint32_t length) {
    SegmentRecord& piece = segments_[segment];
    piece.begin = 0;
    piece.end = std::uint16_t(length);
    piece.next = NONE;
    (connection.input_first == NONE ? connection.input_first : segments_[connection.input_last].next) = segment;
    connection.input_last = segment;
    connection.input_bytes += length;
    ++connection.input_segments;
}

template <class K>
void Reactor<K>::stream_ended(Connection& connection) {
    connection.peer_closed = true;
    if (connection.state == ConnectionState::lingering) return terminate(connection, false);
    if (connection.state != ConnectionState::open) return;
    if (connection.body != NONE) {
        // What has been received and not been read may be the rest of it.
        if (connection.input_first == NONE) body_broke_off(connection);
        return;
    }
    if (!settings_.half_open && connection.first != NONE) return terminate(connection, false);
    if (connection.head_length > 0 && connection.first == NONE) return terminate(connection, false);
}

// A request that will never be whole (RFC 9112 §8). Earlier ones of a half-closed client still get their answers.
template <class K>
void Reactor<K>::body_broke_off(Connection& connection) {
    Exchange& body = exchanges_[connection.body];
    push_body_end(body, true);
    if (!settings_.half_open || body.begun || !body.linked) return terminate(connection, false);
    abandon(body, layout::AbortReason::client_gone);
    mark(connection);
    answer_status(body, 400, true);
}

template <class K>
bool Reactor<K>::wants_input(const Connection& connection) const {
    if (connection.receive_armed || connection.waits_segment || connection.peer_closed) return false;
    if (connection.state == ConnectionState::lingering) return true;
    if (connection.state != ConnectionState::open || connection.close_after) {
        return false;
    }
    // Nothing that came now could be read.
    if (input_full(connection) || connection.waits_slot || connection.waits_room) return false;
    if (connection.body != NONE) {
        const Exchange& body = exchanges_[connection.body];
        // Single-shot receives of a large body wait until the handler reads.
        return body.body_discard || body.body_held < BODY_HELD_MAX;
    }
    return true;
}

template <class K>
void Reactor<K>::arm_receive(Connection& connection) {
    if (!wants_input(connection)) return;
    connection.receive_armed = true;
    bool stream = driver_ == io::Driver::worker;
    if (connection.body != NONE && connection.state == ConnectionState::open) {
        const Exchange& body = exchanges_[connection.body];
        if (body.framing == http::Framing::length && body.body_remaining >= LARGE_BODY_BYTES / 4 &&
            connection.input_first == NONE && segments_.arena().free_segments() > segments_.count() / 2) {
            // Until it is full a run is lost to everybody else: half of the arena is not for clients that may be slow.
            if (receive_run(connection, run_segments_)) return;
        }
        if (body.framing == http::Framing::chunked || body.body_remaining >= LARGE_BODY_BYTES) stream = false;
    }
    connection.receive_stream = stream;
    kernel_.receive(connection.socket, token_of(connection, Operation::receive), stream);
}

// One receive of a body into memory of its own. False: there is none.
template <class K>
bool Reactor<K>::receive_run(Connection& connection, std::uint32_t most_segments) {
    std::uint32_t count = 0;
    const std::uint32_t run = segments_.take_run(most_segments, count);
    if (run == layout::NO_OFFSET) return false;
    const Exchange& body = exchanges_[connection.body];
    std::uint64_t bytes = std::uint64_t(count) * layout::SEGMENT_BYTES;
    if (body.framing == http::Framing::length) bytes = std::min(bytes, body.body_remaining);
    connection.block = run;
    connection.block_segments = count;
    connection.receive_into = connection.receive_armed = true;
    kernel_.receive_into(connection.socket, token_of(connection, Operation::receive_into), region_.at(run),
                         std::size_t(bytes));
    return true;
}

// A body goes on from half of the reserve: those who hold the other segments may wait for its slot.
template <class K>
bool Reactor<K>::receive_from_reserve(Connection& connection) {
    if (connection.body == NONE || connection.state != ConnectionState::open) return false;
    if (connection.input_first != NONE || segments_.arena().free_segments() <= reserve_ / 2) return false;
    return wants_input(connection) && receive_run(connection, 1);
}

template <class K>
void Reactor<K>::pause_receive(Connection& connection) {
    if (!connection.receive_armed || connection.receive_cancelled) return;
    connection.receive_cancelled = true;
    kernel_.cancel(token_of(connection, connection.receive_into ? Operation::receive_into : Operation::receive));
}

// Takes from the unread input what can be taken now: heads, bodies, in order.
template <class K>
void Reactor<K>::read_input(Connection& connection) {
    while (connection.input_first != NONE && connection.state == ConnectionState::open && !connection.close_after) {
        const std::uint32_t segment = connection.input_first;
        SegmentRecord& piece = segments_[segment];
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
        if (connection.waits_slot) return;
        if (exchanges_.peek() == NONE) return wait_for_slot(connection);
        if (connection.proxy_expected) {
            if (!read_proxy_header(connection, piece)) return;
            if (piece.begin == piece.end) drop_front(connection);
            continue;
        }
        const bool going =
            connection.head_length > 0 ? read_head_block(connection, piece) : read_head(connection, piece, segment);
        if (!going) return;
        if (connection.input_first == segment && piece.begin == piece.end) drop_front(connection);
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
    if (!save_partial_head(connection, bytes, length)) {
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
    if (!save_partial_head(connection, bytes, length)) {
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
        piece.begin = std::uint16_t(piece.begin + consumed);
        connection.input_bytes -= consumed;
        const Hold hold{connection.head_block, connection.head_block_bytes, HoldKind::block};
        connection.head_block = NONE;
        connection.head_block_bytes = connection.head_length = 0;
        begin_request(connection, begin_exchange(connection), head, block, hold, piece);
        return connection.state == ConnectionState::open;
    }
    if (result != http::HeadResult::partial) {
        refuse(connection, std::uint16_t(result));
        return false;
    }
    piece.begin = std::uint16_t(piece.begin + length);
    connection.input_bytes -= length;
    return true;
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

template <class K>
void Reactor<K>::drop_head_block(Connection& connection) {
    if (connection.head_block != NONE) segments_.give_block(connection.head_block, connection.head_block_bytes);
    connection.head_block = NONE;
    connection.head_block_bytes = connection.head_length = 0;
}

// Body bytes, decoded in place and handed to whom they are for. False: nothing more can be read now.
template <class K>
bool Reactor<K>::read_body(Connection& connection, char* bytes, std::uint32_t length, std::uint32_t& consumed) {
    Exchange& exchange = exchanges_[connection.body];
    if (!body_room(exchange)) {
        wait_for_room(connection);
        return false;
    }
    std::size_t data = 0;
    std::size_t used = 0;
    bool done = false;
    if (exchange.framing == http::Framing::length) {
        data = used = std::size_t(std::min<std::uint64_t>(length, exchange.body_remaining));
        done = exchange.body_remaining == data;
    } else {
        const http::ChunkedLimits limits{4096, 16384, 65536};
        const http::ChunkedResult result = exchange.decoder.decode(bytes, length, limits, data, used);
        if (result == http::ChunkedResult::complete) {
            done = true;
        } else if (result != http::ChunkedResult::more) {
            const bool owed = !exchange.begun && exchange.linked && !exchange.complete;
            if (!owed) {
                terminate(connection, true);
                return false;
            }
            abandon(exchange, layout::AbortReason::client_gone);
            answer_status(exchange, std::uint16_t(result), true);
            return false;
        }
    }
    if (exchange.body_received + data > exchange.body_limit) {
        if (exchange.begun || !exchange.linked || exchange.complete) {
            terminate(connection, true);
            return false;
        }
        abandon(exchange, layout::AbortReason::client_gone);
        answer_status(exchange, 413, true);
        return false;
    }
    if (exchange.body_discard && exchange.body_received + data > DISCARD_MAX) {
        stop_reading(connection, exchange);
        return false;
    }
    if (data > 0 && !exchange.body_discard) push_body(exchange, region_.offset_of(bytes), std::uint32_t(data));
    consumed = std::uint32_t(used);
    exchange.body_received += data;
    // While parts arrive the handler waits for the client, not the client for the handler.
    exchange.deadline_ms = clock_.now_ms + handler_timeout(exchange);
    exchange.expect_continue = false;  // it did not wait for the 100
    // What came quickly is no credit for a pause.
    exchange.body_deadline_ms = std::min(exchange.body_deadline_ms + data * 1000 / LEAST_BYTES_PER_SECOND,
                                         clock_.now_ms + settings_.timeouts.body);
    if (exchange.framing == http::Framing::length) exchange.body_remaining -= data;
    if (done) body_complete(connection, exchange);
    return true;
}

// Too much of a body that nobody wants: what has been asked is answered, then the connection closes.
template <class K>
void Reactor<K>::stop_reading(Connection& connection, Exchange& exchange) {
    connection.body = NONE;
    exchange.body_open = false;
    exchange.close_after = true;
    connection.state = ConnectionState::finishing;
    drop_input(connection);
    mark(connection);
    release(exchange);
}

template <class K>
std::uint32_t Reactor<K>::handler_timeout(const Exchange& exchange) const {
    const std::uint32_t own = exchange.routed ? settings_.routes[exchange.route].handler_timeout_ms : 0;
    return own != 0 ? own : settings_.timeouts.handler;
}

template <class K>
void Reactor<K>::body_complete(Connection& connection, Exchange& exchange) {
    exchange.body_open = false;
    connection.body = NONE;
    if (!exchange.body_discard) push_body_end(exchange, false);
    if (exchange.stage == Stage::ended) release(exchange);
}

template <class K>
void Reactor<K>::drop_front(Connection& connection) {
    const std::uint32_t segment = connection.input_first;
    connection.input_first = segments_[segment].next;
    if (connection.input_first == NONE) connection.input_last = NONE;
    --connection.input_segments;
    segments_.drop(segment);
}

template <class K>
void Reactor<K>::drop_input(Connection& connection) {
    while (connection.input_first != NONE) drop_front(connection);
    connection.input_bytes = 0;
}

// Those whose body is being read go first: they hold a slot.
template <class K>
void Reactor<K>::wait_for_segment(Connection& connection) {
    const std::uint32_t index = index_of(connection);
    connection.waits_segment = true;
    connection.next_waiting = connection.body != NONE ? starved_first_ : NONE;
    if (starved_first_ == NONE) {
        starved_first_ = starved_last_ = index;
    } else if (connection.body != NONE) {
        starved_first_ = index;
    } else {
        connections_[starved_last_].next_waiting = index;
        starved_last_ = index;
    }
}

template <class K>
void Reactor<K>::wait_for_slot(Connection& connection) {
    if (waits(connection)) return;
    connection.waits_slot = true;
    connection.deadline_ms = clock_.now_ms + settings_.timeouts.handler;  // its own part is done
    connection.next_waiting = NONE;
    (slotless_first_ == NONE ? slotless_first_ : connections_[slotless_last_].next_waiting) = index_of(connection);
    slotless_last_ = index_of(connection);
}

template <class K>
void Reactor<K>::slot_came_back() {
    while (slotless_first_ != NONE && exchanges_.peek() != NONE) {
        Connection& connection = connections_[slotless_first_];
        slotless_first_ = connection.next_waiting;
        if (slotless_first_ == NONE) slotless_last_ = NONE;
        connection.waits_slot = false;
        mark(connection);
        read_input(connection);
    }
}

template <class K>
void Reactor<K>::wait_for_room(Connection& connection) {
    if (waits(connection)) return;
    connection.waits_room = true;
    connection.next_waiting = NONE;
    (roomless_first_ == NONE ? roomless_first_ : connections_[roomless_last_].next_waiting) = index_of(connection);
    roomless_last_ = index_of(connection);
}

// Once round the list, which is no longer than there are slots: who still finds no room queues behind.
template <class K>
void Reactor<K>::room_came_back() {
    for (const std::uint32_t last = roomless_last_; roomless_first_ != NONE;) {
        const std::uint32_t index = roomless_first_;
        Connection& connection = connections_[index];
        roomless_first_ = connection.next_waiting;
        if (roomless_first_ == NONE) roomless_last_ = NONE;
        connection.waits_room = false;
        if (connection.body != NONE) {
            // It was not the client who was slow.
            Exchange& body = exchanges_[connection.body];
            body.body_deadline_ms = std::max(body.body_deadline_ms, clock_.now_ms + settings_.timeouts.body);
        }
        mark(connection);
        read_input(connection);
        if (index == last) return;
    }
}

}  // namespace pinion::shard
