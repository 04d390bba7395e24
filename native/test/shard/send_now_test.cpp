// Answers that are sent from the lane's own memory: Reactor::send_now.
#include "test/shard/on_both_kernels.hpp"

namespace pinion::test {
namespace {

using Outcome = ScriptedLane::Outcome;

template <class K>
class NowRig : public ReactorRig<K> {
public:
    // As Reactor::send_now.
    std::int32_t now(Started at, std::string_view bytes) {
        return this->reactor->send_now(lane, at.slot, at.generation, bytes.data(), bytes.size());
    }
    bool not_now(Started at, std::string_view bytes = "bytes") { return now(at, bytes) == NOT_NOW; }

    // One that has taken an answer.
    std::unique_ptr<Peer> proven() {
        auto peer = this->connect();
        this->talk(*peer, get("/fixed"));
        CHECK_EQ(peer->in.answers.size(), 1u);
        return peer;
    }
    void begin(Started at, std::string_view body, double length) {
        const auto flags = std::uint8_t(length >= 0 ? layout::answer_flag::LENGTH_KNOWN : 0);
        REQUIRE(this->worker.answer(at.slot, at.generation, {.body = body, .flags = flags, .length = length}) ==
                Outcome::done);
    }

    static constexpr std::int32_t NOT_NOW = shard::Reactor<K>::NOT_NOW;
    const std::uint32_t lane = this->go_live();
};

REACTOR_TEST(Whole, "send_now: what comes next of a body, never more than it owes") {
    NowRig<K> rig;
    REQUIRE_EQ(rig.failure, "");
    auto peer = rig.proven();
    peer->write(get("/h/x"));
    const Started at = next_request(rig);
    CHECK(rig.not_now(at));
    const std::string body = pattern(16'000'000);
    rig.begin(at, body.substr(0, 1000), double(body.size()));
    CHECK(rig.not_now(at));  // nobody has read that
    rig.quiet();
    CHECK_EQ(rig.reactor->send_now(rig.lane + 1, at.slot, at.generation, "x", 1), rig.NOT_NOW);
    CHECK_EQ(rig.reactor->send_now(rig.lane, at.slot, at.generation + 1, "x", 1), rig.NOT_NOW);
    CHECK_EQ(rig.reactor->send_now(rig.lane, at.slot + 1, at.generation, "x", 1), rig.NOT_NOW);
    CHECK_EQ(rig.reactor->send_now(rig.lane, 1u << 31, at.generation, "x", 1), rig.NOT_NOW);
    const std::string more = body + "and more";
    std::size_t sent = 1000;
    std::int32_t now = 0;
    const auto send = [&] {
        while ((now = rig.now(at, std::string_view(more).substr(sent))) > 0) sent += std::size_t(now);
    };
    send();
    CHECK_EQ(now, 0);  // the socket is full
    REQUIRE(rig.until([&] {
        send();
        return sent >= body.size();
    }));
    CHECK_EQ(sent, body.size());
    CHECK(rig.not_now(at));
    rig.worker.end(at.slot, at.generation);
    REQUIRE(rig.until([&] { return peer->in.answers.size() == 2; }));
    CHECK(peer->in.answers[1].body == body);
    peer->write(get("/fixed"));
    CHECK(rig.until([&] { return peer->in.answers.size() == 3; }));
    rig.check_all_returned();
}

REACTOR_TEST(Between, "send_now: between parts, as soon as they have left") {
    NowRig<K> rig;
    REQUIRE_EQ(rig.failure, "");
    auto peer = rig.proven();
    peer->write(get("/h/x"));
    const Started at = next_request(rig);
    rig.begin(at, "", 8);
    rig.quiet();
    CHECK_EQ(rig.now(at, "ab"), 2);
    REQUIRE(rig.worker.part(at.slot, at.generation, "cd") == Outcome::done);
    rig.quiet();
    CHECK_EQ(rig.now(at, "ef"), 2);
    REQUIRE(rig.worker.part(at.slot, at.generation, "gh") == Outcome::done);
    rig.worker.end(at.slot, at.generation);
    REQUIRE(rig.until([&] { return peer->in.answers.size() == 2; }));
    CHECK_EQ(peer->in.answers[1].body, "abcdefgh");
    rig.check_all_returned();
}

REACTOR_TEST(Short, "send_now: an answer that ends before it is whole is broken off") {
    NowRig<K> rig;
    REQUIRE_EQ(rig.failure, "");
    auto peer = rig.proven();
    peer->write(get("/h/x"));
    const Started at = next_request(rig);
    rig.begin(at, "", 8);
    rig.quiet();
    CHECK_EQ(rig.now(at, "abcdefg"), 7);
    rig.worker.end(at.slot, at.generation);
    CHECK(rig.until([&] { return peer->ended; }));
    CHECK_EQ(peer->in.answers.size(), 1u);
    rig.check_all_returned();
}

REACTOR_TEST(Framed, "send_now: neither chunks, nor what only the end of the connection ends, nor for HEAD") {
    for (const std::string& request : {get("/h/x"), std::string("GET /h/x HTTP/1.0\r\n\r\n"),
                                       std::string("HEAD /h/x HTTP/1.1\r\nHost: test\r\n\r\n")}) {
        NowRig<K> rig;
        REQUIRE_EQ(rig.failure, "");
        auto peer = rig.proven();
        const bool head = request.starts_with("HEAD");
        peer->in.expect(head);
        peer->write(request);
        const Started at = next_request(rig);
        rig.begin(at, "", head ? 5 : -1);
        rig.quiet();
        CHECK(rig.not_now(at));
        rig.worker.part(at.slot, at.generation, "bytes");
        rig.quiet();
        CHECK(rig.not_now(at));
        rig.worker.end(at.slot, at.generation);
        REQUIRE(rig.until([&] { return peer->in.answers.size() == 2 || peer->ended; }));
        rig.quiet();
        rig.check_all_returned();
    }
}

REACTOR_TEST(Order, "send_now: not before earlier answers, nor to a client that has taken none yet") {
    NowRig<K> rig;
    REQUIRE_EQ(rig.failure, "");
    auto peer = rig.connect();
    peer->write(get("/h/a") + get("/h/b"));
    const Started first = next_request(rig);
    const Started second = next_request(rig);
    rig.begin(first, "", 5);
    rig.begin(second, "", 5);
    rig.quiet();
    CHECK(rig.not_now(first));
    CHECK(rig.not_now(second));
    rig.worker.part(first.slot, first.generation, "first");
    rig.worker.end(first.slot, first.generation);
    rig.quiet();
    CHECK(rig.not_now(second));
    rig.worker.part(second.slot, second.generation, "later");
    rig.worker.end(second.slot, second.generation);
    REQUIRE(rig.until([&] { return peer->in.answers.size() == 2; }));
    // Now it has taken all that it asked for.
    peer->write(get("/h/a") + get("/h/b"));
    const Started third = next_request(rig);
    const Started fourth = next_request(rig);
    rig.begin(third, "", 5);
    rig.begin(fourth, "", 5);
    rig.quiet();
    CHECK(rig.not_now(fourth));
    CHECK_EQ(rig.now(third, "third"), 5);
    CHECK(rig.not_now(fourth));
    rig.worker.end(third.slot, third.generation);
    rig.quiet();
    CHECK_EQ(rig.now(fourth, "other"), 5);
    rig.worker.end(fourth.slot, fourth.generation);
    REQUIRE(rig.until([&] { return peer->in.answers.size() == 4; }));
    CHECK_EQ(peer->in.answers[2].body, "third");
    CHECK_EQ(peer->in.answers[3].body, "other");
    rig.check_all_returned();
}

REACTOR_TEST(Gone, "send_now: to nobody") {
    NowRig<K> rig;
    REQUIRE_EQ(rig.failure, "");
    auto peer = rig.proven();
    peer->write(get("/h/x"));
    const Started at = next_request(rig);
    rig.begin(at, "", 1e9);
    rig.quiet();
    peer->close(true);
    REQUIRE(rig.until([&] { return rig.reactor->connection_count() == 0; }));
    CHECK(rig.not_now(at));
    rig.worker.give_back(at.slot, at.generation);
    rig.check_all_returned();
}

}  // namespace
}  // namespace pinion::test
