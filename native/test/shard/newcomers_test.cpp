// Connections that have not taken an answer yet: what a turn does for many of them at once, and for others meanwhile.
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

REACTOR_TEST(NewcomersShare, "newcomers: where others keep the lane full, one of theirs comes behind eight entries") {
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

}  // namespace
}  // namespace pinion::test
