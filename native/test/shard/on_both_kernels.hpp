// Tests of a reactor that run on both real kernels: REACTOR_TEST(Type, "name") { … ReactorRig<K> … }
#pragma once

#include <cstdio>

#include "io/probe.hpp"
#include "test/shard/reactor_rig.hpp"
#include "test/shard/reactors.hpp"

namespace pinion::test {

// Both kernels. io_uring is left out only where the probe says why, and then the test's line says so.
template <template <class> class Test>
void on_both_kernels() {
    Test<io::EpollKernel>::run();
    static const io::ProbeReport probed = io::probe();
#if PINION_WITH_URING
    if (probed.uring) return Test<io::UringKernel>::run();
#endif
    std::printf("(without io_uring: %s) ", probed.why.c_str());
}

#define REACTOR_TEST(id, name)            \
    template <class K>                    \
    struct id {                           \
        static void run();                \
    };                                    \
    TEST(name) { on_both_kernels<id>(); } \
    template <class K>                    \
    void id<K>::run()

// The next request that the worker finds, started.
struct Started {
    std::uint32_t slot = 0, generation = 0;
};
template <class K>
Started next_request(ReactorRig<K>& rig) {
    Started found{layout::NO_OFFSET, 0};
    rig.until([&] {
        layout::Entry entry;
        while (found.slot == layout::NO_OFFSET && rig.worker.pop(entry)) {
            if (EntryType(entry.head & 0xff) != EntryType::request) continue;
            const Started next{entry.head >> 8, entry.generation};
            if (rig.worker.start(next.slot, next.generation)) found = next;
        }
        return found.slot != layout::NO_OFFSET;
    });
    return found;
}

}  // namespace pinion::test
