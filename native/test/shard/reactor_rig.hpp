// A reactor on a real kernel interface, driven by the test's own thread: a listener on loopback, clients that never
// block, and a lane that the test plays.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "base/assert.hpp"
#include "shard/reactor.hpp"
#include "test/check.hpp"
#include "test/io/kernel_rig.hpp"
#include "test/shard/answers.hpp"
#include "test/shard/scripted_lane.hpp"

namespace pinion::test {

inline shard::Route handler_route(std::string pattern) {
    shard::Route route{};
    route.kind = shard::Route::Kind::handler;
    route.pattern = std::move(pattern);
    route.methods = http::MethodSet((1u << http::METHOD_COUNT) - 1);
    route.body_limit = -1;
    return route;
}

inline shard::Route fixed_route(std::string pattern, std::string body, std::uint16_t status = 200) {
    shard::Route route = handler_route(std::move(pattern));
    route.kind = shard::Route::Kind::fixed;
    route.methods = 1u << unsigned(http::Method::GET);
    route.fixed = {status, encoded_field("Content-Type", "text/plain"), std::move(body)};
    return route;
}

inline shard::Timeouts timeouts_of(std::uint32_t ms) {
    return {.head = ms, .body = ms, .handler = ms, .write = ms, .keep_alive = ms, .drain = ms, .spin = ms};
}

inline shard::Settings small_settings() {
    shard::Settings settings;
    settings.limits = {.connections = 64,
                       .head_bytes = 16384,
                       .target_bytes = 8192,
                       .fields = 100,
                       .body_bytes = 1 << 20,
                       .slots = 16,
                       .queue = 64,
                       .arena_bytes = 128 * layout::SEGMENT_BYTES,
                       .connection_bytes = 65536,
                       .pipeline = 8,
                       .address_connections = 0,
                       .address_rate = 0};
    settings.timeouts = {.head = 60000,
                         .body = 60000,
                         .handler = 60000,
                         .write = 60000,
                         .keep_alive = 60000,
                         .drain = 10000,
                         .spin = 10000};
    settings.routes.push_back(fixed_route("/fixed", "fixed\n"));
    settings.routes.push_back(fixed_route("/large", std::string(20000, 'L')));
    settings.routes.push_back(handler_route("/h/{rest:path}"));
    return settings;
}

inline int listen_on_loopback(sockaddr_in& address) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    PINION_ASSERT(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    const int on = 1;  // inherited by what it accepts, as the daemon has it: else what follows a short send waits 40 ms
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ::listen(fd, 511);
    socklen_t length = sizeof address;
    getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length);
    return fd;
}

// A client that never blocks.
class Peer {
public:
    explicit Peer(const sockaddr_in& address, int receive_buffer = 0) {
        fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (receive_buffer > 0) setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
        (void)::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address);
        fcntl(fd_, F_SETFL, O_NONBLOCK);
        const int on = 1;
        setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    Peer(const Peer&) = delete;
    Peer& operator=(const Peer&) = delete;
    ~Peer() { close(); }

    AnswerReader in;
    bool ended = false;  // the end of the stream, or a reset
    bool reset_seen = false;

    void write(std::string_view bytes) {
        unsent_ += bytes;
        pump_out();
    }
    bool all_written() const { return unsent_.empty(); }
    void pump_out() {
        if (fd_ < 0 || unsent_.empty()) return;
        const ssize_t sent = ::send(fd_, unsent_.data(), unsent_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0) unsent_.erase(0, std::size_t(sent));
    }
    // Reads up to `most` bytes of what is there.
    void pump(std::size_t most = 1 << 20) {
        pump_out();
        char bytes[16384];
        while (fd_ >= 0 && !ended && most > 0) {
            const ssize_t got = ::recv(fd_, bytes, std::min(most, sizeof bytes), MSG_DONTWAIT);
            if (got > 0) {
                in.feed({bytes, std::size_t(got)});
                most -= std::size_t(got);
            } else if (got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
                ended = true;
                reset_seen = got < 0;
            } else {
                return;
            }
        }
    }
    void shutdown_write() { ::shutdown(fd_, SHUT_WR); }
    void close(bool reset = false) {
        if (fd_ < 0) return;
        const linger hard{1, 0};
        if (reset) setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
        ::close(fd_);
        fd_ = -1;
    }
    int fd() const { return fd_; }

private:
    int fd_ = -1;
    std::string unsent_;
};

