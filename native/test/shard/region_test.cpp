// The shared mapping's memory, on both real kernels.
#include <sys/mman.h>
#include <unistd.h>
#include <algorithm>
#include <vector>

#include "test/shard/on_both_kernels.hpp"

namespace pinion::test {
namespace {

// Bytes of this range that are resident; see mincore(2).
std::size_t resident(const std::byte* begin, std::size_t bytes) {
    const auto page = std::size_t(sysconf(_SC_PAGESIZE));
    std::vector<unsigned char> pages((bytes + page - 1) / page);
    PINION_ASSERT(mincore(const_cast<std::byte*>(begin), bytes, pages.data()) == 0);
    return page * std::size_t(std::count_if(pages.begin(), pages.end(), [](unsigned char is) { return is & 1; }));
}

REACTOR_TEST(Untouched, "region: of a large one next to nothing is resident, and then no more than has been in use") {
    shard::Settings settings = small_settings();
    settings.limits.arena_bytes = 65536 * layout::SEGMENT_BYTES;
    settings.limits.slots = 4096;
    ReactorRig<K> rig(std::move(settings));
    REQUIRE_EQ(rig.failure, "");
    const shard::Region& region = rig.reactor->region();
    const std::size_t arena_bytes = region.size() - region.arena_offset();
    CHECK_EQ(resident(region.arena(), arena_bytes), 0u);
    rig.go_live();
    rig.quiet();
    CHECK_EQ(resident(region.arena(), arena_bytes), 0u);
    CHECK(resident(region.base(), region.size()) <= 64 * 1024);  // the lanes' words

    for (unsigned n = 0; n < 20; ++n) {
        auto peer = rig.connect();
        CHECK_EQ(rig.talk(*peer, get("/fixed") + get("/large") + get("/fixed"), 3).size(), 3u);
        rig.peers.clear();
    }
    // The segments that are lent to the kernel, and some for answers.
    CHECK(resident(region.arena(), arena_bytes) > 0);
    CHECK(resident(region.arena(), arena_bytes) <= 1024 * 1024);
    rig.check_all_returned();
}

}  // namespace
}  // namespace pinion::test
