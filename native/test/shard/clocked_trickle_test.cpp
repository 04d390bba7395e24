// Clients that trickle, one byte a second, on both real kernels and a clock that the test turns: a head has a total
// deadline, a body and the reading of an answer have a least rate (CVE-2018-12122, CVE-2013-4450).
#include "test/shard/clocked.hpp"
#include "test/shard/on_both_kernels.hpp"

namespace pinion::test {
namespace {

constexpr unsigned DEADLINE_S = 10;
constexpr unsigned LEAST = shard::LEAST_BYTES_PER_SECOND;

template <class K>
class TrickleRig : public ReactorRig<Clocked<K>> {
public:
    TrickleRig() : ReactorRig<Clocked<K>>(settings()) {
        if (!this->failure.empty()) return;
        this->go_live();
        this->on_turn = [this] { answer_at_the_end(); };
        // What a client does not read is to stay in the arena.
        const int least = 4096;
        setsockopt(this->reactor->settings().listeners[0].fd, SOL_SOCKET, SO_SNDBUF, &least, sizeof least);
    }

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
    static shard::Settings settings() {
        constexpr std::uint32_t LONG = 3600'000;
        shard::Settings settings = small_settings();
        settings.timeouts = {.head = DEADLINE_S * 1000,
                             .body = DEADLINE_S * 1000,
                             .handler = LONG,
                             .write = DEADLINE_S * 1000,
                             .keep_alive = LONG,
                             .drain = LONG,
                             .spin = LONG};
        return settings;
    }
    void answer_at_the_end() {
        layout::Entry entry;
        ScriptedLane& worker = this->worker;
        while (worker.pop(entry)) {
            const std::uint32_t slot = entry.head >> 8;
            const auto type = EntryType(entry.head & 0xff);
            if (type == EntryType::request) worker.start(slot, entry.generation);
            if (type == EntryType::body) {
                worker.push(EntryType::consumed, slot, entry.generation, entry.argument, entry.argument2);
            }
            if (type == EntryType::body_end && entry.argument == 0) {
                worker.answer(slot, entry.generation, {.body = "whole"});
            }
            if (type == EntryType::abort) worker.give_back(slot, entry.generation);
        }
    }
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

REACTOR_TEST(Body,
             "trickle: a body has a least rate; what comes faster is no credit, and may take as long as it takes") {
    TrickleRig<K> rig;
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
