#include "shard/line_writer.hpp"

#include <linux/futex.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <condition_variable>
#include <cstddef>
#include <cstring>
#include <ctime>
#include <mutex>
#include <string>

#include "base/cache_line.hpp"

namespace pinion::shard {
namespace {

constexpr std::size_t DROPPED_LINE_BYTES = 40;    // {"dropped":18446744073709551615}
constexpr std::size_t PIECE_BYTES = 64 * 1024;    // of whole lines, under one turn
constexpr std::int64_t STILL_NS = 1'000'000'000;  // a log that has not moved for so long is not read

// CLOCK_MONOTONIC. Writers end one after the other, on one thread, and share what time there is.
std::atomic<std::int64_t> end_ns{INT64_MAX};

std::int64_t nanoseconds(clockid_t clock) {
    timespec now;
    clock_gettime(clock, &now);
    return std::int64_t(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

// False: the thread has not ended within `wait` nanoseconds. (TSan does not know pthread_clockjoin_np.)
bool join_within(pthread_t thread, std::int64_t wait) {
    const std::int64_t until = nanoseconds(CLOCK_REALTIME) + wait;
    const timespec time{until / 1'000'000'000, until % 1'000'000'000};
    return pthread_timedjoin_np(thread, nullptr, &time) == 0;
}

// Whose turn it is to write, first come, first served: with a plain mutex one of two busy writers could keep the other
// waiting until that one's buffer is full. Writers' threads only; no shard ever waits here. One for all descriptors,
// for a process has one log.
class Order {
public:
    void enter() {
        std::unique_lock lock(mutex_);
        const std::uint64_t mine = next_++;
        turned_.wait(lock, [&] { return now_ == mine; });
    }
    void leave() {
        {
            const std::lock_guard lock(mutex_);
            ++now_;
        }
        moved.fetch_add(1, std::memory_order_relaxed);
        turned_.notify_all();
    }

    std::atomic<std::uint64_t> moved{0};  // turns that are over

private:
    std::mutex mutex_;
    std::condition_variable turned_;
    std::uint64_t next_ = 0;
    std::uint64_t now_ = 0;
};

// Never destroyed: a writer that had to be left behind may still be in it when the process ends.
Order& order() {
    static Order* const only = new Order;
    return *only;
}

std::size_t piece_limit(int fd) {
    struct stat status;
    const bool is_pipe = fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode);
    return is_pipe ? PIPE_BUF - DROPPED_LINE_BYTES : PIECE_BYTES;
}

}  // namespace

// The padding keeps what two threads write apart. NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding)
struct LineWriter::Shared {
    explicit Shared(int descriptor) : fd(descriptor), limit(piece_limit(descriptor)) {}

    void run();
    bool sleep();
    void take();
    void write_out();
    void wake();
    void copy(std::uint64_t from, std::size_t length);

    const int fd;
    const std::size_t limit;
    const std::unique_ptr<char[]> ring{new char[BUFFER_BYTES]};
    std::string piece;       // this and the next are the thread's own
    std::uint64_t lost = 0;  // lines that `piece` tells of, or could not be written
    bool torn = false;       // the last line that was written has no end

