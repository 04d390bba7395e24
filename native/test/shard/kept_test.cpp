// Bodies that are kept for a lane's answers: sent as often as they are named, replaced, given back; and lanes that name
// what is not there.
#include "test/shard/on_both_kernels.hpp"

namespace pinion::test {
namespace {

using Outcome = ScriptedLane::Outcome;

// The least arena that has room for any: 32 KiB.
shard::Settings keeping_settings() {
    shard::Settings settings = small_settings();
    settings.limits.arena_bytes = 256 * layout::SEGMENT_BYTES;
    return settings;
}

std::string page(char letter, std::size_t length = 10000) { return std::string(length, letter) + "end"; }

template <class K>
struct KeepingRig : ReactorRig<K> {
    explicit KeepingRig(shard::Settings settings = keeping_settings()) : ReactorRig<K>(std::move(settings)) {
        // What a client does not read is to stay in the arena.
        const int least = 4096;
        setsockopt(this->reactor->settings().listeners[0].fd, SOL_SOCKET, SO_SNDBUF, &least, sizeof least);
    }

    // The next request gets the body under `number`.
    Outcome answer_with(std::uint32_t number, std::string_view fields = {}, bool use_credits = false) {
        const Started request = next_request(*this);
        return this->worker.answer(request.slot, request.generation, {.fields = fields, .kept = int(number)},
                                   use_credits);
    }
    std::uint32_t kept_bytes(std::uint32_t lane) { return this->reactor->lane(lane).kept_bytes; }
};

REACTOR_TEST(Named, "kept: a body is sent as often as it is named, with each answer's own head") {
    KeepingRig<K> rig;
    REQUIRE_EQ(rig.failure, "");
    const std::uint32_t lane = rig.go_live();
    REQUIRE(rig.worker.keep(3, page('a')) == Outcome::done);
    auto peer = rig.connect();
    std::size_t answered = 0;
    // A head of up to 256 bytes stands behind its request, or in credits; a longer one in a block of its own.
    for (const std::size_t length : {0u, 20u, 300u, 3000u}) {
        const std::string value(length, 'v');
        const std::string fields = length > 0 ? encoded_field("X-Value", value) : "";
        for (const bool use_credits : {false, true}) {
            peer->write(get("/h/x"));
            REQUIRE(rig.answer_with(3, fields, use_credits) == Outcome::done);
            REQUIRE(rig.until([&] { return peer->in.answers.size() == answered + 1; }));
            const Answer& answer = peer->in.answers[answered++];
            CHECK_EQ(answer.status, 200u);
            CHECK_EQ(answer.body, page('a'));
            CHECK(answer.has("Content-Length: 10003"));
            CHECK(length == 0 || answer.has("X-Value: " + value));
        }
    }
    CHECK(rig.kept_bytes(lane) > 0);
    rig.check_all_returned();
    CHECK_EQ(rig.kept_bytes(lane), 0u);
}

REACTOR_TEST(Old, "kept: HEAD gets its length, HTTP/1.0 a close, pipelined requests their own bodies in order") {
    KeepingRig<K> rig;
    REQUIRE_EQ(rig.failure, "");
    rig.go_live();
    rig.worker.keep(0, page('a'));
    rig.worker.keep(1, page('b', 5000));
    auto peer = rig.connect();
    peer->in.expect(true);
    peer->write("HEAD /h/x HTTP/1.1\r\nHost: a\r\n\r\n");
    rig.answer_with(0);
    REQUIRE(rig.until([&] { return peer->in.answers.size() == 1; }));
    CHECK(peer->in.answers[0].has("Content-Length: 10003"));
    CHECK_EQ(peer->in.answers[0].body, "");
    peer->write(get("/h/1") + get("/h/2") + get("/fixed") + get("/h/3"));
    for (const std::uint32_t number : {0u, 1u, 0u}) rig.answer_with(number);
    REQUIRE(rig.until([&] { return peer->in.answers.size() == 5; }));
    CHECK_EQ(peer->in.answers[1].body, page('a'));
    CHECK_EQ(peer->in.answers[2].body, page('b', 5000));
    CHECK_EQ(peer->in.answers[3].body, "fixed\n");
    CHECK_EQ(peer->in.answers[4].body, page('a'));
    peer->write("GET /h/x HTTP/1.0\r\n\r\n");
    rig.answer_with(1);
    REQUIRE(rig.until([&] { return peer->ended; }));
    REQUIRE_EQ(peer->in.answers.size(), 6u);
    CHECK_EQ(peer->in.answers[5].body, page('b', 5000));
    CHECK(peer->in.answers[5].close);
    // A status that has no body has none, whatever is named.
    auto other = rig.connect();
    other->write(get("/h/x") + get("/h/y"));
    const Started request = next_request(rig);
    rig.worker.answer(request.slot, request.generation, {.status = 304, .kept = 0});
    rig.answer_with(1);
    REQUIRE(rig.until([&] { return other->in.answers.size() == 2; }));
    CHECK_EQ(other->in.answers[0].status, 304u);
    CHECK_EQ(other->in.answers[1].body, page('b', 5000));
    rig.check_all_returned();
}

REACTOR_TEST(Replaced,
             "kept: what is on its way stays as it was when its number is given to another body, or to none") {
    KeepingRig<K> rig;
    REQUIRE_EQ(rig.failure, "");
    const std::uint32_t lane = rig.go_live();
    rig.worker.keep(0, page('a', 15000));
    rig.peer_pace = 0;  // reads nothing
    std::vector<std::unique_ptr<Peer>> slow;
    for (unsigned n = 0; n < 8; ++n) {
        slow.push_back(rig.connect(4096));
        // So much that some is left in the arena.
        std::string requests;
        for (unsigned i = 0; i < 8; ++i) requests += get("/h/x");
        slow.back()->write(requests);
        for (unsigned i = 0; i < 8; ++i) REQUIRE(rig.answer_with(0) == Outcome::done);
    }
    rig.quiet();
    CHECK(rig.reactor->parts_used() > 8u);
    const std::uint32_t bytes = rig.kept_bytes(lane);
    CHECK(bytes >= 4 * layout::SEGMENT_BYTES);
    rig.worker.keep(0, page('b', 5000));
    rig.quiet();
    CHECK(rig.kept_bytes(lane) < bytes);
    rig.worker.drop_kept(0);
    rig.quiet();
    CHECK_EQ(rig.kept_bytes(lane), 0u);
    // Whatever is free now is written over.
    auto peer = rig.connect();
    rig.peer_pace = 3000;
    for (unsigned n = 0; n < 100; ++n) {
        peer->write(get("/h/x"));
        const Started request = next_request(rig);
        rig.worker.answer(request.slot, request.generation, {.body = page('c', 3000)}, true);
        REQUIRE(rig.until([&] { return peer->in.answers.size() == n + 1; }));
    }
    for (const auto& each : slow) {
        REQUIRE(rig.until([&] { return each->in.answers.size() == 8; }));
        for (const Answer& answer : each->in.answers) CHECK(answer.body == page('a', 15000));
    }
    rig.check_all_returned();
}

REACTOR_TEST(Death,
             "kept: a lane's bodies come back when its thread has ended, not before; what is on its way leaves") {
    KeepingRig<K> rig;
    REQUIRE_EQ(rig.failure, "");
    const std::uint32_t lane = rig.go_live();
    rig.worker.keep(7, page('a'));
    rig.peer_pace = 0;
    auto slow = rig.connect(4096);
    std::string requests;
    for (unsigned i = 0; i < 8; ++i) requests += get("/h/x");
    slow->write(requests);
    for (unsigned i = 0; i < 8; ++i) REQUIRE(rig.answer_with(7) == Outcome::done);
    rig.quiet();
    rig.reactor->quarantine_lane(lane);
    CHECK(rig.kept_bytes(lane) > 0);
    CHECK(rig.reactor->parts_used() > 4u);
    rig.reactor->release_lane(lane);
    CHECK_EQ(rig.kept_bytes(lane), 0u);
    // The next lane has none of it, and may keep as much.
    const std::uint32_t next = rig.go_live();
    auto other = rig.connect();
    rig.peer_pace = 1 << 20;
    rig.worker.keep(7, page('b', 15000));
    other->write(get("/h/x"));
    rig.answer_with(7);
    REQUIRE(rig.until([&] { return other->in.answers.size() == 1 && slow->in.answers.size() == 8; }));
    CHECK_EQ(other->in.answers[0].body, page('b', 15000));
    for (const Answer& answer : slow->in.answers) CHECK(answer.body == page('a'));
    CHECK(rig.kept_bytes(next) > 0);
    rig.check_all_returned();
}

// 15,000 clients that send the same one, 25 times each.
TEST("kept: a segment may have more users than 16 bits count") {
    constexpr std::uint32_t USERS = 375'000;
    shard::Region region;
    REQUIRE(region.map(16, 1 << 20));
    shard::Segments segments;
    REQUIRE(segments.open(region, 1 << 20));
    std::uint32_t count = 0;
    const std::uint32_t body = segments.take_run(4, count);
    REQUIRE_EQ(count, 4u);
    const std::uint32_t free = segments.free_count();
    for (std::uint32_t n = 0; n < USERS; ++n) segments.hold_range(body + 100, 10000);
    segments.drop_range(body, 4 * layout::SEGMENT_BYTES);
    CHECK_EQ(segments.free_count(), free + 1);
    for (std::uint32_t n = 1; n < USERS; ++n) segments.drop_range(body + 100, 10000);
    CHECK_EQ(segments.free_count(), free + 1);
    segments.drop_range(body + 100, 10000);
    CHECK_EQ(segments.free_count(), free + 4);
}

REACTOR_TEST(Hostile, "kept: a lane that names, or keeps, what cannot be is given up; nothing else changes") {
    struct Case {
        const char* name;
        std::function<void(KeepingRig<K>&, const Started&)> act;
    };
    const auto name = [](KeepingRig<K>& rig, const Started& request, int number,
                         std::uint8_t flags = layout::answer_flag::LAST) {
        rig.worker.answer(request.slot, request.generation, {.flags = flags, .kept = number});
    };
    const Case cases[] = {
        {"a number that was never kept", [&](auto& rig, const Started& request) { name(rig, request, 2); }},
        {"a number out of range", [&](auto& rig, const Started& request) { name(rig, request, layout::KEPT_BODIES); }},
        {"a number far out of range", [&](auto& rig, const Started& request) { name(rig, request, 0x7ffffff0); }},
        {"one that was dropped",
         [&](auto& rig, const Started& request) {
             rig.worker.drop_kept(0);
             name(rig, request, 0);
         }},
        {"one in an answer that goes on", [&](auto& rig, const Started& request) { name(rig, request, 0, 0); }},
        {"keeping under a number out of range",
         [&](auto& rig, const Started&) { rig.worker.keep(layout::KEPT_BODIES, "x"); }},
        {"keeping what is no credit",
         [&](auto& rig, const Started&) {
             rig.worker.push(EntryType::keep, 1, 0, rig.reactor->region().arena_offset(), 100);
         }},
        {"keeping the same memory twice",
         [&](auto& rig, const Started&) {
             const std::uint32_t at = rig.worker.take(100);
             rig.worker.push(EntryType::keep, 1, 0, at, 100);
             rig.worker.push(EntryType::keep, 2, 0, at, 100);
         }},
        {"keeping beyond the arena",
         [&](auto& rig, const Started&) {
             rig.worker.push(EntryType::keep, 1, 0, std::uint32_t(rig.reactor->region().size()) - 10, 100);
         }},
        {"keeping a length that wraps around",
         [&](auto& rig, const Started&) { rig.worker.push(EntryType::keep, 1, 0, rig.worker.take(100), 0xffffff00u); }},
        {"keeping more than it may",
         [&](auto& rig, const Started&) {
             for (std::uint32_t number = 1; number < 6; ++number) {
                 rig.until([&] { return rig.worker.keep(number, page('x', 7000)) == Outcome::done; });
             }
         }},
    };
    for (const Case& each : cases) {
        KeepingRig<K> rig;
        REQUIRE_EQ(rig.failure, "");
        const std::uint32_t lane = rig.go_live();
        rig.worker.keep(0, page('a'));
        auto before = rig.connect();
        before->write(get("/h/x"));
        rig.answer_with(0);
        auto peer = rig.connect();
        peer->write(get("/h/x"));
        each.act(rig, next_request(rig));
        CHECK(rig.until([&] { return rig.reactor->lane_broken(lane) && !peer->in.answers.empty(); }));
        if (!rig.reactor->lane_broken(lane)) FAIL(std::string("not noticed: ") + each.name);
        CHECK_EQ(peer->in.answers.size(), 1u);
        CHECK(!peer->in.answers.empty() && peer->in.answers[0].status == 502);
        CHECK(rig.until([&] { return before->in.answers.size() == 1; }));
        CHECK(before->in.answers[0].body == page('a'));
        // Its thread may still write there.
        CHECK(each.name == std::string("one that was dropped") || rig.kept_bytes(lane) > 0);
        rig.check_all_returned();
    }
}

REACTOR_TEST(Abandoned, "kept: a body that comes with nobody left to answer is kept all the same") {
    KeepingRig<K> rig;
    REQUIRE_EQ(rig.failure, "");
    const std::uint32_t lane = rig.go_live();
    auto gone = rig.connect();
    gone->write(get("/h/x"));
    const Started request = next_request(rig);
    gone->close(true);
    rig.worker.keep(0, page('a'));
    const Outcome outcome = rig.worker.answer(request.slot, request.generation, {.kept = 0});
    CHECK(outcome != Outcome::starved);
    CHECK(rig.until([&] { return rig.reactor->slots_used() == 0; }));
    auto peer = rig.connect();
    peer->write(get("/h/x"));
    rig.answer_with(0);
    REQUIRE(rig.until([&] { return peer->in.answers.size() == 1; }));
    CHECK_EQ(peer->in.answers[0].body, page('a'));
    CHECK(!rig.reactor->lane_broken(lane));
    rig.check_all_returned();
}

REACTOR_TEST(Counted, "kept: each segment that a lane holds is counted once, whatever of it is used or kept") {
    KeepingRig<K> rig;
    REQUIRE_EQ(rig.failure, "");
    rig.go_live();
    const auto all = [&] {
        return rig.reactor->segments().free_count() + rig.kernel.lent() + rig.reactor->lane_segments();
    };
    CHECK_EQ(all(), rig.reactor->segments().count());
    auto peer = rig.connect();
    for (std::uint32_t n = 0; n < 60; ++n) {
        // Neighbours share a segment; the runs that they lie in are used up and follow one another.
        if (n < 5) REQUIRE(rig.worker.keep(n, page('a', 3000)) == Outcome::done);
        if (n == 40) rig.worker.drop_kept(2);
        peer->write(get("/h/x"));
        const Started request = next_request(rig);
        rig.worker.answer(request.slot, request.generation, {.body = page('b', 3000)}, true);
        REQUIRE(rig.until([&] { return peer->in.answers.size() == n + 1; }));
        rig.quiet(2);
        CHECK_EQ(all(), rig.reactor->segments().count());
    }
    rig.check_all_returned();
}

REACTOR_TEST(Small, "kept: an arena of less than a MiB has room for none, and says so to the lane") {
    KeepingRig<K> rig(small_settings());
    REQUIRE_EQ(rig.failure, "");
    const std::uint32_t lane = rig.go_live();
    CHECK_EQ(rig.worker.lane().kept_bytes, 0u);
    rig.worker.keep(0, "x");
    CHECK(rig.until([&] { return rig.reactor->lane_broken(lane); }));
    rig.check_all_returned();
}

}  // namespace
}  // namespace pinion::test
