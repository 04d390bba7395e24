// Answers of the reactor's own for which there is no memory: the same status, and a Date.
#include "shard/kept_dates.hpp"

#include <string>
#include <utility>

#include "test/shard/on_both_kernels.hpp"

namespace pinion::test {
namespace {

http::DateLine date_of(std::int64_t second) {
    http::DateLine date;
    date.refresh(second);
    return date;
}

std::string text_of(std::int64_t second) { return std::string(date_of(second).text, http::DateLine::LENGTH) + "\r\n"; }

}  // namespace

TEST("kept dates: a text stays for as long as it is used, and is shared within its second") {
    shard::KeptDates dates;
    const std::uint32_t first = dates.take(date_of(1000));
    CHECK_EQ(dates.text(first), text_of(1000));
    CHECK_EQ(dates.take(date_of(1000)), first);
    const std::uint32_t second = dates.take(date_of(1001));
    CHECK(second != first);
    dates.give(first);
    CHECK(dates.take(date_of(1002)) != first);
    CHECK_EQ(dates.text(first), text_of(1000));
    dates.give(first);
    CHECK_EQ(dates.take(date_of(1003)), first);
    CHECK_EQ(dates.text(first), text_of(1003));
    CHECK_EQ(dates.text(second), text_of(1001));
    CHECK_EQ(dates.users(), 3u);
}

TEST("kept dates: a clock that goes back gets a text of its own, and one nobody uses is made anew") {
    shard::KeptDates dates;
    const std::uint32_t late = dates.take(date_of(5000));
    const std::uint32_t early = dates.take(date_of(4000));
    CHECK_EQ(dates.text(early), text_of(4000));
    CHECK_EQ(dates.text(late), text_of(5000));
    dates.give(late);
    dates.give(early);
    const std::uint32_t again = dates.take(date_of(5000));
    CHECK_EQ(dates.text(again), text_of(5000));
    CHECK_EQ(dates.users(), 1u);
}

TEST("kept dates: when all are used, it is the newest of them") {
    shard::KeptDates dates;
    constexpr std::uint32_t COUNT = shard::KeptDates::COUNT;
    for (std::uint32_t n = 0; n < COUNT; ++n) dates.take(date_of(1000 + n));
    CHECK_EQ(dates.text(dates.take(date_of(9000))), text_of(1000 + COUNT - 1));
    CHECK_EQ(dates.users(), COUNT + 1);
}

REACTOR_TEST(OwnAnswersWithoutMemory, "own answers: without memory for it a refusal keeps its status, and has a Date") {
    const std::string both =
        "POST /fixed HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n";
    const std::pair<std::string, unsigned> refused[] = {
        {both, 400},
        {"GET /fixed HTTP/1.1\r\n\r\n", 400},
        {"GET /fixed HTTP/9.9\r\nHost: a\r\n\r\n", 505},
        {"POST /fixed HTTP/1.1\r\nHost: a\r\nExpect: more\r\n\r\n", 417},
        // Not the last of its segment, so that it is not answered behind itself.
        {get("/nowhere") + get("/nowhere"), 404},
        // What there is no room for: Allow, the body.
        {"DELETE /fixed HTTP/1.1\r\nHost: a\r\n\r\n" + get("/fixed"), 503},
        {get("/fixed") + get("/fixed"), 503},
    };
    for (const auto& [bytes, status] : refused) {
        ReactorRig<K> rig;
        REQUIRE_EQ(rig.failure, "");
        rig.go_live();
        auto peer = rig.connect();
        rig.quiet(3);
        shard::Segments& segments = rig.reactor->segments();
        std::vector<std::uint32_t> taken;
        rig.on_turn = [&] {
            while (segments.free_count() > 0) taken.push_back(segments.take());
        };
        rig.quiet(2);
        peer->write(get("/h/x") + bytes);
        const Started first = next_request(rig);
        REQUIRE(first.slot != layout::NO_OFFSET);
        // Its segment, which is the other's, too, does not come back to be answered in.
        const std::uint32_t segment = segments.segment_of(rig.reactor->region().slot(first.slot).head_offset);
        segments.hold(segment);
        rig.worker.answer(first.slot, first.generation, {.status = 200, .body = "first"});
        CHECK(rig.until([&] { return peer->ended; }));
        CHECK(!peer->reset_seen);
        REQUIRE_EQ(peer->in.answers.size(), 2u);
        CHECK_EQ(peer->in.answers[0].body, "first");
        const Answer& answer = peer->in.answers[1];
        CHECK_EQ(answer.status, status);
        CHECK(answer.has("Content-Length: 0"));
        CHECK(answer.close);
        CHECK_EQ(answer.has("Retry-After: 1"), status == 503);
        const std::size_t date = answer.head.find("\r\nDate: ");
        REQUIRE(date != std::string::npos);
        CHECK_EQ(answer.head.substr(date + 2 + 32, 3), "GMT");
        rig.on_turn = nullptr;
        segments.drop(segment);
        for (const std::uint32_t each : taken) segments.give(each);
        rig.check_all_returned();
    }
}

}  // namespace pinion::test
