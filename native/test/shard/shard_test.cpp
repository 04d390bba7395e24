// The shard as the worker's hooks use it.
#include <poll.h>
#include <atomic>
#include <chrono>

#include "test/shard/on_both_kernels.hpp"

// A copy of its own, as in hand_over_test.cpp.
#define make_shard make_single_shard
#include "shard/shard.cpp"
#undef make_shard

namespace pinion::test {
namespace {

TEST("shard: a worker does not sleep while requests wait for the next turn") {
    constexpr unsigned PIPELINED = 12;
    shard::Settings settings = small_settings();
    settings.limits.pipeline = 64;
    sockaddr_in address{};
    settings.listeners.push_back({listen_on_loopback(address), false});
    const std::unique_ptr<shard::Shard> shard = shard::make_single_shard(shard::Io::epoll, std::move(settings));
    REQUIRE_EQ(shard->start(), "");
    const auto lane = std::uint32_t(shard->reserve_lane());
    ScriptedLane worker;
    worker.attach(shard->region_base(), shard->lane_offset(lane));
    shard->attach(
        lane, [](void*) {}, nullptr);
    shard->go_live(lane, {});

    // More than a turn begins of one connection. Nobody answers, so nothing else brings the next turn about.
    Peer peer(address);
    std::string text;
    for (unsigned n = 0; n < PIPELINED; ++n) text += get("/h/" + std::to_string(n));
    peer.write(text);
    std::vector<Started> started;
    const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (started.size() < PIPELINED && std::chrono::steady_clock::now() < patience) {
        if (shard->worker_turn(lane) == shard::Next::dispatch) {
            layout::Entry entry;
            while (worker.pop(entry)) {
                const std::uint32_t slot = entry.head >> 8;
                if (worker.start(slot, entry.generation)) started.push_back({slot, entry.generation});
            }
            const shard::Next next = shard->worker_flush(lane);
            CHECK(started.size() == PIPELINED || next != shard::Next::sleep);
        }
        pollfd one{shard->descriptor(), POLLIN, 0};
        poll(&one, 1, 1);
        shard->worker_awake(lane);
    }
    CHECK_EQ(started.size(), PIPELINED);
    for (const Started& each : started) worker.answer(each.slot, each.generation, {.body = "done"});
    shard->worker_flush(lane);
    shard->detach(lane);
    shard->release_lane(lane);
    shard->stop();
}

TEST("shard: a worker whose work the stand-in has done while it slept comes round, and the stand-in rests") {
    for (const shard::Io io : {shard::Io::epoll, shard::Io::uring}) {
        shard::Settings settings = small_settings();
        sockaddr_in address{};
        settings.listeners.push_back({listen_on_loopback(address), false});
        const std::unique_ptr<shard::Shard> shard = shard::make_single_shard(io, std::move(settings));
        const std::string failed = shard->start();
        if (!failed.empty() && io == shard::Io::uring) continue;  // not to be had here
        REQUIRE_EQ(failed, "");
        const auto lane = std::uint32_t(shard->reserve_lane());
        ScriptedLane worker;
        worker.attach(shard->region_base(), shard->lane_offset(lane));
        std::atomic<unsigned> woken{0};
        shard->attach(
            lane, [](void* count) { ++*static_cast<std::atomic<unsigned>*>(count); }, &woken);
        shard->go_live(lane, {});
        const auto until = [](auto&& condition) {
            const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(10);
            while (!condition()) {
                if (std::chrono::steady_clock::now() > patience) return false;
                poll(nullptr, 0, 1);
            }
            return true;
        };
        CHECK(until([&] { return shard->worker_turn(lane) == shard::Next::sleep; }));

        // Its thread does not get to look at what has come.
        woken = 0;
        Peer peer(address);
        peer.write(get("/fixed"));
        CHECK(until([&] {
            peer.pump();
            return peer.in.answers.size() == 1;
        }));
        CHECK(shard->status().takeovers > 0);
        CHECK(until([&] { return woken > 0; }));
        CHECK(until([&] { return shard->worker_turn(lane) == shard::Next::sleep; }));
        CHECK(until([&] {
            const std::uint64_t turns = shard->status().stand_in_turns;
            poll(nullptr, 0, 100);
            return shard->status().stand_in_turns == turns;
        }));
        shard->detach(lane);
        shard->release_lane(lane);
        shard->stop();
    }
}

// By the worker's own turn, and by the stand-in's while the worker is away.
TEST("shard: a lane that breaks is told of once, and again after it has been reserved anew") {
    for (const shard::Io io : {shard::Io::epoll, shard::Io::uring}) {
        if (io == shard::Io::uring && !io::probe().uring) continue;
        for (const bool away : {false, true}) {
            shard::Settings settings = small_settings();
            sockaddr_in address{};
            settings.listeners.push_back({listen_on_loopback(address), false});
            const std::unique_ptr<shard::Shard> shard = shard::make_single_shard(io, std::move(settings));
            std::atomic<unsigned> told{0};
            shard->on_broken_lane([](void* count) { ++*static_cast<std::atomic<unsigned>*>(count); }, &told);
            REQUIRE_EQ(shard->start(), "");
            for (unsigned round = 1; round <= 3; ++round) {
                const auto lane = std::uint32_t(shard->reserve_lane());
                CHECK_EQ(lane, 0u);
                ScriptedLane worker;
                worker.attach(shard->region_base(), shard->lane_offset(lane));
                shard->attach(
                    lane, [](void*) {}, nullptr);
                shard->go_live(lane, {});
                CHECK_EQ(told, round - 1);
                shard::store_release(worker.lane().response_tail, 1000u);
                const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(10);
                while (told < round && std::chrono::steady_clock::now() < patience) {
                    if (away) {
                        poll(nullptr, 0, 1);
                    } else {
                        shard->worker_turn(lane);
                    }
                }
                CHECK_EQ(told, round);
                const shard::Status status = shard->status();
                CHECK_EQ(status.broken_lanes, 1u << lane);
                CHECK(status.why_broken[lane] != nullptr);
                poll(nullptr, 0, 5);  // some more turns
                CHECK_EQ(told, round);
                shard->detach(lane);
                shard->release_lane(lane);
            }
            shard->stop();
        }
    }
}

}  // namespace
}  // namespace pinion::test
