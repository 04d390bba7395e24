// Reactor: listeners, connections that come, and where they come from.
#pragma once

#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <cstring>

#include "shard/reactor.hpp"

namespace pinion::shard {

// What happened to one connection before it was taken, which is out of the queue then (accept(2)), or to the thread
// that waited: nothing that the next accept would meet again.
constexpr bool accept_may_go_on(int error) {
    switch (error) {
        case ECONNABORTED:
        case EPROTO:
        case ENOPROTOOPT:
        case ENETDOWN:
        case ENETUNREACH:
        case ENONET:
        case EHOSTDOWN:
        case EHOSTUNREACH:
        case EINTR:
        case EAGAIN:
        case ECANCELED:
        case EFAULT: return true;
        default: return false;
    }
}

template <class K>
void Reactor<K>::arm_accept(std::uint32_t listener) {
    if (accept_armed_[listener] || draining_ || accept_retry_ms_ != 0) return;
    if (connections_.used() >= settings_.limits.connections) return;
    accept_armed_[listener] = 1;
    Token token;
    token.index = listener;
    token.operation = Operation::accept;
    // A stream may bring hundreds more before it is cancelled.
    const bool stream = connections_.used() + ACCEPT_MARGIN < settings_.limits.connections;
    kernel_.accept(settings_.listeners[listener].fd, token, stream && driver_ == io::Driver::worker);
}

template <class K>
void Reactor<K>::accepted(const io::Completion& completion) {
    const std::uint32_t listener = completion.token.index;
    if (!completion.more) accept_armed_[listener] = 0;
    if (completion.result >= 0) {
        const bool taken = begin_connection(completion.result, listener);
        const bool near = connections_.used() + ACCEPT_MARGIN >= settings_.limits.connections;
        if (taken && near && completion.more) kernel_.cancel(completion.token);
    } else if (!accept_may_go_on(-completion.result)) {
        accept_retry_ms_ = clock_.now_ms + ACCEPT_RETRY_MS;  // no spin: a full descriptor table stays full for a while
    }
    if (!completion.more && draining_) close_listener(listener);
    arm_accept(listener);
}

// False: there is no room for it.
template <class K>
bool Reactor<K>::begin_connection(io::Socket socket, std::uint32_t listener) {
    const std::uint32_t index = connections_.take();
    if (index == NONE) {
        kernel_.close(socket, Token{.index = NONE, .generation = 0, .operation = Operation::none});
        return false;
    }
    ++counters_.accepted;
    Connection& connection = connections_[index];
    const Connection before = std::exchange(connection, {});
    connection.generation = (before.generation + 1) & 0xffffff;
    connection.unsent = before.unsent;  // whoever has the record, it stays on these lists
    connection.next_unsent = before.next_unsent;
    connection.unsent_stream = before.unsent_stream;
    connection.next_unsent_stream = before.next_unsent_stream;
    connection.socket = socket;
    connection.state = ConnectionState::open;
    connection.listener = listener;
    connection.proxy_expected = settings_.listeners[listener].proxy_protocol;
    connection.next_dirty = connection.next_waiting = connection.waiting_before = NONE;
    connection.stalled_next = connection.stalled_before = NONE;
    connection.input_first = connection.input_last = NONE;
    connection.head_block = connection.block = connection.vector = NONE;
    connection.first = connection.last = connection.body = NONE;
    connection.output_first = connection.output_last = NONE;
    connection.deadline_ms = clock_.now_ms + (draining_ ? DRAIN_IDLE_MS : settings_.timeouts.head);
    mark(connection);
    if (!connection.proxy_expected && !admit_address(connection)) {
        ++counters_.refused;
        terminate(connection, true);
    }
    return true;
}

// Who has connected before the listener closes is served like everybody else.
template <class K>
void Reactor<K>::accept_waiting(std::uint32_t listener) {
    if constexpr (requires { kernel_.accept_waiting(0); }) {
        while (connections_.used() < settings_.limits.connections) {
            const io::Socket socket = kernel_.accept_waiting(settings_.listeners[listener].fd);
            if (socket < 0 || !begin_connection(socket, listener)) return;
        }
    }
}

// From here on the kernel refuses who connects, instead of queueing them for nobody.
template <class K>
void Reactor<K>::close_listener(std::uint32_t listener) {
    int& fd = settings_.listeners[listener].fd;
    if (fd < 0) return;
    accept_waiting(listener);
    ::close(fd);
    fd = -1;
}

template <class K>
void Reactor<K>::stop_accepting() {
    for (std::uint32_t i = 0; i < settings_.listeners.size(); ++i) {
        if (!accept_armed_[i]) {
            close_listener(i);
            continue;
        }
        Token token;
        token.index = i;
        token.operation = Operation::accept;
        kernel_.cancel(token);
    }
}

template <class K>
void Reactor<K>::drain() {
    if (draining_) return;
    draining_ = true;
    read_clock();
    stop_accepting();
    for (std::uint32_t i = 0; i < connections_.reached(); ++i) {
        Connection& connection = connections_[i];
        if (connection.state != ConnectionState::open) continue;
        if (connection.head_length == 0) {
            connection.deadline_ms = std::min<std::uint64_t>(connection.deadline_ms, clock_.now_ms + DRAIN_IDLE_MS);
        }
        mark(connection);
    }
}

// The shard ends, and its sockets with the process: what is not a whole answer must not look like one.
template <class K>
void Reactor<K>::reset_unfinished() {
    for (std::uint32_t i = 0; i < connections_.reached(); ++i) {
        const Connection& connection = connections_[i];
        if (connection.state == ConnectionState::free || connection.close_armed) continue;
        const bool owed = connection.first != NONE && exchanges_[connection.first].begun;
        if (owed || connection.reset || connection.output_first != NONE) kernel_.reset_on_close(connection.socket);
    }
}

template <class K>
int Reactor<K>::remote_address(std::uint32_t slot, std::uint32_t generation, sockaddr_storage* address) {
    if (slot >= exchanges_.capacity()) return -EINVAL;
    const Exchange& exchange = exchanges_[slot];
    // Once it has been answered its connection may be another client's.
    if (exchange.generation != generation || !exchange.linked) return -ENOTCONN;
    const int result = peer_address(connections_[exchange.connection]);
    if (result == 0) std::memcpy(address, &addresses_[exchange.connection].address, sizeof(sockaddr_in6));
    return result;
}

// Asked for once for each connection, when somebody wants to know.
template <class K>
int Reactor<K>::peer_address(Connection& connection) {
    if (connection.has_address) return 0;
    sockaddr_storage address{};
    const int result = kernel_.remote_address(connection.socket, &address);
    if (result != 0) return result;
    std::memcpy(&addresses_[index_of(connection)].address, &address, sizeof(sockaddr_in6));
    connection.has_address = true;
    return 0;
}

}  // namespace pinion::shard
