// A lane that is given up in the midst of what its worker does: an answer that has begun is broken off, never ended;
// the memory that the thread may still write to stays out until it has ended.
#include <cstring>

#include "test/shard/on_both_kernels.hpp"

namespace pinion::test {
namespace {

// A streamed answer of which `parts` of 3000 bytes each have been pushed.
template <class K>
void stream(ReactorRig<K>& rig, Started at, unsigned parts) {
    CHECK(rig.worker.answer(at.slot, at.generation, {.body = "begun", .flags = 0}, true) ==
          ScriptedLane::Outcome::done);
    for (unsigned n = 0; n < parts; ++n) {
        CHECK(rig.until([&] {
            return rig.worker.part(at.slot, at.generation, std::string(3000, 'p')) == ScriptedLane::Outcome::done;
        }));
    }
}

REACTOR_TEST(QuarantinedMidStream,
             "a worker's death: a streamed answer ends with a reset, nothing behind it is served") {
    ReactorRig<K> rig;
    REQUIRE_EQ(rig.failure, "");
    const std::uint32_t lane = rig.go_live();
    auto chunked = rig.connect();
    chunked->write(get("/h/stream") + get("/fixed"));
    stream(rig, next_request(rig), 3);
    auto delimited = rig.connect();
    delimited->write("GET /h/stream HTTP/1.0\r\nHost: a\r\n\r\n");
    stream(rig, next_request(rig), 3);
    rig.quiet(20);
    const std::uint32_t slots = rig.reactor->slots_used();
    rig.reactor->quarantine_lane(lane);
    CHECK(rig.until([&] { return chunked->ended && delimited->ended; }));
    for (Peer* peer : {chunked.get(), delimited.get()}) {
        CHECK(peer->reset_seen);
        CHECK(peer->in.answers.empty());
        CHECK(!peer->in.malformed);
        CHECK(!peer->in.rest().ends_with("0\r\n\r\n"));
    }
    // The thread has not ended: its slots are kept from everybody.
    CHECK_EQ(rig.reactor->slots_used(), slots - 1);
    rig.reactor->release_lane(lane);
    CHECK_EQ(rig.reactor->slots_used(), 0u);
    rig.check_all_returned();
}

REACTOR_TEST(QuarantinedUnsent, "a worker's death: its thread writes on into memory that nobody else is given") {
    shard::Settings settings = small_settings();
    settings.limits.slots = 4;
    ReactorRig<K> rig(std::move(settings));
    REQUIRE_EQ(rig.failure, "");
    const std::uint32_t lane = rig.go_live();
    auto deaf = rig.connect(4096);
    rig.peers.clear();
    deaf->write(get("/h/stream"));
    const Started started = next_request(rig);
    stream(rig, started, 20);
    rig.quiet(20);
    const std::uint32_t begin = rig.worker.take(2000);
    REQUIRE(begin != layout::NO_OFFSET);
    rig.on_turn = [&] { std::memset(rig.worker.at(begin), 'Z', 2000); };
    rig.reactor->quarantine_lane(lane);
    CHECK(rig.until([&] { return rig.reactor->connection_count() == 0; }));
    CHECK_EQ(rig.reactor->slots_used(), 1u);
    // Others are served meanwhile, of all the memory that there is.
    ScriptedLane old = rig.worker;
    rig.go_live();
    auto other = rig.connect();
    for (unsigned n = 1; n <= 60; ++n) {
        other->write(get("/h/other"));
        const Started next = next_request(rig);
        CHECK(next.slot != started.slot);
        CHECK(rig.until([&] {
            return rig.worker.answer(next.slot, next.generation, {.body = std::string(9000, 'o')}, true) !=
                   ScriptedLane::Outcome::starved;
        }));
        std::memset(old.at(begin), 'Z', 2000);
        CHECK(rig.until([&] { return other->in.answers.size() == n; }));
        CHECK(other->in.answers.back().body == std::string(9000, 'o'));
    }
    rig.reactor->release_lane(lane);
    CHECK_EQ(rig.reactor->slots_used(), 0u);
    rig.check_all_returned();
}

REACTOR_TEST(QuarantinedMidUpload,
             "a worker's death: an upload that it has begun to read gets 502, its rest is no request") {
    ReactorRig<K> rig;
    REQUIRE_EQ(rig.failure, "");
    const std::uint32_t lane = rig.go_live();
    auto begun = rig.connect();
    begun->write("POST /h/x HTTP/1.1\r\nHost: a\r\nContent-Length: 9000\r\n\r\n" + std::string(4000, 'b'));
    next_request(rig);
    auto waits = rig.connect();
    waits->write("POST /h/x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    next_request(rig);
    rig.reactor->quarantine_lane(lane);
    CHECK(rig.until([&] { return begun->in.answers.size() == 1 && waits->in.answers.size() == 1; }));
    CHECK_EQ(begun->in.answers[0].status, 502u);
    CHECK_EQ(waits->in.answers[0].status, 502u);
    CHECK(waits->in.interim.empty());
    std::string rest;
    while (rest.size() < 5000) rest += get("/fixed");
    begun->write(rest.substr(0, 5000) + get("/fixed"));
    waits->write("hello" + get("/fixed"));
    for (Peer* peer : {begun.get(), waits.get()}) {
        CHECK(rig.until([&] { return peer->in.answers.size() == 2 || peer->ended; }));
        rig.quiet();
        CHECK_EQ(peer->in.answers.size(), peer->in.answers[0].close ? 1u : 2u);
        CHECK(!peer->in.malformed);
    }
    rig.check_all_returned();
}

REACTOR_TEST(WhyBroken, "reactor: what broke a lane is known until the lane is reserved anew") {
    ReactorRig<K> rig;
    REQUIRE_EQ(rig.failure, "");
    const std::uint32_t lane = rig.go_live();
    CHECK_EQ(rig.reactor->broken_lanes(), 0u);
    shard::store_release(rig.worker.lane().response_tail, 1000u);
    CHECK(rig.until([&] { return rig.reactor->lane_broken(lane); }));
    CHECK_EQ(rig.reactor->broken_lanes(), 1u << lane);
    CHECK_EQ(std::string(rig.reactor->why_broken(lane)), "a ring count that cannot be");
    rig.reactor->release_lane(lane);
    CHECK_EQ(rig.go_live(), lane);
    CHECK_EQ(rig.reactor->broken_lanes(), 0u);
    rig.check_all_returned();
}

REACTOR_TEST(CrashLoop, "reactor: readiness is refused while a crash loop stands, and while draining") {
    shard::Settings settings = small_settings();
    shard::Route ready = fixed_route("/-/ready", "");
    ready.kind = shard::Route::Kind::ready;
    settings.routes.push_back(ready);
    ReactorRig<K> rig(std::move(settings));
    REQUIRE_EQ(rig.failure, "");
    auto peer = rig.connect();
    const auto says = [&] {
        const std::size_t before = peer->in.answers.size();
        rig.talk(*peer, get("/-/ready"), before + 1);
        const Answer& answer = peer->in.answers.back();
        return std::to_string(answer.status) + " " + answer.body;
    };
    CHECK_EQ(says(), "503 no live worker\n");
    rig.reactor->set_crash_loop(true);
    CHECK_EQ(says(), "503 workers end again and again\n");
    rig.go_live();
    CHECK_EQ(says(), "503 workers end again and again\n");
    rig.reactor->set_crash_loop(false);
    CHECK_EQ(says(), "200 ready\n");
    rig.check_all_returned();
}

}  // namespace
}  // namespace pinion::test
