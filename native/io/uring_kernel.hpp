// The completion interface on io_uring. Set-up and teardown are liburing's; the queues are filled and read here,
// inline.
//
// Two threads enter the ring, never at once, except that one may sleep in wait() while the other runs turns: wait()
// touches nothing but the ring's descriptor and two atomics. What a thread has armed completes on that thread
// (COOP_TASKRUN: when it next enters the kernel); a dead thread's operations end with -ECANCELED or -EFAULT, which are
// passed on as they are.
//
// Sockets are ordinary descriptors, and the ring's own descriptor is not registered: direct ones and a registered one
// cost the same (5.8 to 5.9 us of server CPU per request in all three, 64 connections, kernel 6.18), and ordinary ones
// have getpeername, shutdown and SO_LINGER.
#pragma once

// CMake says 0 where liburing was not found.
#ifndef PINION_WITH_URING
#define PINION_WITH_URING 1
#endif

#if PINION_WITH_URING

#include <liburing.h>

#include <atomic>
#include <string>

#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "base/cache_line.hpp"
#include "io/faults.hpp"
#include "io/kernel.hpp"
#include "io/sockets.hpp"
#include "io/uring_constants.hpp"

namespace pinion::io {

class UringKernel {
public:
    UringKernel() = default;
    UringKernel(const UringKernel&) = delete;
    UringKernel& operator=(const UringKernel&) = delete;
    ~UringKernel() { close_all(); }

    std::string open(const KernelOptions& options);
    // Ends every operation, waits until the kernel has let go of all memory, and forgets their completions. Sockets
    // stay open: they are the shard's.
    void close_all();

    void accept(int listener, Token token, bool stream) {
        PINION_REFUSED(accept, token);
        set_blocking(listener);
        io_uring_sqe* entry = next_entry(IORING_OP_ACCEPT, listener, token);
        entry->accept_flags = SOCK_CLOEXEC;
        entry->ioprio = stream ? uring::ACCEPT_MULTISHOT : std::uint16_t{0};
    }

    Socket accept_waiting(int listener) { return io::accept_waiting(listener); }
    PeerState peer_state(Socket socket) const { return io::peer_state(socket); }
    // Whether the kernel has refused operations, for want of memory or room: they go with the next submit().
    bool unsubmitted() const {
        return !backlog_.empty() || sq_tail_ != std::atomic_ref(*sq_head_).load(std::memory_order_acquire);
    }
    std::int32_t send_now(Socket socket, const void* from, std::size_t length) {
        return io::send_now(socket, from, length);
    }

    void receive(Socket socket, Token token, bool stream) {
        PINION_REFUSED(receive, token);
        io_uring_sqe* entry = next_entry(IORING_OP_RECV, socket, token);
        entry->ioprio = stream ? uring::RECEIVE_MULTISHOT : std::uint16_t{0};
        entry->flags = IOSQE_BUFFER_SELECT;
        entry->buf_group = BUFFER_GROUP;
        // A multishot takes whole buffers (length 0); a single one is told how long a buffer is.
        entry->len = stream ? 0 : std::uint32_t(PINION_SHORTENED(receive, token, segment_bytes_));
    }

    void receive_into(Socket socket, Token token, void* into, std::size_t length) {
        PINION_REFUSED(receive_into, token);
        io_uring_sqe* entry = next_entry(IORING_OP_RECV, socket, token);
        entry->addr = reinterpret_cast<std::uintptr_t>(into);
        entry->len = clamped(PINION_SHORTENED(receive_into, token, length));
    }

    void send(Socket socket, Token token, const void* from, std::size_t length) {
        PINION_REFUSED(send, token);
        io_uring_sqe* entry = next_entry(IORING_OP_SEND, socket, token);
        entry->addr = reinterpret_cast<std::uintptr_t>(from);
        entry->len = clamped(PINION_SHORTENED(send, token, length));
        entry->msg_flags = MSG_NOSIGNAL;
    }

    void send_vectored(Socket socket, Token token, const iovec* vectors, unsigned count) {
        PINION_REFUSED(send, token);
        std::size_t pieces = count;
        const iovec* const first = PINION_SHORTENED_VECTORS(token, vectors, pieces);
        io_uring_sqe* entry = next_entry(IORING_OP_SENDMSG, socket, token);
        // The kernel copies the header when it takes the entry, so one header for each place in the queue is enough.
        msghdr& header = header_of(entry);
        header = {};
        header.msg_iov = const_cast<iovec*>(first);
        header.msg_iovlen = pieces;
        entry->addr = reinterpret_cast<std::uintptr_t>(&header);
        entry->len = 1;
        entry->msg_flags = MSG_NOSIGNAL;
    }

