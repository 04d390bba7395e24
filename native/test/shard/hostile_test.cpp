// What the simulation of hostile workers has found, once each: a worker writes
// what cannot be into its lane, and the reactor neither stops nor passes it on.
#include <cstddef>

#include "test/check.hpp"
#include "test/shard/reactor_rig.hpp"
#include "test/shard/simulated_client.hpp"

namespace pinion::test {
namespace {

// "simulation: wild" 185. The loop over what the worker has taken went on for
// 2^32 entries.
TEST("hostile: a count of taken requests that goes back is a full ring") {
    shard::Region region;
    REQUIRE(region.map(16, 1 << 20));
    shard::LaneEnd lane;
    lane.open(region, 0);
    for (std::uint32_t n = 0; n < 8; ++n) lane.push(EntryType::request, n, 1);
    lane.publish();
    shard::store_release(lane.shared().request_head, 5);
    CHECK_EQ(lane.request_space(), region.ring_entries() - 3);
    shard::store_release(lane.shared().request_head, 2);
    CHECK(!lane.counts_possible());
    CHECK_EQ(lane.request_space(), 0u);
}

struct TwoRequests {
    TwoRequests() {
        rig.kernel.simulation.stream_ends = rig.kernel.simulation.no_segments = 0;
        rig.kernel.simulation.accept_fails = rig.kernel.simulation.short_transfer = 0;
        lane = rig.go_live();
        const int listener = rig.reactor->settings().listeners[0].fd;
        first = rig.kernel.connect(listener);
        second = rig.kernel.connect(listener);
        rig.kernel.client_send(first, get("/h/first"));
        rig.kernel.client_send(second, get("/h/second"));
        turns(50);
    }
    void turns(unsigned count) {
        for (; count > 0; --count) {
            rig.kernel.now_ms += 1;
            rig.reactor->turn(io::Driver::stand_in);
        }
    }
    void check_all_returned() {
        for (const auto client : {first, second}) rig.kernel.client_reset(client);
        rig.check_all_returned();
    }
    ReactorRig<ClockedKernel> rig;
    std::uint32_t lane = 0;
    io::SimulatedKernel::ClientId first = 0, second = 0;
};

// "simulation: hostile" 9535, "simulation: wild" 13352. The next lane was
// broken over it, or the connection never closed.
TEST(
    "hostile: a request that a lane has begun to answer is not put back among "
    "those that wait") {
    TwoRequests two;
    REQUIRE_EQ(two.rig.worker.unread(), 2u);
    layout::Entry begun;
    REQUIRE(two.rig.worker.pop(begun));
    const std::uint32_t slot = begun.head >> 8;
    REQUIRE(two.rig.worker.start(slot, begun.generation));
    two.rig.worker.answer(slot, begun.generation, {.body = "begun", .flags = 0});
    two.turns(10);
    // It takes the place of the request that really waits.
    two.rig.worker.requests()[1] = begun;
    shard::store_release(two.rig.worker.slot(slot).state, begun.generation << 8 | std::uint32_t(SlotState::queued));
    two.rig.reactor->quarantine_lane(two.lane);
    two.rig.go_live();
    two.turns(50);
    CHECK_EQ(two.rig.worker.unread(), 0u);
    CHECK(two.rig.kernel.closed_by_server(two.first));
    CHECK(two.rig.kernel.client_was_reset(two.first));
    CHECK(two.rig.kernel.client_read(two.second).starts_with("HTTP/1.1 502 "));
    two.check_all_returned();
}

// The reactor looked up when that request had come, and an assertion ended the
// process.
TEST(
    "hostile: a slot number that does not exist, in the place of a request "
    "that waits") {
    TwoRequests two;
    two.rig.worker.requests()[0].head = std::uint32_t(EntryType::request) | 0xfffffeu << 8;
    two.turns(10);
    CHECK(!two.rig.reactor->lane_broken(two.lane));
    two.check_all_returned();
}

}  // namespace
}  // namespace pinion::test
