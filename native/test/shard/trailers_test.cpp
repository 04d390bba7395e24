// Trailer fields through a reactor, both ways, on both real kernels (RFC 9112 §7.1.2).
#include "test/shard/on_both_kernels.hpp"

namespace pinion::test {
namespace {

const std::string TRAILERS = "A: b\r\nContent-Digest: sha-256=:x:\r\nEmpty:\r\n";

std::string post(const std::string& chunks) {
    return "POST /h/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks;
}

// What the worker has got of one request.
struct Received {
    Started request{layout::NO_OFFSET, 0};
    std::string body = {};
    std::string trailers = {};
    std::size_t pieces = 0;  // of the trailers
    bool ended = false;
    bool broken = false;

    // One that was refused before it was started has given itself back.
    template <class K>
    void give_back(ReactorRig<K>& rig) {
        if (request.slot != layout::NO_OFFSET) rig.worker.give_back(request.slot, request.generation);
    }

    template <class K>
    void take(ReactorRig<K>& rig, bool consume = true) {
        layout::Entry entry;
        while (rig.worker.pop(entry)) {
            const EntryType type = EntryType(entry.head & 0xff);
            if (type == EntryType::request) {
                const Started next{entry.head >> 8, entry.generation};
                if (rig.worker.start(next.slot, next.generation)) request = next;
            }
            if (type == EntryType::body) body.append(rig.worker.at(entry.argument), entry.argument2);
            if (type == EntryType::trailers) {
                CHECK(!ended);
                trailers.append(rig.worker.at(entry.argument), entry.argument2);
                ++pieces;
            }
            if (shard::is_body_part(type) && consume) {
                rig.worker.push(EntryType::consumed, entry.head >> 8, entry.generation, entry.argument,
                                entry.argument2);
            }
            if (type == EntryType::body_end) (entry.argument == 0 ? ended : broken) = true;
        }
    }
};

REACTOR_TEST(Cut,
             "reactor: trailers arrive before the body's end, wherever they are cut; the next request is its own") {
    ReactorRig<K> rig;
    REQUIRE_EQ(rig.failure, "");
    rig.go_live();
    const std::string request = post("3\r\nabc\r\n0\r\n" + TRAILERS + "\r\n");
    const std::string bytes = request + get("/fixed");
    auto peer = rig.connect();
    unsigned answered = 0;
    // Those behind the data; and once every byte alone.
    for (std::size_t cut = bytes.find("abc"); cut <= request.size() + 1; ++cut) {
        Received received;
        std::size_t sent = 0;
        if (cut > request.size()) {
            for (; sent < bytes.size(); ++sent) {
                peer->write(bytes.substr(sent, 1));
                rig.quiet(2);
                received.take(rig);
            }
        } else {
            peer->write(bytes.substr(0, cut));
            rig.quiet(3);
            received.take(rig);
            peer->write(bytes.substr(cut));
        }
        CHECK(rig.until([&] {
            received.take(rig);
            return received.ended;
        }));
        CHECK_EQ(received.body, "abc");
        CHECK_EQ(received.trailers, TRAILERS);
        rig.worker.answer(received.request.slot, received.request.generation, {.body = "first"});
        answered += 2;
        REQUIRE(rig.until([&] { return peer->in.answers.size() == answered; }));
        CHECK_EQ(peer->in.answers[answered - 2].body, "first");
        CHECK_EQ(peer->in.answers[answered - 1].body, "fixed\n");
    }
    rig.check_all_returned();
}

REACTOR_TEST(None, "reactor: a body without trailers has no entry for them") {
    ReactorRig<K> rig;
    REQUIRE_EQ(rig.failure, "");
    rig.go_live();
    auto peer = rig.connect();
    Received received;
    for (const char byte : post("3\r\nabc\r\n0\r\n\r\n")) {
        peer->write({&byte, 1});
        rig.quiet(2);
        received.take(rig);
    }
    CHECK(rig.until([&] {
        received.take(rig);
        return received.ended;
    }));
    CHECK_EQ(received.pieces, 0u);
    rig.check_all_returned();
}

REACTOR_TEST(Limit, "reactor: trailers up to 16 KiB, over it a 413") {
    ReactorRig<K> rig;
    REQUIRE_EQ(rig.failure, "");
    rig.go_live();
    for (const std::size_t value : {16384u - 5, 16384u - 4}) {
        auto peer = rig.connect();
        const std::string line = "X: " + std::string(value, 'v') + "\r\n";
        const bool fits = line.size() <= 16384;
        peer->write(post("0\r\n" + line + "\r\n"));
        Received received;
        CHECK(rig.until([&] {
            received.take(rig);
            return received.ended || !peer->in.answers.empty();
        }));
        CHECK_EQ(received.ended, fits);
        if (fits) {
            CHECK_EQ(received.trailers, line);
            rig.worker.answer(received.request.slot, received.request.generation, {.body = "ok"});
        } else {
            REQUIRE_EQ(peer->in.answers.size(), 1u);
            CHECK_EQ(peer->in.answers[0].status, 413u);
            received.give_back(rig);
        }
        CHECK(rig.until([&] { return peer->in.answers.size() == 1; }));
        rig.quiet();
        rig.peers.clear();
    }
    rig.check_all_returned();
}

REACTOR_TEST(Refused, "reactor: trailers that speak of framing, or are malformed, are a 400") {
    ReactorRig<K> rig;
    REQUIRE_EQ(rig.failure, "");
    rig.go_live();
    for (const char* const line : {"Content-Length: 3\r\n", "transfer-encoding: chunked\r\n", "A : b\r\n", " A: b\r\n",
                                   "A: \x01\r\n", "A\r\n", "A: b\n"}) {
        auto peer = rig.connect();
        peer->write(post(std::string("0\r\nFirst: 1\r\n") + line + "\r\n") + get("/fixed"));
        Received received;
        CHECK(rig.until([&] {
            received.take(rig);
            return peer->in.answers.size() == 1;
        }));
        CHECK(!received.ended);
        REQUIRE_EQ(peer->in.answers.size(), 1u);
        CHECK_EQ(peer->in.answers[0].status, 400u);
        CHECK(rig.until([&] { return peer->ended; }));
        CHECK_EQ(peer->in.answers.size(), 1u);
        received.take(rig);
        received.give_back(rig);
        rig.quiet();
        rig.peers.clear();
    }
    rig.check_all_returned();
}

REACTOR_TEST(Discarded, "reactor: trailers of a body that nobody wants go nowhere") {
    ReactorRig<K> rig;
    REQUIRE_EQ(rig.failure, "");
    rig.go_live();
    auto peer = rig.connect();
    peer->write(post("3\r\nabc\r\n"));
    Received received;
    CHECK(rig.until([&] {
        received.take(rig);
        return received.body == "abc";
    }));
    rig.worker.push(EntryType::body_discard, received.request.slot, received.request.generation);
    rig.quiet();
    peer->write("0\r\n" + TRAILERS + "\r\n" + get("/fixed"));
    rig.quiet();
    rig.worker.answer(received.request.slot, received.request.generation, {.body = "first"});
    CHECK(rig.until([&] { return peer->in.answers.size() == 2; }));
    received.take(rig);
    CHECK_EQ(received.pieces, 0u);
    rig.check_all_returned();
}

REACTOR_TEST(Requeued,
             "reactor: trailers of a request that waits go with it to the next lane; the dead one's come back") {
    ReactorRig<K> rig;
    REQUIRE_EQ(rig.failure, "");
    const std::uint32_t lane = rig.go_live();
    auto started = rig.connect();
    started->write(post("0\r\n" + TRAILERS + "\r\n"));
    Received held;
    CHECK(rig.until([&] {
        held.take(rig, false);
        return held.ended;
    }));
    CHECK_EQ(held.trailers, TRAILERS);
    auto queued = rig.connect();
    queued->write(post("3\r\nabc\r\n0\r\n" + TRAILERS + "\r\n"));
    CHECK(rig.until([&] { return rig.worker.unread() == 4; }));
    rig.reactor->quarantine_lane(lane);
    rig.go_live();
    rig.reactor->release_lane(lane);
    Received received;
    CHECK(rig.until([&] {
        received.take(rig);
        return received.ended;
    }));
    CHECK_EQ(received.body, "abc");
    CHECK_EQ(received.trailers, TRAILERS);
    rig.worker.answer(received.request.slot, received.request.generation, {.body = "served"});
    CHECK(rig.until([&] { return queued->in.answers.size() == 1; }));
    CHECK_EQ(queued->in.answers[0].body, "served");
    rig.check_all_returned();
}

REACTOR_TEST(Twice, "reactor: trailers that are given back twice break their lane") {
    ReactorRig<K> rig;
    REQUIRE_EQ(rig.failure, "");
    const std::uint32_t lane = rig.go_live();
    auto peer = rig.connect();
    peer->write(post("0\r\n" + TRAILERS + "\r\n"));
    layout::Entry trailers{};
    CHECK(rig.until([&] {
        layout::Entry entry;
        while (rig.worker.pop(entry)) {
            if (EntryType(entry.head & 0xff) == EntryType::trailers) trailers = entry;
        }
        return trailers.argument2 > 0;
    }));
    for (int times = 0; times < 2; ++times) {
        CHECK(!rig.reactor->lane_broken(lane));
        rig.worker.push(EntryType::consumed, trailers.head >> 8, trailers.generation, trailers.argument,
                        trailers.argument2);
        rig.quiet(2);
    }
    CHECK(rig.reactor->lane_broken(lane));
    rig.check_all_returned();
}

REACTOR_TEST(Sent, "reactor: trailers are sent behind the last chunk, and only there") {
    ReactorRig<K> rig;
    REQUIRE_EQ(rig.failure, "");
    rig.go_live();
    const std::string fields = encoded_field("Server-Timing", "db;dur=1") + encoded_field("X", "");
    const auto answer = [&](Peer& peer, const std::string& request, double length) {
        peer.write(request);
        const Started at = next_request(rig);
        const std::uint8_t flags = length < 0 ? 0 : layout::answer_flag::LENGTH_KNOWN;
        rig.worker.answer(at.slot, at.generation, {.body = "body", .flags = flags, .length = length});
        CHECK(rig.worker.end_with_trailers(at.slot, at.generation, fields) == ScriptedLane::Outcome::done);
    };
    auto peer = rig.connect();
    const std::string head = "HEAD /h/x HTTP/1.1\r\nHost: a\r\n\r\n";
    for (const bool is_head : {false, false, true, false}) peer->in.expect(is_head);
    answer(*peer, get("/h/x"), -1);
    answer(*peer, get("/h/x"), 4);
    answer(*peer, head, -1);
    peer->write(get("/fixed"));
    REQUIRE(rig.until([&] { return peer->in.answers.size() == 4; }));
    CHECK(!peer->in.malformed);
    CHECK_EQ(peer->in.answers[0].body, "body");
    CHECK_EQ(peer->in.answers[0].trailers, "Server-Timing: db;dur=1\r\nX: \r\n");
    CHECK_EQ(peer->in.answers[1].body, "body");
    CHECK_EQ(peer->in.answers[3].body, "fixed\n");
    for (std::size_t n = 1; n < 4; ++n) CHECK_EQ(peer->in.answers[n].trailers, "");
    auto old = rig.connect();
    answer(*old, "GET /h/x HTTP/1.0\r\n\r\n", -1);
    CHECK(rig.until([&] { return old->ended; }));
    CHECK(old->in.ended());
    REQUIRE_EQ(old->in.answers.size(), 1u);
    CHECK_EQ(old->in.answers[0].body, "body");
    rig.check_all_returned();
}

REACTOR_TEST(Abandoned, "reactor: trailers of an answer that nobody waits for any more are dropped") {
    ReactorRig<K> rig;
    REQUIRE_EQ(rig.failure, "");
    const std::uint32_t lane = rig.go_live();
    auto peer = rig.connect();
    peer->write(get("/h/x"));
    const Started at = next_request(rig);
    rig.worker.answer(at.slot, at.generation, {.body = "body", .flags = 0});
    rig.quiet();
    // Its slot says that it is answered before the client goes; its entry comes after.
    REQUIRE(rig.worker.finish(at.slot, at.generation));
    peer->close(true);
    CHECK(rig.until([&] { return rig.reactor->connection_count() == 0; }));
    const std::string fields = encoded_field("A", "b");
    const std::uint32_t begin = rig.worker.take(std::uint32_t(fields.size()) + 18);
    std::memcpy(rig.worker.at(begin + 16), fields.data(), fields.size());
    rig.worker.push(EntryType::end, at.slot, at.generation, begin + 16, std::uint32_t(fields.size()));
    CHECK(rig.until([&] { return rig.reactor->slots_used() == 0; }));
    CHECK(!rig.reactor->lane_broken(lane));
    rig.check_all_returned();
}

}  // namespace
}  // namespace pinion::test
