#include "base/time_slice.hpp"

#include <thread>

#include "base/assert.hpp"
#include "test/check.hpp"

namespace pinion::test {
namespace {

// The first fields of sched_attr; see sched_getattr(2).
struct Scheduled {
    std::uint32_t size = 0, policy = 0;
    std::uint64_t flags = 0;
    std::int32_t nice = 0;
    std::uint32_t priority = 0;
    std::uint64_t runtime = 0, deadline = 0, period = 0;
};

Scheduled scheduled() {
    Scheduled now;
    PINION_ASSERT(syscall(SYS_sched_getattr, 0, &now, sizeof now, 0) == 0);
    return now;
}

TEST("time slice: it is what was asked for where the kernel has any, and nothing else changes") {
    std::thread([] {
        setpriority(PRIO_PROCESS, 0, 3);
        const Scheduled before = scheduled();
        base::set_time_slice(gettid(), 2'500'000);
        Scheduled after = scheduled();
        if (before.runtime != 0) CHECK_EQ(after.runtime, 2'500'000u);  // kernels from 6.12 on tell it
        CHECK_EQ(after.policy, before.policy);
        CHECK_EQ(after.nice, 3);
        base::set_time_slice(0, 0);
        after = scheduled();
        CHECK_EQ(after.runtime, before.runtime);
        CHECK_EQ(after.nice, 3);
    }).join();
}

}  // namespace
}  // namespace pinion::test
