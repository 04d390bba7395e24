// The stand-in: the thread that runs the shard's turns while the worker is away. It shares the worker's core.
//
//   driving   no worker is live, or the live one is overdue: runs turns, waits in the kernel in between without the
//             baton
//   ticking   a worker is live: looks at its presence, often after a take-over, seldom otherwise
//   parked    nothing is under way and the worker sleeps: waits for the kernel's completions, or
//             until a little after the next time-out
#pragma once

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>
#include <atomic>
#include <cstdint>
#include <ctime>
#include <utility>

#include "base/hand_over_point.hpp"
#include "base/time_slice.hpp"
#include "shard/baton.hpp"
#include "shard/presence.hpp"
#include "shard/reactor.hpp"

namespace pinion::shard {

// Raised priority within a budget, for a worker that is overdue: real time where the process may, for a quarter of the
// core; beyond it a third of the worker's weight. So JavaScript keeps more than half. While no worker is live, the
// normal priority: the next one has to load beside it.
//
// Where real time is not allowed, time slices: short ones for the stand-in, long ones for the worker while it is
// overdue, so that a stand-in that wakes does not wait for the end of one. Long ones for good would have the worker
// wait where other programs use its core.
class Priority {
public:
    enum class Level { raised, normal, lowered };

    // What is left of the budget. Clocks come as arguments, nanoseconds: the time, and what of the core the thread has
    // used.
    class Budget {
    public:
        // While a worker lives, after each turn. `level`: which it has; `normal` begins a window.
        Level after_turn(Level level, std::int64_t now, std::int64_t used) {
            if (now - window_start_ >= WINDOW_NS || level == Level::normal) {
                window_start_ = now;
                window_used_ = used;
                return Level::raised;
            }
            return used - window_used_ > WINDOW_NS / 4 ? Level::lowered : level;
        }

        static constexpr std::int64_t WINDOW_NS = 20'000'000;

    private:
        std::int64_t window_start_ = 0;
        std::int64_t window_used_ = 0;
    };

    void open() {
        allowed_ = set(Level::raised);
        if (!allowed_) base::set_time_slice(0, SLICE_NS);
    }
    // 0: which thread it is is not known.
    void worker_is_overdue(pid_t worker, bool is) {
        if (!allowed_ && worker != 0) base::set_time_slice(worker, is ? OVERDUE_SLICE_NS : 0);
    }

    // After each turn.
    void account(bool worker_lives) {
        if (!allowed_) return;
        if (!worker_lives) return to(Level::normal);
        to(budget_.after_turn(level_, nanoseconds(CLOCK_MONOTONIC), nanoseconds(CLOCK_THREAD_CPUTIME_ID)));
    }

private:
    static constexpr int LOWERED_NICE = 5;
    static constexpr std::uint64_t SLICE_NS = 100'000;
    static constexpr std::uint64_t OVERDUE_SLICE_NS = 10'000'000;

    void to(Level level) {
        if (level != level_) set(level);
    }
    bool set(Level level) {
        sched_param parameter{};
        parameter.sched_priority = level == Level::raised ? 1 : 0;
        const int policy = level == Level::raised ? SCHED_FIFO : SCHED_OTHER;
        if (pthread_setschedparam(pthread_self(), policy, &parameter) != 0) return false;
        setpriority(PRIO_PROCESS, 0, level == Level::lowered ? LOWERED_NICE : 0);  // of this thread alone
        if (level != Level::raised) base::set_time_slice(0, SLICE_NS);
        level_ = level;
        return true;
    }
    static std::int64_t nanoseconds(clockid_t clock) {
        timespec time;
        clock_gettime(clock, &time);
        return std::int64_t(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
    }

    bool allowed_ = false;
    Level level_ = Level::normal;
    Budget budget_;
};

template <class K>
class StandIn {
public:
    StandIn(Reactor<K>& reactor, Baton& baton, Presence& presence)
        : reactor_(reactor), baton_(baton), presence_(presence) {}

    // Called with the baton after each of its turns: workers sleep whose rings it may have filled. `live_too`: the
    // live one comes round whatever is there.
    using WakeWorkers = void (*)(void* context, bool live_too);

