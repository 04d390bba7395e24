#include "base/timer_wheel.hpp"

#include <algorithm>
#include <map>
#include <random>
#include <vector>

#include "test/check.hpp"

using pinion::base::TimerWheel;

namespace {

constexpr std::uint64_t TICK = TimerWheel::TICK_MS;

std::uint64_t due_at(std::uint64_t deadline_ms) { return (deadline_ms + TICK - 1) / TICK * TICK; }

std::vector<std::uint32_t> advance(TimerWheel& wheel, std::uint64_t now_ms, std::uint32_t most = UINT32_MAX) {
    std::vector<std::uint32_t> ids;
    wheel.advance(now_ms, most, [&](std::uint32_t id) { ids.push_back(id); });
    std::sort(ids.begin(), ids.end());
    return ids;
}

using Ids = std::vector<std::uint32_t>;

void run_model(std::uint64_t start_ms, unsigned seed, std::uint32_t longest_ms, int steps) {
    constexpr std::uint32_t ids = 200;
    TimerWheel wheel;
    REQUIRE(wheel.init(ids, start_ms));
    std::map<std::uint32_t, std::uint64_t> model;  // deadlines
    std::mt19937 random(seed);
    std::uint64_t now = start_ms;
    std::uint64_t advanced = start_ms / TICK * TICK;  // ticks up to here are done
    for (int step = 0; step < steps; ++step) {
        const auto id = std::uint32_t(random() % ids);
        if (const unsigned what = random() % 8; what < 5) {
            const std::uint64_t deadline = now + random() % longest_ms;
            wheel.schedule(id, deadline);
            model[id] = deadline;
        } else if (what == 5) {
            wheel.cancel(id);
            model.erase(id);
        } else {
            now += random() % (random() % 50 == 0 ? 40000 : 200);
            std::uint64_t least = TimerWheel::NEVER;
            for (const auto& [other, deadline] : model) least = std::min(least, due_at(deadline));
            CHECK(wheel.next_ms() <= std::max(least, advanced + TICK));
            CHECK_EQ(wheel.next_ms() == TimerWheel::NEVER, model.empty());
            const auto fired = advance(wheel, now);
            for (const std::uint32_t other : fired) {
                CHECK(model.contains(other));
                CHECK(model[other] <= now);
                model.erase(other);
            }
            advanced = now / TICK * TICK;
            for (const auto& [other, deadline] : model) CHECK(due_at(deadline) > now || deadline > now - TICK);
        }
        CHECK_EQ(wheel.contains(id), model.contains(id));
    }
    now += longest_ms + 2 * TICK;
    CHECK_EQ(advance(wheel, now).size(), model.size());
    CHECK_EQ(wheel.next_ms(), TimerWheel::NEVER);
}

}  // namespace

TEST("timer wheel: a random run agrees with a list of deadlines") {
    for (unsigned seed = 1; seed <= 4; ++seed) {
        run_model(0, seed, 500, 20000);
        run_model(123456789, seed, 60000, 20000);                        // beyond the horizon
        run_model((std::uint64_t(1) << 36) - 3000, seed, 20000, 20000);  // ticks pass 2^32
    }
}

TEST("timer wheel: never early, at most a tick late") {
    TimerWheel wheel;
    REQUIRE(wheel.init(4, 1000));
    wheel.schedule(2, 1500);
    CHECK_EQ(wheel.next_ms(), 1504);
    CHECK_EQ(advance(wheel, 1503), Ids{});
    CHECK_EQ(advance(wheel, 1504), Ids{2});
    CHECK(!wheel.contains(2));
    CHECK_EQ(advance(wheel, 9000), Ids{});
    wheel.schedule(2, 3);  // long past: the next tick
    CHECK_EQ(advance(wheel, 9000), Ids{});
    CHECK_EQ(advance(wheel, 9016), Ids{2});
}

TEST("timer wheel: a later deadline stays where it stands until its old tick") {
    TimerWheel wheel;
    REQUIRE(wheel.init(4, 0));
    wheel.schedule(0, 160);
    wheel.schedule(0, 1600);
    CHECK_EQ(wheel.next_ms(), 160);
    CHECK_EQ(advance(wheel, 160), Ids{});
    CHECK_EQ(wheel.next_ms(), 1600);
    wheel.schedule(0, 320);  // earlier: moved at once
    CHECK_EQ(wheel.next_ms(), 320);
    wheel.schedule(0, 3200);
    wheel.schedule(0, 480);  // later than where it stands, earlier than its deadline: the last one counts
    CHECK_EQ(advance(wheel, 479), Ids{});
    CHECK_EQ(advance(wheel, 480), Ids{0});
}

