// Reactor: turns, connections coming and going, time-outs.
#pragma once

#include <algorithm>
#include <cstring>
#include <ctime>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "shard/reactor.hpp"

namespace pinion::shard {

template <class K>
std::string Reactor<K>::open() {
    const Limits& limits = settings_.limits;
    read_clock();
    if (!region_.map(limits.slots, limits.arena_bytes) || !segments_.open(region_, limits.arena_bytes) ||
        !connections_.map(limits.connections) || !exchanges_.map(limits.slots) || !parts_.map(most_parts()) ||
        !vectors_.map(1024) || !addresses_.map(limits.connections) ||
        !timers_.init(limits.connections, clock_.now_ms)) {
        return "cannot map the shard's memory: lower limits.arena, limits.connections or limits.slots";
    }
    for (std::uint32_t i = 0; i < settings_.routes.size(); ++i) {
        http::PatternError error;
        if (!router_.add(settings_.routes[i].pattern, settings_.routes[i].methods, i, error)) {
            return settings_.routes[i].pattern + ": " + error.message;
        }
    }
    if (settings_.access_log >= 0) log_ = std::make_unique<AccessLog>(settings_.access_log);
    // Never all of a small arena: answers and unfinished heads need some too.
    lent_max_ = std::min(LENT_MAX, std::max(segments_.count() / 2, 1u));
    lent_target_ = std::min(LENT_START, std::max(segments_.count() / 4, 1u));
    // A lane's unused credits: an eighth of the arena at most, but two runs always, the second to end the first with.
    reserve_ = std::max(segments_.count() / 4, 1u);
    run_segments_ = std::clamp(segments_.count() / 32, 1u, RUN_SEGMENTS);
    run_target_max_ = std::clamp(segments_.count() / 8 / run_segments_, 2u, 64u);
    accept_armed_.assign(settings_.listeners.size(), 0);
    return {};
}

template <class K>
void Reactor<K>::start() {
    read_clock();
    for (std::uint32_t i = 0; i < settings_.listeners.size(); ++i) arm_accept(i);
}

template <class K>
void Reactor<K>::read_clock() {
    timespec time;
    if constexpr (requires { kernel_.monotonic(); }) {
        time = kernel_.monotonic();  // a simulation has a clock of its own
    } else {
        clock_gettime(CLOCK_MONOTONIC, &time);
    }
    clock_.now_ms = std::uint64_t(time.tv_sec) * 1000 + std::uint64_t(time.tv_nsec) / 1000000;
    clock_.now_ns = double(time.tv_sec) * 1e9 + double(time.tv_nsec);
    clock_gettime(CLOCK_REALTIME_COARSE, &time);
    if (time.tv_sec != date_.second) date_.refresh(time.tv_sec);
}

template <class K>
bool Reactor<K>::turn(io::Driver driver) {
    driver_ = driver;
    ++counters_.turns[unsigned(driver)];
    read_clock();
    const unsigned count = kernel_.harvest(completions_, BATCH);
    for (unsigned i = 0; i < count; ++i) {
        // Segment n + 1 is on its way into the cache while n is worked on.
        if (i + 1 < count && completions_[i + 1].segment != io::NO_SEGMENT) {
            __builtin_prefetch(region_.at(segments_.region_offset(completions_[i + 1].segment)));
        }
        const io::Completion& completion = completions_[i];
        if (completion.token.operation == Operation::accept) {
            accepted(completion);
            continue;
        }
        Connection* connection = find(completion.token);
        if (connection == nullptr) continue;
        switch (completion.token.operation) {
            case Operation::receive: received(completion); break;
            case Operation::receive_into: received_into(*connection, completion.result); break;
            case Operation::send: sent(*connection, completion.result); break;
            case Operation::shutdown:
                connection->shutdown_armed = false;
                mark(*connection);
                break;
            case Operation::close: closed(*connection); break;
            default: break;
        }
    }
    finish_turn();
    return count == BATCH;
}

template <class K>
void Reactor<K>::flush(io::Driver driver) {
    driver_ = driver;
    read_clock();
    finish_turn();
}

template <class K>
void Reactor<K>::finish_turn() {
    read_lanes();
    timers_.advance(clock_.now_ms, [this](std::uint32_t index) { expired(index); });
    if (accept_retry_ms_ != 0 && clock_.now_ms >= accept_retry_ms_) {
        accept_retry_ms_ = 0;
        for (std::uint32_t i = 0; i < settings_.listeners.size(); ++i) arm_accept(i);
    }
    serve_backlog();
    slot_came_back();
    room_came_back();
    settle_marked();
    lend_segments();
    // One re-arm for each segment that is there, first in, first out. What it frees is lent at once, for those
    // behind it.
    for (std::uint32_t served = 0; starved_first_ != NONE; ++served) {
        Connection& connection = connections_[starved_first_];
        connection.waits_segment = false;
        if (served >= kernel_.lent() && !receive_from_reserve(connection)) {
            connection.waits_segment = true;
            break;
        }
        starved_first_ = connection.next_waiting;
        if (starved_first_ == NONE) starved_last_ = NONE;
        mark(connection);
        if (connection.input_first != NONE) read_input(connection);
        settle_marked();
        lend_segments();
    }
    for (LaneEnd& lane : lanes_) {
        if (lane.state() == LaneState::live || lane.state() == LaneState::draining) {
            grant_credits(lane);
            lane.publish();
        }
    }
    kernel_.submit();
    if (log_) log_->flush();
}

template <class K>
void Reactor<K>::settle_marked() {
    while (dirty_ != NONE) {
        Connection& connection = connections_[dirty_];
        dirty_ = connection.next_dirty;
        connection.in_dirty = false;
        settle(connection);
    }
}

template <class K>
void Reactor<K>::lend_segments() {
    // Input never takes the last of the arena: what has been asked must be answered for input to be read.
    while (kernel_.lent() < lent_target_ && segments_.arena().free_segments() > reserve_) {
        const std::uint32_t segment = segments_.take();
        if (segment == NONE) break;
        kernel_.lend(segment);
    }
}

template <class K>
std::uint64_t Reactor<K>::next_deadline_ms() const {
    const std::uint64_t next = timers_.next_ms();
    return accept_retry_ms_ != 0 && accept_retry_ms_ < next ? accept_retry_ms_ : next;
}

template <class K>
std::int64_t Reactor<K>::next_timeout_ms() const {
    const std::uint64_t next = next_deadline_ms();
    if (next == UINT64_MAX) return -1;
    timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    const std::uint64_t now = std::uint64_t(time.tv_sec) * 1000 + std::uint64_t(time.tv_nsec) / 1000000;
    return next <= now ? 0 : std::int64_t(next - now);
}

template <class K>
void Reactor<K>::arm_accept(std::uint32_t listener) {
    if (accept_armed_[listener] || draining_ || accept_retry_ms_ != 0) return;
    if (connections_.used() >= settings_.limits.connections) return;
    accept_armed_[listener] = 1;
    Token token;
    token.index = listener;
    token.operation = Operation::accept;
    kernel_.accept(settings_.listeners[listener].fd, token, driver_ == io::Driver::worker);
}

template <class K>
void Reactor<K>::accepted(const io::Completion& completion) {
    const std::uint32_t listener = completion.token.index;
    if (!completion.more) accept_armed_[listener] = 0;
    if (!completion.more && draining_) close_listener(listener);
    if (completion.result >= 0) {
        const std::uint32_t index = connections_.take();
        if (index == NONE) {
            // The stream brought one more than fits before its cancellation.
            kernel_.close(completion.result, Token{.index = NONE, .generation = 0, .operation = Operation::none});
        } else {
            ++counters_.accepted;
            Connection& connection = connections_[index];
            const std::uint32_t generation = (connection.generation + 1) & 0xffffff;
            connection = Connection{};
            connection.generation = generation;
            connection.socket = completion.result;
            connection.state = ConnectionState::open;
            connection.listener = listener;
            connection.proxy_expected = settings_.listeners[listener].proxy_protocol;
            connection.next_dirty = connection.next_waiting = NONE;
            connection.input_first = connection.input_last = NONE;
            connection.head_block = connection.block = connection.vector = NONE;
            connection.first = connection.last = connection.body = NONE;
            connection.output_first = connection.output_last = NONE;
            connection.deadline_ms = clock_.now_ms + settings_.timeouts.head;
            mark(connection);
            if (connections_.used() >= settings_.limits.connections && completion.more) {
                Token token = completion.token;
                kernel_.cancel(token);
            }
        }
    } else if (completion.result == -EMFILE || completion.result == -ENFILE || completion.result == -ENOMEM ||
               completion.result == -ENOBUFS) {
        accept_retry_ms_ = clock_.now_ms + ACCEPT_RETRY_MS;  // no spin on a full descriptor table
    }
    arm_accept(listener);
}

// From here on the kernel refuses who connects, instead of queueing them for nobody.
template <class K>
void Reactor<K>::close_listener(std::uint32_t listener) {
    int& fd = settings_.listeners[listener].fd;
    if (fd >= 0) ::close(fd);
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
            const bool quiet = connection.first == NONE && connection.input_bytes == 0;
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
    const std::uint64_t deadline = deadline_of(connection);
    if (deadline != UINT64_MAX) timers_.schedule(index_of(connection), deadline);
}

// §9.6: shut down writing, drain within a bound, close. Else a reset eats the answer.
template <class K>
void Reactor<K>::linger(Connection& connection) {
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
    drop_input(connection);
    drop_head_block(connection);
    while (connection.first != NONE) {
        Exchange& exchange = exchanges_[connection.first];
        connection.first = exchange.next;
        exchange.linked = false;
        exchange.connection = NONE;
        exchange.body_open = false;
        abandon(exchange, layout::AbortReason::client_gone);
        drop_parts(exchange.parts_first);
        exchange.parts_first = exchange.parts_last = NONE;
        exchange.stage = Stage::ended;
        release(exchange);
    }
    if (connection.body != NONE) {
        Exchange& exchange = exchanges_[connection.body];
        if (exchange.body_open) {  // answered already, its body was still being read
            exchange.body_open = false;
            exchange.connection = NONE;
            if (exchange.lane_holds) push_body_end(exchange, true);
            release(exchange);
        }
        connection.body = NONE;
    }
    connection.last = NONE;
    connection.exchanges = 0;
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
    if (waits(connection)) return;  // a list names it; comes back here from there
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
    connection.state = ConnectionState::free;
    connection.close_armed = false;
    PINION_ASSERT(!connection.in_dirty);
    connections_.give(index);
    for (std::uint32_t i = 0; i < settings_.listeners.size(); ++i) arm_accept(i);
}

// Of a connection whose body is being read. While the handler holds back, it is not the client who is slow.
template <class K>
bool Reactor<K>::client_is_slow(const Connection& connection) const {
    const Exchange& body = exchanges_[connection.body];
    return connection.input_first == NONE && (body.body_discard || body.body_held < BODY_HELD_MAX);
}

// Whether the client has taken enough of the output since the last look. What the kernel has taken says little: its
// buffers
// hold megabytes, and report room in steps that a slow but honest client needs minutes for.
template <class K>
bool Reactor<K>::client_takes(Connection& connection) {
    std::uint64_t received = connection.sent_bytes;
    if constexpr (requires { kernel_.unacknowledged(connection.socket); }) {
        received -= std::min<std::uint64_t>(received, kernel_.unacknowledged(connection.socket));
    }
    const std::uint64_t before = std::exchange(connection.received_bytes, received);
    connection.write_deadline_ms = clock_.now_ms + settings_.timeouts.write;
    const std::uint64_t least = settings_.timeouts.write * LEAST_BYTES_PER_SECOND / 1000;
    return before == UINT64_MAX || received >= before + std::max<std::uint64_t>(least, 1);
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
    if (connection.send_armed) deadline = connection.write_deadline_ms;
    if (connection.body != NONE) {
        const Exchange& body = exchanges_[connection.body];
        if (client_is_slow(connection) && body.body_deadline_ms < deadline) deadline = body.body_deadline_ms;
    }
    if (connection.first != NONE) {
        const Exchange& first = exchanges_[connection.first];
        if (!first.begun && first.deadline_ms < deadline) deadline = first.deadline_ms;
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
    if (connection.send_armed && now >= connection.write_deadline_ms && !client_takes(connection)) {
        return terminate(connection, true);
    }
    if (connection.body != NONE) {
        Exchange& body = exchanges_[connection.body];
        if (client_is_slow(connection) && now >= body.body_deadline_ms) {
            if (body.begun || !body.linked) return terminate(connection, true);
            abandon(body, layout::AbortReason::timed_out);
            return answer_status(body, 408, true);
        }
    }
    if (connection.first != NONE) {
        Exchange& first = exchanges_[connection.first];
        if (!first.begun && now >= first.deadline_ms) {
            abandon(first, layout::AbortReason::timed_out);
            answer_status(first, 504);
        }
        return;
    }
    // Between two sends of one answer it is not idle.
    if (connection.body == NONE && connection.output_first == NONE && now >= connection.deadline_ms) {
        // Who owes the PROXY protocol's header is no HTTP client yet.
        const bool asked = connection.head_length > 0 && !connection.proxy_expected;
        if (asked && !connection.close_after) return refuse(connection, 408);
        if (connection.waits_slot && !connection.close_after) return refuse_without_slot(connection);
        linger(connection);
    }
}

template <class K>
int Reactor<K>::remote_address(std::uint32_t slot, std::uint32_t generation, sockaddr_storage* address) {
    if (slot >= exchanges_.capacity()) return -EINVAL;
    const Exchange& exchange = exchanges_[slot];
    if (exchange.generation != generation || exchange.connection == NONE) return -ENOTCONN;
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

template <class K>
void Reactor<K>::log_access(Connection& connection, const Exchange& exchange) {
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
    record.status = exchange.status;
    record.minor_version = exchange.minor_version;
    record.bytes = exchange.answer_bytes;
    record.duration_us = known ? std::uint64_t((clock_.now_ns - exchange.received_ns) / 1000) : 0;
    log_->add(record);
}

}  // namespace pinion::shard