    bool start(int cpu, WakeWorkers wake, void* context) {
        wake_workers_ = wake;
        context_ = context;
        event_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (event_ < 0) return false;
        cpu_ = cpu;
        return pthread_create(&thread_, nullptr, &StandIn::enter, this) == 0;
    }

    // Ends and joins the thread.
    void stop() {
        stopping_.store(true);
        ring();
        pthread_join(thread_, nullptr);
        close(event_);
    }

    // Any thread: it looks again at once.
    void ring() {
        const std::uint64_t one = 1;
        [[maybe_unused]] const ssize_t written = write(event_, &one, sizeof one);
        PINION_HAND_OVER(stand_in_rung);
        reactor_.kernel().ring_doorbell();
    }

    // The thread of the live worker.
    void set_worker(pid_t thread) { worker_.store(thread, std::memory_order_relaxed); }

    std::uint64_t takeovers() const { return takeovers_.load(std::memory_order_relaxed); }

private:
    static constexpr int LET_GO_NS = 50'000;
    static constexpr int OFTEN_NS = 500'000;
    static constexpr int SELDOM_NS = 10'000'000;
    static constexpr std::int64_t WAIT_US = 500;  // while a worker lives: the switch back flushes its task work
    static constexpr unsigned OFTEN_TICKS = 200;
    static constexpr unsigned PARK_TICKS = 50;  // seldom ones in which nothing happened

    static void* enter(void* self) {
        static_cast<StandIn*>(self)->run();
        return nullptr;
    }

    void run() {
        pthread_setname_np(pthread_self(), "pinion-standin");
        if (cpu_ >= 0) {
            cpu_set_t set;
            CPU_ZERO(&set);
            CPU_SET(unsigned(cpu_), &set);
            pthread_setaffinity_np(pthread_self(), sizeof set, &set);
        }
        priority_.open();
        Presence::Reading before{};
        unsigned often = 0;
        unsigned quiet = 0;
        bool work_before = false;
        while (!stopping_.load(std::memory_order_relaxed)) {
            const Presence::Reading now = presence_.read();
            PINION_HAND_OVER(stand_in_read);
            // Asleep is where a worker also is when a callback of libuv's poll phase holds it: then the work that
            // should have woken it stays.
            const bool work = now.place() == Place::asleep && (reactor_.kernel().pending() || reactor_.has_responses());
            const bool overdue = now == before && (now.place() == Place::away || (work && work_before));
            if (now.place() == Place::nowhere || overdue) {
                if (overdue) takeovers_.fetch_add(1, std::memory_order_relaxed);
                PINION_HAND_OVER(stand_in_drives);
                const pid_t worker = now.place() == Place::away ? worker_.load(std::memory_order_relaxed) : 0;
                priority_.worker_is_overdue(worker, true);
                drive(now);
                priority_.worker_is_overdue(worker, false);
                priority_.account(presence_.read().place() != Place::nowhere);
                often = OFTEN_TICKS;
                quiet = 0;
                before = presence_.read();
                work_before = false;
                continue;
            }
            quiet = now == before && now.place() == Place::asleep ? quiet + 1 : 0;
            before = now;
            work_before = work;
            if (often > 0) {
                --often;
                pause(OFTEN_NS, false);
            } else if (quiet < PARK_TICKS) {
                pause(SELDOM_NS, false);
            } else {
                pause(-1, true);
                before = Presence::Reading{};
                quiet = 0;
            }
        }
    }

