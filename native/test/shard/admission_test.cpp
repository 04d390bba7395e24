// Which requests a reactor takes: by queue delay, by slots, by address, by memory.
#include <deque>

#include "test/shard/clocked.hpp"
#include "test/shard/on_both_kernels.hpp"

namespace pinion::test {
namespace {

REACTOR_TEST(StandingQueue, "admission: in a standing queue requests are refused, in a short burst none") {
    shard::Settings settings = small_settings();
    settings.admission = {.target_ms = 20, .interval_ms = 1000};
    ReactorRig<Clocked<K>> rig(std::move(settings));
    REQUIRE_EQ(rig.failure, "");
    rig.go_live();
    auto early = rig.connect();
    auto late = rig.connect();
    early->write(get("/h/1") + get("/h/2"));
    rig.quiet();
    // The oldest has waited longer than the target, but the queue is young.
    rig.kernel.now_ms += 600;
    late->write(get("/h/3"));
    rig.quiet();
    const Started first = next_request(rig);
    CHECK(late->in.answers.empty());
    // Now it stands, and moves too slowly. What needs no handler is answered as ever.
    rig.kernel.now_ms += 600;
    rig.quiet();
    auto refused = rig.connect();
    const auto& answers = rig.talk(*refused, get("/h/4") + get("/fixed"), 2);
    REQUIRE_EQ(answers.size(), 2u);
    CHECK_EQ(answers[0].status, 503u);
    CHECK_EQ(answers[1].status, 200u);
    CHECK(!refused->ended);
    // Who has waited for too long is refused, who has not is served; none of the refused reaches a handler.
    rig.worker.answer(first.slot, first.generation, {.body = "first"});
    CHECK(rig.until([&] { return early->in.answers.size() == 2; }));
    CHECK_EQ(early->in.answers[0].status, 200u);
    CHECK_EQ(early->in.answers[1].status, 503u);
    const Started third = next_request(rig);
    REQUIRE(third.slot != layout::NO_OFFSET);
    CHECK_EQ(rig.worker.path(third.slot), "/h/3");
    rig.worker.answer(third.slot, third.generation, {.body = "third"});
    CHECK(rig.until([&] { return late->in.answers.size() == 1; }));
    CHECK_EQ(late->in.answers[0].status, 200u);
    // The queue has been empty: all is as before.
    rig.quiet();
    refused->write(get("/h/5"));
    const Started again = next_request(rig);
    rig.worker.answer(again.slot, again.generation, {.body = "again"});
    CHECK(rig.until([&] { return refused->in.answers.size() == 3; }));
    CHECK_EQ(refused->in.answers[2].status, 200u);
    rig.check_all_returned();
}

REACTOR_TEST(HeldCore, "admission: requests behind one handler that holds the core are not refused") {
    shard::Settings settings = small_settings();
    settings.admission = {.target_ms = 20, .interval_ms = 100};
    ReactorRig<Clocked<K>> rig(std::move(settings));
    REQUIRE_EQ(rig.failure, "");
    rig.go_live();
    std::vector<std::unique_ptr<Peer>> peers;
    for (unsigned n = 0; n < 5; ++n) {
        peers.push_back(rig.connect());
        peers.back()->write(get("/h/" + std::to_string(n)));
        rig.quiet();
        rig.kernel.now_ms += 60;
    }
    for (unsigned n = 0; n < 5; ++n) {
        CHECK(peers[n]->in.answers.empty());
        const Started started = next_request(rig);
        rig.worker.answer(started.slot, started.generation, {.body = "served"});
        CHECK(rig.until([&] { return peers[n]->in.answers.size() == 1; }));
        CHECK_EQ(peers[n]->in.answers[0].status, 200u);
    }
    rig.check_all_returned();
}

REACTOR_TEST(HeldQueue, "admission: a queue that has moved fast is not long because one handler holds the core now") {
    shard::Settings settings = small_settings();
    settings.limits.slots = 400;
    settings.limits.queue = 400;
    settings.limits.pipeline = 64;
    settings.limits.arena_bytes = 2048 * layout::SEGMENT_BYTES;
    settings.admission = {.target_ms = 20, .interval_ms = 3000};
    ReactorRig<Clocked<K>> rig(std::move(settings));
    REQUIRE_EQ(rig.failure, "");
    rig.go_live();
    auto burst = rig.connect();
    CHECK_EQ(rig.talk(*burst, get("/fixed")).size(), 1u);
    for (unsigned n = 0; n < 60; ++n) burst->write(get("/h/" + std::to_string(n)));
    CHECK(rig.until([&] { return rig.reactor->counters().requests == 61; }));
    const auto take = [&] {
        const Started started = next_request(rig);
        rig.worker.answer(started.slot, started.generation, {.body = "served"});
        rig.quiet(1);
    };
    // 8 ms each; then one takes longer than all the others.
    for (unsigned n = 0; n < 20; ++n) {
        rig.kernel.now_ms += 8;
        take();
    }
    rig.kernel.now_ms += 1800;
    rig.quiet();
    auto late = rig.connect();
    late->write(get("/h/late"));
    rig.quiet();
    for (unsigned n = 20; n < 61; ++n) take();
    CHECK(rig.until([&] { return late->in.answers.size() == 1 && burst->in.answers.size() == 61; }));
    REQUIRE_EQ(late->in.answers.size(), 1u);
    CHECK_EQ(late->in.answers[0].status, 200u);
    rig.check_all_returned();
}

REACTOR_TEST(LongQueue, "admission: who would wait for too long is refused at once, once the queue's pace is known") {
    constexpr unsigned PEERS = 30, PIPELINED = 8;
    shard::Settings settings = small_settings();
    settings.limits.slots = 400;
    settings.limits.queue = 400;
    settings.limits.pipeline = PIPELINED;
    settings.limits.arena_bytes = 2048 * layout::SEGMENT_BYTES;
    settings.admission = {.target_ms = 20, .interval_ms = 2000};
    ReactorRig<Clocked<K>> rig(std::move(settings));
    REQUIRE_EQ(rig.failure, "");
    rig.go_live();
    std::vector<std::unique_ptr<Peer>> peers;
    for (unsigned n = 0; n < PEERS; ++n) {
        peers.push_back(rig.connect());
        CHECK_EQ(rig.talk(*peers.back(), get("/fixed")).size(), 1u);
        for (unsigned i = 0; i < PIPELINED; ++i) peers.back()->write(get("/h/" + std::to_string(n)));
    }
    CHECK(rig.until([&] { return rig.reactor->counters().requests == PEERS * (PIPELINED + 1); }));
    // A handler that takes 20 ms: more than 4 s for all that wait.
    for (unsigned n = 0; n < 20; ++n) {
        rig.kernel.now_ms += 20;
        const Started started = next_request(rig);
        rig.worker.answer(started.slot, started.generation, {.body = "served"});
        rig.quiet(1);
    }
    auto refused = rig.connect();
    const auto& answers = rig.talk(*refused, get("/h/late") + get("/fixed"), 2);
    REQUIRE_EQ(answers.size(), 2u);
    CHECK_EQ(answers[0].status, 503u);
    CHECK_EQ(answers[1].status, 200u);
    for (const auto& peer : peers) {
        for (const Answer& answer : peer->in.answers) CHECK_EQ(answer.status, 200u);
    }
    rig.check_all_returned();
}

REACTOR_TEST(NativeSlots, "admission: handlers never get the last slots, what waits for one is served in order") {
    ReactorRig<K> rig;
    REQUIRE_EQ(rig.failure, "");
    rig.go_live();
    std::vector<std::unique_ptr<Peer>> peers;
    for (unsigned n = 0; n < 20; ++n) {
        peers.push_back(rig.connect());
        rig.talk(*peers.back(), get("/fixed"));
    }
    for (unsigned n = 0; n < 20; ++n) {
        // Some of the heads come in two pieces.
        const std::string request = get("/h/" + std::to_string(n));
        const std::size_t cut = n % 2 == 0 ? request.size() : 30;
        peers[n]->write(request.substr(0, cut));
        rig.quiet(2);
        peers[n]->write(request.substr(cut));
        if (n >= 17) peers[n]->shutdown_write();  // who has half-closed waits like the others
        rig.quiet(2);
    }
    CHECK_EQ(rig.reactor->slots_used(), 15u);
    auto native = rig.connect();
    CHECK_EQ(rig.talk(*native, get("/fixed")).size(), 1u);
    for (unsigned n = 0; n < 20; ++n) {
        const Started started = next_request(rig);
        rig.worker.answer(started.slot, started.generation, {.body = std::to_string(n)});
        rig.quiet(2);
    }
    CHECK(rig.until([&] { return peers.back()->in.answers.size() == 2; }));
    for (unsigned n = 0; n < 20; ++n) {
        REQUIRE_EQ(peers[n]->in.answers.size(), 2u);
        CHECK_EQ(peers[n]->in.answers[1].body, std::to_string(n));
    }
    rig.check_all_returned();
}

REACTOR_TEST(GoneUpload, "admission: whose body breaks off while it waits for a slot never reaches a handler") {
    constexpr unsigned UPLOADS = 8;  // half of the slots
    ReactorRig<K> rig;
    REQUIRE_EQ(rig.failure, "");
    rig.go_live();
    const std::string head = "POST /h/up HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n";
    const std::string chunked = "POST /h/up HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    std::vector<std::unique_ptr<Peer>> peers;
    const auto wait_with = [&](const std::string& text) {
        peers.push_back(rig.connect());
        rig.talk(*peers.back(), get("/fixed"));
        peers.back()->write(text);
        rig.quiet();
    };
    std::vector<Started> started;
    for (unsigned n = 0; n < UPLOADS; ++n) {
        wait_with(head);
        started.push_back(next_request(rig));
    }
    wait_with(head);
    wait_with(chunked);
    wait_with(head);
    wait_with(chunked);
    CHECK_EQ(rig.reactor->slots_used(), UPLOADS);
    peers[8]->write("half of it");
    peers[10]->write(std::string(100, 'b'));
    peers[11]->write("1\r\nb\r\n0\r\n\r\n");
    for (unsigned n = 8; n < 12; ++n) peers[n]->shutdown_write();
    rig.quiet();
    for (unsigned n = 0; n < UPLOADS; ++n) {
        peers[n]->close(true);
    }
    rig.quiet();
    for (const Started& each : started) rig.worker.give_back(each.slot, each.generation);
    for (unsigned n = 10; n < 12; ++n) {
        const Started next = next_request(rig);
        REQUIRE(next.slot != layout::NO_OFFSET);
        rig.worker.answer(next.slot, next.generation, {.body = "whole"});
    }
    CHECK(rig.until([&] { return peers[10]->in.answers.size() == 2 && peers[11]->in.answers.size() == 2; }));
    for (unsigned n = 8; n < 10; ++n) {
        CHECK(rig.until([&] { return peers[n]->ended; }));
        REQUIRE_EQ(peers[n]->in.answers.size(), 2u);
        CHECK_EQ(peers[n]->in.answers[1].status, 400u);
    }
    rig.check_all_returned();
}

REACTOR_TEST(AddressConnections, "admission: a client's connections beyond its share are closed, others go on") {
    shard::Settings settings = small_settings();
    settings.limits.address_connections = 2;
    ReactorRig<K> rig(std::move(settings));
    REQUIRE_EQ(rig.failure, "");
    auto first = rig.connect();
    auto second = rig.connect();
    CHECK_EQ(rig.talk(*first, get("/fixed")).size(), 1u);
    CHECK_EQ(rig.talk(*second, get("/fixed")).size(), 1u);
    auto third = rig.connect();
    CHECK(rig.until([&] { return third->ended; }));
    CHECK(third->in.answers.empty());
    CHECK_EQ(rig.talk(*first, get("/fixed"), 2).size(), 2u);
    // One that has gone makes room.
    second->close();
    CHECK(rig.until([&] { return rig.reactor->connection_count() == 1; }));
    auto fourth = rig.connect();
    CHECK_EQ(rig.talk(*fourth, get("/fixed")).size(), 1u);
    rig.check_all_returned();
}

REACTOR_TEST(AddressRate, "admission: requests beyond a client's rate get 429, on a connection that goes on") {
    shard::Settings settings = small_settings();
    settings.limits.address_rate = 5;
    ReactorRig<K> rig(std::move(settings));
    REQUIRE_EQ(rig.failure, "");
    auto peer = rig.connect();
    std::string text;
    for (unsigned n = 0; n < 8; ++n) text += get("/fixed");
    const auto& answers = rig.talk(*peer, text, 8);
    REQUIRE_EQ(answers.size(), 8u);
    for (unsigned n = 0; n < 8; ++n) CHECK_EQ(answers[n].status, n < 5 ? 200u : 429u);
    CHECK(!peer->ended);
    rig.check_all_returned();
}

// What is refused for its own sake, each with its status.
const std::pair<std::string, unsigned> REFUSED[] = {
    {"GET /fixed HTTP/1.1\r\n\r\n", 400},
    {get("/fixed", "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"), 400},
    {"POST /h/body HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\n", 413},
    {"GET /" + std::string(9000, 't') + " HTTP/1.1\r\nHost: a\r\n\r\n", 414},
    {get("/fixed", "Expect: nothing\r\n"), 417},
    {get("/fixed", "X: " + std::string(17000, 'x') + "\r\n"), 431},
    {"NONE / HTTP/1.1\r\nHost: a\r\n\r\n", 501},
    {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
};

REACTOR_TEST(AddressRateRefused, "admission: beyond a client's rate what is no request gets 429, and the end") {
    for (const auto& [bytes, status] : REFUSED) {
        for (const unsigned rate : {2u, 1u}) {
            shard::Settings settings = small_settings();
            settings.limits.address_rate = rate;
            ReactorRig<K> rig(std::move(settings));
            REQUIRE_EQ(rig.failure, "");
            auto peer = rig.connect();
            // In one write, so that one turn reads the beginning of both.
            const auto& answers = rig.talk(*peer, get("/fixed") + bytes, 2);
            REQUIRE_EQ(answers.size(), 2u);
            CHECK_EQ(answers[0].status, 200u);
            if (rate == 2) CHECK_EQ(answers[1].status, status);
            if (rate == 1 && bytes.size() < 4000) CHECK_EQ(answers[1].status, 429u);
            CHECK(rig.until([&] { return peer->ended; }));
            rig.check_all_returned();
        }
    }
}

// Whether one who is refused with this status leaves nothing of a rate of one request.
template <class K>
bool refusal_counts(const std::string& bytes, unsigned status, std::uint32_t head_ms) {
    // A test that is stopped for a second between the two looks again.
    bool counted = false;
    for (int tries = 0; tries < 5 && !counted; ++tries) {
        shard::Settings settings = small_settings();
        settings.limits.address_rate = 1;
        settings.timeouts.head = head_ms;
        ReactorRig<K> rig(std::move(settings));
        CHECK_EQ(rig.failure, "");
        if (!rig.failure.empty()) return false;
        auto bad = rig.connect();
        const auto& refusal = rig.talk(*bad, bytes);
        CHECK(refusal.size() == 1 && refusal[0].status == status);
        auto good = rig.connect();
        const auto& answers = rig.talk(*good, get("/fixed"));
        CHECK_EQ(answers.size(), 1u);
        counted = !answers.empty() && answers[0].status == 429;
        rig.check_all_returned();
    }
    return counted;
}

REACTOR_TEST(AddressRateCounts, "admission: what is refused counts toward its client's rate") {
    for (const auto& [bytes, status] : REFUSED) CHECK(refusal_counts<K>(bytes, status, 60000));
}

REACTOR_TEST(AddressRateLate, "admission: a head that comes too late counts toward its client's rate") {
    CHECK(refusal_counts<K>("GET /fixed HTTP/1.1\r\nHo", 408, 50));
}

REACTOR_TEST(SlowReaders, "admission: clients that read nothing leave memory for those that do") {
    shard::Settings settings = small_settings();
    settings.limits.connections = 256;
    settings.limits.slots = 128;
    settings.limits.arena_bytes = 256 * layout::SEGMENT_BYTES;
    ReactorRig<K> rig(std::move(settings));
    REQUIRE_EQ(rig.failure, "");
    rig.go_live();
    // Each asks for far more than its socket takes, whole answers of 3,000 bytes by handlers.
    std::vector<std::unique_ptr<Peer>> greedy;
    std::string text;
    for (unsigned n = 0; n < 500; ++n) text += get("/h/greedy");
    for (unsigned n = 0; n < 60; ++n) {
        greedy.push_back(std::make_unique<Peer>(rig.address, 4096));
        greedy.back()->write(text);
    }
    std::deque<Started> started;  // answered in order, as credits come
    const std::string body(3000, 'x');
    rig.on_turn = [&] {
        for (auto& peer : greedy) peer->pump_out();
        layout::Entry entry;
        while (rig.worker.pop(entry)) {
            if (EntryType(entry.head & 0xff) != EntryType::request) continue;
            const Started request{entry.head >> 8, entry.generation};
            if (rig.worker.start(request.slot, request.generation)) started.push_back(request);
        }
        while (!started.empty() && rig.worker.answer(started.front().slot, started.front().generation,
                                                     {.body = body}) != ScriptedLane::Outcome::starved) {
            started.pop_front();
        }
    };
    rig.quiet(400);
    auto honest = rig.connect();
    for (unsigned n = 1; n <= 20; ++n) {
        CHECK_EQ(rig.talk(*honest, get("/h/honest"), n).size(), n);
        CHECK_EQ(rig.talk(*honest, get("/fixed"), ++n).size(), n);
    }
    greedy.clear();
    CHECK(rig.until([&] { return rig.reactor->connection_count() == 1; }));
    rig.check_all_returned();
}

}  // namespace
}  // namespace pinion::test
