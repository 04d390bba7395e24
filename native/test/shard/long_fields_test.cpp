// Fields that come before their answer, in pieces: they need no run of credits that is as long as they are.
#include "test/shard/on_both_kernels.hpp"

namespace pinion::test {
namespace {

using Outcome = ScriptedLane::Outcome;

// As a lane must: of one answer after the other, and what it waits for comes.
template <class K>
bool send_fields(ReactorRig<K>& rig, Started at, std::string_view fields, std::uint32_t piece) {
    while (!fields.empty()) {
        const auto some = fields.substr(0, piece);
        const bool sent = rig.until([&] { return rig.worker.fields(at.slot, at.generation, some) == Outcome::done; });
        if (!sent) return false;
        fields.remove_prefix(some.size());
    }
    return true;
}

template <class K>
Outcome answer_behind(ReactorRig<K>& rig, Started at, std::string_view body, std::string_view fields = {}) {
    return rig.worker.answer(at.slot, at.generation,
                             {.body = body, .fields = fields, .flags = layout::answer_flag::FIELDS_BEFORE});
}

REACTOR_TEST(Dropped,
             "fields: those of an answer that does not name them are dropped, as are those of one that is gone") {
    ReactorRig<K> rig;
    REQUIRE_EQ(rig.failure, "");
    const std::uint32_t lane = rig.go_live();
    auto gone = rig.connect();
    gone->write(get("/h/x"));
    const Started first = next_request(rig);
    REQUIRE(send_fields(rig, first, encoded_field("X-Gone", "a"), 5));
    gone->close(true);
    REQUIRE(rig.until([&] { return rig.reactor->connection_count() == 0; }));
    REQUIRE(send_fields(rig, first, encoded_field("X-Late", "b"), 5));
    rig.worker.give_back(first.slot, first.generation);
    auto peer = rig.connect();
    peer->write(get("/h/x"));
    const Started second = next_request(rig);
    REQUIRE(send_fields(rig, second, encoded_field("X-Dropped", "c"), 5));
    rig.worker.answer(second.slot, second.generation, {.status = 500, .body = "sorry"});
    REQUIRE(rig.until([&] { return peer->in.answers.size() == 1; }));
    CHECK_EQ(peer->in.answers[0].status, 500u);
    CHECK(peer->in.answers[0].head.find("X-") == std::string::npos);
    CHECK(!rig.reactor->lane_broken(lane));
    rig.check_all_returned();
}

REACTOR_TEST(NoMemory, "fields: an answer whose head finds no memory is a 503, and an end that its client can read") {
    for (const std::uint32_t left : {0u, 1u, 2u}) {
        for (const bool streamed : {false, true}) {
            for (const std::uint16_t status : {std::uint16_t{200}, std::uint16_t{204}}) {
                ReactorRig<K> rig;
                REQUIRE_EQ(rig.failure, "");
                const std::uint32_t lane = rig.go_live();
                auto peer = rig.connect();
                peer->write(get("/h/x"));
                const Started request = next_request(rig);
                REQUIRE(request.slot != layout::NO_OFFSET);
                shard::Segments& segments = rig.reactor->segments();
                std::vector<std::uint32_t> taken;
                while (segments.free_count() > left) taken.push_back(segments.take());
                const std::string fields = encoded_field("X-Long", std::string(15000, 'x'));
                const std::uint8_t flags = streamed ? 0 : layout::answer_flag::LAST;
                REQUIRE(rig.worker.answer(request.slot, request.generation,
                                          {.status = status, .fields = fields, .flags = flags}) == Outcome::done);
                CHECK(rig.until([&] { return peer->ended; }));
                CHECK(!peer->reset_seen);
                REQUIRE_EQ(peer->in.answers.size(), 1u);
                CHECK_EQ(peer->in.answers[0].status, 503u);
                CHECK(peer->in.answers[0].has("Retry-After: 1"));
                CHECK(peer->in.answers[0].close);
                CHECK(!rig.reactor->lane_broken(lane));
                for (const std::uint32_t segment : taken) segments.give(segment);
                // Who streams on learns that nobody takes it.
                layout::Entry entry{};
                CHECK_EQ(rig.worker.pop(entry), streamed);
                if (streamed) {
                    CHECK_EQ(EntryType(entry.head & 0xff), EntryType::abort);
                    CHECK(rig.worker.end(request.slot, request.generation) == Outcome::abandoned);
                }
                rig.quiet();
                CHECK_EQ(rig.reactor->slots_used(), 0u);
                rig.check_all_returned();
            }
        }
    }
}

REACTOR_TEST(Broken, "fields: what cannot be breaks the lane") {
    const auto breaks = [](auto crime) {
        ReactorRig<K> rig;
        REQUIRE_EQ(rig.failure, "");
        const std::uint32_t lane = rig.go_live();
        auto peer = rig.connect();
        peer->write(get("/h/x"));
        crime(rig, next_request(rig));
        CHECK(rig.until([&] { return rig.reactor->lane_broken(lane); }));
        CHECK(rig.until([&] { return peer->in.answers.size() == 1; }));
        CHECK_EQ(peer->in.answers[0].status, 502u);
        rig.check_all_returned();
    };
    using Rig = ReactorRig<K>;
    breaks([](Rig& rig, Started at) { answer_behind(rig, at, "no fields have come"); });
    breaks([](Rig& rig, Started at) {
        send_fields(rig, {at.slot, at.generation}, encoded_field("X", "a\r\nSet-Cookie: b"), 7);
        answer_behind(rig, at, "x");
    });
    breaks([](Rig& rig, Started at) {
        send_fields(rig, at, encoded_field("X", "cut off").substr(0, 8), 3);
        answer_behind(rig, at, "x");
    });
    breaks([](Rig& rig, Started at) { send_fields(rig, at, std::string(40000, 'x'), 4096); });
}

}  // namespace
}  // namespace pinion::test
