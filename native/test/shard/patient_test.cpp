// Clients that wait, or have ended their side, and are in the right: nobody is cut off for what is not theirs to do,
// and nobody is taken for somebody else.
#include <netinet/in.h>
#include <cerrno>

#include "test/shard/clocked.hpp"
#include "test/shard/on_both_kernels.hpp"

namespace pinion::test {
namespace {

constexpr std::uint32_t BODY_MS = 3000;
constexpr std::uint32_t KEEP_ALIVE_MS = 5000;

shard::Settings short_settings(std::uint32_t body_ms) {
    shard::Settings settings = small_settings();
    settings.timeouts.body = body_ms;
    settings.timeouts.keep_alive = KEEP_ALIVE_MS;
    settings.timeouts.handler = 20000;
    return settings;
}

const std::string EXPECTS = "POST /h/x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";

template <class K>
class PatientRig : public ReactorRig<Clocked<K>> {
public:
    explicit PatientRig(std::uint32_t body_ms = BODY_MS) : ReactorRig<Clocked<K>>(short_settings(body_ms)) {}

    void pass(std::uint64_t ms) {
        for (; ms > 0; ms -= std::min<std::uint64_t>(ms, 500)) {
            this->kernel.now_ms += std::min<std::uint64_t>(ms, 500);
            this->quiet(2);
        }
    }
};

}  // namespace

REACTOR_TEST(NotAskedFor, "patient: who waits for a 100 that nobody sends gets its answer, however long that takes") {
    PatientRig<K> rig;
    REQUIRE_EQ(rig.failure, "");
    rig.go_live();
    auto peer = rig.connect();
    peer->write(EXPECTS);
    const Started request = next_request(rig);
    rig.worker.answer(request.slot, request.generation, {.body = "first ", .flags = 0, .length = 10});
    rig.pass(4 * BODY_MS);
    CHECK(!peer->ended);
    const std::uint32_t part = rig.worker.take(16 + 4 + 2);
    REQUIRE(part != layout::NO_OFFSET);
    std::memcpy(rig.worker.at(part + 16), "last", 4);
    rig.worker.push(EntryType::part, request.slot, request.generation, part + 16, 4);
    CHECK(rig.worker.finish(request.slot, request.generation));
    rig.worker.push(EntryType::end, request.slot, request.generation);
    CHECK(rig.until([&] { return peer->in.answers.size() == 1; }));
    CHECK_EQ(peer->in.answers[0].body, "first last");
    CHECK(peer->in.interim.empty());
    rig.check_all_returned();
}

REACTOR_TEST(AskedForLate, "patient: the time for a body begins with the 100 that its client has waited for") {
    PatientRig<K> rig;
    REQUIRE_EQ(rig.failure, "");
    rig.go_live();
    auto peer = rig.connect();
    peer->write(EXPECTS);
    const Started request = next_request(rig);
    rig.pass(2 * BODY_MS);
    rig.worker.push(EntryType::continue_, request.slot, request.generation);
    CHECK(rig.until([&] { return peer->in.interim.size() == 1; }));
    rig.pass(BODY_MS - 1000);
    CHECK(peer->in.answers.empty());
    rig.pass(2000);
    CHECK(rig.until([&] { return peer->in.answers.size() == 1; }));
    CHECK_EQ(peer->in.answers[0].status, 408u);
    rig.check_all_returned();
}

REACTOR_TEST(UnwantedEnd, "patient: a half-close in a body that nobody wants harms no answer, before it or its own") {
    PatientRig<K> rig;
    REQUIRE_EQ(rig.failure, "");
    rig.go_live();
    auto peer = rig.connect();
    peer->write(get("/h/slow") + "POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc");
    const Started request = next_request(rig);
    rig.quiet();
    peer->shutdown_write();
    rig.quiet();
    rig.worker.answer(request.slot, request.generation, {.body = "slow"});
    CHECK(rig.until([&] { return peer->ended; }));
    CHECK(!peer->reset_seen);
    REQUIRE_EQ(peer->in.answers.size(), 2u);
    CHECK_EQ(peer->in.answers[0].body, "slow");
    CHECK_EQ(peer->in.answers[1].status, 404u);
    rig.check_all_returned();
}

REACTOR_TEST(RestingStream,
             "patient: a stream that says nothing outlives a half-close, and ends when its client is gone") {
    PatientRig<K> rig;
    REQUIRE_EQ(rig.failure, "");
    rig.go_live();
    for (const bool is_gone : {false, true}) {
        auto peer = rig.connect();
        peer->write(get("/h/events"));
        const Started request = next_request(rig);
        rig.worker.answer(request.slot, request.generation, {.body = "hello", .flags = 0});
        rig.pass(1000);
        peer->shutdown_write();
        rig.pass(2 * KEEP_ALIVE_MS);
        CHECK_EQ(rig.reactor->connection_count(), 1u);
        if (is_gone) peer->close(true);
        rig.pass(2 * KEEP_ALIVE_MS);
        CHECK_EQ(rig.reactor->connection_count(), is_gone ? 0u : 1u);
        if (is_gone) {
            rig.worker.give_back(request.slot, request.generation);
        } else {
            CHECK(rig.worker.finish(request.slot, request.generation));
            rig.worker.push(EntryType::end, request.slot, request.generation);
            CHECK(rig.until([&] { return peer->ended; }));
            CHECK_EQ(peer->in.answers.size(), 1u);
        }
        rig.peers.clear();
    }
    rig.check_all_returned();
}

REACTOR_TEST(Behind, "patient: a handler whose request waits behind a stream has no more time than any other") {
    PatientRig<K> rig;
    REQUIRE_EQ(rig.failure, "");
    rig.go_live();
    auto peer = rig.connect();
    peer->write(get("/h/stream") + get("/h/never"));
    const Started stream = next_request(rig);
    const Started never = next_request(rig);
    rig.worker.answer(stream.slot, stream.generation, {.body = "stream", .flags = 0});
    rig.pass(10000);
    peer->write(get("/h/later"));
    const Started later = next_request(rig);
    layout::Entry entry;
    rig.pass(9000);
    CHECK(!rig.worker.pop(entry));
    rig.pass(2000);
    REQUIRE(rig.worker.pop(entry));
    CHECK_EQ(entry.head, never.slot << 8 | std::uint32_t(EntryType::abort));
    CHECK_EQ(entry.argument, std::uint32_t(layout::AbortReason::timed_out));
    CHECK(!rig.worker.pop(entry));
    rig.worker.give_back(never.slot, never.generation);
    // Who came later has its own time.
    rig.worker.answer(later.slot, later.generation, {.body = "later"});
    CHECK(peer->in.answers.empty());
    CHECK(rig.worker.finish(stream.slot, stream.generation));
    rig.worker.push(EntryType::end, stream.slot, stream.generation);
    CHECK(rig.until([&] { return peer->in.answers.size() == 3; }));
    CHECK_EQ(peer->in.answers[0].body, "stream");
    CHECK_EQ(peer->in.answers[1].status, 504u);
    CHECK_EQ(peer->in.answers[2].body, "later");
    rig.check_all_returned();
}

REACTOR_TEST(GoneUnheard, "patient: a client that goes while nothing is read of it is missed all the same") {
    PatientRig<K> rig;
    REQUIRE_EQ(rig.failure, "");
    rig.go_live();
    // A body that its handler does not read; and one that has ended its sending side.
    for (const bool sends : {true, false}) {
        auto peer = rig.connect();
        peer->write(sends
                        ? "POST /h/x HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n" + std::string(300000, 'x')
                        : get("/h/x"));
        const Started request = next_request(rig);
        if (!sends) peer->shutdown_write();
        std::vector<layout::Entry> parts;
        bool aborted = false;
        rig.on_turn = [&] {
            for (layout::Entry entry; rig.worker.pop(entry);) {
                if (EntryType(entry.head & 0xff) == EntryType::body) parts.push_back(entry);
                aborted |= EntryType(entry.head & 0xff) == EntryType::abort &&
                           layout::AbortReason(entry.argument) == layout::AbortReason::client_gone;
            }
        };
        rig.pass(4000);
        CHECK_EQ(rig.reactor->connection_count(), 1u);
        CHECK(!aborted);
        peer->close(true);
        rig.pass(2000);
        CHECK_EQ(rig.reactor->connection_count(), 0u);
        CHECK(aborted);
        for (const layout::Entry& part : parts) {
            rig.worker.push(EntryType::consumed, part.head >> 8, part.generation, part.argument, part.argument2);
        }
        rig.worker.give_back(request.slot, request.generation);
        rig.on_turn = nullptr;
        rig.peers.clear();
    }
    rig.check_all_returned();
}

REACTOR_TEST(EndUnheard,
             "patient: a half-close behind bytes that nobody reads is told, once, and they are read all the same") {
    PatientRig<K> rig;
    REQUIRE_EQ(rig.failure, "");
    rig.go_live();
    constexpr std::size_t LENGTH = 100000;
    auto peer = rig.connect();
    peer->write("POST /h/x HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(LENGTH) + "\r\n\r\n" +
                std::string(LENGTH, 'x'));
    const Started request = next_request(rig);
    std::vector<layout::Entry> parts;
    std::vector<layout::Entry> others;
    rig.on_turn = [&] {
        for (layout::Entry entry; rig.worker.pop(entry);) {
            (EntryType(entry.head & 0xff) == EntryType::body ? parts : others).push_back(entry);
        }
    };
    rig.pass(1500);
    CHECK_EQ(others.size(), 0u);
    peer->shutdown_write();
    rig.pass(4000);
    REQUIRE_EQ(others.size(), 1u);
    CHECK_EQ(EntryType(others[0].head & 0xff), EntryType::abort);
    CHECK_EQ(layout::AbortReason(others[0].argument), layout::AbortReason::half_closed);
    std::size_t received = 0;
    const auto consume = [&] {
        for (const layout::Entry& part : std::exchange(parts, {})) {
            received += part.argument2;
            rig.worker.push(EntryType::consumed, part.head >> 8, part.generation, part.argument, part.argument2);
        }
    };
    consume();
    CHECK(received < LENGTH);  // the rest was not read before
    CHECK(rig.until([&] { return consume(), others.size() == 2; }));
    CHECK_EQ(received, LENGTH);
    CHECK_EQ(EntryType(others[1].head & 0xff), EntryType::body_end);
    CHECK_EQ(others[1].argument, 0u);
    rig.worker.answer(request.slot, request.generation, {.body = "whole"});
    CHECK(rig.until([&] { return peer->ended; }));
    REQUIRE_EQ(peer->in.answers.size(), 1u);
    CHECK_EQ(peer->in.answers[0].body, "whole");
    CHECK_EQ(others.size(), 2u);
    rig.on_turn = nullptr;
    rig.check_all_returned();
}

REACTOR_TEST(WantedUploads, "patient: while uploads wait to begin, those that hardly come give way, and no others") {
    constexpr unsigned UPLOADS = 8;  // half of the slots
    PatientRig<K> rig(12000);
    REQUIRE_EQ(rig.failure, "");
    rig.go_live();
    const std::string head = "POST /h/up HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n";
    std::vector<std::unique_ptr<Peer>> peers;
    std::vector<Started> uploads;
    const auto begin = [&] {
        peers.push_back(rig.connect());
        peers.back()->write(head);
    };
    rig.on_turn = [&] {
        for (layout::Entry entry; rig.worker.pop(entry);) {
            if (EntryType(entry.head & 0xff) == EntryType::body) {
                rig.worker.push(EntryType::consumed, entry.head >> 8, entry.generation, entry.argument,
                                entry.argument2);
            }
            if (EntryType(entry.head & 0xff) == EntryType::abort)
                rig.worker.give_back(entry.head >> 8, entry.generation);
            if (EntryType(entry.head & 0xff) != EntryType::request) continue;
            if (rig.worker.start(entry.head >> 8, entry.generation))
                uploads.push_back({entry.head >> 8, entry.generation});
        }
    };
    // The first sends what an honest line brings, the second little more than the least rate, the others are between.
    const auto seconds = [&](unsigned count) {
        for (unsigned n = 0; n < 4 * count; ++n) {
            for (unsigned at = 0; at < peers.size(); ++at) {
                if (!peers[at]->ended) peers[at]->write(std::string(at == 0 ? 5000 : at == 1 ? 150 : 1500, 'x'));
            }
            rig.pass(250);
        }
    };
    for (unsigned n = 0; n < UPLOADS; ++n) begin();
    seconds(15);
    CHECK_EQ(uploads.size(), UPLOADS);
    CHECK_EQ(rig.reactor->connection_count(), UPLOADS);
    begin();
    seconds(3);
    CHECK_EQ(uploads.size(), UPLOADS + 1);  // one for one, and the slowest first
    CHECK(peers[1]->ended);
    CHECK(!peers[2]->ended);
    for (unsigned n = 0; n < UPLOADS - 2; ++n) begin();
    seconds(7);
    CHECK_EQ(uploads.size(), 2 * UPLOADS - 1);
    CHECK(!peers.front()->ended);
    for (unsigned n = 1; n < UPLOADS; ++n) {
        CHECK(peers[n]->ended);
        REQUIRE_EQ(peers[n]->in.answers.size(), 1u);
        CHECK_EQ(peers[n]->in.answers[0].status, 408u);
    }
    // Those that have waited have their time: nobody waits for them.
    for (unsigned n = UPLOADS; n < peers.size(); ++n) CHECK(!peers[n]->ended);
    rig.check_all_returned();
}

REACTOR_TEST(NobodyElse, "patient: who has been answered has no address any more, least of all that of who came next") {
    PatientRig<K> rig;
    REQUIRE_EQ(rig.failure, "");
    rig.go_live();
    auto first = rig.connect();
    first->write(get("/h/x"));
    const Started request = next_request(rig);
    sockaddr_storage address{};
    CHECK_EQ(rig.reactor->remote_address(request.slot, request.generation, &address), 0);
    rig.pass(21000);
    CHECK(rig.until([&] { return first->in.answers.size() == 1; }));
    CHECK_EQ(first->in.answers[0].status, 504u);
    CHECK_EQ(rig.reactor->remote_address(request.slot, request.generation, &address), -ENOTCONN);
    first->close(true);
    CHECK(rig.until([&] { return rig.reactor->connection_count() == 0; }));
    auto second = rig.connect();
    CHECK_EQ(rig.talk(*second, get("/fixed")).size(), 1u);
    CHECK_EQ(rig.reactor->remote_address(request.slot, request.generation, &address), -ENOTCONN);
    // What its handler still says about the body concerns nobody.
    rig.worker.push(EntryType::body_discard, request.slot, request.generation);
    rig.quiet();
    CHECK_EQ(rig.talk(*second, get("/fixed"), 2).size(), 2u);
    rig.worker.give_back(request.slot, request.generation);
    rig.check_all_returned();
}

}  // namespace pinion::test
