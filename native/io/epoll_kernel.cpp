#include "io/epoll_kernel.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "base/hand_over_point.hpp"
#include "io/faults.hpp"

namespace pinion::io {

namespace {

constexpr int EVENTS_AT_A_TIME = 128;
// What one socket may take in one harvest, so that none starves the others.
constexpr int SEGMENTS_AT_A_TIME = 8;
constexpr int ACCEPTS_AT_A_TIME = 64;

std::string failure(const char* call, int error) {
    return std::string("epoll: ") + call + " failed with " + std::strerror(error) +
           (error == EMFILE ? "; raise RLIMIT_NOFILE" : "");
}

}  // namespace

std::string EpollKernel::open(const KernelOptions& options) {
    close_all();
    arena_ = options.arena;
    segment_bytes_ = options.segment_bytes;
    segments_.reserve(options.lent_max);
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_ < 0) return failure("epoll_create1", errno);
    doorbell_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    announcement_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    epoll_event event{};
    event.events = EPOLLIN | EPOLLET;
    event.data.fd = announcement_;
    if (doorbell_ < 0 || announcement_ < 0 || epoll_ctl(epoll_, EPOLL_CTL_ADD, announcement_, &event) < 0) {
        const int error = errno;
        close_all();
        return failure("eventfd", error);
    }
    return {};
}

void EpollKernel::close_all() {
    if (epoll_ >= 0) ::close(epoll_);
    if (doorbell_ >= 0) ::close(doorbell_);
    if (announcement_ >= 0) ::close(announcement_);
    epoll_ = doorbell_ = announcement_ = -1;
    announced_ = false;
    descriptors_.clear();
    armed_.clear();
    segments_.clear();
    completed_.clear();
    sending_.clear();
    readable_.clear();
    work_.store(false, std::memory_order_relaxed);
    doorbell_rung_.store(false, std::memory_order_relaxed);
}

// Descriptors are the lowest free numbers, so that the table is as long as the most there have ever been.
EpollKernel::Descriptor& EpollKernel::descriptor_of(int fd) {
    if (std::size_t(fd) >= descriptors_.size()) descriptors_.resize(std::max<std::size_t>(std::size_t(fd) + 1, 64));
    return descriptors_[std::size_t(fd)];
}

// A new socket begins under this number. A place in a queue outlives the old one; the new one is then looked at once
// more than needed.
void EpollKernel::forget(int fd) {
    Descriptor fresh{};
    Descriptor& descriptor = descriptor_of(fd);
    fresh.read_queued = descriptor.read_queued;
    fresh.write_queued = descriptor.write_queued;
    descriptor = fresh;
}

EpollKernel::Armed& EpollKernel::armed_of(Token token) {
    if (token.index >= armed_.size()) armed_.resize(std::max<std::size_t>(std::size_t{token.index} + 1, 64));
    return armed_[token.index];
}

int EpollKernel::watch(int fd, Descriptor& descriptor) {
    if (descriptor.registered) return 0;
    epoll_event event{};
    event.events = EPOLLIN | EPOLLRDHUP | EPOLLET;
    event.data.fd = fd;
    if ((PINION_FAULT(epoll_ctl) || epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) < 0) && errno != EEXIST) return -errno;
    descriptor.registered = true;
    return 0;
}

// Only sockets that have once refused a send are watched for it: else each new one would bring an event for nothing.
void EpollKernel::watch_writable(int fd, Descriptor& descriptor) {
    descriptor.writable = false;
    if (descriptor.watched_writable) return;
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    event.data.fd = fd;
    if (PINION_FAULT(epoll_ctl) || epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event) < 0) {
        descriptor.writer.length = 0;
        return complete(descriptor.writer.token, -errno);
    }
    descriptor.watched_writable = true;
}