    // Runs turns until the worker is back from the absence that `since` names.
    void drive(Presence::Reading since) {
        // What would have woken a sleeping worker is gone with the first turn. It has to come round all the same: to
        // sleep until the deadline as it is now, and to end this.
        bool live_too = since.place() == Place::asleep;
        // If a callback of libuv's poll phase holds it, it is away for as long as it stays there.
        if (live_too) {
            if (!presence_.move_from(since, Place::away)) return;
            since = since.moved(Place::away);
        }
        while (!stopping_.load(std::memory_order_relaxed) && presence_.read() == since) {
            if (!baton_.try_take()) {
                // The main thread has a command under way, or the worker has just come back.
                if (presence_.read() != since) return;
                pause(LET_GO_NS, false);
                continue;
            }
            if (presence_.read() != since) {
                PINION_HAND_OVER(stand_in_gives_back);
                baton_.give();
                return;
            }
            PINION_HAND_OVER(stand_in_takes_over);
            const bool more = reactor_.turn(io::Driver::stand_in);
            PINION_HAND_OVER(stand_in_turned);
            wake_workers_(context_, std::exchange(live_too, false));
            // The live worker's lane broke in this turn.
            if (reactor_.live_lane() == NONE && since.place() != Place::nowhere) {
                presence_.move(Place::nowhere);
                PINION_HAND_OVER(stand_in_found_broken);
            }
            bool wait = false;
            if (!more) {
                PINION_HAND_OVER(stand_in_lies_down);
                set_asleep(1);
                PINION_HAND_OVER(stand_in_said_asleep);
                wait = !reactor_.has_responses();
                PINION_HAND_OVER(stand_in_looked);
                if (wait) {
                    reactor_.kernel().begin_wait();
                    PINION_HAND_OVER(stand_in_begun_wait);
                } else {
                    PINION_HAND_OVER(stand_in_stays_awake);
                }
            }
            std::int64_t timeout_us = -1;
            if (wait) {
                const std::int64_t timeout_ms = reactor_.next_timeout_ms();
                if (timeout_ms >= 0) timeout_us = timeout_ms * 1000 + 1000;
                if (since.place() != Place::nowhere && (timeout_us < 0 || timeout_us > WAIT_US)) timeout_us = WAIT_US;
            }
            if (baton_.give()) {
                // The worker, mostly. It may need this core to take it.
                pause(LET_GO_NS, false);
            } else if (wait) {
                PINION_HAND_OVER(stand_in_waits);
                reactor_.kernel().wait(timeout_us);
                PINION_HAND_OVER(stand_in_waited);
            }
            set_asleep(0);
            PINION_HAND_OVER(stand_in_awake);
            priority_.account(since.place() != Place::nowhere);
        }
    }

    // Tells the lanes whether an answer has to ring. Sequentially consistent, as is the look at the response rings
    // after it.
    void set_asleep(std::uint32_t value) {
        for (std::uint32_t i = 0; i < layout::MAX_LANES; ++i) {
            std::atomic_ref<std::uint32_t>(reactor_.region().lane(i).stand_in_asleep).store(value);
        }
    }

    void pause(std::int64_t nanoseconds, bool park) {
        pollfd fds[2] = {{event_, POLLIN, 0}, {reactor_.kernel().descriptor(), POLLIN, 0}};
        timespec time{nanoseconds / 1'000'000'000, nanoseconds % 1'000'000'000};
        if (park) {
            const std::int64_t timeout_ms = parked_timeout_ms();
            time = {timeout_ms / 1000, (timeout_ms % 1000) * 1'000'000};
            nanoseconds = timeout_ms;
            PINION_HAND_OVER(stand_in_parks);
        }
        if (ppoll(fds, park ? 2 : 1, nanoseconds < 0 ? nullptr : &time, nullptr) > 0 && (fds[0].revents & POLLIN)) {
            std::uint64_t count;
            [[maybe_unused]] const ssize_t taken = read(event_, &count, sizeof count);
        }
    }

    // A parked stand-in wakes a little after the worker would have, for a time-out that the worker misses.
    std::int64_t parked_timeout_ms() {
        if (!baton_.try_take()) return 10;
        PINION_HAND_OVER(stand_in_parking);
        const std::int64_t timeout = reactor_.next_timeout_ms();
        baton_.give();
        return timeout < 0 ? -1 : timeout + 100;
    }

    Reactor<K>& reactor_;
    Baton& baton_;
    Presence& presence_;
    WakeWorkers wake_workers_ = nullptr;
    void* context_ = nullptr;
    pthread_t thread_{};
    int event_ = -1;
    int cpu_ = -1;
    Priority priority_;
    std::atomic<pid_t> worker_{0};
    std::atomic<bool> stopping_{false};
    std::atomic<std::uint64_t> takeovers_{0};
};

}  // namespace pinion::shard
