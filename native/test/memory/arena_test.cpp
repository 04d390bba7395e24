#include "memory/arena.hpp"

#include <algorithm>
#include <csignal>
#include <cstring>
#include <map>
#include <random>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include "base/mapping.hpp"
#include "test/check.hpp"

using pinion::memory::Arena;

namespace {

constexpr std::uint32_t SEGMENT = Arena::SEGMENT;

// True if the act ends its process with an assertion.
template <typename Act>
bool aborts(Act&& act) {
    const pid_t child = fork();
    if (child == 0) {
        std::signal(SIGABRT, SIG_DFL);
        close(STDERR_FILENO);
        act();
        _exit(0);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0) {
    }
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

std::uint32_t rounded(std::uint32_t bytes) {
    std::uint32_t block = Arena::GRANULE;
    while (block < bytes) block *= 2;
    return block;
}

// What the arena should be doing, the slow way: every taken block, by offset.
class Model {
public:
    Model(Arena& arena, std::byte* base) : arena_(arena), base_(base) {}

    void took(std::uint32_t offset, std::uint32_t bytes) {
        CHECK(offset % rounded(bytes) == 0 || bytes % SEGMENT == 0);
        CHECK(offset <= arena_.total_bytes() && bytes <= arena_.total_bytes() - offset);
        const auto after = blocks_.lower_bound(offset);
        if (after != blocks_.end()) CHECK(offset + bytes <= after->first);
        if (after != blocks_.begin()) CHECK(std::prev(after)->first + std::prev(after)->second <= offset);
        blocks_[offset] = bytes;
        taken_ += bytes;
        // Its own mark at both ends: another block that overlaps it would wipe one out.
        std::memset(base_ + offset, int(offset / 256 % 251), 16);
        std::memset(base_ + offset + bytes - 16, int(offset / 256 % 251), 16);
    }
    void gave(std::uint32_t offset) {
        const std::uint32_t bytes = blocks_[offset];
        const auto mark = std::byte(offset / 256 % 251);
        CHECK(base_[offset] == mark && base_[offset + bytes - 1] == mark);
        taken_ -= bytes;
        blocks_.erase(offset);
    }
    void check_totals() const {
        CHECK_EQ(arena_.free_bytes(), arena_.total_bytes() - taken_);
        std::vector<bool> used(arena_.total_bytes() / SEGMENT);
        for (const auto& [offset, bytes] : blocks_) {
            for (std::uint32_t s = offset / SEGMENT; s <= (offset + bytes - 1) / SEGMENT; ++s) used[s] = true;
        }
        CHECK_EQ(arena_.free_segments(), std::count(used.begin(), used.end(), false));
    }
    const std::map<std::uint32_t, std::uint32_t>& blocks() const { return blocks_; }

private:
    Arena& arena_;
    std::byte* base_;
    std::map<std::uint32_t, std::uint32_t> blocks_;
    std::uint32_t taken_ = 0;
};

void run_model(std::uint32_t segments, unsigned seed, int steps) {
    pinion::base::Mapping memory;
    REQUIRE(memory.map(std::size_t(segments) * SEGMENT));
    Arena arena;
    REQUIRE(arena.init(memory.start(), segments * SEGMENT));
    Model model(arena, memory.start());
    std::mt19937 random(seed);
    const auto below = [&](std::uint32_t bound) { return std::uint32_t(random() % bound); };
    std::map<std::uint32_t, std::uint32_t> asked;  // what take() was asked for

    const auto give_one = [&](std::map<std::uint32_t, std::uint32_t>::iterator block) {
        const auto [offset, bytes] = *block;
        asked.erase(block);
        model.gave(offset);
        arena.give(offset, bytes);
    };
    for (int step = 0; step < steps; ++step) {
        // Phases that mostly take, then mostly give, so that exhaustion and emptiness both come often.
        const bool taking = below(100) < (step / 512 % 2 == 0 ? 70u : 30u);
        if (!taking && !asked.empty()) {
            auto block = asked.lower_bound(below(arena.total_bytes()));
            give_one(block == asked.end() ? asked.begin() : block);
        } else if (const std::uint32_t what = below(10); what < 5) {
            const bool none = arena.free_segments() == 0;
            const std::uint32_t offset = arena.take_segment();
            CHECK_EQ(offset == Arena::NO_OFFSET, none);
            if (offset == Arena::NO_OFFSET) continue;
            model.took(offset, SEGMENT);
            asked[offset] = SEGMENT;
        } else if (what < 9) {
            const std::uint32_t bytes = 1 + below(1u << (8 + below(9)));
            const std::uint32_t offset = arena.take(bytes);
            if (offset == Arena::NO_OFFSET) {
                if (rounded(bytes) <= SEGMENT) CHECK_EQ(arena.free_segments(), 0);
                continue;
            }
            model.took(offset, rounded(bytes));
            asked[offset] = bytes;
        } else {
            const std::uint32_t most = below(20);
            std::uint32_t count = 77;
            const std::uint32_t offset = arena.take_run(most, count);
            CHECK_EQ(offset == Arena::NO_OFFSET, count == 0);
            CHECK(count <= most && (count & (count - 1)) == 0);
            if (count == 0) CHECK(most == 0 || arena.free_segments() == 0);
            for (std::uint32_t i = 0; i < count; ++i) {
                model.took(offset + i * SEGMENT, SEGMENT);
                asked[offset + i * SEGMENT] = SEGMENT;
            }
        }
        if (step % 64 == 0) model.check_totals();
    }
    while (!asked.empty()) give_one(asked.begin());
    model.check_totals();
    CHECK_EQ(arena.free_segments(), segments);

    // Everything has grown together again: as many of the largest blocks as fit.
    for (std::uint32_t i = 0; i < segments / Arena::MAX_RUN; ++i)
        CHECK(arena.take(Arena::MAX_BLOCK) != Arena::NO_OFFSET);
    CHECK_EQ(arena.take(Arena::MAX_BLOCK), Arena::NO_OFFSET);
    CHECK_EQ(arena.free_segments(), segments % Arena::MAX_RUN);
}

}  // namespace

TEST("arena: a random run never overlaps, leaks or loses a byte") {
    for (unsigned seed = 1; seed <= 4; ++seed) {
        for (const std::uint32_t segments : {1u, 3u, 16u, 37u, 255u, 1024u}) run_model(segments, seed, 6000);
    }
}

TEST("arena: refuses sizes that are no whole segments") {
    CHECK(!Arena().init(nullptr, 0));
    CHECK(!Arena().init(nullptr, SEGMENT + 256));
    CHECK(Arena().init(nullptr, SEGMENT));
}

TEST("arena: the largest range that an offset can name") {
    Arena arena;
    REQUIRE(arena.init(nullptr, 0u - SEGMENT));
    std::uint32_t count = 0;
    CHECK_EQ(arena.take_run(16, count), 0);
    CHECK_EQ(arena.free_bytes(), arena.total_bytes() - 16 * SEGMENT);
}

TEST("arena: low addresses first, so that memory is touched only as it is used") {
    Arena arena;
    REQUIRE(arena.init(nullptr, 1024 * SEGMENT));
    for (std::uint32_t i = 0; i < 100; ++i) CHECK_EQ(arena.take_segment(), i * SEGMENT);
    CHECK_EQ(arena.take(256), 100 * SEGMENT);
    CHECK_EQ(arena.take(300), 100 * SEGMENT + 512);
    CHECK_EQ(arena.take(256), 100 * SEGMENT + 256);
}

TEST("arena: the segment given back last is taken first") {
    Arena arena;
    REQUIRE(arena.init(nullptr, 64 * SEGMENT));
    for (int i = 0; i < 10; ++i) arena.take_segment();
    arena.give_segment(3 * SEGMENT);
    arena.give_segment(7 * SEGMENT);
    CHECK_EQ(arena.take_segment(), 7 * SEGMENT);
    CHECK_EQ(arena.take_segment(), 3 * SEGMENT);
    CHECK_EQ(arena.take_segment(), 10 * SEGMENT);
}

TEST("arena: segments on the stack still make larger and smaller blocks") {
    Arena arena;
    REQUIRE(arena.init(nullptr, 16 * SEGMENT));
    for (int i = 0; i < 16; ++i) arena.take_segment();
    CHECK_EQ(arena.take(256), Arena::NO_OFFSET);
    for (std::uint32_t i = 0; i < 16; ++i) arena.give_segment((i * 7 % 16) * SEGMENT);
    CHECK_EQ(arena.take(Arena::MAX_BLOCK), 0);
    arena.give(0, Arena::MAX_BLOCK);
    for (int i = 0; i < 16; ++i) arena.take_segment();
    arena.give_segment(5 * SEGMENT);
    arena.give_segment(6 * SEGMENT);
    CHECK_EQ(arena.take(256), 5 * SEGMENT);  // of the coldest one
    CHECK_EQ(arena.take_segment(), 6 * SEGMENT);
    CHECK_EQ(arena.free_bytes(), SEGMENT - 256);
    CHECK_EQ(arena.free_segments(), 0);
}

TEST("arena: a long stack spills its older half, which coalesces") {
    Arena arena;
    REQUIRE(arena.init(nullptr, 1024 * SEGMENT));
    for (int i = 0; i < 1024; ++i) arena.take_segment();
    for (std::uint32_t i = 0; i < 1024; ++i) arena.give_segment(i * SEGMENT);
    CHECK_EQ(arena.free_segments(), 1024);
    CHECK_EQ(arena.take_segment(), 1023 * SEGMENT);
    CHECK_EQ(arena.take(Arena::MAX_BLOCK), 0);
}

TEST("arena: the longest run that there is") {
    Arena arena;
    std::uint32_t count = 0;
    REQUIRE(arena.init(nullptr, 23 * SEGMENT));
    CHECK_EQ(arena.take_run(100, count), 0);
    CHECK_EQ(count, 16);
    CHECK_EQ(arena.take_run(3, count), 20 * SEGMENT);  // 2 of the remaining 4 + 2 + 1
    CHECK_EQ(count, 2);
    CHECK_EQ(arena.take_run(16, count), 16 * SEGMENT);
    CHECK_EQ(count, 4);
    CHECK_EQ(arena.take_run(16, count), 22 * SEGMENT);
    CHECK_EQ(count, 1);
    CHECK_EQ(arena.take_run(16, count), Arena::NO_OFFSET);
    CHECK_EQ(count, 0);
    // Given back one by one, on the stack: the next long run needs them together.
    for (std::uint32_t i = 0; i < 16; ++i) arena.give_segment(i * SEGMENT);
    CHECK_EQ(arena.take_run(16, count), 0);
    CHECK_EQ(count, 16);
    arena.give(0, 16 * SEGMENT);  // or as a whole
    CHECK_EQ(arena.free_segments(), 16);
}

TEST("arena: what is given back wrongly ends the process") {
    Arena arena;
    REQUIRE(arena.init(nullptr, 64 * SEGMENT));
    const std::uint32_t segment = arena.take_segment();
    const std::uint32_t small = arena.take(256);
    const std::uint32_t large = arena.take(8192);
    CHECK(aborts([&] { arena.give_segment(segment), arena.give_segment(segment); }));
    CHECK(aborts([&] { arena.give(small, 256), arena.give(small, 256); }));
    CHECK(aborts([&] { arena.give(small, 512); }));
    CHECK(aborts([&] { arena.give(small + 256, 256); }));
    CHECK(aborts([&] { arena.give(large, 8192), arena.give_segment(large + SEGMENT); }));
    CHECK(aborts([&] { arena.give_segment(large), arena.give(large, 8192); }));
    CHECK(aborts([&] { arena.give_segment(small); }));
    CHECK(aborts([&] { arena.give_segment(64 * SEGMENT); }));
    CHECK(aborts([&] { arena.give_segment(segment + 256); }));
    CHECK(aborts([&] { arena.give(large + 256, 8192); }));
    CHECK(aborts([&] { arena.give(Arena::NO_OFFSET, 256); }));
    CHECK(aborts([&] { arena.take(0); }));
    CHECK(aborts([&] { arena.take(Arena::MAX_BLOCK + 1); }));
    CHECK(!aborts([&] { arena.give(small, 256), arena.give_segment(segment), arena.give(large, 5000); }));
}

TEST("arena: keeps nothing in the range") {
    pinion::base::Mapping memory;
    REQUIRE(memory.map(256 * SEGMENT));
    std::uint32_t count = 0;
    {
        Arena arena;
        REQUIRE(arena.init(memory.start(), 256 * SEGMENT));
        for (int i = 0; i < 50; ++i) arena.give_segment((arena.take_segment(), arena.take_segment()));
        arena.give(arena.take(700), 700);
        arena.take_run(16, count);
    }
    CHECK(std::all_of(memory.start(), memory.start() + memory.bytes(), [](std::byte b) { return b == std::byte(0); }));
}
