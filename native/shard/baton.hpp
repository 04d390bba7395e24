// The baton: the one atomic that says who may touch the reactor. A futex mutex of three states, so that taking
// and giving it cost one atomic operation each while nobody waits.
//
// The worker holds it during its turns only, never while JavaScript runs or while it sleeps. The stand-in holds it
// during the turns that it runs for an absent worker, never while it waits in the kernel. The main thread holds it for
// a command (reserve a lane, drain, status). So it is free whenever everybody sleeps, and whoever wakes first takes it.
#pragma once

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <atomic>
#include <cstdint>

#include "base/hand_over_point.hpp"

namespace pinion::shard {

class Baton {
public:
    // Acquire order: everything that the last holder wrote to the reactor is visible.
    bool try_take() {
        std::uint32_t expected = FREE;
        PINION_HAND_OVER(baton_tried);
        if (!word_.compare_exchange_strong(expected, HELD, std::memory_order_acquire, std::memory_order_relaxed)) {
            PINION_HAND_OVER(baton_refused);
            return false;
        }
        PINION_HAND_OVER(baton_taken);
        return true;
    }

    // Waits on a futex, never by yielding: the holder may be a thread of the same core that needs it to go on.
    void take() {
        if (try_take()) return;
        // Once anybody has waited, the word stays CONTENDED until given: a spare wake-up is cheaper than a lost one.
        while (word_.exchange(CONTENDED, std::memory_order_acquire) != FREE) {
            PINION_HAND_OVER(baton_waits);
            syscall(SYS_futex, &word_, FUTEX_WAIT_PRIVATE, CONTENDED, nullptr, nullptr, 0);
            PINION_HAND_OVER(baton_woken);
        }
        PINION_HAND_OVER(baton_taken);
    }

    // True: somebody has been waiting for it. Whoever takes it again at once may come before them.
    bool give() {
        PINION_HAND_OVER(baton_given_soon);
        const bool wanted = word_.exchange(FREE, std::memory_order_release) == CONTENDED;
        if (wanted) {
            PINION_HAND_OVER(baton_wakes);
            syscall(SYS_futex, &word_, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
        }
        PINION_HAND_OVER(baton_given);
        return wanted;
    }

    bool held() const { return word_.load(std::memory_order_relaxed) != FREE; }

private:
    enum : std::uint32_t { FREE, HELD, CONTENDED };
    std::atomic<std::uint32_t> word_{FREE};
};

class BatonHold {
public:
    explicit BatonHold(Baton& baton) : baton_(baton) { baton_.take(); }
    ~BatonHold() { baton_.give(); }
    BatonHold(const BatonHold&) = delete;
    BatonHold& operator=(const BatonHold&) = delete;

private:
    Baton& baton_;
};

}  // namespace pinion::shard
