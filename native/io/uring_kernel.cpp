#include "io/uring_kernel.hpp"

#if PINION_WITH_URING

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/hand_over_point.hpp"
#include "io/faults.hpp"
#include "io/uring_errors.hpp"

namespace pinion::io {

namespace {

// A doorbell that was rung between the last look and the sleep, and whose completion the other thread harvested in
// that very window, is seen after this time at the latest.
constexpr std::int64_t WAIT_SLICE_US = 100'000;

// All that this class queues.
constexpr std::uint8_t OPERATIONS[] = {IORING_OP_ACCEPT, IORING_OP_RECV,         IORING_OP_SEND, IORING_OP_SENDMSG,
                                       IORING_OP_CLOSE,  IORING_OP_ASYNC_CANCEL, IORING_OP_READ, IORING_OP_NOP};

int register_with(int ring, unsigned opcode, const void* argument, unsigned count) {
    const int result = int(syscall(__NR_io_uring_register, ring, opcode, argument, count));
    return result < 0 ? -errno : result;
}

}  // namespace

std::string UringKernel::open(const KernelOptions& options) {
    close_all();
    if (options.segment_count > 65536)
        return "io_uring: an arena of more than 65,536 segments does not fit a buffer ring's 16-bit ids; make it "
               "smaller";
    if (options.lent_max == 0 || (options.lent_max & (options.lent_max - 1)) != 0 ||
        options.lent_max > uring::BUFFER_RING_MAX)
        return "io_uring: the number of lent segments must be a power of two, at most 32,768";
    arena_ = options.arena;
    segment_bytes_ = options.segment_bytes;
    unrestricted_because_.clear();
    const std::string failure = try_open(options, true);
    if (failure.empty()) return {};
    unrestricted_because_ = failure;
    return try_open(options, false);
}

std::string UringKernel::try_open(const KernelOptions& options, bool restricted) {
    std::string failure = map_ring(options, restricted);
    if (failure.empty()) failure = register_buffers(options);
    if (failure.empty() && restricted) failure = restrict_and_enable();
    if (failure.empty()) {
        // Blocking: a read of a non-blocking eventfd would not wait in the ring.
        doorbell_ = eventfd(0, EFD_CLOEXEC);
        if (doorbell_ < 0) failure = uring::explain("eventfd", errno);
    }
    if (!failure.empty()) close_all();
    return failure;
}

std::string UringKernel::map_ring(const KernelOptions& options, bool restricted) {
    // Each connection may have a receive, a send and a cancel under way; beyond that the kernel keeps the overflow.
    const std::uint64_t completions =
        std::max<std::uint64_t>({std::uint64_t{options.lent_max} + options.connections, options.queue_depth * 2u, 256});
    const std::uint32_t depth = std::clamp(options.queue_depth, 8u, 32768u);
    io_uring_params parameters{};
    int result = -EINVAL;
    for (const std::uint32_t optional :
         {uring::SETUP_SUBMIT_ALL | uring::SETUP_COOP_TASKRUN | uring::SETUP_TASKRUN_FLAG, uring::SETUP_SUBMIT_ALL,
          0u}) {
        parameters = {};
        parameters.flags =
            IORING_SETUP_CLAMP | IORING_SETUP_CQSIZE | optional | (restricted ? uring::SETUP_DISABLED : 0);
        parameters.cq_entries =
            std::uint32_t(PINION_SHORTENED(queue, Token{}, std::min<std::uint64_t>(completions, 65536)));
        const auto entries = unsigned(PINION_SHORTENED(queue, Token{}, depth));
        result =
            PINION_SETUP_REFUSED(parameters.flags) ? -EINVAL : io_uring_queue_init_params(entries, &ring_, &parameters);
        if (result != -EINVAL) break;
    }
    if (result < 0) return uring::explain("io_uring_setup", -result);
    open_ = true;
    if (!(parameters.features & IORING_FEAT_EXT_ARG) || !(parameters.features & IORING_FEAT_NODROP))
        return "io_uring: this kernel is too old (6.1 or newer is needed); epoll serves instead";
    cancel_flags_ = parameters.features & uring::FEATURE_CQE_SKIP ? uring::SQE_CQE_SKIP_SUCCESS : std::uint8_t{0};

    sq_head_ = ring_.sq.khead;
    sq_shared_tail_ = ring_.sq.ktail;
    sq_flags_ = ring_.sq.kflags;
    sq_entries_ = ring_.sq.sqes;
    sq_mask_ = *ring_.sq.kring_mask;
    sq_tail_ = *ring_.sq.ktail;
    // liburing from 2.6 on asks for a ring without this indirection, which kernels from 6.6 on have: then it is null.
    if (ring_.sq.array != nullptr)
        for (std::uint32_t n = 0; n <= sq_mask_; ++n) ring_.sq.array[n] = n;
    headers_.assign(sq_mask_ + 1, msghdr{});
    cq_head_ = ring_.cq.khead;
    cq_tail_ = ring_.cq.ktail;
    cq_entries_ = ring_.cq.cqes;
    cq_mask_ = *ring_.cq.kring_mask;
    return {};
}

std::string UringKernel::register_buffers(const KernelOptions& options) {
    const std::size_t page = std::size_t(sysconf(_SC_PAGESIZE));
    buffer_ring_bytes_ = (options.lent_max * sizeof(uring::Buffer) + page - 1) / page * page;
    void* memory =
        mmap(nullptr, buffer_ring_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED) return uring::explain("mmap of the buffer ring", errno);
    buffers_ = static_cast<uring::Buffer*>(memory);
    buffer_mask_ = std::uint16_t(options.lent_max - 1);
    buffer_tail_ = buffer_published_ = 0;
    lent_ = 0;
    uring::BufferRingRegistration registration{};
    registration.address = reinterpret_cast<std::uintptr_t>(memory);
    registration.entries = options.lent_max;
    registration.group = BUFFER_GROUP;
    const int result = register_with(ring_.ring_fd, uring::REGISTER_BUFFER_RING, &registration, 1);
    return result < 0 ? uring::explain("io_uring_register of the buffer ring", -result) : std::string{};
}

// From here on the ring takes what this class asks for, and nothing else: no open, no connect, no further memory.
// The kernel refuses all else with -EACCES, whoever has come to write into the queue (io_uring_register(2)).
std::string UringKernel::restrict_and_enable() {
    using Kind = uring::RestrictionKind;
    std::vector<uring::Restriction> allowed;
    for (const std::uint8_t operation : OPERATIONS) allowed.push_back({Kind::operation, operation});
    allowed.push_back({Kind::flags_allowed, std::uint8_t(IOSQE_BUFFER_SELECT | cancel_flags_)});
    allowed.push_back({Kind::register_operation, uring::REGISTER_ENABLE});
    allowed.push_back({Kind::register_operation, uring::REGISTER_SYNC_CANCEL});
    int result = register_with(ring_.ring_fd, uring::REGISTER_RESTRICTIONS, allowed.data(), unsigned(allowed.size()));
    if (result < 0) return uring::explain("io_uring_register of the restrictions", -result);
    result = register_with(ring_.ring_fd, uring::REGISTER_ENABLE, nullptr, 0);
    return result < 0 ? uring::explain("io_uring_register to enable the ring", -result) : std::string{};
}

void UringKernel::close_all() {
    if (open_) {
        // The memory lent to the kernel must be nobody's when this returns. Cancelled polls complete on the threads
        // that armed them (or on a kernel thread, if those have died), so that this may take a few rounds.
        for (int round = 0; round < 1000; ++round) {
            uring::SyncCancel all{};
            all.descriptor = -1;
            all.flags = uring::CANCEL_ANY | uring::CANCEL_ALL;
            all.timeout_seconds = 1;
            // Says how many it has found; one that is being cancelled is found again.
            if (register_with(ring_.ring_fd, uring::REGISTER_SYNC_CANCEL, &all, 1) <= 0) break;
            std::atomic_ref(*ring_.cq.khead)
                .store(std::atomic_ref(*ring_.cq.ktail).load(std::memory_order_acquire), std::memory_order_release);
            enter(0, 0, IORING_ENTER_GETEVENTS);
            if (round > 10) usleep(1000);
        }
        io_uring_queue_exit(&ring_);
    }
    if (buffers_ != nullptr) munmap(buffers_, buffer_ring_bytes_);
    if (doorbell_ >= 0) ::close(doorbell_);
    open_ = false;
    buffers_ = nullptr;
    doorbell_ = -1;
    doorbell_armed_ = false;
    doorbell_rung_.store(false, std::memory_order_relaxed);
    ring_ = {};
    ring_.ring_fd = -1;
    sq_tail_ = 0;
    lent_ = 0;
    headers_.clear();
    backlog_.clear();
    backlog_headers_.clear();
    failed_shutdowns_.clear();
}

void UringKernel::set_blocking(int listener) {
    const int flags = fcntl(listener, F_GETFL);
    if (flags >= 0 && (flags & O_NONBLOCK)) fcntl(listener, F_SETFL, flags & ~O_NONBLOCK);
}

// The ring's own operation always goes to a kernel worker thread, which costs more than the system call.
void UringKernel::shutdown_write(Socket socket, Token token) {
    if (PINION_FAULT(shutdown, token) || ::shutdown(socket, SHUT_WR) < 0)
        failed_shutdowns_.push_back({token, -errno, NO_SEGMENT, false});
    next_entry(IORING_OP_NOP, -1, token);
}

// The queue is full: hand over what is in it. If the kernel does not take it either, keep the entry aside.
io_uring_sqe* UringKernel::slow_entry(unsigned opcode, int descriptor, Token token) {
    submit();
    if (backlog_.empty() && sq_tail_ - std::atomic_ref(*sq_head_).load(std::memory_order_acquire) <= sq_mask_)
        return filled(&sq_entries_[sq_tail_++ & sq_mask_], opcode, descriptor, token);
    backlog_headers_.emplace_back();
    return filled(&backlog_.emplace_back(), opcode, descriptor, token);
}

void UringKernel::settle_backlog() {
    while (!backlog_.empty() && sq_tail_ - std::atomic_ref(*sq_head_).load(std::memory_order_acquire) <= sq_mask_) {
        io_uring_sqe* entry = &sq_entries_[sq_tail_++ & sq_mask_];
        *entry = backlog_.front();
        if (entry->opcode == IORING_OP_SENDMSG) {
            msghdr& header = headers_[std::size_t(entry - sq_entries_)];
            header = backlog_headers_.front();
            entry->addr = reinterpret_cast<std::uintptr_t>(&header);
        }
        backlog_.pop_front();
        backlog_headers_.pop_front();
    }
}

// The only entry: it is out of the queue then. False: it is no send, or one that would have to wait.
bool UringKernel::try_send(Completion* out, const io_uring_sqe& entry) {
    if (entry.opcode != IORING_OP_SEND && entry.opcode != IORING_OP_SENDMSG) return false;
    const auto* from = reinterpret_cast<const void*>(std::uintptr_t(entry.addr));
    const int flags = int(entry.msg_flags) | MSG_DONTWAIT;
    ssize_t sent;
    do {
        if (PINION_FAULT(send, Token::unpack(entry.user_data))) {
            sent = -1;
        } else if (entry.opcode == IORING_OP_SEND) {
            sent = ::send(entry.fd, from, entry.len, flags);
        } else {
            sent = ::sendmsg(entry.fd, static_cast<const msghdr*>(from), flags);
        }
    } while (sent < 0 && errno == EINTR);
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return false;
    *out = {Token::unpack(entry.user_data), sent < 0 ? -errno : std::int32_t(sent), NO_SEGMENT, false};
    --sq_tail_;
    return true;
}

void UringKernel::flush() {
    bool flushed_overflow = false;
    for (;;) {
        const std::uint32_t head = std::atomic_ref(*sq_head_).load(std::memory_order_acquire);
        settle_backlog();
        std::atomic_ref(*sq_shared_tail_).store(sq_tail_, std::memory_order_release);
        const std::uint32_t waiting = sq_tail_ - head;
        if (waiting == 0) return;
        const int taken = enter(waiting, 0, 0);
        if (taken == -EINTR) continue;
        if (taken < 0) {
            // -EBUSY: completions overflow and must be taken first; -EAGAIN: no memory. The entries stay in the queue
            // and go with the next turn.
            if (flushed_overflow) return;
            flushed_overflow = true;
            enter(0, 0, IORING_ENTER_GETEVENTS);
            continue;
        }
        if (taken == 0) return;
        if (std::uint32_t(taken) == waiting && backlog_.empty()) return;
    }
}

int UringKernel::enter(std::uint32_t to_submit, std::uint32_t min_complete, std::uint32_t flags) {
    if (PINION_FAULT(uring_enter)) return -errno;
    const long result = syscall(__NR_io_uring_enter, ring_.ring_fd, to_submit, min_complete, flags, nullptr, 0);
    return result < 0 ? -errno : int(result);
}

// True: the shard is to see it.
bool UringKernel::keep_rare(Completion& completion) {
    if (completion.token.operation == Operation::shutdown && !failed_shutdowns_.empty()) {
        const std::uint64_t token = completion.token.pack();
        auto failed = std::find_if(failed_shutdowns_.begin(), failed_shutdowns_.end(),
                                   [&](const Completion& each) { return each.token.pack() == token; });
        if (failed != failed_shutdowns_.end()) {
            completion.result = failed->result;
            failed_shutdowns_.erase(failed);
        }
    }
    if (completion.token.operation == Operation::doorbell) doorbell_armed_ = false;
    return completion.token.operation < Operation::cancel;
}

void UringKernel::begin_wait() {
    if (!doorbell_armed_) {
        io_uring_sqe* entry = next_entry(IORING_OP_READ, doorbell_, Token{0, 0, Operation::doorbell});
        entry->addr = reinterpret_cast<std::uintptr_t>(&doorbell_value_);
        entry->len = sizeof doorbell_value_;
        entry->off = ~0ull;
        doorbell_armed_ = true;
    }
    submit();
}

void UringKernel::wait(std::int64_t timeout_us) {
    for (;;) {
        if (doorbell_rung_.exchange(false, std::memory_order_seq_cst)) return;
        const std::int64_t slice = timeout_us < 0 ? WAIT_SLICE_US : std::min(timeout_us, WAIT_SLICE_US);
        __kernel_timespec duration{slice / 1'000'000, slice % 1'000'000 * 1000};
        io_uring_getevents_arg argument{};
        argument.ts = reinterpret_cast<std::uintptr_t>(&duration);
        PINION_HAND_OVER(kernel_waits);
        const long result = syscall(__NR_io_uring_enter, ring_.ring_fd, 0, 1,
                                    IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &argument, sizeof argument);
        PINION_HAND_OVER(kernel_waited);
        if (result >= 0 || errno != ETIME) break;
        if (timeout_us >= 0 && (timeout_us -= slice) <= 0) break;
    }
    doorbell_rung_.store(false, std::memory_order_seq_cst);
}

void UringKernel::ring_doorbell() {
    if (doorbell_rung_.exchange(true, std::memory_order_seq_cst)) return;
    PINION_HAND_OVER(doorbell_flagged);
    const std::uint64_t one = 1;
    while (write(doorbell_, &one, sizeof one) < 0 && errno == EINTR) {
    }
}

int UringKernel::remote_address(Socket socket, sockaddr_storage* address) const {
    socklen_t length = sizeof *address;
    return getpeername(socket, reinterpret_cast<sockaddr*>(address), &length) < 0 ? -errno : 0;
}

}  // namespace pinion::io

#endif  // PINION_WITH_URING
