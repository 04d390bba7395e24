// Connections that have not taken an answer yet: what a turn does for many of them at once, and for others meanwhile.
#include "test/shard/clocked.hpp"
#include "test/shard/on_both_kernels.hpp"

namespace pinion::test {
namespace {

shard::Settings roomy_settings() {
    shard::Settings settings = small_settings();
    settings.limits.slots = 64;
    settings.limits.arena_bytes = 1024 * layout::SEGMENT_BYTES;
    return settings;
}

template <class K>
std::vector<std::unique_ptr<Peer>> connect_many(ReactorRig<K>& rig, unsigned count, const std::string& path) {
    std::vector<std::unique_ptr<Peer>> peers;
    for (unsigned n = 0; n < count; ++n) {
        peers.push_back(rig.connect());
        peers.back()->write(get(path + std::to_string(n)));
    }
    return peers;
}

REACTOR_TEST(NewcomersQueue,
             "newcomers: few of their requests are on the lane, those of the proven come behind these") {
    ReactorRig<K> rig(roomy_settings());
    REQUIRE_EQ(rig.failure, "");
    rig.go_live();
    auto proven = rig.connect();
    CHECK_EQ(rig.talk(*proven, get("/fixed")).size(), 1u);
    auto newcomers = connect_many(rig, 20, "/h/");
    rig.quiet();
    CHECK_EQ(rig.worker.unread(), 4u);
    // While no handler takes anything, those who need none go on, newcomers too; and nobody's turns are in vain.
    auto native = rig.connect();
    CHECK_EQ(rig.talk(*native, get("/fixed")).size(), 1u);
    CHECK(!rig.reactor->turn_owed());
    for (unsigned n = 0; n < 3; ++n) proven->write(get("/h/proven"));
    rig.quiet();
    CHECK_EQ(rig.worker.unread(), 7u);
    unsigned of_proven = 0;
    for (unsigned n = 0; n < 23; ++n) {
        const Started started = next_request(rig);
        const bool is_proven = rig.worker.path(started.slot) == "/h/proven";
        CHECK_EQ(is_proven, n >= 4 && n < 7);
        of_proven += is_proven;
        rig.worker.answer(started.slot, started.generation, {.body = "served"});
        rig.quiet(2);
    }
    CHECK_EQ(of_proven, 3u);
    for (const auto& newcomer : newcomers) {
        REQUIRE_EQ(newcomer->in.answers.size(), 1u);
        CHECK_EQ(newcomer->in.answers[0].status, 200u);
    }
    rig.check_all_returned();
}

REACTOR_TEST(NewcomersShare, "newcomers: where others keep the lane full, one of theirs comes for two that it takes") {
    ReactorRig<K> rig(roomy_settings());
    REQUIRE_EQ(rig.failure, "");
    rig.go_live();
    std::vector<std::unique_ptr<Peer>> busy;
    for (unsigned n = 0; n < 10; ++n) {
        busy.push_back(rig.connect());
        CHECK_EQ(rig.talk(*busy.back(), get("/fixed")).size(), 1u);
        busy.back()->write(get("/h/busy/" + std::to_string(n)));
    }
    rig.quiet();
    auto newcomers = connect_many(rig, 3, "/h/new/");
    rig.quiet();
    unsigned served = 0;
    for (unsigned n = 0; n < 40; ++n) {
        const Started started = next_request(rig);
        const std::string path(rig.worker.path(started.slot));
        rig.worker.answer(started.slot, started.generation, {.body = path});
        rig.quiet(2);
        if (path.substr(0, 7) == "/h/new/") {
            ++served;
        } else {
            busy[std::stoul(path.substr(8))]->write(get(path));  // asks again at once
            rig.quiet(2);
        }
    }
    CHECK_EQ(served, 3u);
    for (unsigned left = rig.worker.unread(); left > 0; --left) {
        const Started started = next_request(rig);
        rig.worker.answer(started.slot, started.generation, {.body = "served"});
        rig.quiet(2);
    }
    for (const auto& newcomer : newcomers) CHECK_EQ(newcomer->in.answers.size(), 1u);
    rig.check_all_returned();
}

REACTOR_TEST(NewcomersCrowd, "newcomers: more than a turn hears and sends to are all served, in several turns") {
    ReactorRig<K> rig(roomy_settings());
    REQUIRE_EQ(rig.failure, "");
    rig.go_live();
    std::vector<std::unique_ptr<Peer>> peers;
    for (unsigned n = 0; n < 40; ++n) {
        peers.push_back(std::make_unique<Peer>(rig.address));
        rig.watch(*peers.back());
        peers.back()->write(get("/large") + get("/fixed"));
    }
    const std::uint64_t before = rig.reactor->counters().turns[0] + rig.reactor->counters().turns[1];
    CHECK(rig.until([&] {
        return std::all_of(peers.begin(), peers.end(), [](const auto& peer) { return peer->in.answers.size() == 2; });
    }));
    // 40 times 20,000 bytes; by 128 KiB, or 8 connections.
    CHECK(rig.reactor->counters().turns[0] + rig.reactor->counters().turns[1] - before >= 5);
    for (const auto& peer : peers) CHECK_EQ(peer->in.answers[0].body.size(), 20000u);
    rig.check_all_returned();
}

// --- on the test's clock: how long they wait ---

template <class K>
class PacedRig : public ReactorRig<Clocked<K>> {
public:
    explicit PacedRig(const shard::Admission& admission) : ReactorRig<Clocked<K>>(settings(admission)) {
        if (this->failure.empty()) this->go_live();
    }

