// Reactor: the life of a connection: what it waits for, its time-outs, its end.
#pragma once

#include <algorithm>
#include <utility>

#include "shard/reactor.hpp"

namespace pinion::shard {

template <class K>
Connection* Reactor<K>::find(Token token) {
    if (token.index >= connections_.capacity()) return nullptr;
    Connection& connection = connections_[token.index];
    // A connection's record is reused only when nothing of it is in flight, so this cannot differ.
    PINION_ASSERT(connection.generation == token.generation);
    return &connection;
}

template <class K>
io::Token Reactor<K>::token_of(const Connection& connection, Operation operation) const {
    Token token;
    token.index = index_of(connection);
    token.generation = connection.generation & 0xffffff;
    token.operation = operation;
    return token;
}

// Whatever a turn does to a connection, it is looked at once, at the end of the turn.
template <class K>
void Reactor<K>::mark(Connection& connection) {
    if (connection.in_dirty) return;
    connection.in_dirty = true;
    connection.next_dirty = dirty_;
    dirty_ = index_of(connection);
}

template <class K>
void Reactor<K>::settle(Connection& connection) {
    if (connection.state == ConnectionState::free) return;
    advance_order(connection);
    if (connection.state == ConnectionState::open || connection.state == ConnectionState::finishing) {
        send_output(connection);
        if (connection.output_first == NONE && !connection.send_armed) {
            const bool quiet = connection.first == NONE && !connection.has_input();
            if (connection.close_after) {
                linger(connection);
            } else if (connection.first == NONE &&
                       (connection.state == ConnectionState::finishing || (connection.peer_closed && quiet))) {
                linger(connection);
            }
        }
    }
    if (connection.state == ConnectionState::closing) close_when_quiet(connection);
    if (connection.state == ConnectionState::free) return;
    if (wants_input(connection)) arm_receive(connection);
    const bool deaf = hears_nothing(connection);
    if (!deaf) connection.look_ms = 0;
    if (deaf && connection.look_ms == 0) connection.look_ms = clock_.now_ms + LOOK_MS;
    const std::uint64_t deadline = deadline_of(connection);
    if (deadline != UINT64_MAX) timers_.schedule(index_of(connection), deadline);
}

// §9.6: shut down writing, drain within a bound, close. Else a reset eats the answer.
template <class K>
void Reactor<K>::linger(Connection& connection) {
    stop_waiting(connection);
    drop_input(connection);
    if (connection.peer_closed) return terminate(connection, connection.reset);
    if (connection.reset) return terminate(connection, true);
    connection.state = ConnectionState::lingering;
    connection.deadline_ms = clock_.now_ms + LINGER_MS;
    connection.shutdown_armed = true;
    kernel_.shutdown_write(connection.socket, token_of(connection, Operation::shutdown));
}

// Ends the connection at once: requests in flight are abandoned, output is dropped.
template <class K>
void Reactor<K>::terminate(Connection& connection, bool reset) {
    if (connection.state == ConnectionState::closing || connection.state == ConnectionState::free) return;
    connection.state = ConnectionState::closing;
    // An answer that has begun and breaks off must not look like a whole one.
    const bool owed = connection.first != NONE && exchanges_[connection.first].begun;
    connection.reset = reset || owed || connection.output_first != NONE;
    stop_waiting(connection);
    unstall(connection);
    drop_input(connection);
    drop_head_block(connection);
    while (connection.first != NONE) {
        Exchange& exchange = unlink_first(connection);
        if (log_) log_access(connection, exchange, true);
        close_body(exchange);
        exchange.connection = NONE;
        abandon(exchange, layout::AbortReason::client_gone);
        drop_parts(exchange.parts_first);
        exchange.parts_first = exchange.parts_last = NONE;
        exchange.stage = Stage::ended;
        release(exchange);
    }
    if (connection.body != NONE) {  // of a request that has been answered already
        Exchange& exchange = exchanges_[connection.body];
        close_body(exchange);
        exchange.connection = NONE;
        if (exchange.lane_holds) push_body_end(exchange, true);
        release(exchange);
    }
    // Output that the kernel is reading stays until its completion.
    if (!connection.send_armed) {
        drop_parts(connection.output_first);
        connection.output_first = connection.output_last = NONE;
    }
    mark(connection);
}

template <class K>
void Reactor<K>::close_when_quiet(Connection& connection) {
    if (connection.receive_armed && !connection.receive_cancelled) pause_receive(connection);
    if (connection.close_armed) return;
    // A send that waits for a slow reader ends with the connection.
    if (connection.send_armed && !connection.send_cancelled) {
        connection.send_cancelled = true;
        kernel_.cancel(token_of(connection, Operation::send));
    }
    if (connection.receive_armed || connection.send_armed || connection.shutdown_armed) return;
    connection.close_armed = true;
    if (connection.reset) kernel_.reset_on_close(connection.socket);
    kernel_.close(connection.socket, token_of(connection, Operation::close));
}

template <class K>
void Reactor<K>::closed(Connection& connection) {
    const std::uint32_t index = index_of(connection);
    timers_.cancel(index);
    if (connection.counted) clients_.disconnect(AddressTable::key_of(addresses_[index].address));
    connection.state = ConnectionState::free;
    connection.close_armed = false;
    PINION_ASSERT(!connection.in_dirty && connection.wait == Wait::nothing);
    connections_.give(index);
    for (std::uint32_t i = 0; i < settings_.listeners.size(); ++i) arm_accept(i);
}

// Of a connection whose body is being read. While the handler holds back, or the 100 that the client waits for, or no
// segment is there for what it sends, it is not the client who is slow.
template <class K>
bool Reactor<K>::client_is_slow(const Connection& connection) const {
    const Exchange& body = exchanges_[connection.body];
    return !body.expect_continue && connection.input_first == NONE && connection.wait != Wait::body_segment &&
           (body.body_discard || !body_full(body));
}

// Requests are under way and no operation on the socket would tell that their client has gone: its sending side has
// ended, or what it sends waits until a handler or a slot takes it.
template <class K>
bool Reactor<K>::hears_nothing(const Connection& connection) const {
    return connection.first != NONE && connection.output_first == NONE && !connection.receive_armed &&
           (connection.state == ConnectionState::open || connection.state == ConnectionState::finishing);
}

// Then it is looked at from time to time. True: it has gone, and the connection has ended.
template <class K>
bool Reactor<K>::look_at_peer(Connection& connection) {
    connection.look_ms = clock_.now_ms + LOOK_MS;
    if constexpr (requires { kernel_.peer_state(0); }) {
        const auto peer = kernel_.peer_state(connection.socket);
        if (peer.reset || (peer.ended && !settings_.half_open)) {
            terminate(connection, true);
            return true;
        }
        // What it has sent before is still read, if its handler wants it.
        if (peer.ended) tell_half_close(connection, NONE);
    }
    return false;
}

// Handlers whose requests wait behind others of their connection have no more time than any other.
template <class K>
void Reactor<K>::time_out_behind(Connection& connection) {
    connection.behind_ms = UINT64_MAX;
    for (std::uint32_t i = exchanges_[connection.first].next; i != NONE; i = exchanges_[i].next) {
        Exchange& exchange = exchanges_[i];
        if (exchange.begun) continue;
        if (clock_.now_ms < exchange.deadline_ms) {
            connection.behind_ms = std::min(connection.behind_ms, exchange.deadline_ms);
        } else {
            time_out(exchange);
        }
    }
}

template <class K>
void Reactor<K>::time_out(Exchange& exchange) {
    abandon(exchange, layout::AbortReason::timed_out);
    answer_status(exchange, 504);
}

// Whether the client has taken enough of the output since the last look.
template <class K>
bool Reactor<K>::client_takes(Connection& connection) {
    const std::uint64_t received = taken_bytes(connection);
    const std::uint64_t before = std::exchange(connection.received_bytes, received);
    connection.write_deadline_ms = clock_.now_ms + settings_.timeouts.write;
    const std::uint64_t least = settings_.timeouts.write * LEAST_BYTES_PER_SECOND / 1000;
    return before == UINT64_MAX || received >= before + std::max<std::uint64_t>(least, 1);
}

// When the client's taking is looked at next. The first look comes earlier: before it the write deadline has not moved.
template <class K>
std::uint64_t Reactor<K>::write_look_ms(const Connection& connection) const {
    return connection.write_deadline_ms - (connection.stalled ? 0 : settings_.timeouts.write - stall_ms());
}

template <class K>
std::uint64_t Reactor<K>::deadline_of(const Connection& connection) const {
    switch (connection.state) {
        case ConnectionState::free:
        case ConnectionState::closing: return UINT64_MAX;
        case ConnectionState::lingering: return connection.deadline_ms;
        default: break;
    }
    std::uint64_t deadline = UINT64_MAX;
    if (connection.send_armed) deadline = write_look_ms(connection);
    if (connection.body != NONE) {
        const Exchange& body = exchanges_[connection.body];
        if (client_is_slow(connection) && body.body_deadline_ms < deadline) deadline = body.body_deadline_ms;
    }
    if (connection.first != NONE) {
        const Exchange& first = exchanges_[connection.first];
        if (!first.begun && first.deadline_ms < deadline) deadline = first.deadline_ms;
        if (connection.exchanges > 1 && connection.behind_ms < deadline) deadline = connection.behind_ms;
        if (connection.look_ms != 0 && connection.look_ms < deadline) deadline = connection.look_ms;
    } else if (connection.body == NONE && connection.output_first == NONE && connection.deadline_ms < deadline) {
        deadline = connection.deadline_ms;
    }
    return deadline;
}

template <class K>
void Reactor<K>::expired(std::uint32_t index) {
    Connection& connection = connections_[index];
    const std::uint64_t now = clock_.now_ms;
    // Without a reset: what has been sent may still be on its way to a slow reader.
    if (connection.state == ConnectionState::lingering) return terminate(connection, connection.reset);
    if (connection.state != ConnectionState::open && connection.state != ConnectionState::finishing) return;
    mark(connection);
    if (connection.send_armed && !connection.stalled && now >= write_look_ms(connection)) stall(connection);
    if (connection.send_armed && now >= connection.write_deadline_ms && !client_takes(connection)) {
        return terminate(connection, true);
    }
    if (connection.body != NONE && client_is_slow(connection) && now >= exchanges_[connection.body].body_deadline_ms) {
        return body_too_slow(connection);
    }
    if (connection.first != NONE) {
        if (connection.look_ms != 0 && now >= connection.look_ms && look_at_peer(connection)) return;
        if (connection.exchanges > 1 && now >= connection.behind_ms) time_out_behind(connection);
        Exchange& first = exchanges_[connection.first];
        if (!first.begun && now >= first.deadline_ms) time_out(first);
        return;
    }
    // Between two sends of one answer it is not idle.
    if (connection.body == NONE && connection.output_first == NONE && now >= connection.deadline_ms) {
        // Who owes the PROXY protocol's header is no HTTP client yet.
        const bool answerable = !connection.proxy_expected && !connection.close_after;
        // Its bytes are there, and no memory is for them.
        const bool starved = connection.waits_for_segment();
        if ((connection.waits_for_slot() || starved) && answerable) return refuse(connection, 503);
        if (connection.head_length > 0 && answerable) return refuse(connection, 408);
        linger(connection);
    }
}

}  // namespace pinion::shard
