// The completion interface between a shard and the kernel. Three classes implement it: UringKernel, EpollKernel
// and SimulatedKernel; Shard<Kernel> is bound to one at compile time, so no call here is virtual.
//
// All functions but ring_doorbell() and pending() need the baton. None of them blocks, except wait().
// Nothing calls back: operations are queued, and their completions come out of harvest() or send_lone(), never inline.
// Memory lent to an operation belongs to the kernel until that operation's completion has been harvested; every
// operation completes exactly once (streams: once with more == false), a cancelled one too.
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>

namespace pinion::io {

inline constexpr std::uint32_t NO_SEGMENT = 0xffffffff;

enum class Operation : std::uint8_t { none, accept, receive, receive_into, send, shutdown, close, cancel, doorbell };

// Names an operation: what it is, whose, and of which generation, so that a late completion of a reused
// connection is told apart. Packs into the 64 bits of user_data.
struct Token {
    std::uint32_t index = 0;  // connection or listener
    std::uint32_t generation : 24 = 0;
    Operation operation : 8 = Operation::none;

    std::uint64_t pack() const {
        return std::uint64_t(index) | std::uint64_t(generation) << 32 | std::uint64_t(operation) << 56;
    }
    static Token unpack(std::uint64_t bits) {
        Token token;
        token.index = std::uint32_t(bits);
        token.generation = std::uint32_t(bits >> 32) & 0xffffff;
        token.operation = Operation(bits >> 56);
        return token;
    }
};

// A socket as the kernel class names it: a descriptor, or an index into a table of direct descriptors.
using Socket = std::int32_t;

struct Completion {
    Token token;
    std::int32_t result;    // accept: Socket; receive, send: bytes (0: end of stream); < 0: -errno
    std::uint32_t segment;  // receive: the segment that holds the bytes, now the shard's; else NO_SEGMENT
    bool more;              // the stream goes on and is still armed
};

// Who runs the turn: what a thread arms ends when that thread dies, and wakes that thread.
enum class Driver : std::uint8_t { worker, stand_in };

struct KernelOptions {
    std::byte* arena;  // segment n is at arena + n * SEGMENT_BYTES
    std::uint32_t segment_count;
    std::uint32_t segment_bytes;
    std::uint32_t lent_max;     // most segments that are ever lent to the kernel at a time; a power of two
    std::uint32_t connections;  // most sockets open at once
    std::uint32_t queue_depth;  // submission entries; completions: enough that none overflows in normal use
};

template <class K>
concept Kernel = requires(K kernel, Token token, Socket socket, Completion* out, std::uint32_t segment) {
    // Empty string: opened. Else what failed and the likely cause (seccomp, sysctl, limits), for the log.
    { kernel.open(KernelOptions{}) } -> std::same_as<std::string>;
    // Ends every operation, without completions; no memory belongs to the kernel any more. Open sockets stay the
    // shard's, which closes them itself.
    kernel.close_all();
    // Listening descriptors are ordinary ones that the shard made. stream: goes on until cancelled (multishot).
    kernel.accept(int{}, token, bool{} /*stream*/);
    // Optional, without an operation: `accept_waiting(listener)`, a connection that waits to be accepted, or -errno;
    // `peer_state(socket)`, whether the peer has gone.
    // Receives into segments that were lent; -ENOBUFS ends it when there is none.
    kernel.receive(socket, token, bool{} /*stream*/);
    // One receive into a range of the arena (large bodies).
    kernel.receive_into(socket, token, static_cast<void*>(nullptr), std::size_t{});
    // Sends may be short. The iovec array must live until the completion.
    kernel.send(socket, token, static_cast<const void*>(nullptr), std::size_t{});
    kernel.send_vectored(socket, token, static_cast<const iovec*>(nullptr), unsigned{});
    // Without an operation: sends as much as the socket has room for, while no send of it is in flight, and keeps none
    // of the memory. Bytes, or -errno.
    { kernel.send_now(socket, static_cast<const void*>(nullptr), std::size_t{}) } -> std::same_as<std::int32_t>;
    // Takes effect at once: when no send of the socket is in flight.
    kernel.shutdown_write(socket, token);
    // The close that follows is a reset: the peer sees that the stream broke off (socket(7), SO_LINGER).
    kernel.reset_on_close(socket);
    // Optional: `unacknowledged(socket)`, bytes of completed sends that the peer has not received yet. Without it none.
    // Closes when nothing of the socket is in flight any more (the shard sees to that).
    kernel.close(socket, token);
    // Asks the operation `target` to end; it completes with -ECANCELED or whatever came first. The cancel itself
    // gives no completion.
    kernel.cancel(token);
    // Lends a segment to the kernel for receive(); published by the next submit() or wait().
    kernel.lend(segment);
    { kernel.lent() } -> std::same_as<std::uint32_t>;
    // Takes up to `max` completions, oldest first, without blocking.
    { kernel.harvest(out, unsigned{} /*max*/) } -> std::same_as<unsigned>;
    // If all that submit() would hand over is one send that need not wait: makes it, and gives its completion. It costs
    // less than by submit(), and nobody is woken for its completion.
    { kernel.send_lone(out) } -> std::same_as<bool>;
    // Hands queued operations to the kernel, without waiting.
    kernel.submit();
    // Submits and waits until a completion, the doorbell or the time-out (microseconds, < 0: none). May be called while
    // another thread runs turns: waiting holds nothing. Call begin_wait() with the baton, wait() without it.
    kernel.begin_wait();
    kernel.wait(std::int64_t{});
    // Any thread, no baton: are there completions to harvest?
    { kernel.pending() } -> std::same_as<bool>;
    // Becomes readable when there are completions; libuv polls it.
    { kernel.descriptor() } -> std::same_as<int>;
    // Any thread: ends a wait(), now or next.
    kernel.ring_doorbell();
    // The peer's address; 0 or -errno.
    { kernel.remote_address(socket, static_cast<sockaddr_storage*>(nullptr)) } -> std::same_as<int>;
};

}  // namespace pinion::io