void EpollKernel::arm_reader(int fd, const Reader& reader) {
    if (fd < 0) return complete(reader.token, -EBADF);
    Descriptor& descriptor = descriptor_of(fd);
    if (descriptor.reader.kind != Reading::none) return complete(reader.token, -EBUSY);
    if (const int error = watch(fd, descriptor); error != 0) return complete(reader.token, error);
    descriptor.reader = reader;
    armed_of(reader.token).read = fd;
    if (descriptor.readable) queue_read(fd, descriptor);
}

void EpollKernel::accept(int listener, Token token, bool stream) {
    if (listener < 0) return complete(token, -EBADF);
    Descriptor& descriptor = descriptor_of(listener);
    if (descriptor.reader.kind != Reading::none) return complete(token, -EBUSY);
    const int flags = fcntl(listener, F_GETFL);
    if (flags >= 0 && !(flags & O_NONBLOCK)) fcntl(listener, F_SETFL, flags | O_NONBLOCK);
    if (const int error = watch(listener, descriptor); error != 0) return complete(token, error);
    descriptor.reader = {token, stream ? Reading::accept_stream : Reading::accept, nullptr, 0};
    armed_of(token).accept = listener;
    if (descriptor.readable) queue_read(listener, descriptor);
}

Socket EpollKernel::accept_waiting(int listener) {
    const Socket accepted = io::accept_waiting(listener);
    if (accepted >= 0) forget(accepted);
    return accepted;
}

void EpollKernel::arm_writer(int fd, const Writer& writer) {
    if (fd < 0) return complete(writer.token, -EBADF);
    Descriptor& descriptor = descriptor_of(fd);
    if (descriptor.writer.length != 0) return complete(writer.token, -EBUSY);
    if (writer.length == 0) return complete(writer.token, 0);
    if (const int error = watch(fd, descriptor); error != 0) return complete(writer.token, error);
    descriptor.writer = writer;
    armed_of(writer.token).write = fd;
    if (descriptor.writable && !descriptor.write_queued) {
        descriptor.write_queued = true;
        sending_.push_back(fd);
    }
}

void EpollKernel::queue_read(int fd, Descriptor& descriptor) {
    if (descriptor.read_queued) return;
    descriptor.read_queued = true;
    readable_.push_back(fd);
}

void EpollKernel::shutdown_write(Socket socket, Token token) {
    complete(token, PINION_FAULT(shutdown, token) || ::shutdown(socket, SHUT_WR) < 0 ? -errno : 0);
}

void EpollKernel::close(Socket socket, Token token) {
    if (socket >= 0 && std::size_t(socket) < descriptors_.size()) {
        Descriptor& descriptor = descriptors_[std::size_t(socket)];
        if (descriptor.reader.kind != Reading::none) complete(descriptor.reader.token, -ECANCELED);
        if (descriptor.writer.length != 0) complete(descriptor.writer.token, -ECANCELED);
        forget(socket);
    }
    complete(token, ::close(socket) < 0 || PINION_FAULT(close, token) ? -errno : 0);
}

void EpollKernel::cancel(Token target) {
    if (target.index >= armed_.size()) return;
    const std::uint64_t wanted = target.pack();
    const Armed armed = armed_[target.index];
    for (const int fd : {armed.accept, armed.read}) {
        if (fd < 0) continue;
        Descriptor& descriptor = descriptors_[std::size_t(fd)];
        if (descriptor.reader.kind != Reading::none && descriptor.reader.token.pack() == wanted)
            return cancel_reader(fd, descriptor);
    }
    if (armed.write < 0) return;
    Descriptor& descriptor = descriptors_[std::size_t(armed.write)];
    if (descriptor.writer.length != 0 && descriptor.writer.token.pack() == wanted) {
        descriptor.writer.length = 0;
        complete(target, -ECANCELED);
    }
}

void EpollKernel::cancel_reader(int fd, Descriptor& descriptor) {
    if (descriptor.reader.kind == Reading::accept || descriptor.reader.kind == Reading::accept_stream) {
        // The shard may close its listener by itself now.
        epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
        descriptor.registered = false;
        descriptor.readable = false;
    }
    finish_reader(descriptor, -ECANCELED);
}

