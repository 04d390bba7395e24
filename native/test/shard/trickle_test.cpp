// Heads and bodies that come too slowly, or whose rest is not what it should be, on both real kernels.
#include "test/shard/on_both_kernels.hpp"

namespace pinion::test {
namespace {

using Clock = std::chrono::steady_clock;

// A worker that starts each request and takes each part of its body at once, as a handler that reads does.
template <class K>
void take_all(ReactorRig<K>& rig, Started& request) {
    layout::Entry entry;
    while (rig.worker.pop(entry)) {
        const auto type = EntryType(entry.head & 0xff);
        if (type == EntryType::request) {
            const Started next{entry.head >> 8, entry.generation};
            if (rig.worker.start(next.slot, next.generation)) request = next;
        }
        if (shard::is_body_part(type)) {
            rig.worker.push(EntryType::consumed, entry.head >> 8, entry.generation, entry.argument, entry.argument2);
        }
    }
}

REACTOR_TEST(ReadByTheByte, "trickle: a body below the least rate is too slow, though the handler takes every byte") {
    for (const bool chunked : {false, true}) {
        shard::Settings settings = small_settings();
        settings.timeouts.body = 100;
        ReactorRig<K> rig(std::move(settings));
        REQUIRE_EQ(rig.failure, "");
        rig.go_live();
        Started request{layout::NO_OFFSET, 0};
        auto peer = rig.connect();
        peer->write(std::string("POST /h/x HTTP/1.1\r\nHost: a\r\n") +
                    (chunked ? "Transfer-Encoding: chunked\r\n\r\n" : "Content-Length: 10000\r\n\r\n"));
        auto next = Clock::now();
        rig.on_turn = [&] {
            take_all(rig, request);
            if (Clock::now() < next || peer->ended) return;
            next = Clock::now() + std::chrono::milliseconds(20);
            peer->write(chunked ? "1\r\nx\r\n" : "x");
        };
        CHECK(rig.until([&] { return !peer->in.answers.empty(); }));
        if (!peer->in.answers.empty()) CHECK_EQ(peer->in.answers[0].status, 408u);
        if (request.slot != layout::NO_OFFSET) rig.worker.give_back(request.slot, request.generation);
        rig.check_all_returned();
    }
}

REACTOR_TEST(UnwantedRest, "trickle: an answer leaves whole before the end, whatever the rest of an unwanted body is") {
    shard::Settings settings = small_settings();
    settings.limits.body_bytes = 10;
    settings.routes.push_back(fixed_route("/post", "fixed\n"));
    settings.routes.back().methods = 1u << unsigned(http::Method::POST);
    ReactorRig<K> rig(std::move(settings));
    REQUIRE_EQ(rig.failure, "");
    const std::string chunked = " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    const std::string malformed = "Z\r\nhello\r\n0\r\n\r\n" + get("/fixed");
    const std::string too_long = "10\r\n0123456789abcdef\r\n0\r\n\r\n" + get("/fixed");
    for (const std::string& rest : {malformed, too_long}) {
        for (const auto& [path, status] : {std::pair{"/post", 200u}, std::pair{"/none", 404u}}) {
            auto peer = rig.connect();
            const auto& answers = rig.talk(*peer, "POST " + std::string(path) + chunked + rest);
            CHECK(rig.until([&] { return peer->ended; }));
            CHECK(!peer->reset_seen);
            REQUIRE_EQ(answers.size(), 1u);
            CHECK_EQ(answers[0].status, status);
            rig.peers.clear();
        }
    }
    rig.check_all_returned();
}

REACTOR_TEST(HeldHeads, "trickle: unfinished heads never hold what others need; who cannot go on gets 503") {
    shard::Settings settings = small_settings();
    settings.limits.connections = 256;
    settings.limits.arena_bytes = 256 * layout::SEGMENT_BYTES;
    ReactorRig<K> rig(std::move(settings));
    REQUIRE_EQ(rig.failure, "");
    rig.go_live();
    std::vector<std::unique_ptr<Peer>> slow;
    const std::string begin = "GET /fixed HTTP/1.1\r\nHost: a\r\nX: ";
    for (unsigned n = 0; n < 200; ++n) {
        slow.push_back(rig.connect());
        slow.back()->write(begin);
    }
    // Three times what there is, a KiB at a time.
    for (unsigned kib = 0; kib < 15; ++kib) {
        for (auto& peer : slow) {
            if (!peer->ended) peer->write(std::string(1024, 'x'));
        }
        rig.quiet(20);
        auto other = rig.connect();
        const auto& fixed = rig.talk(*other, get("/fixed"));
        REQUIRE_EQ(fixed.size(), 1u);
        CHECK_EQ(fixed[0].status, 200u);
        rig.peers.pop_back();
    }
    unsigned refused = 0;
    for (auto& peer : slow) {
        if (peer->in.answers.empty()) continue;
        CHECK_EQ(peer->in.answers[0].status, 503u);
        ++refused;
    }
    CHECK(refused > 0 && refused < 200);
    // Who has its head together is served.
    for (auto& peer : slow) {
        if (!peer->in.answers.empty() || peer->ended) continue;
        const auto& answers = rig.talk(*peer, "\r\n\r\n");
        REQUIRE_EQ(answers.size(), 1u);
        CHECK_EQ(answers[0].status, 200u);
    }
    rig.check_all_returned();
}

}  // namespace
}  // namespace pinion::test
