// The hook behind hand-over points: holds a thread up at the armed stop until another one has come, and counts. Only
// relaxed atomics and sleeps: whatever ordered two threads here would hide their race from TSan.
#pragma once

#include "test/shard/hand_over_stops.hpp"

#ifdef PINION_HAND_OVER_POINTS

#include <atomic>
#include <cerrno>
#include <chrono>
#include <random>
#include <string>
#include <thread>

namespace pinion::test {

// Counts of one stop.
struct Stopped {
    std::atomic<unsigned> held_up{0};
    std::atomic<unsigned> came{0};        // ... and somebody else took the baton, or was refused it, meanwhile
    std::atomic<unsigned> hand_overs{0};  // ... and took it: without the baton, the same; with it, was the next
};

class Director {
public:
    static constexpr int NONE = -1;
    static constexpr auto PATIENCE = std::chrono::milliseconds(60);  // of a thread that is held up

    // The stand-in's thread is the one that nobody tells what it is.
    static void is(Role role) { role_ = role; }

    void open(std::uint64_t seed) {
        seed_.store(seed * 1000, std::memory_order_relaxed);
        for (unsigned role = 0; role < ROLES; ++role) {
            taken_[role].store(0, std::memory_order_relaxed);
            given_[role].store(0, std::memory_order_relaxed);
            refused_[role].store(0, std::memory_order_relaxed);
        }
        armed_.store(NONE, std::memory_order_relaxed);
        next_.store(0, std::memory_order_relaxed);
        current_ = this;
        base::hand_over_hook.store([](Point point) { current_->reached(point); });
    }
    void close() { base::hand_over_hook.store(nullptr); }

    void arm(int stop) { armed_.store(stop, std::memory_order_relaxed); }
    int armed() const { return armed_.load(std::memory_order_relaxed); }
    bool holding_up() const { return busy_.load(std::memory_order_relaxed); }

    Stopped stopped[STOP_COUNT];
    std::atomic<unsigned> reached_by[POINT_COUNT][ROLES]{};

private:
    void reached(Point point) {
        const int error = errno;  // callers look at theirs behind the point
        const unsigned mine = unsigned(role_);
        reached_by[unsigned(point)][mine].fetch_add(1, std::memory_order_relaxed);
        if (point == Point::baton_taken) took();
        if (point == Point::baton_given) gave();
        if (point == Point::baton_refused) refused_[mine].fetch_add(1, std::memory_order_relaxed);
        const int index = armed();
        if (index != NONE && STOPS[index].who == role_) {
            stop(index, point);
        } else if (index != NONE && STOPS[index].against_commander && role_ == Role::commander &&
                   point == Point::baton_taken && !busy_.load(std::memory_order_relaxed)) {
            wait(refused_, 1u << unsigned(STOPS[index].who));
        } else {
            jitter();
        }
        errno = error;
    }

    void stop(int index, Point point) {
        const Stop& stop = STOPS[index];
        if (stop.has_after && point == stop.after) {
            if (POINT_HOLDS[unsigned(point)] == Holds::yes) {
                wait(refused_, stop.comers);
            } else {
                wait(stop.after_given ? given_ : taken_, stop.comers);
            }
            return;
        }
        if (point != stop.at) return;
        if (busy_.exchange(true, std::memory_order_relaxed)) return;
        Stopped& counts = stopped[index];
        counts.held_up.fetch_add(1, std::memory_order_relaxed);
        const bool came = wait(stop.held() ? refused_ : taken_, stop.comers);
        if (came) counts.came.fetch_add(1, std::memory_order_relaxed);
        if (came && !stop.held()) counts.hand_overs.fetch_add(1, std::memory_order_relaxed);
        // This thread still has the baton: the next to take it comes after this.
        if (came && stop.held()) {
            holder_.store(thread_number(), std::memory_order_relaxed);
            next_.store(index + 1, std::memory_order_relaxed);
            lets_in_ = stop.comers;
        }
        busy_.store(false, std::memory_order_relaxed);
    }

    void took() {
        taken_[unsigned(role_)].fetch_add(1, std::memory_order_relaxed);
        if (next_.load(std::memory_order_relaxed) == 0) return;
        const int index = next_.exchange(0, std::memory_order_relaxed) - 1;
        const bool other = holder_.load(std::memory_order_relaxed) != thread_number();
        if (other && (STOPS[index].comers & 1u << unsigned(role_)) != 0) {
            stopped[index].hand_overs.fetch_add(1, std::memory_order_relaxed);
        }
    }

    // Who was woken is slower than who has just given the baton and wants it again.
    void gave() {
        given_[unsigned(role_)].fetch_add(1, std::memory_order_relaxed);
        if (next_.load(std::memory_order_relaxed) != 0 && lets_in_ != 0) wait(taken_, lets_in_);
        lets_in_ = 0;
    }

    using Counts = std::atomic<std::uint64_t>[ROLES];

    // True: one of `comers` has done what `counts` count. Nobody of this thread's own can be meant: it waits here.
    bool wait(const Counts& counts, unsigned comers) {
        const std::uint64_t before = sum(counts, comers);
        const auto end = std::chrono::steady_clock::now() + PATIENCE;
        while (sum(counts, comers) == before) {
            if (std::chrono::steady_clock::now() > end) return false;
            std::this_thread::sleep_for(std::chrono::microseconds(30));
        }
        return true;
    }
    static std::uint64_t sum(const Counts& counts, unsigned comers) {
        std::uint64_t sum = 0;
        for (unsigned role = 0; role < ROLES; ++role) {
            if ((comers & 1u << role) != 0) sum += counts[role].load(std::memory_order_relaxed);
        }
        return sum;
    }

    // Others are moved about a little.
    void jitter() {
        thread_local std::mt19937_64 engine(seed_.fetch_add(1, std::memory_order_relaxed));
        const std::uint64_t dice = engine();
        if (dice % 32 == 0) sched_yield();
        if (dice % 256 == 1) std::this_thread::sleep_for(std::chrono::microseconds(dice / 256 % 300));
    }

    static unsigned thread_number() {
        static std::atomic<unsigned> last{0};
        thread_local const unsigned number = last.fetch_add(1, std::memory_order_relaxed);
        return number;
    }

    static inline thread_local Role role_ = Role::stand_in;
    static inline thread_local unsigned lets_in_ = 0;  // after it gives the baton: whom
    static inline Director* current_ = nullptr;

    std::atomic<std::uint64_t> seed_{0};
    std::atomic<int> armed_{NONE};
    std::atomic<bool> busy_{false};
    std::atomic<int> next_{0};  // stop + 1 whose holder gives the baton next
    std::atomic<unsigned> holder_{0};
    Counts taken_{}, given_{}, refused_{};
};

}  // namespace pinion::test

#endif
