// Reactor: answers leave a connection in request order, neighbouring ones in one send.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <algorithm>
#include <cerrno>
#include <ctime>
#include <string_view>

#include "shard/reactor.hpp"

namespace pinion::shard {

template <class K>
void Reactor<K>::add_part(Exchange& exchange, const char* data, std::uint32_t length, Hold hold,
                          std::uint32_t stream_bytes) {
    const std::uint32_t index = parts_.take();
    // A lane's credits and the slots bound the parts; the table is as large as both rings.
    PINION_ASSERT(index != NONE);
    parts_[index] =
        Part{data, length, NONE, hold, stream_bytes > 0 ? index_of(exchange) : NONE, exchange.generation, stream_bytes};
    if (exchange.parts_first == NONE) {
        exchange.parts_first = index;
    } else {
        parts_[exchange.parts_last].next = index;
    }
    exchange.parts_last = index;
}

// Moves what the first request in order has to say to the output; and the next one's, when it is complete.
template <class K>
void Reactor<K>::advance_order(Connection& connection) {
    bool moved = false;
    while (connection.first != NONE) {
        const std::uint32_t index = connection.first;
        Exchange& exchange = exchanges_[index];
        if (exchange.want_continue && exchange.expect_continue && !exchange.begun && exchange.body_open) {
            // A 100 waits its turn behind earlier answers.
            exchange.expect_continue = false;
            not_the_client(exchange);
            add_part(exchange, "HTTP/1.1 100 Continue\r\n\r\n", 25, Hold{});
        }
        for (std::uint32_t i = exchange.parts_first; i != NONE; i = parts_[i].next) {
            connection.output_bytes += parts_[i].length;
        }
        if (exchange.parts_first != NONE) {
            if (connection.output_first == NONE) {
                connection.output_first = exchange.parts_first;
            } else {
                parts_[connection.output_last].next = exchange.parts_first;
            }
            connection.output_last = exchange.parts_last;
            exchange.parts_first = exchange.parts_last = NONE;
        }
        if (!exchange.complete) break;
        moved = true;
        unlink_first(connection);
        if (log_) log_access(connection, exchange, false);
        if (exchange.close_after) {
            connection.close_after = true;
            close_body(exchange);  // nothing more is received
        }
        if (exchange.until_close) connection.state = ConnectionState::finishing;
        if (exchange.stage != Stage::lane) exchange.stage = Stage::ended;
        release(exchange);
        if (connection.close_after) drop_later(connection);
    }
    if (!moved) return;
    // The end of a stream may come when all of it has left.
    if (connection.first == NONE && connection.output_first == NONE) connection.proven = true;
    if (connection.first == NONE && !connection.waits_for_slot() && !connection.head_complete) {
        const std::uint32_t wait = connection.head_length > 0 ? settings_.timeouts.head
                                   : draining_                ? DRAIN_IDLE_MS  // its answers did not say that it ends
                                                              : settings_.timeouts.keep_alive;
        connection.deadline_ms = clock_.now_ms + wait;
    }
    if (connection.has_input()) {
        read_input(connection);
        // Natively answered ones are complete already.
        if (connection.first != NONE && exchanges_[connection.first].complete) advance_order(connection);
    }
}

// Pipelined requests behind a last answer are not answered (RFC 9112 §9.3.2).
template <class K>
void Reactor<K>::drop_later(Connection& connection) {
    stop_waiting(connection);
    while (connection.first != NONE) {
        Exchange& later = unlink_first(connection);
        abandon(later, layout::AbortReason::client_gone);
        if (log_) log_access(connection, later, true);
        drop_parts(later.parts_first);
        later.parts_first = later.parts_last = NONE;
        close_body(later);
        later.connection = NONE;
        later.stage = Stage::ended;
        release(later);
    }
}

template <class K>
void Reactor<K>::send_output(Connection& connection) {
    if (connection.send_armed || connection.output_first == NONE || !may_send(connection)) return;
    if (connection.write_deadline_ms == 0) {
        connection.write_deadline_ms = clock_.now_ms + settings_.timeouts.write;
        connection.received_bytes = UINT64_MAX;
    }
    connection.send_armed = true;
    const Part& first = parts_[connection.output_first];
    const Token token = token_of(connection, Operation::send);
    const std::uint32_t vector = first.next == NONE ? NONE : vectors_.take();
    if (vector == NONE) return kernel_.send(connection.socket, token, first.data, first.length);
    connection.vector = vector;
    iovec* pieces = vectors_[vector].parts;
    unsigned count = 0;
    for (std::uint32_t i = connection.output_first; i != NONE && count < VECTOR_PARTS; i = parts_[i].next) {
        const Part& part = parts_[i];
        if (count > 0 &&
            static_cast<const char*>(pieces[count - 1].iov_base) + pieces[count - 1].iov_len == part.data) {
            pieces[count - 1].iov_len += part.length;
            continue;
        }
        pieces[count++] = {const_cast<char*>(part.data), part.length};
    }
    kernel_.send_vectored(connection.socket, token, pieces, count);
}

// Parts that the lane has pushed and nobody has read yet would come first, too: that is the lane's to see to.
template <class K>
std::int32_t Reactor<K>::send_now(std::uint32_t lane, std::uint32_t slot, std::uint32_t generation, const void* data,
                                  std::size_t length) {
    if (slot >= exchanges_.capacity()) return NOT_NOW;
    Exchange& exchange = exchanges_[slot];
    if (exchange.generation != generation || exchange.stage != Stage::lane || exchange.lane != lane) return NOT_NOW;
    const bool is_plain = exchange.begun && !exchange.is_head && !exchange.chunked_out && !exchange.until_close;
    if (!is_plain || exchange.parts_first != NONE) return NOT_NOW;
    Connection& connection = connections_[exchange.connection];
    const bool is_next = connection.first == slot && connection.output_first == NONE && !connection.send_armed;
    const bool goes_on = connection.state == ConnectionState::open || connection.state == ConnectionState::finishing;
    // Of those who have not proven themselves a turn has its measure.
    if (!is_next || !goes_on || !connection.proven) return NOT_NOW;
    const std::size_t owed = std::min<std::uint64_t>(length, exchange.answer_left);
    if (owed == 0) return NOT_NOW;
    const std::int32_t sent = kernel_.send_now(connection.socket, data, owed);
    if (sent == -EAGAIN || sent == -EWOULDBLOCK) return 0;
    if (sent <= 0) return NOT_NOW;  // an ordinary send meets the same
    exchange.answer_left -= std::uint32_t(sent);
    exchange.answer_bytes += std::uint32_t(sent);
    connection.sent_bytes += std::uint32_t(sent);
    return sent;
}

// A short send is resumed where it stopped.
template <class K>
void Reactor<K>::sent(Connection& connection, std::int32_t result) {
    connection.send_armed = connection.send_cancelled = false;
    if (connection.vector != NONE) vectors_.give(connection.vector);
    connection.vector = NONE;
    mark(connection);
    if (connection.state == ConnectionState::closing) {
        drop_parts(connection.output_first);
        connection.output_first = connection.output_last = NONE;
        return;
    }
    if (result < 0) {
        // EFAULT, ECANCELED: the thread that sent has died, nothing of this send has left.
        if (result == -ECANCELED || result == -EFAULT || result == -EINTR || result == -EAGAIN) return;
        return terminate(connection, false);
    }
    std::uint32_t left = std::uint32_t(result);
    connection.output_bytes -= left;
    connection.sent_bytes += left;
    while (left > 0) {
        const std::uint32_t index = connection.output_first;
        PINION_ASSERT(index != NONE);
        Part& part = parts_[index];
        if (left < part.length) {
            part.data += left;
            part.length -= left;
            break;
        }
        left -= part.length;
        connection.output_first = part.next;
        if (part.exchange != NONE) stream_left(part);
        drop_part(index);
    }
    if (connection.output_first == NONE) {
        connection.output_last = NONE;
        connection.write_deadline_ms = 0;
        unstall(connection);
        if (connection.first == NONE) connection.proven = true;
    }
    if (connection.has_input() && !output_full(connection)) read_input(connection);
}

// Tells a handler that streams that there is room again.
template <class K>
void Reactor<K>::stream_left(const Part& part) {
    const Exchange& exchange = exchanges_[part.exchange];
    if (exchange.generation != part.generation || exchange.stage != Stage::lane) return;
    push(exchange.lane, EntryType::writable, exchange, part.stream_bytes);
}

template <class K>
void Reactor<K>::drop_part(std::uint32_t index) {
    give_hold(parts_[index].hold);
    parts_.give(index);
}

template <class K>
void Reactor<K>::drop_parts(std::uint32_t first) {
    while (first != NONE) {
        const std::uint32_t next = parts_[first].next;
        drop_part(first);
        first = next;
    }
}

template <class K>
void Reactor<K>::give_hold(Hold hold) {
    switch (hold.kind) {
        case HoldKind::none: return;
        case HoldKind::segments: return segments_.drop_range(hold.offset, hold.length);
        case HoldKind::block: return segments_.give_block(hold.offset, hold.length);
        case HoldKind::date: return kept_dates_.give(hold.offset);
    }
}

template <class K>
void Reactor<K>::log_access(Connection& connection, const Exchange& exchange, bool aborted) {
    char text[INET6_ADDRSTRLEN] = "";
    if (peer_address(connection) == 0) {
        const sockaddr_in6& v6 = addresses_[index_of(connection)].address;
        const auto& v4 = reinterpret_cast<const sockaddr_in&>(v6);
        if (v6.sin6_family == AF_INET6) inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
        if (v6.sin6_family == AF_INET) inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    }
    timespec time;
    clock_gettime(CLOCK_REALTIME_COARSE, &time);
    const bool known = exchange.target_length > 0;  // false: refused before there was a request
    const layout::Slot& slot = region_.slot(index_of(exchange));
    AccessRecord record{};
    record.unix_ms = std::int64_t(time.tv_sec) * 1000 + time.tv_nsec / 1000000;
    if (known) record.id = std::string_view(reinterpret_cast<const char*>(slot.id), layout::ID_BYTES);
    record.address = text;
    if (known && exchange.method < http::Method::unknown) record.method = http::METHOD_NAMES[unsigned(exchange.method)];
    if (known) record.target = std::string_view(region_.at(exchange.target_offset), exchange.target_length);
    if (exchange.routed) record.route = settings_.routes[exchange.route].pattern;
    record.status = exchange.begun ? exchange.status : STATUS_CLIENT_GONE;
    record.minor_version = exchange.minor_version;
    record.bytes = exchange.answer_bytes;
    const auto since_received = [&](double ns) {
        return known ? std::uint64_t((ns - exchange.received_ns) / 1000) : 0;
    };
    record.duration_us = since_received(clock_.now_ns);
    record.answer_us = exchange.begun ? since_received(exchange.begun_ns) : record.duration_us;
    record.aborted = aborted;
    log_->add(record);
}

}  // namespace pinion::shard
