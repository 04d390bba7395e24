// What the kernels' shared cases stand on: a kernel with a small arena, a listener on loopback, blocking clients.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "base/assert.hpp"
#include "io/kernel.hpp"
#include "test/check.hpp"

#define OPENED(rig) REQUIRE_EQ((rig).failure, "")

namespace pinion::test {

using io::Completion;
using io::NO_SEGMENT;
using io::Operation;
using io::Token;

inline Token token(Operation operation, std::uint32_t index = 0, std::uint32_t generation = 1) {
    Token made;
    made.index = index;
    made.generation = generation & 0xffffff;
    made.operation = operation;
    return made;
}

struct RigOptions {
    std::uint32_t segments = 64;
    std::uint32_t lent = 16;
    std::uint32_t depth = 64;
    std::uint32_t connections = 64;
};

// A descriptor that closes with its scope.
class Client {
public:
    explicit Client(int fd = -1) : fd_(fd) {}
    Client(Client&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
    Client& operator=(Client&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~Client() { close(); }

    int fd() const { return fd_; }
    void write(std::string_view bytes) const {
        while (!bytes.empty()) {
            const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent <= 0) return;
            bytes.remove_prefix(std::size_t(sent));
        }
    }
    // Up to `most` bytes; less at the end of the stream, or when nothing has come for two seconds.
    std::string read(std::size_t most) const {
        std::string bytes(most, '\0');
        std::size_t length = 0;
        while (length < most) {
            const ssize_t got = ::recv(fd_, bytes.data() + length, most - length, 0);
            if (got <= 0) break;
            length += std::size_t(got);
        }
        bytes.resize(length);
        return bytes;
    }
    // True: the end of the stream, or a reset, comes next.
    bool ended() const {
        char byte;
        return ::recv(fd_, &byte, 1, 0) == 0;
    }
    void shutdown_write() const { ::shutdown(fd_, SHUT_WR); }
    void reset() {
        const linger hard{1, 0};
        setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
        close();
    }
    void close() {
        if (fd_ >= 0) ::close(fd_);
        fd_ = -1;
    }

private:
    int fd_;
};

template <class K>
class Rig {
public:
    static constexpr std::uint32_t SEGMENT = 4096;

    explicit Rig(RigOptions options = {}) : arena_bytes_(std::size_t{options.segments} * SEGMENT) {
        arena_ = static_cast<std::byte*>(
            mmap(nullptr, arena_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        io::KernelOptions opened{};
        opened.arena = arena_;
        opened.segment_count = options.segments;
        opened.segment_bytes = SEGMENT;
        opened.lent_max = options.lent;
        opened.connections = options.connections;
        opened.queue_depth = options.depth;
        failure = kernel.open(opened);
        open_listener();
    }
    Rig(const Rig&) = delete;
    Rig& operator=(const Rig&) = delete;
    ~Rig() {
        kernel.close_all();
        for (const int socket : sockets) ::close(socket);
        ::close(listener);
        munmap(arena_, arena_bytes_);
    }

    Client connect() const {
        Client client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        (void)::connect(client.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
        const timeval patience{2, 0};
        setsockopt(client.fd(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        const int on = 1;
        setsockopt(client.fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        return client;
    }

    // A client and the server's end of it, accepted through the kernel.
    std::pair<Client, int> connected() {
        Client client = connect();
        kernel.accept(listener, token(Operation::accept), false);
        const std::vector<Completion> accepted = take(1);
        const int socket = accepted.empty() ? -1 : accepted[0].result;
        CHECK(socket >= 0);
        if (socket >= 0) sockets.push_back(socket);
        return {std::move(client), socket};
    }

    // The shard closed it through the kernel.
    void forget(int socket) { std::erase(sockets, socket); }

    // Submits, and harvests until `count` completions are there; fewer when that takes ten seconds. Sleeps as
    // libuv does, on the descriptor.
    std::vector<Completion> take(std::size_t count) {
        std::vector<Completion> taken;
        const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(10);
        while (taken.size() < count && std::chrono::steady_clock::now() < patience) {
            kernel.submit();
            Completion batch[16];
            const unsigned most = unsigned(std::min<std::size_t>(16, count - taken.size()));
            const unsigned got = kernel.harvest(batch, most);
            taken.insert(taken.end(), batch, batch + got);
            if (got == 0) {
                kernel.submit();
                pollfd one{kernel.descriptor(), POLLIN, 0};
                poll(&one, 1, 100);
            }
        }
        return taken;
    }

    // What comes within a moment that is long enough for loopback.
    std::vector<Completion> take_rest() {
        std::vector<Completion> taken;
        for (int quiet = 0; quiet < 3;) {
            kernel.submit();
            Completion batch[16];
            const unsigned got = kernel.harvest(batch, 16);
            taken.insert(taken.end(), batch, batch + got);
            if (got != 0) continue;
            ++quiet;
            kernel.submit();
            pollfd one{kernel.descriptor(), POLLIN, 0};
            poll(&one, 1, 10);
        }
        return taken;
    }

    bool readable(int milliseconds) {
        pollfd one{kernel.descriptor(), POLLIN, 0};
        // A wake-up that brings no completion is allowed; then it is looked at again.
        return poll(&one, 1, milliseconds) > 0;
    }

    void lend(std::uint32_t first, std::uint32_t count) {
        for (std::uint32_t n = 0; n < count; ++n) kernel.lend(first + n);
    }

    std::string_view bytes(const Completion& completion) const {
        return {reinterpret_cast<const char*>(arena_) + std::size_t{completion.segment} * SEGMENT,
                std::size_t(completion.result)};
    }

    std::byte* arena() const { return arena_; }
    std::size_t arena_bytes() const { return arena_bytes_; }

    K kernel;
    std::string failure;
    int listener = -1;
    sockaddr_in address{};
    std::vector<int> sockets;

private:
    void open_listener() {
        listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        PINION_ASSERT(bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
        ::listen(listener, 511);
        socklen_t length = sizeof address;
        getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length);
    }

    std::byte* arena_;
    std::size_t arena_bytes_;
};

// Bytes that differ at every place that a mistake could mix up.
inline std::string pattern(std::size_t length, unsigned seed = 1) {
    std::string bytes(length, '\0');
    std::uint32_t state = seed * 2654435761u + 1;
    for (char& byte : bytes) {
        state = state * 1664525u + 1013904223u;
        byte = char(state >> 24);
    }
    return bytes;
}

}  // namespace pinion::test