void EpollKernel::finish_reader(Descriptor& descriptor, std::int32_t result, std::uint32_t segment) {
    descriptor.reader.kind = Reading::none;
    complete(descriptor.reader.token, result, segment, false);
}

// One round of work.
void EpollKernel::progress() {
    if (!sending_.empty()) run_sends();
    poll_events();
    if (!readable_.empty()) run_reads();
    if (!sending_.empty()) run_sends();
}

void EpollKernel::announce() {
    announced_ = true;
    const std::uint64_t one = 1;
    while (write(announcement_, &one, sizeof one) < 0 && errno == EINTR) {
    }
}

void EpollKernel::poll_events() {
    epoll_event events[EVENTS_AT_A_TIME];
    const int count = epoll_wait(epoll_, events, EVENTS_AT_A_TIME, 0);
    for (int n = 0; n < count; ++n) {
        const int fd = events[n].data.fd;
        const std::uint32_t what = events[n].events;
        if (fd == announcement_) {
            announced_ = false;
            continue;
        }
        Descriptor& descriptor = descriptors_[std::size_t(fd)];
        if (what & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) descriptor.ending = true;
        if (what & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
            descriptor.readable = true;
            if (descriptor.reader.kind != Reading::none) queue_read(fd, descriptor);
        }
        if (what & (EPOLLOUT | EPOLLHUP | EPOLLERR)) {
            descriptor.writable = true;
            if (descriptor.writer.length != 0 && !descriptor.write_queued) {
                descriptor.write_queued = true;
                sending_.push_back(fd);
            }
        }
    }
}

void EpollKernel::run_sends() {
    for (std::size_t n = 0; n < sending_.size(); ++n) {
        const int fd = sending_[n];
        descriptors_[std::size_t(fd)].write_queued = false;
        try_send(fd);
    }
    sending_.clear();
}