TEST("timer wheel: an earlier deadline counts where ticks pass 2^32, too") {
    constexpr std::uint64_t wrap = std::uint64_t(1) << 36;
    TimerWheel wheel;
    REQUIRE(wheel.init(2, wrap - 1600));
    wheel.schedule(0, wrap + 4800);
    wheel.schedule(0, wrap - 800);
    wheel.schedule(1, wrap - 800);
    wheel.schedule(1, wrap + 800);
    CHECK_EQ(wheel.next_ms(), wrap - 800);
    CHECK_EQ(advance(wheel, wrap - 800), Ids{0});
    CHECK_EQ(advance(wheel, wrap + 799), Ids{});
    CHECK_EQ(advance(wheel, wrap + 800), Ids{1});
}

TEST("timer wheel: deadlines beyond the horizon, and a clock that jumps") {
    TimerWheel wheel;
    REQUIRE(wheel.init(4, 0));
    constexpr std::uint64_t day = 86400000;
    wheel.schedule(0, day);
    wheel.schedule(1, 3 * day);
    std::uint64_t now = 0;
    int wakes = 0;
    while (wheel.contains(0)) {
        now = wheel.next_ms();
        advance(wheel, now);
        ++wakes;
    }
    CHECK_EQ(now, day);
    CHECK(wakes < 6000);
    CHECK_EQ(advance(wheel, 2 * day), Ids{});
    CHECK_EQ(advance(wheel, 3 * day - 1), Ids{});
    CHECK_EQ(advance(wheel, 3 * day), Ids{1});
    wheel.schedule(2, UINT64_MAX);
    CHECK_EQ(advance(wheel, 90 * day), Ids{});
    CHECK(wheel.contains(2));
}

TEST("timer wheel: expired() may schedule and cancel any id") {
    TimerWheel wheel;
    REQUIRE(wheel.init(8, 0));
    for (std::uint32_t id = 0; id < 6; ++id) wheel.schedule(id, 160);
    Ids order;
    wheel.advance(160, UINT32_MAX, [&](std::uint32_t id) {
        order.push_back(id);
        CHECK(!wheel.contains(id));
        wheel.schedule(id, id == 3 ? 0 : 400);  // its own again; 0 is past: the next tick
        wheel.cancel(id == 5 ? 4 : 7);          // one of the same bucket that has not been called yet
        if (id == 0) wheel.schedule(6, 1);
    });
    std::sort(order.begin(), order.end());
    CHECK_EQ(order, (Ids{0, 1, 2, 3, 5}));
    CHECK_EQ(advance(wheel, 176), (Ids{3, 6}));
    CHECK_EQ(advance(wheel, 10000), (Ids{0, 1, 2, 5}));
    CHECK_EQ(wheel.next_ms(), TimerWheel::NEVER);
}

TEST("timer wheel: who is due beyond the bound comes with the next advance") {
    TimerWheel wheel;
    REQUIRE(wheel.init(8, 0));
    for (std::uint32_t id = 0; id < 5; ++id) wheel.schedule(id, id < 3 ? 160 : 320);
    Ids seen;
    for (int round = 0; round < 3; ++round) {
        CHECK(wheel.next_ms() <= 400);
        const Ids some = advance(wheel, 400, 2);
        CHECK_EQ(some.size(), std::size_t(2));
        seen.insert(seen.end(), some.begin(), some.end());
        if (round == 0) wheel.schedule(7, 100);  // due too, and behind none of those that are left
    }
    std::sort(seen.begin(), seen.end());
    CHECK_EQ(seen, (Ids{0, 1, 2, 3, 4, 7}));
    CHECK_EQ(advance(wheel, 10000), Ids{});
    CHECK_EQ(wheel.next_ms(), TimerWheel::NEVER);
}

TEST("timer wheel: one advance over many ticks visits what expired() adds on the way") {
    TimerWheel wheel;
    REQUIRE(wheel.init(2, 0));
    wheel.schedule(0, 16);
    int calls = 0;
    wheel.advance(16 * 500, UINT32_MAX, [&](std::uint32_t id) {
        ++calls;
        wheel.schedule(id, 0);
    });
    CHECK_EQ(calls, 500);  // once a tick: it ends
    wheel.cancel(0);
    wheel.cancel(0);
    CHECK_EQ(wheel.next_ms(), TimerWheel::NEVER);
}
