// Heads and bodies that come too slowly, or whose rest is not what it should be, and answers that are read too slowly,
// on both real kernels (CVE-2018-12122, CVE-2013-4450). Where a byte comes each second, the test turns the clock.
#include "test/shard/clocked.hpp"
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

template <class K>
void read_by_the_byte(std::uint32_t segments) {
    for (const bool chunked : {false, true}) {
        shard::Settings settings = small_settings();
        settings.limits.arena_bytes = segments * layout::SEGMENT_BYTES;
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

REACTOR_TEST(ReadByTheByte, "trickle: a body below the least rate is too slow, though the handler takes every byte") {
    // In the smallest arena a byte that the handler has not given back holds up the next one.
    for (const std::uint32_t segments : {128u, 16u}) read_by_the_byte<K>(segments);
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

REACTOR_TEST(LongHeads, "trickle: a long head that finds no memory gets 503, and an end that it can read") {
    const std::string head = get("/fixed", "X: " + std::string(15000, 'x') + "\r\n");
    for (const std::size_t piece : {std::size_t{600}, std::size_t{4096}, head.size()}) {
        for (const auto& [arena, left] : {std::pair{16u, 0u}, {16u, 1u}, {64u, 1u}, {64u, 2u}, {128u, 0u}}) {
            shard::Settings settings = small_settings();
            settings.timeouts.head = 1000;
            settings.limits.arena_bytes = arena * layout::SEGMENT_BYTES;
            ReactorRig<Clocked<K>> rig(std::move(settings));
            REQUIRE_EQ(rig.failure, "");
            auto peer = rig.connect();
            rig.quiet(3);
            shard::Segments& segments = rig.reactor->segments();
            std::vector<std::uint32_t> taken;
            rig.on_turn = [&, most = left] {  // what comes back, too
                while (segments.free_count() > most) taken.push_back(segments.take());
            };
            rig.quiet(2);
            for (std::size_t at = 0; at < head.size(); at += piece) {
                peer->write(head.substr(at, piece));
                rig.quiet(2);
            }
            // One for whose bytes no segment is left waits for one until its head's deadline.
            rig.kernel.now_ms += 1500;
            CHECK(rig.until([&] { return peer->ended; }));
            CHECK(!peer->reset_seen);
            REQUIRE_EQ(peer->in.answers.size(), 1u);
            const Answer& answer = peer->in.answers[0];
            CHECK_EQ(answer.status, 503u);
            CHECK(answer.has("Retry-After: 1"));
            CHECK(answer.close);
            rig.on_turn = nullptr;
            for (const std::uint32_t segment : taken) segments.give(segment);
            rig.check_all_returned();
        }
    }
}

// --- a byte a second, on the test's clock ---

constexpr unsigned DEADLINE_S = 10;
constexpr unsigned LEAST = shard::LEAST_BYTES_PER_SECOND;

template <class K>
class TrickleRig : public ReactorRig<Clocked<K>> {
public:
    explicit TrickleRig(std::uint32_t segments = 128) : ReactorRig<Clocked<K>>(settings(segments)) {
        if (!this->failure.empty()) return;
        this->go_live();
        this->on_turn = [this] { answer_at_the_end(); };
        // What a client does not read is to stay in the arena.
        const int least = 4096;
        setsockopt(this->reactor->settings().listeners[0].fd, SOL_SOCKET, SO_SNDBUF, &least, sizeof least);
    }

    std::uint64_t held_ms = 0;  // what the handler lets pass before it takes the next part of a body

    void second() {
        for (unsigned n = 0; n < 10; ++n) {
            this->kernel.now_ms += 100;
            this->step();
        }
    }
    void forget(Peer& peer) {
        peer.close();
        std::erase(this->peers, &peer);
    }
    // Calls `act` each second, until the server has ended the connection, for `most` seconds at most. Returns how many.
    template <class Act>
    unsigned seconds(Peer& peer, unsigned most, Act&& act) {
        unsigned count = 0;
        for (; count < most && !peer.ended; ++count) {
            act();
            second();
        }
        return count;
    }

private:
    static shard::Settings settings(std::uint32_t segments) {
        constexpr std::uint32_t LONG = 3600'000;
        shard::Settings settings = small_settings();
        settings.limits.arena_bytes = segments * layout::SEGMENT_BYTES;
        settings.timeouts = timeouts_of(LONG);
        settings.timeouts.head = settings.timeouts.body = settings.timeouts.write = DEADLINE_S * 1000;
        return settings;
    }
    void answer_at_the_end() {
        layout::Entry entry;
        ScriptedLane& worker = this->worker;
        while (this->kernel.now_ms >= next_part_ms_ && worker.pop(entry)) {
            const std::uint32_t slot = entry.head >> 8;
            const auto type = EntryType(entry.head & 0xff);
            if (type == EntryType::request) worker.start(slot, entry.generation);
            if (type == EntryType::body) {
                worker.push(EntryType::consumed, slot, entry.generation, entry.argument, entry.argument2);
                next_part_ms_ = this->kernel.now_ms + held_ms;
            }
            if (type == EntryType::body_end && entry.argument == 0) {
                worker.answer(slot, entry.generation, {.body = "whole"});
            }
            if (type == EntryType::abort) worker.give_back(slot, entry.generation);
        }
    }

    std::uint64_t next_part_ms_ = 0;
};

REACTOR_TEST(Head,
             "trickle: a head has until its deadline, however steadily it comes, on a new connection and a kept one") {
    TrickleRig<K> rig;
    REQUIRE_EQ(rig.failure, "");
    for (const bool kept : {false, true}) {
        auto peer = rig.connect();
        if (kept) REQUIRE_EQ(rig.talk(*peer, get("/fixed")).size(), 1u);
        const std::string head = get("/fixed", "X-Trickled: " + std::string(100, 'x') + "\r\n");
        std::size_t sent = 0;
        const unsigned lived = rig.seconds(*peer, 60, [&] { peer->write(head.substr(sent++, 1)); });
        CHECK(lived >= DEADLINE_S - 1);
        CHECK(lived <= DEADLINE_S + 2);
        REQUIRE_EQ(peer->in.answers.size(), kept ? 2u : 1u);
        CHECK_EQ(peer->in.answers.back().status, 408u);
        CHECK(peer->in.answers.back().close);
        rig.forget(*peer);
    }
    // In time, a byte a second, too.
    auto peer = rig.connect();
    const std::string head = get("/fixed");
    peer->write(head.substr(0, head.size() - 8));
    for (std::size_t at = head.size() - 8; at < head.size(); ++at) {
        rig.second();
        peer->write(head.substr(at, 1));
    }
    REQUIRE(rig.until([&] { return peer->in.answers.size() == 1 || peer->ended; }));
    CHECK_EQ(peer->in.answers[0].status, 200u);
    rig.check_all_returned();
}

template <class K>
void trickle_bodies(std::uint32_t segments) {
    TrickleRig<K> rig(segments);
    REQUIRE_EQ(rig.failure, "");
    struct Case {
        std::size_t bytes;  // a second
        unsigned from, to;  // seconds that it lives
    };
    // At half of the least rate the deadline moves away by half a second a second.
    for (const Case& each :
         {Case{1, DEADLINE_S - 1, DEADLINE_S + 2}, Case{LEAST / 2, DEADLINE_S * 2 - 3, DEADLINE_S * 2 + 3}}) {
        for (const bool chunked : {false, true}) {
            auto peer = rig.connect();
            peer->write(
                "POST /h/x HTTP/1.1\r\nHost: a\r\n" +
                std::string(chunked ? "Transfer-Encoding: chunked\r\n\r\nffff\r\n" : "Content-Length: 65535\r\n\r\n"));
            const unsigned lived = rig.seconds(*peer, 100, [&] { peer->write(std::string(each.bytes, 'b')); });
            CHECK(lived >= each.from);
            CHECK(lived <= each.to);
            REQUIRE_EQ(peer->in.answers.size(), 1u);
            CHECK_EQ(peer->in.answers[0].status, 408u);
            rig.forget(*peer);
        }
    }
    auto peer = rig.connect();
    peer->write("POST /h/x HTTP/1.1\r\nHost: a\r\nContent-Length: 65536\r\n\r\n");
    const unsigned needed = 65536 / (2 * LEAST);
    CHECK(needed > 4 * DEADLINE_S);
    CHECK_EQ(rig.seconds(*peer, needed, [&] { peer->write(std::string(2 * LEAST, 'b')); }), needed);
    REQUIRE(rig.until([&] { return peer->in.answers.size() == 1 || peer->ended; }));
    REQUIRE_EQ(peer->in.answers.size(), 1u);
    CHECK_EQ(peer->in.answers[0].body, "whole");
    // A pause after much has come at once.
    peer->write("POST /h/x HTTP/1.1\r\nHost: a\r\nContent-Length: 65536\r\n\r\n" + std::string(60000, 'b'));
    const unsigned lived = rig.seconds(*peer, 100, [&] { peer->write("b"); });
    CHECK(lived <= DEADLINE_S + 2);
    CHECK_EQ(peer->in.answers.back().status, 408u);
    rig.check_all_returned();
}

REACTOR_TEST(Body,
             "trickle: a body has a least rate; what comes faster is no credit, and may take as long as it takes") {
    for (const std::uint32_t segments : {128u, 16u}) trickle_bodies<K>(segments);
}

REACTOR_TEST(HeldBody, "trickle: while its handler holds a body back, its client loses no time") {
    for (const std::uint32_t segments : {128u, 16u}) {
        TrickleRig<K> rig(segments);
        REQUIRE_EQ(rig.failure, "");
        rig.held_ms = (DEADLINE_S - 2) * 1000;
        auto peer = rig.connect();
        peer->write("POST /h/x HTTP/1.1\r\nHost: a\r\nContent-Length: 40000\r\n\r\n" + std::string(40000, 'b'));
        const unsigned lived = rig.seconds(*peer, 2 * DEADLINE_S, [&] { peer->pump_out(); });
        CHECK_EQ(lived, 2 * DEADLINE_S);
        CHECK(peer->in.answers.empty());
        rig.held_ms = 0;
        rig.seconds(*peer, DEADLINE_S, [] {});
        REQUIRE_EQ(peer->in.answers.size(), 1u);
        CHECK_EQ(peer->in.answers[0].body, "whole");
        // What it had been given is not more than it had: now it is the client who is slow.
        peer->write("POST /h/x HTTP/1.1\r\nHost: a\r\nContent-Length: 40000\r\n\r\nb");
        CHECK(rig.seconds(*peer, 100, [&] { peer->write("b"); }) <= DEADLINE_S + 2);
        CHECK_EQ(peer->in.answers.back().status, 408u);
        rig.check_all_returned();
    }
}

REACTOR_TEST(Reader, "trickle: who reads has a least rate, too; who keeps it gets all, however long it takes") {
    TrickleRig<K> rig;
    REQUIRE_EQ(rig.failure, "");
    rig.peer_pace = 0;
    constexpr std::size_t ANSWERS = 7;
    std::string requests;
    for (std::size_t n = 0; n < ANSWERS; ++n) requests += get("/large");
    for (const std::size_t bytes : {std::size_t{0}, std::size_t{1}, std::size_t{2 * LEAST}}) {
        auto peer = rig.connect(4096);
        peer->write(requests);
        const unsigned most = 8 * DEADLINE_S;
        const unsigned lived = rig.seconds(*peer, most, [&] { peer->pump(bytes); });
        rig.quiet();
        if (bytes > 1) {
            CHECK_EQ(lived, most);
            CHECK_EQ(rig.reactor->connection_count(), 1u);
            REQUIRE(rig.until([&] {
                peer->pump();
                return peer->in.answers.size() == ANSWERS || peer->ended;
            }));
            CHECK_EQ(peer->in.answers.size(), ANSWERS);
        } else {
            // The server has let go; the client learns of it when it has read what was on its way.
            CHECK_EQ(rig.reactor->connection_count(), 0u);
            CHECK(rig.until([&] {
                peer->pump();
                return peer->ended;
            }));
            CHECK(peer->reset_seen);
            CHECK(peer->in.answers.size() < ANSWERS);
        }
        rig.forget(*peer);
        CHECK(rig.until([&] { return rig.reactor->connection_count() == 0; }));
    }
    rig.check_all_returned();
}

}  // namespace
}  // namespace pinion::test
