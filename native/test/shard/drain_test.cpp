// Draining: every request that is under way is answered, then its connection ends.
#include <string>
#include <vector>

#include "test/shard/on_both_kernels.hpp"

namespace pinion::test {
namespace {

constexpr unsigned COUNT = 5;

template <class K>
std::vector<Started> start_pipelined(ReactorRig<K>& rig, Peer& peer) {
    std::string text;
    for (unsigned n = 0; n < COUNT; ++n) text += get("/h/" + std::to_string(n));
    peer.write(text);
    std::vector<Started> started;
    for (unsigned n = 0; n < COUNT; ++n) started.push_back(next_request(rig));
    return started;
}

template <class K>
void answer(ReactorRig<K>& rig, const Started& started, unsigned n) {
    const std::string body = "answer " + std::to_string(n);
    rig.worker.answer(started.slot, started.generation, {.body = body});
    rig.quiet(2);
}

void in_order(const Peer& peer) {
    CHECK_EQ(peer.in.answers.size(), COUNT);
    for (unsigned n = 0; n < peer.in.answers.size(); ++n) {
        CHECK_EQ(peer.in.answers[n].body, "answer " + std::to_string(n));
    }
    CHECK(!peer.reset_seen);
}

REACTOR_TEST(DrainPipelined,
             "reactor: draining, all requests that handlers have begun are answered, the last one says so") {
    for (const bool reverse : {false, true}) {
        ReactorRig<K> rig;
        REQUIRE_EQ(rig.failure, "");
        rig.go_live();
        auto peer = rig.connect();
        const std::vector<Started> started = start_pipelined(rig, *peer);
        rig.reactor->drain();
        for (unsigned n = 0; n < COUNT; ++n)
            answer(rig, started[reverse ? COUNT - 1 - n : n], reverse ? COUNT - 1 - n : n);
        CHECK(rig.until([&] { return peer->ended; }));
        in_order(*peer);
        for (unsigned n = 0; n < peer->in.answers.size(); ++n) CHECK_EQ(peer->in.answers[n].close, n + 1 == COUNT);
        CHECK(rig.until([&] { return rig.reactor->drained(); }));
        rig.check_all_returned();
    }
}

REACTOR_TEST(DrainAnswered,
             "reactor: draining, answers that wait for an earlier one leave behind it, and the connection ends") {
    ReactorRig<K> rig;
    REQUIRE_EQ(rig.failure, "");
    rig.go_live();
    auto peer = rig.connect();
    const std::vector<Started> started = start_pipelined(rig, *peer);
    for (unsigned n = 1; n < COUNT; ++n) answer(rig, started[n], n);
    rig.reactor->drain();
    answer(rig, started[0], 0);
    CHECK(rig.until([&] { return peer->ended; }));
    in_order(*peer);
    rig.check_all_returned();
}

REACTOR_TEST(DrainStream, "reactor: draining, a stream that has begun ends whole, and its connection with it") {
    ReactorRig<K> rig;
    REQUIRE_EQ(rig.failure, "");
    rig.go_live();
    auto peer = rig.connect();
    peer->write(get("/h/stream"));
    const Started started = next_request(rig);
    rig.worker.answer(started.slot, started.generation, {.body = "one ", .flags = 0});
    rig.quiet();
    rig.reactor->drain();
    rig.worker.part(started.slot, started.generation, "two");
    rig.worker.end(started.slot, started.generation);
    CHECK(rig.until([&] { return peer->ended; }));
    REQUIRE_EQ(peer->in.answers.size(), 1u);
    CHECK_EQ(peer->in.answers[0].body, "one two");
    CHECK(!peer->reset_seen);
    rig.check_all_returned();
}

REACTOR_TEST(DrainUnread, "reactor: draining, what comes behind the request that is the last one is not begun") {
    ReactorRig<K> rig;
    REQUIRE_EQ(rig.failure, "");
    rig.go_live();
    auto peer = rig.connect();
    peer->write(get("/h/0") + get("/h/1"));
    const Started first = next_request(rig);
    const Started second = next_request(rig);
    rig.reactor->drain();
    // Its answer waits for the first one's, and says that it is the last.
    answer(rig, second, 1);
    peer->write(get("/h/2"));
    rig.quiet(20);
    CHECK_EQ(rig.worker.unread(), 0u);
    answer(rig, first, 0);
    CHECK(rig.until([&] { return peer->ended; }));
    REQUIRE_EQ(peer->in.answers.size(), 2u);
    CHECK(!peer->in.answers[0].close);
    CHECK(peer->in.answers[1].close);
    CHECK(!peer->reset_seen);
    rig.check_all_returned();
}

}  // namespace
}  // namespace pinion::test
