#include "base/cache_line.hpp"

#include <cstdint>
#include <deque>
#include <set>
#include <vector>

#include "test/check.hpp"

namespace pinion::test {
namespace {

using base::CACHE_LINE_BYTES;
using base::OwnLines;

std::uintptr_t line_of(const void* address) { return reinterpret_cast<std::uintptr_t>(address) / CACHE_LINE_BYTES; }

TEST("cache lines: small containers side by side share none") {
    std::vector<std::vector<std::uint8_t, OwnLines<std::uint8_t>>> flags(100, {1, 0, 1});
    std::vector<std::deque<std::uint64_t, OwnLines<std::uint64_t>>> queues(100, {1, 2, 3});
    std::set<std::uintptr_t> lines;
    for (const auto& each : flags) lines.insert(line_of(each.data()));
    for (const auto& each : queues) lines.insert(line_of(&each.front()));
    CHECK_EQ(lines.size(), 200u);
    for (const auto& each : flags) CHECK_EQ(reinterpret_cast<std::uintptr_t>(each.data()) % CACHE_LINE_BYTES, 0u);
}

TEST("cache lines: a container keeps what it had as it grows") {
    std::deque<std::uint32_t, OwnLines<std::uint32_t>> queue;
    for (std::uint32_t n = 0; n < 10'000; ++n) queue.push_back(n);
    for (std::uint32_t n = 0; n < 9'999; ++n) {
        REQUIRE_EQ(queue.front(), n);
        queue.pop_front();
    }
    CHECK_EQ(queue.size(), 1u);
}

}  // namespace
}  // namespace pinion::test