void EpollKernel::try_send(int fd) {
    Descriptor& descriptor = descriptors_[std::size_t(fd)];
    Writer& writer = descriptor.writer;
    if (writer.length == 0) return;  // cancelled since
    ssize_t sent;
    do {
        if (PINION_FAULT(send, writer.token)) {
            sent = -1;
        } else if (writer.vectors != nullptr) {
            std::size_t count = writer.length;
            msghdr header{};
            header.msg_iov = const_cast<iovec*>(PINION_SHORTENED_VECTORS(writer.token, writer.vectors, count));
            header.msg_iovlen = count;
            sent = sendmsg(fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
        } else {
            sent = ::send(fd, writer.from, PINION_SHORTENED(send, writer.token, writer.length),
                          MSG_NOSIGNAL | MSG_DONTWAIT);
        }
    } while (sent < 0 && errno == EINTR);
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return watch_writable(fd, descriptor);
    writer.length = 0;
    complete(writer.token, sent < 0 ? -errno : std::int32_t(sent));
}

void EpollKernel::run_reads() {
    batch_.swap(readable_);  // a socket that has more than its share queues itself again, behind the others
    for (const int fd : batch_) {
        descriptors_[std::size_t(fd)].read_queued = false;
        read_some(fd);
    }
    batch_.clear();
}

void EpollKernel::read_some(int fd) {
    const Reading kind = descriptors_[std::size_t(fd)].reader.kind;
    if (kind == Reading::accept || kind == Reading::accept_stream) return accept_some(fd);
    for (int n = 0; n < SEGMENTS_AT_A_TIME; ++n)
        if (!receive_one(fd)) return;
    queue_read(fd, descriptors_[std::size_t(fd)]);
}

// False: nothing more to read now, or nobody who wants it.
bool EpollKernel::receive_one(int fd) {
    Descriptor& descriptor = descriptors_[std::size_t(fd)];
    const Reader reader = descriptor.reader;
    if (reader.kind == Reading::none || !descriptor.readable) return false;
    void* into = reader.into;
    std::size_t length = reader.length;
    std::uint32_t segment = NO_SEGMENT;
    if (reader.kind != Reading::range) {
        if (segments_.empty()) {
            finish_reader(descriptor, -ENOBUFS);
            return false;
        }
        segment = segments_.back();
        into = arena_ + std::size_t{segment} * segment_bytes_;
        length = segment_bytes_;
    }
    const std::size_t wanted = PINION_SHORTENED(receive, reader.token, length);
    ssize_t got;
    do got = PINION_FAULT(receive, reader.token) ? -1 : recv(fd, into, wanted, MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        descriptor.readable = false;
        return false;
    }
    // A short read has emptied the socket; whatever comes then brings a new edge. But an end that was told of earlier
    // does not.
    if (got > 0 && std::size_t(got) < wanted && !descriptor.ending) descriptor.readable = false;
    if (got <= 0) {
        finish_reader(descriptor, got < 0 ? -errno : 0);
        return false;
    }
    if (segment != NO_SEGMENT) segments_.pop_back();
    if (reader.kind != Reading::stream) {
        finish_reader(descriptor, std::int32_t(got), segment);
        return false;
    }
    complete(reader.token, std::int32_t(got), segment, true);
    return descriptor.readable;
}

void EpollKernel::accept_some(int fd) {
    for (int n = 0; n < ACCEPTS_AT_A_TIME; ++n) {
        Descriptor& descriptor = descriptors_[std::size_t(fd)];
        int accepted;
        do accepted = PINION_FAULT(accept, descriptor.reader.token) ? -1 : accept4(fd, nullptr, nullptr, SOCK_CLOEXEC);
        while (accepted < 0 && errno == EINTR);
        if (accepted < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            descriptor.readable = false;
            return;
        }
        if (accepted < 0) return finish_reader(descriptor, -errno);
        forget(accepted);
        Descriptor& same = descriptors_[std::size_t(fd)];  // the table may have moved
        if (same.reader.kind == Reading::accept) return finish_reader(same, accepted);
        complete(same.reader.token, accepted, NO_SEGMENT, true);
    }
    queue_read(fd, descriptors_[std::size_t(fd)]);
}

void EpollKernel::wait(std::int64_t timeout_us) {
    bool rung = doorbell_rung_.exchange(false, std::memory_order_seq_cst);
    if (!rung && !work_.load(std::memory_order_acquire)) {
        pollfd both[2] = {{epoll_, POLLIN, 0}, {doorbell_, POLLIN, 0}};
        const timespec duration{timeout_us / 1'000'000, timeout_us % 1'000'000 * 1000};
        PINION_HAND_OVER(kernel_waits);
        ppoll(both, 2, timeout_us < 0 ? nullptr : &duration, nullptr);
        PINION_HAND_OVER(kernel_waited);
        rung = (both[1].revents & POLLIN) != 0;
    }
    if (!rung) return;
    // Flag first: a ring between the two stores its flag again, and ends the next wait at the latest.
    doorbell_rung_.store(false, std::memory_order_seq_cst);
    std::uint64_t count;
    while (read(doorbell_, &count, sizeof count) < 0 && errno == EINTR) {
    }
}

bool EpollKernel::pending() const {
    if (work_.load(std::memory_order_acquire)) return true;
    pollfd one{epoll_, POLLIN, 0};
    return poll(&one, 1, 0) > 0;
}

void EpollKernel::ring_doorbell() {
    if (doorbell_rung_.exchange(true, std::memory_order_seq_cst)) return;
    PINION_HAND_OVER(doorbell_flagged);
    const std::uint64_t one = 1;
    while (write(doorbell_, &one, sizeof one) < 0 && errno == EINTR) {
    }
}

int EpollKernel::remote_address(Socket socket, sockaddr_storage* address) const {
    socklen_t length = sizeof *address;
    return getpeername(socket, reinterpret_cast<sockaddr*>(address), &length) < 0 ? -errno : 0;
}

}  // namespace pinion::io
