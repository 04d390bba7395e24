// The stand-in's priority: raised within a budget, so that JavaScript keeps more than half of the core.
#include "shard/stand_in.hpp"

#include <chrono>
#include <cstdio>
#include <thread>

#include "test/check.hpp"

namespace pinion::test {
namespace {

using shard::Priority;
using Level = Priority::Level;

constexpr std::int64_t WINDOW = Priority::Budget::WINDOW_NS;

TEST("stand-in: beyond a quarter of a window its priority is lowered until the next one") {
    Priority::Budget budget;
    std::int64_t now = 100 * WINDOW;
    std::int64_t used = 70 * WINDOW;
    Level level = budget.after_turn(Level::normal, now, used);  // a worker has come to live
    CHECK_EQ(level, Level::raised);
    for (unsigned window = 0; window < 3; ++window) {
        level = budget.after_turn(level, now + WINDOW / 2, used + WINDOW / 4);
        CHECK_EQ(level, Level::raised);
        level = budget.after_turn(level, now + WINDOW / 2, used + WINDOW / 4 + 1);
        CHECK_EQ(level, Level::lowered);
        level = budget.after_turn(level, now + WINDOW - 1, used + WINDOW / 2);
        CHECK_EQ(level, Level::lowered);
        now += WINDOW;
        used += WINDOW / 2;  // none of this counts in the next one
        level = budget.after_turn(level, now, used);
        CHECK_EQ(level, Level::raised);
    }
    // In between no worker lived: a window begins with the next one.
    used += WINDOW / 2;
    CHECK_EQ(budget.after_turn(Level::normal, now + 1, used), Level::raised);
    CHECK_EQ(budget.after_turn(Level::raised, now + WINDOW, used + WINDOW / 4), Level::raised);
}

int policy() {
    int is = -1;
    sched_param parameter{};
    return pthread_getschedparam(pthread_self(), &is, &parameter) == 0 ? is : -1;
}

// Accounts for turns that take all of the core, until the thread has this policy.
bool comes_to(Priority& priority, int wanted) {
    const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (policy() != wanted && std::chrono::steady_clock::now() < patience) priority.account(true);
    return policy() == wanted;
}

TEST("stand-in: its thread has the priority that its budget says, where it may") {
    std::thread([] {
        Priority priority;
        priority.open();
        if (policy() != SCHED_FIFO) {
            std::printf("(no real time here) ");
            priority.account(true);
            return CHECK_EQ(policy(), SCHED_OTHER);
        }
        for (unsigned window = 0; window < 3; ++window) {
            CHECK(comes_to(priority, SCHED_OTHER));
            CHECK(getpriority(PRIO_PROCESS, 0) > 0);
            CHECK(comes_to(priority, SCHED_FIFO));
        }
        priority.account(false);
        CHECK_EQ(policy(), SCHED_OTHER);
        CHECK_EQ(getpriority(PRIO_PROCESS, 0), 0);
    }).join();
}

}  // namespace
}  // namespace pinion::test
