// The shard as the worker's hooks use it.
#include <poll.h>
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

}  // namespace
}  // namespace pinion::test