    void shutdown_write(Socket socket, Token token);

    static void reset_on_close(Socket socket) {
        const linger at_once{1, 0};
        setsockopt(socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    }
    static std::uint32_t unacknowledged(Socket socket) {
        int bytes = 0;
        return ioctl(socket, SIOCOUTQ, &bytes) == 0 && bytes > 0 ? std::uint32_t(bytes) : 0;
    }

    void close(Socket socket, Token token) { next_entry(IORING_OP_CLOSE, socket, token); }

    void cancel(Token target) {
        io_uring_sqe* entry = next_entry(IORING_OP_ASYNC_CANCEL, -1, Token{0, 0, Operation::cancel});
        entry->addr = target.pack();
        entry->flags = cancel_flags_;
    }

    void lend(std::uint32_t segment) {
        uring::Buffer& buffer = buffers_[buffer_tail_ & buffer_mask_];
        buffer.address = reinterpret_cast<std::uintptr_t>(arena_) + std::uint64_t{segment} * segment_bytes_;
        buffer.length = segment_bytes_;
        buffer.id = std::uint16_t(segment);  // not the field behind it: in the first entry that is the ring's tail
        ++buffer_tail_;
        ++lent_;
    }

    std::uint32_t lent() const { return lent_; }

    unsigned harvest(Completion* out, unsigned max) {
        std::uint32_t head = std::atomic_ref(*cq_head_).load(std::memory_order_relaxed);
        std::uint32_t tail = std::atomic_ref(*cq_tail_).load(std::memory_order_acquire);
        unsigned taken = 0;
        if (head == tail) {
            if (!kernel_holds_completions()) return 0;
            enter(0, 0, IORING_ENTER_GETEVENTS);
            tail = std::atomic_ref(*cq_tail_).load(std::memory_order_acquire);
        }
        while (head != tail && taken < max) {
            const io_uring_cqe& entry = cq_entries_[head & cq_mask_];
            ++head;
            Completion& completion = out[taken];
            completion.token = Token::unpack(entry.user_data);
            completion.result = entry.res;
            completion.more = (entry.flags & uring::CQE_MORE) != 0;
            completion.segment = NO_SEGMENT;
            if (entry.flags & uring::CQE_BUFFER) take_buffer(completion, entry.flags >> uring::CQE_BUFFER_SHIFT);
            PINION_COMPLETED(completion);
            if (completion.token.operation >= Operation::shutdown && !keep_rare(completion)) continue;
            ++taken;
        }
        std::atomic_ref(*cq_head_).store(head, std::memory_order_release);
        publish_lent();
        return taken;
    }

    // One send is one system call either way; through the ring its completion would wake whoever polls that.
    bool send_lone(Completion* out) {
        const std::uint32_t head = std::atomic_ref(*sq_head_).load(std::memory_order_acquire);
        return sq_tail_ - head == 1 && backlog_.empty() && try_send(out, sq_entries_[head & sq_mask_]);
    }

    void submit() {
        publish_lent();
        if (sq_tail_ != std::atomic_ref(*sq_head_).load(std::memory_order_acquire) || !backlog_.empty()) flush();
    }

    // With the baton; arms the doorbell.
    void begin_wait();
    // Without the baton.
    void wait(std::int64_t timeout_us);

    bool pending() const {
        return std::atomic_ref(*cq_head_).load(std::memory_order_relaxed) !=
                   std::atomic_ref(*cq_tail_).load(std::memory_order_acquire) ||
               kernel_holds_completions();
    }

    int descriptor() const { return ring_.ring_fd; }
    void ring_doorbell();
    int remote_address(Socket socket, sockaddr_storage* address) const;

    // For the log and for doctor: which of the optional set-up flags are active.
    std::uint32_t setup_flags() const { return ring_.flags; }
    // Empty: the ring takes only the operations in use. Else why it could not be restricted to them.
    const std::string& unrestricted_because() const { return unrestricted_because_; }

private:
    static constexpr std::uint16_t BUFFER_GROUP = 0;

    static std::uint32_t clamped(std::size_t length) {
        return length > 0x7ffff000 ? 0x7ffff000u : std::uint32_t(length);
    }

    // A non-blocking listener would give -EAGAIN instead of waiting in the ring.
    static void set_blocking(int listener);

    io_uring_sqe* next_entry(unsigned opcode, int descriptor, Token token) {
        if (sq_tail_ - std::atomic_ref(*sq_head_).load(std::memory_order_acquire) > sq_mask_ || !backlog_.empty())
            return slow_entry(opcode, descriptor, token);
        return filled(&sq_entries_[sq_tail_++ & sq_mask_], opcode, descriptor, token);
    }

    static io_uring_sqe* filled(io_uring_sqe* entry, unsigned opcode, int descriptor, Token token) {
        *entry = io_uring_sqe{};
        entry->opcode = std::uint8_t(opcode);
        entry->fd = descriptor;
        entry->user_data = token.pack();
        return entry;
    }

    // The entry is the newest one.
    msghdr& header_of(const io_uring_sqe* entry) {
        if (backlog_.empty()) return headers_[std::size_t(entry - sq_entries_)];
        return backlog_headers_.back();
    }

    bool kernel_holds_completions() const {
        return (std::atomic_ref(*sq_flags_).load(std::memory_order_relaxed) &
                (uring::SQ_CQ_OVERFLOW | uring::SQ_TASKRUN)) != 0;
    }

    void take_buffer(Completion& completion, std::uint32_t segment) {
        --lent_;
        if (completion.result > 0) {
            completion.segment = segment;
        } else {
            lend(segment);  // an end of stream may come with a buffer; it holds nothing
        }
    }

    void publish_lent() {
        if (buffer_tail_ == buffer_published_) return;
        std::atomic_ref(buffers_[0].tail_or_reserved).store(buffer_tail_, std::memory_order_release);
        buffer_published_ = buffer_tail_;
    }

    bool try_send(Completion* out, const io_uring_sqe& entry);
    io_uring_sqe* slow_entry(unsigned opcode, int descriptor, Token token);
    void settle_backlog();
    bool keep_rare(Completion& completion);
    void flush();
    int enter(std::uint32_t to_submit, std::uint32_t min_complete, std::uint32_t flags);
    std::string try_open(const KernelOptions& options, bool restricted);
    std::string map_ring(const KernelOptions& options, bool restricted);
    std::string register_buffers(const KernelOptions& options);
    std::string restrict_and_enable();

    // Submission side, completion side, buffers: pointers into the mapped rings.
    std::uint32_t* sq_head_ = nullptr;
    std::uint32_t* sq_shared_tail_ = nullptr;
    std::uint32_t* sq_flags_ = nullptr;
    io_uring_sqe* sq_entries_ = nullptr;
    std::uint32_t sq_mask_ = 0;
    std::uint32_t sq_tail_ = 0;
    std::uint32_t cq_mask_ = 0;
    std::uint32_t* cq_head_ = nullptr;
    std::uint32_t* cq_tail_ = nullptr;
    io_uring_cqe* cq_entries_ = nullptr;
    uring::Buffer* buffers_ = nullptr;
    std::uint16_t buffer_mask_ = 0;
    std::uint16_t buffer_tail_ = 0;
    std::uint16_t buffer_published_ = 0;
    std::uint8_t cancel_flags_ = 0;
    bool doorbell_armed_ = false;  // true exactly when a read of the doorbell is in flight
    bool open_ = false;
    std::uint32_t lent_ = 0;
    std::byte* arena_ = nullptr;
    std::uint32_t segment_bytes_ = 0;
    base::OwnVector<msghdr> headers_;
    // Entries that did not fit because the kernel was short of memory, each with a header for its send, if it is one.
    base::OwnDeque<io_uring_sqe> backlog_;
    base::OwnDeque<msghdr> backlog_headers_;
    base::OwnVector<Completion> failed_shutdowns_;
    std::size_t buffer_ring_bytes_ = 0;
    io_uring ring_{};
    std::string unrestricted_because_;

    int doorbell_ = -1;
    std::uint64_t doorbell_value_ = 0;  // the kernel reads the eventfd into it
    std::atomic<bool> doorbell_rung_ = false;
};

static_assert(Kernel<UringKernel>);

}  // namespace pinion::io

#else

#include "io/epoll_kernel.hpp"

namespace pinion::io {

// Stands where the real one is left out; open() says so.
class UringKernel : public EpollKernel {
public:
    std::string open(const KernelOptions&) {
        return "io_uring: left out of this build; install liburing-dev and build again, or use epoll";
    }
};

}  // namespace pinion::io

#endif
