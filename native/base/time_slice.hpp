// How long a thread of the fair scheduler runs before others have their turn, and so how soon it runs when it wakes.
#pragma once

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cstdint>

namespace pinion::base {

// Of a thread of this process, 0: the caller; nanoseconds, 100,000 to 100,000,000, 0: the system's own. Its share of
// the core is what it was; but when it wakes it does not wait for one whose slice is longer. Kernels before 6.12 take
// no notice. See sched_setattr(2).
inline void set_time_slice(pid_t thread, std::uint64_t nanoseconds) {
    constexpr std::uint64_t KEEP_POLICY = 8;
    const struct {  // sched_attr, which not every libc has
        std::uint32_t size, policy;
        std::uint64_t flags;
        std::int32_t nice;
        std::uint32_t priority;
        std::uint64_t runtime, deadline, period;
    } attributes{.size = sizeof attributes,
                 .policy = 0,
                 .flags = KEEP_POLICY,
                 .nice = getpriority(PRIO_PROCESS, id_t(thread)),
                 .priority = 0,
                 .runtime = nanoseconds,
                 .deadline = 0,
                 .period = 0};
    syscall(SYS_sched_setattr, thread, &attributes, 0);
}

}  // namespace pinion::base