    // A client that has taken an answer.
    std::unique_ptr<Peer> proven() {
        auto peer = this->connect();
        CHECK_EQ(this->talk(*peer, get("/fixed")).size(), 1u);
        return peer;
    }
    // The next request is served, and that takes so long. Its path; empty: there is none.
    std::string serve(std::uint32_t ms) {
        layout::Entry entry;
        std::string path;
        while (path.empty() && this->worker.pop(entry)) {
            const std::uint32_t slot = entry.head >> 8;
            if (EntryType(entry.head & 0xff) != EntryType::request) continue;
            if (!this->worker.start(slot, entry.generation)) continue;
            path = this->worker.path(slot);
            this->worker.answer(slot, entry.generation, {.body = path});
        }
        this->kernel.now_ms += ms;
        this->quiet();
        return path;
    }
    static unsigned answered(const std::vector<std::unique_ptr<Peer>>& peers, unsigned status) {
        return unsigned(std::count_if(peers.begin(), peers.end(), [&](const auto& peer) {
            return !peer->in.answers.empty() && peer->in.answers.back().status == status;
        }));
    }

private:
    static shard::Settings settings(const shard::Admission& admission) {
        shard::Settings settings = roomy_settings();
        settings.admission = admission;
        settings.limits.slots = 128;
        return settings;
    }
};

REACTOR_TEST(NewcomersLate, "newcomers: who has waited for too long in a standing queue is refused, nobody else") {
    PacedRig<K> rig({.target_ms = 250, .interval_ms = 500});
    REQUIRE_EQ(rig.failure, "");
    auto proven = rig.proven();
    auto early = connect_many(rig, 20, "/h/early/");
    rig.quiet(50);  // accepted and heard in several turns
    for (unsigned n = 0; n < 5; ++n) CHECK_EQ(rig.serve(90), "/h/early/" + std::to_string(n));
    auto late = connect_many(rig, 3, "/h/late/");
    rig.quiet(20);
    CHECK_EQ(rig.answered(early, 503), 0u);
    // Those on the lane, too, have waited for 510 ms now. Who comes now is refused at once.
    CHECK_EQ(rig.serve(60), "/h/early/5");
    CHECK_EQ(rig.answered(early, 200), 6u);
    CHECK_EQ(rig.answered(early, 503), 14u);
    CHECK_EQ(rig.answered(late, 503), 0u);
    // The others have not noticed.
    proven->write(get("/h/proven"));
    std::vector<std::string> served;
    for (unsigned n = 0; n < 4; ++n) served.push_back(rig.serve(1));
    const std::vector<std::string> wanted = {"/h/late/0", "/h/late/1", "/h/late/2", "/h/proven"};
    CHECK(served == wanted);
    CHECK_EQ(proven->in.answers.back().status, 200u);
    rig.check_all_returned();
}

REACTOR_TEST(NewcomersInVain, "newcomers: who would wait in vain behind the proven is refused at once") {
    PacedRig<K> rig({.target_ms = 250, .interval_ms = 1000});
    REQUIRE_EQ(rig.failure, "");
    // More than the worker can do: whose request is served asks again. 10 ms each, so that the pace is known.
    std::vector<std::unique_ptr<Peer>> busy;
    for (unsigned n = 0; n < 10; ++n) {
        busy.push_back(rig.proven());
        busy.back()->write(get("/h/busy/" + std::to_string(n)));
    }
    rig.quiet();
    const auto serve = [&] {
        const std::string path = rig.serve(10);
        if (path.substr(0, 8) == "/h/busy/") busy[std::stoul(path.substr(8))]->write(get(path));
        rig.quiet();
    };
    for (unsigned n = 0; n < 19; ++n) serve();
    std::vector<std::unique_ptr<Peer>> in_time;
    for (unsigned n = 0; n < 5; ++n) in_time.push_back(rig.connect());
    rig.quiet(20);
    serve();
    // One enters the lane for two that it takes: the 13th would wait for 250 ms, and on the lane then.
    auto newcomers = connect_many(rig, 40, "/h/new/");
    rig.quiet(100);
    const unsigned refused = rig.answered(newcomers, 503);
    CHECK(refused >= 40 - 13 - 8);  // a turn hears 8
    CHECK(refused <= 40 - 12);
    // Who was there before it was too much is not to blame for a turn's hearing few of them.
    for (const auto& peer : in_time) peer->write(get("/h/in-time"));
    for (unsigned n = 0; n < 100; ++n) serve();
    CHECK_EQ(rig.answered(in_time, 200), 5u);
    CHECK_EQ(rig.answered(newcomers, 503), refused);
    CHECK_EQ(rig.answered(newcomers, 200), 40 - refused);
    CHECK_EQ(rig.answered(busy, 503), 0u);
    rig.check_all_returned();
}

REACTOR_TEST(NewcomersHeld, "newcomers: one handler that held the core before is no measure of how long they wait") {
    PacedRig<K> rig({.target_ms = 250, .interval_ms = 500});
    REQUIRE_EQ(rig.failure, "");
    auto early = connect_many(rig, 30, "/h/early/");
    rig.quiet(100);
    CHECK_EQ(rig.serve(300), "/h/early/0");
    for (unsigned n = 1; n < 21; ++n) rig.serve(1);
    // 15 ms for each until now: those that are left, and these, would wait for more than 375 ms.
    auto late = connect_many(rig, 30, "/h/late/");
    rig.quiet(100);
    for (unsigned n = 21; n < 60; ++n) rig.serve(1);
    CHECK_EQ(rig.answered(early, 200), 30u);
    CHECK_EQ(rig.answered(late, 200), 30u);
    rig.check_all_returned();
}

}  // namespace
}  // namespace pinion::test
