// The reactor on both real kernels, step by step: bounds, order, time-outs, bodies, and what a worker may never do.
#include "test/shard/on_both_kernels.hpp"
#include "test/shard/simulated_client.hpp"

namespace pinion::test {
namespace {

REACTOR_TEST(NativeRoutes, "reactor: native routes, pipelined, in order") {
    ReactorRig<K> rig;
    REQUIRE_EQ(rig.failure, "");
    auto peer = rig.connect();
    std::string text;
    for (unsigned n = 0; n < 20; ++n) text += get(n % 3 == 0 ? "/large" : n % 3 == 1 ? "/fixed" : "/none");
    const auto& answers = rig.talk(*peer, text, 20);
    REQUIRE_EQ(answers.size(), 20u);
    for (unsigned n = 0; n < 20; ++n) {
        CHECK_EQ(answers[n].status, n % 3 == 2 ? 404u : 200u);
        if (n % 3 == 0) CHECK_EQ(answers[n].body.size(), 20000u);
        if (n % 3 == 1) CHECK_EQ(answers[n].body, "fixed\n");
    }
    rig.check_all_returned();
}

REACTOR_TEST(ReverseOrder, "reactor: answers that finish in reverse order leave in order") {
    ReactorRig<K> rig;
    REQUIRE_EQ(rig.failure, "");
    rig.go_live();
    auto peer = rig.connect();
    std::string text;
    for (unsigned n = 0; n < 6; ++n) text += get("/h/" + std::to_string(n));
    peer->write(text);
    std::vector<Started> started;
    for (unsigned n = 0; n < 6; ++n) started.push_back(next_request(rig));
    for (unsigned n = 6; n-- > 0;) {
        rig.worker.answer(started[n].slot, started[n].generation, {.body = "answer " + std::to_string(n)});
        rig.quiet(2);
        CHECK(n == 0 || peer->in.answers.empty());
    }
    CHECK(rig.until([&] { return peer->in.answers.size() == 6; }));
    for (unsigned n = 0; n < peer->in.answers.size(); ++n) {
        CHECK_EQ(peer->in.answers[n].body, "answer " + std::to_string(n));
    }
    rig.check_all_returned();
}

REACTOR_TEST(PipelineLimit, "reactor: no more requests of a connection than its limit are under way") {
    shard::Settings settings = small_settings();
    settings.limits.pipeline = 3;
    ReactorRig<K> rig(std::move(settings));
    REQUIRE_EQ(rig.failure, "");
    rig.go_live();
    auto peer = rig.connect();
    std::string text;
    for (unsigned n = 0; n < 10; ++n) text += get("/h/" + std::to_string(n));
    peer->write(text);
    for (unsigned n = 0; n < 10; ++n) {
        const Started started = next_request(rig);
        rig.quiet(2);
        CHECK(rig.reactor->slots_used() <= 3);
        rig.worker.answer(started.slot, started.generation, {.body = std::to_string(n)});
    }
    CHECK(rig.until([&] { return peer->in.answers.size() == 10; }));
    rig.check_all_returned();
}

REACTOR_TEST(TurnShare, "reactor: a turn begins a bounded number of pipelined requests, and one of everybody else") {
    constexpr unsigned PIPELINED = 400;
    shard::Settings settings = small_settings();
    settings.limits.slots = 64;
    settings.limits.pipeline = 1000;
    ReactorRig<K> rig(std::move(settings));
    REQUIRE_EQ(rig.failure, "");
    auto greedy = rig.connect();
    auto polite = rig.connect();
    std::string text;
    for (unsigned n = 0; n < PIPELINED; ++n) text += get("/fixed");
    greedy->write(text);
    polite->write(get("/fixed"));
    bool beside = false;
    std::uint64_t before = 0;
    const bool all = rig.until([&] {
        const std::uint64_t begun = rig.reactor->counters().requests;
        // A step is a turn and a flush: the turn's share, and of each connection the first.
        CHECK(begun - before <= 32 + 2);
        before = begun;
        beside = beside || (polite->in.answers.size() == 1 && greedy->in.answers.size() < PIPELINED);
        return greedy->in.answers.size() == PIPELINED;
    });
    CHECK(all);
    CHECK(beside);
    rig.check_all_returned();
}

REACTOR_TEST(Fragments, "reactor: a head in single bytes grows its block and pins no segment") {
    ReactorRig<K> rig;
    REQUIRE_EQ(rig.failure, "");
    auto peer = rig.connect();
    const std::string text = get("/fixed", "X-Long: " + std::string(3000, 'x') + "\r\n");
    for (std::size_t at = 0; at < text.size(); at += at < 40 ? 1 : 100) {
        peer->write(text.substr(at, at < 40 ? 1 : 100));
        rig.step();
    }
    CHECK_EQ(rig.talk(*peer, "", 1).size(), 1u);
    if (!peer->in.answers.empty()) CHECK_EQ(peer->in.answers[0].status, 200u);
    rig.check_all_returned();
}

REACTOR_TEST(TinyArena, "reactor: an arena of eight segments serves, slowly") {
    shard::Settings settings = small_settings();
    settings.limits.arena_bytes = 8 * layout::SEGMENT_BYTES;
    settings.limits.slots = 2;
    settings.limits.connection_bytes = 4096;
    ReactorRig<K> rig(std::move(settings));
    REQUIRE_EQ(rig.failure, "");
    rig.driver = io::Driver::worker;
    std::vector<std::unique_ptr<Peer>> peers;
    for (unsigned n = 0; n < 20; ++n) {
        peers.push_back(rig.connect());
        peers.back()->write(get("/fixed") + get("/fixed") + get("/fixed"));
    }
    CHECK(rig.until([&] {
        return std::all_of(peers.begin(), peers.end(), [](const auto& each) { return each->in.answers.size() == 3; });
    }));
    rig.check_all_returned();
}

REACTOR_TEST(Bodies, "reactor: bodies arrive whole, by length and by chunks, and hold back who sends too fast") {
    ReactorRig<K> rig;
    REQUIRE_EQ(rig.failure, "");
    rig.driver = io::Driver::worker;
    rig.go_live();
    for (const bool chunked : {false, true}) {
        auto peer = rig.connect();
        const std::string body = known_bytes(7, 400000);
        std::string text = "POST /h/x HTTP/1.1\r\nHost: a\r\n";
        if (chunked) {
            text += "Transfer-Encoding: chunked\r\n\r\n";
            for (std::size_t at = 0; at < body.size(); at += 50000)
                text += "c350\r\n" + body.substr(at, 50000) + "\r\n";
            text += "0\r\n\r\n";
        } else {
            text += "Content-Length: 400000\r\n\r\n" + body;
        }
        peer->write(text);
        const Started started = next_request(rig);
        rig.quiet(60);  // nothing is consumed meanwhile
        std::string received;
        bool ended = false;
        std::size_t held = 0;
        std::vector<layout::Entry> parts;
        CHECK(rig.until([&] {
            layout::Entry entry;
            while (rig.worker.pop(entry)) {
                if (EntryType(entry.head & 0xff) == EntryType::body) {
                    received.append(rig.worker.at(entry.argument), entry.argument2);
                    parts.push_back(entry);
                    held += entry.argument2;
                }
                if (EntryType(entry.head & 0xff) == EntryType::body_end) ended = entry.argument == 0;
            }
            CHECK(held <= 128 * 1024 + 65536);
            for (const layout::Entry& part : parts) {
                rig.worker.push(EntryType::consumed, part.head >> 8, part.generation, part.argument, part.argument2);
                held -= part.argument2;
            }
            parts.clear();
            return ended;
        }));
        CHECK(received == body);
        rig.worker.answer(started.slot, started.generation, {.body = "ok"});
        CHECK(rig.until([&] { return peer->in.answers.size() == 1; }));
        peer->close();
        rig.until([&] { return rig.reactor->connection_count() == 0; });
        rig.peers.clear();
    }
    rig.check_all_returned();
}

REACTOR_TEST(Continue, "reactor: a 100 comes when the handler asks, behind earlier answers") {
    ReactorRig<K> rig;
    REQUIRE_EQ(rig.failure, "");
    rig.go_live();
    auto peer = rig.connect();
    peer->write(get("/h/first") +
                "POST /h/second HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    const Started first = next_request(rig);
    const Started second = next_request(rig);
    rig.worker.push(EntryType::continue_, second.slot, second.generation);
    rig.quiet();
    CHECK(peer->in.interim.empty());
    rig.worker.answer(first.slot, first.generation, {.body = "first"});
    CHECK(rig.until([&] { return peer->in.interim.size() == 1; }));
    CHECK_EQ(peer->in.answers.size(), 1u);
    peer->write("hello");
    rig.quiet();
    rig.worker.answer(second.slot, second.generation, {.body = "second"});
    CHECK(rig.until([&] { return peer->in.answers.size() == 2; }));
    rig.check_all_returned();
}

REACTOR_TEST(ContinueUnneeded, "reactor: no 100 comes once a part of the body has, be it with the head or behind it") {
    ReactorRig<K> rig;
    REQUIRE_EQ(rig.failure, "");
    rig.go_live();
    const std::string head = "POST /h/x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
    for (const std::size_t with_head : {2u, 0u}) {
        auto peer = rig.connect();
        peer->write(head + std::string("he").substr(0, with_head));
        const Started started = next_request(rig);
        peer->write(std::string("he").substr(with_head));
        CHECK(rig.until([&] { return rig.worker.unread() > 0; }));
        rig.worker.push(EntryType::continue_, started.slot, started.generation);
        rig.quiet();
        CHECK(peer->in.interim.empty());
        peer->write("llo");
        rig.quiet();
        rig.worker.answer(started.slot, started.generation, {.body = "read"});
        CHECK(rig.until([&] { return peer->in.answers.size() == 1; }));
        CHECK(peer->in.interim.empty());
        CHECK(!peer->ended);
        rig.peers.clear();
    }
    rig.check_all_returned();
}

REACTOR_TEST(HandlerTimeout, "reactor: a 504 does not take the memory that the handler still has") {
    shard::Settings settings = small_settings();
    settings.timeouts.handler = 30;
    ReactorRig<K> rig(std::move(settings));
    REQUIRE_EQ(rig.failure, "");
    rig.go_live();
    auto peer = rig.connect();
    peer->write(get("/h/slow"));
    const Started started = next_request(rig);
    const layout::Slot& slot = rig.worker.slot(started.slot);
    const std::string head(rig.worker.at(slot.head_offset), slot.head_length);
    const std::uint32_t begin = slot.answer_offset;
    const std::uint32_t end = slot.answer_end;
    // It writes on and on.
    rig.on_turn = [&] { std::memset(rig.worker.at(begin), 'Z', end - begin); };
    CHECK(rig.until([&] { return peer->in.answers.size() == 1; }));
    CHECK_EQ(peer->in.answers[0].status, 504u);
    CHECK_EQ(peer->in.answers[0].body, "504 Gateway Timeout\n");
    rig.talk(*peer, get("/fixed"), 2);
    CHECK_EQ(std::string(rig.worker.at(rig.worker.slot(started.slot).head_offset), head.size()), head);
    rig.on_turn = nullptr;
    CHECK(rig.worker.answer(started.slot, started.generation, {.body = "late"}) == ScriptedLane::Outcome::abandoned);
    CHECK(rig.until([&] { return rig.reactor->slots_used() == 0; }));
    CHECK_EQ(peer->in.answers.size(), 2u);
    rig.check_all_returned();
}

REACTOR_TEST(IdleTimeouts, "reactor: connections that say nothing, or half a head, are closed") {
    shard::Settings settings = small_settings();
    settings.timeouts.head = settings.timeouts.keep_alive = 30;
    ReactorRig<K> rig(std::move(settings));
    REQUIRE_EQ(rig.failure, "");
    auto silent = rig.connect();
    auto half = rig.connect();
    auto idle = rig.connect();
    half->write("GET / HT");
    rig.talk(*idle, get("/fixed"));
    CHECK(rig.until([&] { return silent->ended && half->ended && idle->ended; }));
    CHECK_EQ(half->in.answers.size(), 1u);
    if (!half->in.answers.empty()) CHECK_EQ(half->in.answers[0].status, 408u);
    rig.check_all_returned();
}

// One that never said anything, one with half a head, one that has had its answer: which of them have ended after as
// much as the shorter of both time-outs and a little more.
template <class K>
std::string ended_early(std::uint32_t head_ms, std::uint32_t keep_alive_ms) {
    shard::Settings settings = small_settings();
    settings.timeouts.head = head_ms;
    settings.timeouts.keep_alive = keep_alive_ms;
    ReactorRig<Clocked<K>> rig(std::move(settings));
    if (!rig.failure.empty()) return rig.failure;
    auto silent = rig.connect();
    auto half = rig.connect();
    auto idle = rig.connect();
    half->write("GET / HT");
    CHECK_EQ(rig.talk(*idle, get("/fixed")).size(), 1u);
    rig.quiet();
    CHECK(!silent->ended && !half->ended && !idle->ended);
    rig.kernel.now_ms += std::min(head_ms, keep_alive_ms) + 1000;
    rig.quiet(20);
    std::string ended =
        std::string(silent->ended ? "silent " : "") + (half->ended ? "half " : "") + (idle->ended ? "idle" : "");
    rig.check_all_returned();
    return ended;
}

REACTOR_TEST(WhichIdleTimeout, "reactor: a head has its time-out, and a connection between requests has its own") {
    CHECK_EQ(ended_early<K>(10000, 50000), "silent half ");
    CHECK_EQ(ended_early<K>(50000, 10000), "idle");
}

REACTOR_TEST(NeverReads, "reactor: a client that never reads cannot fill the arena") {
    ReactorRig<K> rig;
    REQUIRE_EQ(rig.failure, "");
    auto deaf = rig.connect(4096);
    rig.peers.clear();
    std::string many;
    for (unsigned n = 0; n < 3000; ++n) many += get("/large");
    deaf->write(many);
    for (unsigned n = 0; n < 300; ++n) {
        deaf->pump_out();
        rig.step();
    }
    CHECK(rig.reactor->parts_used() < 200);
    auto other = rig.connect();
    CHECK_EQ(rig.talk(*other, get("/fixed") + get("/large"), 2).size(), 2u);
    deaf->close(true);
    rig.check_all_returned();
}

REACTOR_TEST(BehindTheLast, "reactor: no request behind one that closes is served") {
    ReactorRig<K> rig;
    REQUIRE_EQ(rig.failure, "");
    rig.go_live();
    auto peer = rig.connect();
    peer->write(get("/h/last", "Connection: close\r\n") + get("/h/never"));
    const Started started = next_request(rig);
    rig.quiet();
    CHECK_EQ(rig.worker.unread(), 0);
    CHECK_EQ(rig.reactor->slots_used(), 1u);
    rig.worker.answer(started.slot, started.generation, {.body = "last"});
    CHECK(rig.until([&] { return peer->ended; }));
    CHECK_EQ(peer->in.answers.size(), 1u);
    CHECK(!peer->reset_seen);
    rig.check_all_returned();
}

REACTOR_TEST(QueuedSurvive,
             "a worker's death: started requests get 502, queued ones the next worker, with their bodies") {
    ReactorRig<K> rig;
    REQUIRE_EQ(rig.failure, "");
    const std::uint32_t lane = rig.go_live();
    auto first = rig.connect();
    auto second = rig.connect();
    first->write(get("/h/started"));
    next_request(rig);
    const std::string body = known_bytes(3, 9000);
    second->write("POST /h/queued HTTP/1.1\r\nHost: a\r\nContent-Length: 9000\r\n\r\n" + body);
    CHECK(rig.until([&] { return rig.worker.unread() >= 2; }));
    rig.quiet(20);
    rig.reactor->quarantine_lane(lane);
    CHECK(rig.until([&] { return first->in.answers.size() == 1; }));
    CHECK_EQ(first->in.answers[0].status, 502u);
    rig.quiet();
    CHECK(second->in.answers.empty());
    rig.go_live();
    rig.reactor->release_lane(lane);
    std::string received;
    bool ended = false;
    Started started;
    CHECK(rig.until([&] {
        layout::Entry entry;
        while (rig.worker.pop(entry)) {
            const EntryType type = EntryType(entry.head & 0xff);
            if (type == EntryType::request) {
                started = {entry.head >> 8, entry.generation};
                CHECK(rig.worker.start(started.slot, started.generation));
            }
            if (type == EntryType::body) received.append(rig.worker.at(entry.argument), entry.argument2);
            if (type == EntryType::body_end) ended = true;
        }
        return ended;
    }));
    CHECK(received == body);
    rig.worker.answer(started.slot, started.generation, {.body = "served"});
    CHECK(rig.until([&] { return second->in.answers.size() == 1; }));
    CHECK_EQ(second->in.answers[0].status, 200u);
    rig.check_all_returned();
}

REACTOR_TEST(GoneInQueue, "reactor: a request whose client resets before it is started never reaches its handler") {
    ReactorRig<K> rig;
    REQUIRE_EQ(rig.failure, "");
    rig.go_live();
    auto gone = rig.connect();
    auto there = rig.connect();
    gone->write(get("/h/gone"));
    CHECK(rig.until([&] { return rig.worker.unread() == 1; }));
    there->write(get("/h/there"));
    CHECK(rig.until([&] { return rig.worker.unread() == 2; }));
    gone->close(true);
    CHECK(rig.until([&] { return rig.reactor->connection_count() == 1; }));
    CHECK_EQ(rig.reactor->slots_used(), 2u);  // the lane has it until it finds it
    const Started started = next_request(rig);
    REQUIRE(started.slot != layout::NO_OFFSET);
    CHECK_EQ(rig.worker.path(started.slot), "/h/there");
    CHECK_EQ(rig.worker.unread(), 0u);
    CHECK(rig.until([&] { return rig.reactor->slots_used() == 1; }));
    rig.worker.answer(started.slot, started.generation, {.body = "there"});
    REQUIRE(rig.until([&] { return there->in.answers.size() == 1; }));
    CHECK_EQ(there->in.answers[0].body, "there");
    rig.check_all_returned();
}

REACTOR_TEST(BodyBreaksOff,
             "reactor: a body that breaks off is one entry for its handler, and a half-close for earlier ones") {
    ReactorRig<K> rig;
    REQUIRE_EQ(rig.failure, "");
    rig.go_live();
    auto peer = rig.connect();
    peer->write(get("/h/earlier") + "POST /h/body HTTP/1.1\r\nHost: a\r\nContent-Length: 9000\r\n\r\nsome");
    const Started earlier = next_request(rig);
    const Started body = next_request(rig);
    layout::Entry entry;
    CHECK(rig.until([&] { return rig.worker.pop(entry); }));
    CHECK_EQ(EntryType(entry.head & 0xff), EntryType::body);
    rig.worker.push(EntryType::consumed, body.slot, body.generation, entry.argument, entry.argument2);
    peer->shutdown_write();
    const auto is_abort = [&](Started of, layout::AbortReason reason) {
        CHECK(rig.until([&] { return rig.worker.pop(entry); }));
        return EntryType(entry.head & 0xff) == EntryType::abort && entry.head >> 8 == of.slot &&
               layout::AbortReason(entry.argument) == reason;
    };
    CHECK(is_abort(earlier, layout::AbortReason::half_closed));
    CHECK(is_abort(body, layout::AbortReason::client_gone));
    rig.quiet(5);
    CHECK(!rig.worker.pop(entry));
    rig.worker.push(EntryType::give_back, body.slot, body.generation);
    rig.worker.answer(earlier.slot, earlier.generation, {.body = "earlier"});
    CHECK(rig.until([&] { return peer->ended; }));
    REQUIRE_EQ(peer->in.answers.size(), 2u);
    CHECK_EQ(peer->in.answers[0].body, "earlier");
    CHECK_EQ(peer->in.answers[1].status, 400u);
    rig.check_all_returned();
}

REACTOR_TEST(GrowsTooLong,
             "reactor: a chunked body that grows beyond its limit under its handler is a 413, and the end") {
    shard::Settings settings = small_settings();
    settings.limits.body_bytes = 16;
    ReactorRig<K> rig(std::move(settings));
    REQUIRE_EQ(rig.failure, "");
    rig.go_live();
    auto peer = rig.connect();
    peer->write("POST /h/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n0123456789abcdef\r\n");
    const Started started = next_request(rig);
    layout::Entry entry;
    REQUIRE(rig.until([&] { return rig.worker.pop(entry); }));
    CHECK_EQ(EntryType(entry.head & 0xff), EntryType::body);
    CHECK_EQ(entry.argument2, 16u);
    rig.worker.push(EntryType::consumed, started.slot, started.generation, entry.argument, entry.argument2);
    rig.quiet();
    CHECK(peer->in.answers.empty());
    peer->write("1\r\nx\r\n");
    REQUIRE(rig.until([&] { return rig.worker.pop(entry); }));
    CHECK_EQ(EntryType(entry.head & 0xff), EntryType::abort);
    CHECK_EQ(layout::AbortReason(entry.argument), layout::AbortReason::body_refused);
    CHECK(rig.until([&] { return peer->ended; }));
    CHECK(!peer->reset_seen);
    REQUIRE_EQ(peer->in.answers.size(), 1u);
    CHECK_EQ(peer->in.answers[0].status, 413u);
    CHECK(peer->in.answers[0].close);
    rig.worker.give_back(started.slot, started.generation);
    CHECK(rig.until([&] { return rig.reactor->slots_used() == 0; }));
    CHECK(!rig.worker.pop(entry));
    rig.check_all_returned();
}

// --- a worker that breaks the rules (HOSTILE 31) ---

// Each entry, or count, that cannot be: the lane is given up, its request gets a 502, the reactor goes on.
template <class K>
void breaks(const char* what, const std::function<void(ReactorRig<K>&, Started)>& crime, unsigned status = 502) {
    ReactorRig<K> rig;
    REQUIRE_EQ(rig.failure, "");
    const std::uint32_t lane = rig.go_live();
    auto peer = rig.connect();
    peer->write(get("/h/x"));
    const Started started = next_request(rig);
    crime(rig, started);
    CHECK(rig.until([&] { return rig.reactor->lane_broken(lane); }));
    if (!rig.reactor->lane_broken(lane)) FAIL(what);
    CHECK(rig.reactor->lane(lane).state() == shard::LaneState::quarantined);
    CHECK_EQ(rig.reactor->live_lane(), shard::NONE);
    CHECK(rig.until([&] { return peer->in.answers.size() == 1 || peer->ended; }));
    if (status != 0 && !peer->in.answers.empty()) CHECK_EQ(peer->in.answers[0].status, status);
    auto other = rig.connect();
    CHECK_EQ(rig.talk(*other, get("/fixed")).size(), 1u);
    rig.check_all_returned();
}

REACTOR_TEST(BrokenEntries, "reactor: entries that cannot be break their lane, and nothing else") {
    using Rig = ReactorRig<K>;
    const auto entry = [](EntryType type, std::uint32_t argument, std::uint32_t argument2) {
        return [=](Rig& rig, Started at) {
            rig.worker.finish(at.slot, at.generation);
            rig.worker.push(type, at.slot, at.generation, argument, argument2);
        };
    };
    breaks<K>("a slot that does not exist",
              [](Rig& rig, Started at) { rig.worker.push(EntryType::answer, 0xffffff, at.generation, 0, 0); });
    breaks<K>("a slot that is not the lane's", [](Rig& rig, Started at) {
        rig.worker.push(EntryType::answer, (at.slot + 1) % 16, at.generation, layout::NO_OFFSET, 0);
    });
    breaks<K>("a generation that has gone",
              [](Rig& rig, Started at) { rig.worker.push(EntryType::give_back, at.slot, at.generation + 1); });
    for (unsigned type = 0; type < 256; type += type < 16 ? 1 : 60) {
        const EntryType each = EntryType(type);
        if (each >= EntryType::answer && each <= EntryType::fields) continue;
        breaks<K>("an unknown type", entry(each, 0, 0));
    }
    for (const std::uint32_t offset : {0u, 255u, 256u, 4096u, 0x10000u, 0x7fffffffu, 0xfffffffeu, 0xfffff000u}) {
        breaks<K>("an answer from anywhere", entry(EntryType::answer, offset, 100));
        breaks<K>("a part from anywhere", entry(EntryType::part, offset, 100));
        breaks<K>("trailers from anywhere", entry(EntryType::end, offset, 100));
        breaks<K>("fields from anywhere", entry(EntryType::fields, offset, 100));
        breaks<K>("a body part that it never had", entry(EntryType::consumed, offset, 100));
    }
    breaks<K>("an answer without memory that has a body", entry(EntryType::answer, layout::NO_OFFSET, 5));
    breaks<K>("the end of what has not begun", entry(EntryType::end, 0, 0));
    breaks<K>("nothing consumed", entry(EntryType::consumed, 0, 0));
    breaks<K>("no fields", entry(EntryType::fields, 0, 0));
}

REACTOR_TEST(BrokenAnswers, "reactor: answer fields that cannot be break their lane, and nothing else") {
    using Rig = ReactorRig<K>;
    // Written as an answer is, then spoilt.
    const auto spoilt = [](auto spoil) {
        return [=](Rig& rig, Started at) {
            layout::Slot& slot = rig.worker.slot(at.slot);
            const std::uint32_t body = slot.answer_offset + layout::HEADROOM_BYTES;
            slot.answer_status = 200;
            slot.answer_content_type = 1;
            slot.answer_flags = layout::answer_flag::LAST;
            slot.answer_fields_offset = body + 10;
            slot.answer_fields_length = 0;
            slot.answer_length = -1;
            std::uint32_t length = 10;
            spoil(rig, slot, body, length);
            rig.worker.finish(at.slot, at.generation);
            rig.worker.push(EntryType::answer, at.slot, at.generation, body, length);
        };
    };
    const auto fields = [&](const std::string& bytes) {
        return spoilt([=](Rig& rig, layout::Slot& slot, std::uint32_t, std::uint32_t) {
            std::memcpy(rig.worker.at(slot.answer_fields_offset), bytes.data(), bytes.size());
            slot.answer_fields_length = std::uint32_t(bytes.size());
        });
    };
    for (const std::uint16_t status : {0, 1, 99, 100, 101, 199, 600, 999, 65535}) {
        breaks<K>("a status out of range",
                  spoilt([=](Rig&, layout::Slot& slot, std::uint32_t, std::uint32_t) { slot.answer_status = status; }));
    }
    breaks<K>("an unknown content type",
              spoilt([](Rig&, layout::Slot& slot, std::uint32_t, std::uint32_t) { slot.answer_content_type = 5; }));
    for (const std::uint32_t length : {4096u, 0x7fffffffu, 0xffffff00u, 0xffffffffu, 0xfffffff0u}) {
        breaks<K>("a body that is too long",
                  spoilt([=](Rig&, layout::Slot&, std::uint32_t, std::uint32_t& bytes) { bytes = length; }));
        breaks<K>("a body that wraps round", spoilt([=](Rig&, layout::Slot&, std::uint32_t body, std::uint32_t& bytes) {
                      bytes = 0u - body + (length & 0xff);
                  }));
        breaks<K>("fields that are too long", spoilt([=](Rig&, layout::Slot& slot, std::uint32_t, std::uint32_t) {
                      slot.answer_fields_length = length;
                  }));
        breaks<K>("fields that wrap round", spoilt([=](Rig&, layout::Slot& slot, std::uint32_t, std::uint32_t) {
                      slot.answer_fields_offset = 0xfffffff0;
                      slot.answer_fields_length = 0x20 + (length & 0xff);
                  }));
    }
    breaks<K>("fields elsewhere", spoilt([](Rig&, layout::Slot& slot, std::uint32_t, std::uint32_t) {
                  slot.answer_fields_offset = 64;
                  slot.answer_fields_length = 64;
              }));
    breaks<K>("a field with a line end", fields(encoded_field("X", "a\r\nSet-Cookie: b")));
    breaks<K>("a field of the framing", fields(encoded_field("Content-Length", "0")));
    breaks<K>("a field that is cut off", fields("\x05"));
    breaks<K>(
        "a second answer",
        [](Rig& rig, Started at) {
            rig.worker.answer(at.slot, at.generation, {.body = "x", .flags = 0}, true);
            rig.worker.answer(at.slot, at.generation, {.body = "x", .flags = 0}, true);
            rig.worker.push(EntryType::answer, at.slot, at.generation, layout::NO_OFFSET, 0);
        },
        0);
    breaks<K>(
        "a part twice",
        [](Rig& rig, Started at) {
            rig.worker.answer(at.slot, at.generation, {.body = "x", .flags = 0}, true);
            const std::uint32_t begin = rig.worker.take(100);
            rig.worker.push(EntryType::part, at.slot, at.generation, begin + 16, 50);
            rig.worker.push(EntryType::part, at.slot, at.generation, begin + 16, 50);
        },
        0);
    for (const std::string& bytes :
         {encoded_field("X", "a\r\nB: c"), encoded_field("X", std::string(1, '\0')), encoded_field("X Y", "a"),
          encoded_field("", "a"), encoded_field("Content-Length", "0"), encoded_field("Transfer-Encoding", "chunked"),
          encoded_field("A", "b") + "\x05", std::string("\x01\0\xff\xffX", 5), std::string("x")}) {
        breaks<K>(
            "trailers that are not well-formed",
            [=](Rig& rig, Started at) {
                rig.worker.answer(at.slot, at.generation, {.body = "x", .flags = 0}, true);
                rig.worker.end_with_trailers(at.slot, at.generation, bytes);
            },
            0);
    }
    breaks<K>(
        "trailers where a part was",
        [](Rig& rig, Started at) {
            rig.worker.answer(at.slot, at.generation, {.body = "x", .flags = 0}, true);
            const std::uint32_t begin = rig.worker.take(100);
            rig.worker.push(EntryType::part, at.slot, at.generation, begin + 16, 50);
            rig.worker.finish(at.slot, at.generation);
            rig.worker.push(EntryType::end, at.slot, at.generation, begin + 16, 50);
        },
        0);
    breaks<K>("a part before the answer", [](Rig& rig, Started at) {
        rig.worker.push(EntryType::part, at.slot, at.generation, rig.worker.take(100) + 16, 50);
    });
}

REACTOR_TEST(BrokenCounts, "reactor: ring counts that cannot be break their lane, and nothing else") {
    using Rig = ReactorRig<K>;
    for (const std::uint32_t wrong : {1000u, 0x7fffffffu, 0xfffffff0u}) {
        breaks<K>("the request head",
                  [=](Rig& rig, Started) { shard::store_release(rig.worker.lane().request_head, wrong); });
        breaks<K>("the response tail",
                  [=](Rig& rig, Started) { shard::store_release(rig.worker.lane().response_tail, wrong); });
        if (wrong != 0xfffffff0u) {
            breaks<K>("the credit head",
                      [=](Rig& rig, Started) { shard::store_release(rig.worker.lane().credit_head, wrong + 4096); });
        }
    }
}

REACTOR_TEST(GivenBackMidway,
             "reactor: a streamed answer given back in its midst ends with a reset, never as a whole one") {
    ReactorRig<K> rig;
    REQUIRE_EQ(rig.failure, "");
    rig.go_live();
    auto peer = rig.connect();
    peer->write(get("/h/x"));
    const Started started = next_request(rig);
    rig.worker.answer(started.slot, started.generation, {.body = "begun", .flags = 0});
    rig.quiet();
    rig.worker.give_back(started.slot, started.generation);
    CHECK(rig.until([&] { return peer->ended; }));
    CHECK(peer->in.answers.empty());
    CHECK(!peer->in.malformed);
    CHECK_EQ(rig.reactor->slots_used(), 0u);
    rig.check_all_returned();
}

}  // namespace
}  // namespace pinion::test
