#include "io/simulated_kernel.hpp"

#include <arpa/inet.h>
#include <limits.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <utility>

namespace pinion::io {

namespace {

constexpr std::byte POISON{0xA7};
constexpr int FIRST_SOCKET = 1000;  // no real descriptor is meant

std::uint64_t sum(const iovec& range) {
    std::uint64_t hash = 1469598103934665603u;
    const auto* bytes = static_cast<const unsigned char*>(range.iov_base);
    for (std::size_t n = 0; n < range.iov_len; ++n) hash = (hash ^ bytes[n]) * 1099511628211u;
    return hash;
}

bool overlap(const iovec& a, const iovec& b) {
    const auto* a_begin = static_cast<const std::byte*>(a.iov_base);
    const auto* b_begin = static_cast<const std::byte*>(b.iov_base);
    return a_begin < b_begin + b.iov_len && b_begin < a_begin + a.iov_len;
}

bool poisoned(const std::byte* begin, std::size_t length) {
    return std::all_of(begin, begin + length, [](std::byte each) { return each == POISON; });
}

}  // namespace

// --- the clients' side ---

SimulatedKernel::ClientId SimulatedKernel::connect(int listener) {
    peers_.emplace_back();
    const ClientId client = ClientId(peers_.size() - 1);
    backlogs_[listener].push_back(client);
    tell_descriptor();
    return client;
}

void SimulatedKernel::client_send(ClientId client, std::string_view bytes) {
    Peer& peer = peers_[client];
    if (peer.inbound_ended || peer.reset) return;
    if (peer.closed) {
        reset_by_server(peer);
    } else {
        peer.inbound.append(bytes);
    }
    tell_descriptor();
}

void SimulatedKernel::client_shutdown(ClientId client) {
    peers_[client].inbound_ended = true;
    tell_descriptor();
}

void SimulatedKernel::client_close(ClientId client) {
    peers_[client].inbound_ended = true;
    peers_[client].gone = true;
    tell_descriptor();
}

void SimulatedKernel::client_reset(ClientId client) {
    Peer& peer = peers_[client];
    peer.reset = true;
    peer.inbound.clear();
    peer.outbound.clear();
    tell_descriptor();
}

std::string SimulatedKernel::client_read(ClientId client, std::size_t most) {
    Peer& peer = peers_[client];
    std::string bytes = peer.outbound.substr(0, most);
    peer.outbound.erase(0, bytes.size());
    tell_descriptor();
    return bytes;
}

bool SimulatedKernel::client_at_end(ClientId client) const {
    const Peer& peer = peers_[client];
    return peer.outbound.empty() && (peer.outbound_ended || peer.closed);
}

void SimulatedKernel::driver_dies() {
    for (InFlight& operation : operations_) operation.orphaned = true;
    tell_descriptor();
}

std::size_t SimulatedKernel::open_sockets() const {
    return std::size_t(
        std::count_if(sockets_.begin(), sockets_.end(), [](std::int64_t client) { return client >= 0; }));
}

std::size_t SimulatedKernel::owed() const {
    std::size_t count = operations_.size();
    for (const InFlight& each : queued_) count += each.kind != Kind::cancel;
    for (const Completion& each : completed_) count += !each.more;
    return count;
}

std::size_t SimulatedKernel::owed(Token of) const {
    const auto is = [of](Token token) { return token.pack() == of.pack(); };
    std::size_t count = 0;
    for (const InFlight& each : operations_) count += is(each.token);
    for (const InFlight& each : queued_) count += each.kind != Kind::cancel && is(each.token);
    for (const Completion& each : completed_) count += !each.more && is(each.token);
    return count;
}

// --- the shard's side: operations are queued, the contract is checked at once ---

std::string SimulatedKernel::open(const KernelOptions& options) {
    close_all();
    options_ = options;
    state_ = simulation.seed * 0x9E3779B97F4A7C15u + 1;
    is_lent_.assign(options.segment_count, false);
    descriptor_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return descriptor_ < 0 ? "simulation: eventfd failed" : "";
}

void SimulatedKernel::close_all() {
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = -1;
    told_ = false;
    queued_.clear();
    operations_.clear();
    completed_.clear();
    lending_.clear();
    published_.clear();
    is_lent_.clear();
    lent_ = 0;
}

void SimulatedKernel::accept(int listener, Token token, bool stream) {
    queue({.kind = Kind::accept, .token = token, .socket = listener, .stream = stream, .ranges = {}, .sums = {}});
}

Socket SimulatedKernel::accept_waiting(int listener) {
    std::deque<ClientId>& backlog = backlogs_[listener];
    if (backlog.empty()) return -EAGAIN;
    return chance(simulation.accept_fails) ? -EMFILE : take_from_backlog(backlog);
}

// As sockets.cpp has it: a reset stays to be seen when an operation has told of it.
PeerState SimulatedKernel::peer_state(Socket socket) {
    const Peer* peer = peer_of(socket);
    if (peer == nullptr) return violated("peer_state of a socket that is not open", std::uint64_t(socket)), PeerState{};
    const bool ended = peer->inbound_ended || peer->reset;
    const bool reset = peer->reset || (peer->inbound_ended && peer->outbound_ended);
    return {reset, ended, ended ? std::uint32_t(peer->inbound.size()) : 0};
}

void SimulatedKernel::receive(Socket socket, Token token, bool stream) {
    queue({.kind = Kind::receive, .token = token, .socket = socket, .stream = stream, .ranges = {}, .sums = {}});
}

void SimulatedKernel::receive_into(Socket socket, Token token, void* into, std::size_t length) {
    InFlight operation{
        .kind = Kind::receive_into, .token = token, .socket = socket, .ranges = {{into, length}}, .sums = {}};
    if (!in_arena(operation.ranges[0])) violated("receive_into outside the arena", token);
    check_memory(operation);
    std::memset(into, int(POISON), length);
    queue(std::move(operation));
}

void SimulatedKernel::send(Socket socket, Token token, const void* from, std::size_t length) {
    InFlight operation{.kind = Kind::send, .token = token, .socket = socket, .ranges = {}, .sums = {}};
    operation.ranges.push_back({const_cast<void*>(from), length});
    if (length == 0) violated("an empty send", token);
    check_memory(operation);
    ++sends_;
    queue(std::move(operation));
}

void SimulatedKernel::send_vectored(Socket socket, Token token, const iovec* vectors, unsigned count) {
    InFlight operation{
        .kind = Kind::send, .token = token, .socket = socket, .ranges = {}, .vectors = vectors, .sums = {}};
    operation.ranges.assign(vectors, vectors + count);
    std::size_t length = 0;
    for (const iovec& each : operation.ranges) length += each.iov_len;
    if (length == 0) violated("an empty send", token);
    if (count > IOV_MAX) violated("more vectors than the kernel takes", token);
    check_memory(operation);
    ++sends_;
    queue(std::move(operation));
}

std::int32_t SimulatedKernel::send_now(Socket socket, const void* from, std::size_t length) {
    InFlight operation{.kind = Kind::send, .token = {}, .socket = socket, .ranges = {}, .sums = {}};
    operation.ranges.push_back({const_cast<void*>(from), length});
    if (length == 0) violated("an empty send", operation.token);
    check_alone(operation);
    if (!ready(operation)) return -EAGAIN;
    step(operation);
    const std::int32_t result = completed_.back().result;
    completed_.pop_back();
    return result;
}

void SimulatedKernel::shutdown_write(Socket socket, Token token) {
    for (const std::vector<InFlight>* each : {&queued_, &operations_})
        for (const InFlight& other : *each)
            if (other.socket == socket && other.kind == Kind::send)
                violated("shutdown_write with a send in flight", token);
    queue({.kind = Kind::shutdown, .token = token, .socket = socket, .ranges = {}, .sums = {}});
}

void SimulatedKernel::reset_on_close(Socket socket) {
    if (Peer* peer = peer_of(socket)) {
        peer->reset_on_close = true;
    } else {
        violated("reset_on_close of a socket that is not open", std::uint64_t(socket));
    }
}

// The client's end holds half of what it has not read, the server's the rest.
std::uint32_t SimulatedKernel::unacknowledged(Socket socket) {
    const Peer* peer = peer_of(socket);
    if (peer == nullptr) return violated("unacknowledged of a socket that is not open", std::uint64_t(socket)), 0;
    const std::size_t received = std::min(peer->outbound.size(), simulation.send_room / 2);
    return std::uint32_t(peer->outbound.size() - received);
}

void SimulatedKernel::close(Socket socket, Token token) {
    for (const std::vector<InFlight>* each : {&queued_, &operations_})
        for (const InFlight& other : *each)
            if (other.socket == socket && other.kind != Kind::cancel)
                violated("close with an operation in flight", token);
    queue({.kind = Kind::close, .token = token, .socket = socket, .ranges = {}, .sums = {}});
}

void SimulatedKernel::cancel(Token target) {
    queued_.push_back({.kind = Kind::cancel, .token = target, .ranges = {}, .sums = {}});
}

void SimulatedKernel::lend(std::uint32_t segment) {
    if (segment >= options_.segment_count) return violated("lend of a segment that does not exist", segment);
    if (is_lent_[segment]) return violated("lend of a segment that is lent already", segment);
    if (lent_ >= options_.lent_max) return violated("more segments lent than was said", segment);
    std::byte* begin = options_.arena + std::size_t{segment} * options_.segment_bytes;
    const iovec range{begin, options_.segment_bytes};
    for (const std::vector<InFlight>* each : {&queued_, &operations_})
        for (const InFlight& operation : *each)
            for (const iovec& other : operation.ranges)
                if (overlap(range, other)) violated("lend of memory that an operation has", operation.token);
    std::memset(begin, int(POISON), options_.segment_bytes);
    is_lent_[segment] = true;
    ++lent_;
    lending_.push_back(segment);
}

void SimulatedKernel::queue(InFlight&& operation) {
    check_alone(operation);
    if (operation.kind == Kind::send)
        for (const iovec& range : operation.ranges) operation.sums.push_back(sum(range));
    queued_.push_back(std::move(operation));
}

// No second operation of that kind on the socket, no second use of the token, no closed socket.
void SimulatedKernel::check_alone(const InFlight& operation) {
    const auto reads = [](Kind kind) { return kind == Kind::receive || kind == Kind::receive_into; };
    if (operation.kind != Kind::accept && peer_of(operation.socket) == nullptr)
        violated("an operation on a socket that is not open", operation.token);
    for (const std::vector<InFlight>* each : {&queued_, &operations_}) {
        for (const InFlight& other : *each) {
            if (other.kind == Kind::cancel) continue;
            if (other.token.pack() == operation.token.pack() && operation.token.operation != Operation::none)
                violated("a token that is in flight already", operation.token);
            if (other.socket != operation.socket) continue;
            if (other.kind == Kind::close) violated("an operation behind a close", operation.token);
            if (other.kind == operation.kind || (reads(other.kind) && reads(operation.kind)))
                violated("a second operation of its kind on one socket", operation.token);
        }
    }
}

void SimulatedKernel::check_memory(const InFlight& operation) {
    for (const iovec& range : operation.ranges) {
        if (in_arena(range) && overlaps_lent(range)) violated("memory that is lent to the kernel", operation.token);
        for (const std::vector<InFlight>* each : {&queued_, &operations_})
            for (const InFlight& other : *each)
                for (const iovec& taken : other.ranges)
                    if (overlap(range, taken) &&
                        (operation.kind == Kind::receive_into || other.kind == Kind::receive_into))
                        violated("memory that another operation has", operation.token);
    }
}

bool SimulatedKernel::in_arena(const iovec& range) const {
    const auto* begin = static_cast<const std::byte*>(range.iov_base);
    const std::size_t arena = std::size_t{options_.segment_count} * options_.segment_bytes;
    return begin >= options_.arena && begin + range.iov_len <= options_.arena + arena;
}

bool SimulatedKernel::overlaps_lent(const iovec& range) const {
    if (range.iov_len == 0) return false;
    const std::size_t begin = std::size_t(static_cast<const std::byte*>(range.iov_base) - options_.arena);
    for (std::size_t n = begin / options_.segment_bytes; n <= (begin + range.iov_len - 1) / options_.segment_bytes; ++n)
        if (is_lent_[n]) return true;
    return false;
}

// --- the simulated kernel at work ---

bool SimulatedKernel::send_lone(Completion* out) {
    if (simulation.lone_send == 0 || queued_.size() != 1) return false;
    InFlight& operation = queued_.front();
    if (operation.kind != Kind::send || !ready(operation) || !chance(simulation.lone_send) || !step(operation))
        return false;
    *out = completed_.back();
    completed_.pop_back();
    queued_.clear();
    return true;
}

void SimulatedKernel::submit() {
    published_.insert(published_.end(), lending_.begin(), lending_.end());
    lending_.clear();
    for (InFlight& operation : queued_) {
        if (operation.kind != Kind::cancel) {
            operations_.push_back(std::move(operation));
            continue;
        }
        for (InFlight& target : operations_)
            if (target.token.pack() == operation.token.pack()) target.cancelled = true;
    }
    queued_.clear();
    tell_descriptor();
}

unsigned SimulatedKernel::harvest(Completion* out, unsigned max) {
    published_.insert(published_.end(), lending_.begin(), lending_.end());
    lending_.clear();
    for (std::size_t n = below(simulation.steps + 1); n > 0; --n) advance();
    unsigned taken = 0;
    while (taken < max && !completed_.empty()) {
        const Completion& completion = completed_.front();
        if (completion.segment != NO_SEGMENT) {
            is_lent_[completion.segment] = false;
            --lent_;
        }
        out[taken++] = completion;
        completed_.pop_front();
    }
    tell_descriptor();
    return taken;
}

bool SimulatedKernel::pending() const {
    return !completed_.empty() ||
           std::any_of(operations_.begin(), operations_.end(), [this](const InFlight& each) { return ready(each); });
}

void SimulatedKernel::wait(std::int64_t) {
    ++waits_;
    rung_.store(false, std::memory_order_seq_cst);
}

bool SimulatedKernel::ready(const InFlight& operation) const {
    if (operation.cancelled) return true;
    const Peer* peer = peer_of(operation.socket);
    switch (operation.kind) {
        case Kind::accept: {
            const auto backlog = backlogs_.find(operation.socket);
            return backlog != backlogs_.end() && !backlog->second.empty();
        }
        case Kind::receive:
        case Kind::receive_into: return peer == nullptr || peer->reset || peer->inbound_ended || !peer->inbound.empty();
        case Kind::send:
            return peer == nullptr || peer->reset || peer->gone || peer->outbound.size() < simulation.send_room;
        default: return true;
    }
}

void SimulatedKernel::advance() {
    std::vector<std::size_t> able;
    for (std::size_t n = 0; n < operations_.size(); ++n)
        if (ready(operations_[n])) able.push_back(n);
    if (able.empty()) return;
    const std::size_t chosen = able[below(able.size())];
    if (step(operations_[chosen])) operations_.erase(operations_.begin() + std::ptrdiff_t(chosen));
}

bool SimulatedKernel::step(InFlight& operation) {
    if (operation.kind == Kind::receive_into || operation.kind == Kind::send) {
        if (operation.vectors != nullptr &&
            std::memcmp(operation.vectors, operation.ranges.data(), operation.ranges.size() * sizeof(iovec)) != 0)
            violated("vectors that changed before their send completed", operation.token);
        for (std::size_t n = 0; simulation.arena_is_private && n < operation.sums.size(); ++n)
            if (sum(operation.ranges[n]) != operation.sums[n])
                violated("bytes that changed before their send completed", operation.token);
        if (simulation.arena_is_private && operation.kind == Kind::receive_into &&
            !poisoned(static_cast<std::byte*>(operation.ranges[0].iov_base), operation.ranges[0].iov_len))
            violated("memory of a receive_into that was written to", operation.token);
    }
    if (operation.orphaned && operation.kind != Kind::close && operation.kind != Kind::shutdown)
        return complete(operation, chance(128) ? -ECANCELED : -EFAULT);
    if (operation.cancelled) {
        InFlight alone = operation;
        alone.cancelled = false;
        const bool late = ready(alone) && chance(simulation.cancel_late);
        if (!late) return complete(operation, -ECANCELED);
    }
    switch (operation.kind) {
        case Kind::accept: return step_accept(operation);
        case Kind::receive: return step_receive(operation);
        case Kind::receive_into: return step_receive_into(operation);
        case Kind::send: return step_send(operation);
        case Kind::shutdown: return step_shutdown(operation);
        default: return step_close(operation);
    }
}

bool SimulatedKernel::stream_goes_on(const InFlight& operation) {
    return operation.stream && !chance(simulation.stream_ends);
}

// The lowest free number, as a real kernel: what confuses an old socket with a new one shows soon.
Socket SimulatedKernel::take_from_backlog(std::deque<ClientId>& backlog) {
    const ClientId client = backlog.front();
    backlog.pop_front();
    auto place = std::find(sockets_.begin(), sockets_.end(), -1);
    if (place == sockets_.end()) place = sockets_.insert(sockets_.end(), -1);
    *place = client;
    return peers_[client].socket = FIRST_SOCKET + int(place - sockets_.begin());
}

bool SimulatedKernel::step_accept(InFlight& operation) {
    if (simulation.next_accept_error != 0) return complete(operation, -std::exchange(simulation.next_accept_error, 0));
    if (chance(simulation.accept_fails)) {
        constexpr int ERRORS[] = {EMFILE, EMFILE, ENFILE, ENOMEM, ENOBUFS, ECONNABORTED, ECANCELED};
        return complete(operation, -ERRORS[below(std::size(ERRORS))]);
    }
    const Socket socket = take_from_backlog(backlogs_[operation.socket]);
    const bool more = stream_goes_on(operation);
    return complete(operation, socket, NO_SEGMENT, more);
}

// What every receive has to look at first. True: it has ended.
bool SimulatedKernel::inbound_failed(Peer& peer, const InFlight& operation, int without_memory) {
    if (peer.reset && !peer.reset_seen) {
        peer.reset_seen = true;
        return complete(operation, -ECONNRESET);
    }
    if (peer.inbound.empty()) return complete(operation, 0);
    if (simulation.next_receive_error != 0)
        return complete(operation, -std::exchange(simulation.next_receive_error, 0));
    if (chance(simulation.out_of_memory)) return complete(operation, -without_memory);
    return false;
}

bool SimulatedKernel::step_receive(InFlight& operation) {
    Peer* peer = peer_of(operation.socket);
    if (peer == nullptr) return complete(operation, -EBADF);
    if (inbound_failed(*peer, operation, ENOMEM)) return true;
    if (published_.empty() || chance(simulation.no_segments)) return complete(operation, -ENOBUFS);
    const std::uint32_t segment = take_segment();
    const std::size_t length = portion(std::min<std::size_t>(peer->inbound.size(), options_.segment_bytes));
    std::memcpy(options_.arena + std::size_t{segment} * options_.segment_bytes, peer->inbound.data(), length);
    peer->inbound.erase(0, length);
    return complete(operation, std::int32_t(length), segment, stream_goes_on(operation));
}

bool SimulatedKernel::step_receive_into(InFlight& operation) {
    Peer* peer = peer_of(operation.socket);
    if (peer == nullptr) return complete(operation, -EBADF);
    if (inbound_failed(*peer, operation, chance(128) ? ENOMEM : ENOBUFS)) return true;
    const std::size_t length = portion(std::min(peer->inbound.size(), operation.ranges[0].iov_len));
    std::memcpy(operation.ranges[0].iov_base, peer->inbound.data(), length);
    peer->inbound.erase(0, length);
    return complete(operation, std::int32_t(length));
}

bool SimulatedKernel::step_send(InFlight& operation) {
    Peer* peer = peer_of(operation.socket);
    if (peer == nullptr) return complete(operation, -EBADF);
    if (simulation.next_send_error != 0) return complete(operation, -std::exchange(simulation.next_send_error, 0));
    if (chance(simulation.send_fails)) return complete(operation, chance(128) ? -ECANCELED : -EFAULT);
    if (chance(simulation.out_of_memory)) return complete(operation, chance(128) ? -ENOMEM : -ENOBUFS);
    if (peer->outbound_ended) return complete(operation, -EPIPE);
    if (peer->reset) {
        const bool first = !peer->reset_seen;
        peer->reset_seen = true;
        return complete(operation, first ? -ECONNRESET : -EPIPE);
    }
    std::string bytes;
    for (const iovec& range : operation.ranges) bytes.append(static_cast<const char*>(range.iov_base), range.iov_len);
    if (peer->gone) {
        // The bytes leave, the answer to them is a reset.
        peer->reset = true;
        peer->inbound.clear();
        return complete(operation, std::int32_t(bytes.size()));
    }
    std::size_t length = portion(std::min(bytes.size(), simulation.send_room - peer->outbound.size()));
    if (simulation.next_send != 0) length = std::min(length, std::exchange(simulation.next_send, 0));
    peer->outbound.append(bytes, 0, length);
    return complete(operation, std::int32_t(length));
}

bool SimulatedKernel::step_shutdown(const InFlight& operation) {
    Peer* peer = peer_of(operation.socket);
    if (peer == nullptr) return complete(operation, -EBADF);
    if (peer->reset || chance(simulation.shutdown_fails)) return complete(operation, -ENOTCONN);
    peer->outbound_ended = true;
    return complete(operation, 0);
}

// The server has closed with bytes unread or by a reset, or bytes came after it: the reset eats what the client has
// not read, maybe.
void SimulatedKernel::reset_by_server(Peer& peer) {
    peer.broken = true;
    if (chance(128)) peer.outbound.clear();
}

bool SimulatedKernel::step_close(const InFlight& operation) {
    Peer* peer = peer_of(operation.socket);
    if (peer == nullptr) return complete(operation, -EBADF);
    peer->closed = true;
    if (!peer->inbound.empty() || peer->reset_on_close) reset_by_server(*peer);
    peer->inbound.clear();
    sockets_[std::size_t(operation.socket - FIRST_SOCKET)] = -1;
    return complete(operation, chance(simulation.close_fails) ? -EIO : 0);
}

bool SimulatedKernel::complete(const InFlight& operation, std::int32_t result, std::uint32_t segment, bool more) {
    completed_.push_back({operation.token, result, segment, more});
    return !more;
}

std::uint32_t SimulatedKernel::take_segment() {
    const std::size_t place = below(published_.size());
    const std::uint32_t segment = published_[place];
    published_[place] = published_.back();
    published_.pop_back();
    if (simulation.arena_is_private &&
        !poisoned(options_.arena + std::size_t{segment} * options_.segment_bytes, options_.segment_bytes))
        violated("a lent segment that was written to", segment);
    return segment;
}

// --- small things ---

SimulatedKernel::Peer* SimulatedKernel::peer_of(int socket) {
    return const_cast<Peer*>(static_cast<const SimulatedKernel*>(this)->peer_of(socket));
}

const SimulatedKernel::Peer* SimulatedKernel::peer_of(int socket) const {
    const std::int64_t place = std::int64_t{socket} - FIRST_SOCKET;
    if (place < 0 || std::size_t(place) >= sockets_.size() || sockets_[std::size_t(place)] < 0) return nullptr;
    return &peers_[std::size_t(sockets_[std::size_t(place)])];
}

int SimulatedKernel::remote_address(Socket socket, sockaddr_storage* address) const {
    const Peer* peer = peer_of(socket);
    if (peer == nullptr) return -EBADF;
    if (peer->reset) return -ENOTCONN;
    auto* inet = reinterpret_cast<sockaddr_in*>(address);
    *inet = {};
    inet->sin_family = AF_INET;
    inet->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    inet->sin_port = htons(std::uint16_t(1024 + (peer - peers_.data())));
    return 0;
}

std::uint64_t SimulatedKernel::random() {  // splitmix64
    std::uint64_t z = state_ += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

void SimulatedKernel::violated(const char* what, Token token) {
    violations_.push_back(std::string(what) + " (operation " + std::to_string(unsigned(token.operation)) + ", index " +
                          std::to_string(token.index) + ", generation " + std::to_string(token.generation) + ")");
}

void SimulatedKernel::violated(const char* what, std::uint64_t detail) {
    violations_.push_back(std::string(what) + " (" + std::to_string(detail) + ")");
}

void SimulatedKernel::tell_descriptor() {
    const bool now = pending();
    if (now == told_ || descriptor_ < 0) return;
    told_ = now;
    std::uint64_t count = 1;
    [[maybe_unused]] const ssize_t done =
        now ? write(descriptor_, &count, sizeof count) : read(descriptor_, &count, sizeof count);
}

}  // namespace pinion::io
