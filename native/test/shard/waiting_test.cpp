// Connections that wait for a slot while none comes back: they are answered in time, and let go.
#include "test/shard/clocked.hpp"
#include "test/shard/on_both_kernels.hpp"

namespace pinion::test {
namespace {

constexpr std::uint32_t HANDLER_MS = 4000;  // before slow uploads give way
constexpr unsigned WAITERS = 20;
constexpr unsigned GONE = 5;  // of these, before their time is over

// What has all slots of a kind, and who waits for one of them then.
struct Taken {
    unsigned slots;  // of 16
    bool proven;     // everybody
    std::string holder, last_holder, waiter;
};

const std::string UPLOAD = "POST /h/up HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n";
const std::string UNWANTED = "POST /fixed HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n";

const Taken TAKEN[] = {
    {8, false, UPLOAD, UPLOAD, UPLOAD},
    {13, false, get("/h/stream"), get("/h/stream"), get("/h/new")},
    {15, true, get("/h/stream"), get("/h/stream"), get("/h/late")},
    {16, true, get("/h/stream"), UNWANTED, get("/fixed")},
};

template <class K>
std::vector<std::unique_ptr<Peer>> connect_many(ReactorRig<K>& rig, unsigned count, bool proven) {
    std::vector<std::unique_ptr<Peer>> peers;
    for (unsigned n = 0; n < count; ++n) {
        peers.push_back(rig.connect());
        if (proven) CHECK_EQ(rig.talk(*peers[n], get("/fixed")).size(), 1u);
    }
    return peers;
}

// Answers that begin and go on.
void begin_answers(ScriptedLane& worker) {
    layout::Entry entry;
    while (worker.pop(entry)) {
        const std::uint32_t slot = entry.head >> 8;
        if (EntryType(entry.head & 0xff) != EntryType::request || !worker.start(slot, entry.generation)) continue;
        worker.answer(slot, entry.generation, {.body = "begins", .flags = 0});
    }
}

REACTOR_TEST(WaitedInVain, "waiting: who has waited for a slot in vain is let go, though none comes back") {
    for (const Taken& taken : TAKEN) {
        shard::Settings settings = small_settings();
        settings.timeouts.handler = HANDLER_MS;
        ReactorRig<Clocked<K>> rig(std::move(settings));
        REQUIRE_EQ(rig.failure, "");
        rig.go_live();
        rig.on_turn = [&] { begin_answers(rig.worker); };
        auto holders = connect_many(rig, taken.slots, taken.proven);
        auto waiters = connect_many(rig, WAITERS, taken.proven);
        for (const auto& holder : holders) {
            holder->write(holder == holders.back() ? taken.last_holder : taken.holder);
            rig.quiet(2);
        }
        rig.quiet();
        CHECK_EQ(rig.reactor->slots_used(), taken.slots);
        for (const auto& waiter : waiters) waiter->write(taken.waiter);
        rig.quiet(20);
        for (unsigned n = 0; n < GONE; ++n) waiters[n]->close(n % 2 == 0);
        rig.kernel.now_ms += HANDLER_MS + 100;  // a tick of the timer wheel is shorter
        rig.quiet(20);
        for (unsigned n = GONE; n < WAITERS; ++n) {
            REQUIRE_EQ(waiters[n]->in.answers.size(), taken.proven ? 2u : 1u);
            CHECK_EQ(waiters[n]->in.answers.back().status, 503u);
        }
        // None of them ends its side.
        for (unsigned n = 0; n < 30; ++n) {
            rig.kernel.now_ms += 100;
            rig.step();
        }
        CHECK_EQ(rig.reactor->connection_count(), taken.slots);
        CHECK_EQ(rig.reactor->slots_used(), taken.slots);
        for (const auto& holder : holders) CHECK(!holder->ended);
        rig.check_all_returned();
    }
}

}  // namespace
}  // namespace pinion::test