template <class K>
class ReactorRig {
public:
    explicit ReactorRig(shard::Settings settings = small_settings()) {
        settings.listeners.push_back({listen_on_loopback(address), false});
        reactor = std::make_unique<shard::Reactor<K>>(std::move(settings), kernel);
        failure = reactor->open();
        if (!failure.empty()) return;
        io::KernelOptions options{};
        options.arena = reactor->region().arena();
        options.segment_count = reactor->settings().limits.arena_bytes / layout::SEGMENT_BYTES;
        options.segment_bytes = layout::SEGMENT_BYTES;
        options.lent_max = 1024;
        options.connections = reactor->settings().limits.connections;
        options.queue_depth = 256;
        failure = kernel.open(options);
        if (failure.empty()) reactor->start();
    }
    ~ReactorRig() {
        kernel.close_all();
        for (const shard::Listener& listener : reactor->settings().listeners) ::close(listener.fd);
    }

    io::Driver driver = io::Driver::stand_in;

    // A lane goes live, played by `worker`.
    std::uint32_t go_live() {
        const std::int32_t reserved = reactor->reserve_lane();
        CHECK(reserved >= 0);
        const auto lane = std::uint32_t(reserved);
        worker.attach(reactor->region().base(), reactor->region().lane_offset(lane));
        reactor->go_live(lane);
        reactor->flush(driver);
        return lane;
    }

    // One turn, and the script's answer to what it brought. Sleeps a little where nothing is to be done.
    void step() {
        const bool more = reactor->turn(driver);
        if (on_turn) on_turn();
        reactor->flush(driver);
        for (Peer* peer : peers) peer->pump(peer_pace);
        if (more || kernel.pending()) return;
        pollfd one{kernel.descriptor(), POLLIN, 0};
        poll(&one, 1, 1);
    }

    // Steps until `condition`; false after ten seconds.
    template <class Condition>
    bool until(Condition&& condition) {
        const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(10);
        while (!condition()) {
            if (std::chrono::steady_clock::now() > patience) return false;
            step();
        }
        return true;
    }
    bool quiet(int turns = 5) {
        for (int i = 0; i < turns; ++i) step();
        return true;
    }

    // Sends, and waits for `count` answers or the end of the stream.
    const std::vector<Answer>& talk(Peer& peer, std::string_view bytes, std::size_t count = 1) {
        watch(peer);
        peer.write(bytes);
        until([&] { return peer.in.answers.size() >= count || peer.ended; });
        return peer.in.answers;
    }
    void watch(Peer& peer) {
        if (std::find(peers.begin(), peers.end(), &peer) == peers.end()) peers.push_back(&peer);
    }
    std::unique_ptr<Peer> connect(int receive_buffer = 0) {
        auto peer = std::make_unique<Peer>(address, receive_buffer);
        watch(*peer);
        return peer;
    }

    // Every client goes, the lane's thread ends: all memory must have come back.
    void check_all_returned(bool strict_lent = true) {
        for (Peer* peer : peers) peer->close(true);
        peers.clear();
        on_turn = nullptr;
        for (std::uint32_t i = 0; i < layout::MAX_LANES; ++i) reactor->release_lane(i);
        CHECK(until([&] { return reactor->connection_count() == 0; }));
        quiet();
        CHECK_EQ(reactor->slots_used(), 0u);
        CHECK_EQ(reactor->parts_used(), 0u);
        CHECK(reactor->nobody_stalls());
        memory::Arena& arena = reactor->segments().arena();
        if (strict_lent) {
            CHECK_EQ(arena.free_bytes() + kernel.lent() * layout::SEGMENT_BYTES, arena.total_bytes());
        }
    }

    K kernel;
    std::unique_ptr<shard::Reactor<K>> reactor;
    std::string failure;
    sockaddr_in address{};
    ScriptedLane worker;
    std::function<void()> on_turn;
    std::vector<Peer*> peers;
    std::size_t peer_pace = 1 << 20;
};

inline std::string get(std::string_view path, std::string_view more = {}) {
    return "GET " + std::string(path) + " HTTP/1.1\r\nHost: a\r\n" + std::string(more) + "\r\n";
}

}  // namespace pinion::test