    alignas(base::CACHE_LINE_BYTES) std::atomic<std::uint64_t> published{0};  // bytes, ever
    std::atomic<std::uint64_t> dropped{0};                                    // lines, not yet written of
    std::atomic<bool> stopping{false};
    alignas(base::CACHE_LINE_BYTES) std::atomic<std::uint64_t> taken{0};  // bytes, ever
    std::atomic<std::uint32_t> asleep{0};
};

LineWriter::LineWriter(int fd) : shared_(std::make_shared<Shared>(fd)) {
    auto own = std::make_unique<std::shared_ptr<Shared>>(shared_);
    const auto enter = [](void* argument) -> void* {
        const std::unique_ptr<std::shared_ptr<Shared>> held(static_cast<std::shared_ptr<Shared>*>(argument));
        pthread_setname_np(pthread_self(), "pinion-log");
        (*held)->run();
        return nullptr;
    };
    running_ = pthread_create(&thread_, nullptr, enter, own.get()) == 0;
    if (running_) (void)own.release();
}

LineWriter::~LineWriter() {
    publish();
    shared_->stopping.store(true);
    shared_->wake();
    if (!running_) return;
    while (true) {
        const std::uint64_t moved = order().moved.load(std::memory_order_relaxed);
        const std::int64_t now = nanoseconds(CLOCK_MONOTONIC);
        if (join_within(thread_, std::min(STILL_NS, end_ns.load() - now))) return;
        if (order().moved.load(std::memory_order_relaxed) == moved) end_ns = now;  // for the others, too
        if (nanoseconds(CLOCK_MONOTONIC) >= end_ns.load()) break;
    }
    pthread_detach(thread_);
}

void LineWriter::end_within(std::uint32_t milliseconds) {
    end_ns = std::min(end_ns.load(), nanoseconds(CLOCK_MONOTONIC) + std::int64_t(milliseconds) * 1'000'000);
}

void LineWriter::add(std::string_view line) {
    // Acquire: the writer has copied what was there.
    const std::uint64_t used = added_ - shared_->taken.load(std::memory_order_acquire);
    if (line.size() > BUFFER_BYTES - used) {
        shared_->dropped.fetch_add(1, std::memory_order_relaxed);
        dropped_ = true;
        return;
    }
    const std::size_t at = added_ % BUFFER_BYTES;
    const std::size_t before_end = std::min(line.size(), BUFFER_BYTES - at);
    std::memcpy(shared_->ring.get() + at, line.data(), before_end);
    std::memcpy(shared_->ring.get(), line.data() + before_end, line.size() - before_end);
    added_ += line.size();
}

// Sequentially consistent, as is sleep(): one of the two sees what the other has stored.
void LineWriter::publish() {
    if (added_ == published_ && !dropped_) return;
    published_ = added_;
    dropped_ = false;
    shared_->published.store(added_);
    shared_->wake();
}

void LineWriter::Shared::wake() {
    if (asleep.load() == 0 || asleep.exchange(0) == 0) return;
    syscall(SYS_futex, &asleep, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

void LineWriter::Shared::run() {
    while (sleep()) {
        take();
        order().enter();
        write_out();
        order().leave();
    }
}

// Until there is something to write; false: no more will come.
bool LineWriter::Shared::sleep() {
    while (true) {
        const bool last = stopping.load();
        asleep.store(1);
        if (published.load() != taken.load() || dropped.load() != 0) break;
        if (last) return false;
        syscall(SYS_futex, &asleep, FUTEX_WAIT_PRIVATE, 1, nullptr, nullptr, 0);
    }
    asleep.store(0);
    return true;
}

// The next whole lines, as many as one piece may have, or one that is longer; then how many have been dropped.
void LineWriter::Shared::take() {
    const std::uint64_t from = taken.load(std::memory_order_relaxed);
    const std::uint64_t there = published.load(std::memory_order_acquire) - from;
    lost += dropped.exchange(0, std::memory_order_relaxed);
    piece.clear();
    copy(from, std::min<std::uint64_t>(there, limit));
    std::size_t end = piece.rfind('\n') + 1;
    while (end == 0 && piece.size() < there) {
        const std::size_t seen = piece.size();
        copy(from + seen, std::min<std::uint64_t>(there - seen, limit));
        end = piece.find('\n', seen) + 1;
    }
    piece.resize(end);
    taken.store(from + end, std::memory_order_release);
    if (lost > 0) piece += "{\"dropped\":" + std::to_string(lost) + "}\n";
}

void LineWriter::Shared::copy(std::uint64_t from, std::size_t length) {
    const std::size_t at = from % BUFFER_BYTES;
    const std::size_t before_end = std::min(length, BUFFER_BYTES - at);
    piece.append(ring.get() + at, before_end).append(ring.get(), length - before_end);
}

// What cannot be written has been dropped, too: nobody reads the log any more, or the disk is full.
void LineWriter::Shared::write_out() {
    const bool tells = lost > 0;
    if (torn) piece.insert(piece.begin(), '\n');
    for (std::size_t at = 0; at < piece.size();) {
        const ssize_t written = write(fd, piece.data() + at, piece.size() - at);
        if (written > 0) {
            at += std::size_t(written);
            torn = piece[at - 1] != '\n';
        } else if (written < 0 && errno == EAGAIN) {
            pollfd waiting{fd, POLLOUT, 0};
            poll(&waiting, 1, 1000);
        } else if (written == 0 || errno != EINTR) {
            lost += std::uint64_t(std::count(piece.begin() + std::ptrdiff_t(at), piece.end(), '\n'));
            // Two line feeds are of no line: the one before all, and the one of the line that tells of lines.
            lost -= (torn && at == 0 ? 1 : 0) + (tells ? 1 : 0);
            return;
        }
    }
    lost = 0;
}

}  // namespace pinion::shard
