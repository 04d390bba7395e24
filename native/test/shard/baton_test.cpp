// The baton and the presence by themselves; and every order of the steps by which a sleeper and a waker pass each
// other.
#include "shard/baton.hpp"

#include <array>
#include <set>
#include <thread>
#include <vector>

#include "shard/presence.hpp"
#include "test/check.hpp"

namespace pinion::test {
namespace {

using shard::Baton;
using shard::BatonHold;
using shard::Place;
using shard::Presence;

TEST("threads: the baton has one holder at a time, and nobody waits for ever") {
    constexpr unsigned ROUNDS = 20000;
    Baton baton;
    std::uint64_t turns = 0;  // plain: TSan, or the sum, tells when two hold the baton
    bool inside = false;
    std::atomic<unsigned> overlaps{0};
    const auto turn = [&] {
        if (inside) overlaps.fetch_add(1);
        inside = true;
        ++turns;
        inside = false;
    };
    std::atomic<std::uint64_t> tried{0};
    std::thread worker([&] {
        for (unsigned n = 0; n < ROUNDS; ++n) {
            baton.take();
            turn();
            baton.give();
        }
    });
    std::thread stand_in([&] {
        for (unsigned n = 0; n < ROUNDS; ++n) {
            if (!baton.try_take()) continue;
            turn();
            baton.give();
            tried.fetch_add(1);
        }
    });
    std::thread main([&] {
        for (unsigned n = 0; n < ROUNDS; ++n) {
            BatonHold hold(baton);
            turn();
            if (n % 64 == 0) std::this_thread::yield();
        }
    });
    worker.join();
    stand_in.join();
    main.join();
    CHECK_EQ(overlaps.load(), 0u);
    CHECK_EQ(turns, 2 * ROUNDS + tried.load());
    CHECK(!baton.held());
    CHECK(baton.try_take());
    CHECK(baton.held());
    CHECK(!baton.try_take());
}

TEST("presence: each move is another absence") {
    Presence presence;
    CHECK(presence.read().place() == Place::nowhere);
    std::set<std::uint64_t> words{presence.read().word};
    for (const Place place : {Place::away, Place::turning, Place::away, Place::away, Place::asleep, Place::asleep}) {
        presence.move(place);
        CHECK(presence.read().place() == place);
        CHECK(words.insert(presence.read().word).second);
    }
    const Presence::Reading asleep = presence.read();
    CHECK(presence.move_from(asleep, Place::away));
    CHECK(presence.read().place() == Place::away);
    CHECK(!presence.move_from(asleep, Place::turning));
    CHECK(presence.read().place() == Place::away);
}

TEST("threads: of two who move from one absence, one does") {
    Presence presence;
    for (unsigned round = 0; round < 500; ++round) {
        presence.move(Place::asleep);
        const Presence::Reading asleep = presence.read();
        std::atomic<unsigned> moved{0};
        const auto move = [&] { moved += presence.move_from(asleep, Place::away); };
        std::thread one(move);
        move();
        one.join();
        CHECK_EQ(moved.load(), 1u);
    }
}

// --- every order ---
//
// The atomic steps of who sleeps and who wakes, each a function of the shared state. All orders of sequentially
// consistent steps are gone through; a state in which all have stopped with work undone is a lost wake-up.

struct State {
    std::array<std::uint8_t, 3> at{};  // the next step of each thread
    bool flag = false;                 // "I sleep"
    bool ringing = false;              // the doorbell, or libuv's async handle: a wake-up that waits
    bool seen = false;                 // what the waker looked at
    std::uint8_t work = 0;             // on the ring
    bool asleep = false;

    auto operator<=>(const State&) const = default;
};

// What a thread does next: it goes on, it is blocked, or it has ended.
enum class Step { on, blocked, ended };
using Thread = Step (*)(State&, std::uint8_t& at);

struct Explored {
    unsigned states = 0;
    unsigned lost = 0;
};

Explored explore(const std::vector<Thread>& threads) {
    Explored result;
    std::set<State> known;
    std::vector<State> open{State{}};
    known.insert(State{});
    while (!open.empty()) {
        const State state = open.back();
        open.pop_back();
        ++result.states;
        bool moved = false;
        for (std::size_t i = 0; i < threads.size(); ++i) {
            State next = state;
            if (threads[i](next, next.at[i]) != Step::on) continue;
            moved = true;
            if (known.insert(next).second) open.push_back(next);
        }
        if (!moved && state.work > 0) ++result.lost;
    }
    return result;
}

// The sleeper: says so, looks once more, waits; woken, takes it back, does the work, and begins again.
template <bool LooksAgain>
Step sleeper(State& state, std::uint8_t& at) {
    switch (at) {
        case 0:  // a turn: takes what is there
            state.work = 0;
            at = 1;
            return Step::on;
        case 1:
            state.flag = true;
            at = LooksAgain ? 2 : 3;
            return Step::on;
        case 2: at = state.work > 0 ? 4 : 3; return Step::on;
        case 3:  // in poll()
            state.asleep = true;
            if (!state.ringing) return Step::blocked;
            state.ringing = state.asleep = false;
            at = 4;
            return Step::on;
        default:
            state.flag = false;
            at = 0;
            return Step::on;
    }
}

// The waker: fills the ring, then looks whether the other sleeps, then rings. Twice.
template <bool FillsFirst>
Step waker(State& state, std::uint8_t& at) {
    if (at >= 6) return Step::ended;
    switch (at % 3) {
        case 0: FillsFirst ? void(++state.work) : void(state.seen = state.flag); break;
        case 1: FillsFirst ? void(state.seen = state.flag) : void(++state.work); break;
        default:
            if (state.seen) state.ringing = true;
            break;
    }
    ++at;
    return Step::on;
}

TEST("model: no order of sleeping and waking loses a wake-up") {
    const Explored right = explore({sleeper<true>, waker<true>});
    CHECK(right.states > 50);
    CHECK_EQ(right.lost, 0u);
    // The model can fail: each half of the protocol is needed.
    CHECK(explore({sleeper<false>, waker<true>}).lost > 0);
    CHECK(explore({sleeper<true>, waker<false>}).lost > 0);
}

// The baton itself: FREE, HELD, CONTENDED, as in baton.hpp. work counts those that have not been inside yet;
// flag: the word's holder; `seen` is not used.
struct Mutex {
    std::array<std::uint8_t, 3> at{};
    std::uint8_t word = 0;
    std::uint8_t waiting = 0;  // bit of each thread in futex wait
    std::uint8_t inside = 0;

    auto operator<=>(const Mutex&) const = default;
};

TEST("model: every order of three on the baton: one inside, nobody left behind") {
    enum : std::uint8_t { FREE, HELD, CONTENDED };
    std::set<Mutex> known{Mutex{}};
    std::vector<Mutex> open{Mutex{}};
    unsigned together = 0;
    unsigned stuck = 0;
    while (!open.empty()) {
        const Mutex state = open.back();
        open.pop_back();
        bool moved = false;
        bool all_done = true;
        for (std::size_t i = 0; i < 3; ++i) {
            const auto bit = std::uint8_t(1u << i);
            if (state.at[i] != 9) all_done = false;
            if ((state.waiting & bit) != 0 || state.at[i] == 9) continue;
            // A wake-up goes to any one of those that wait: each choice is a state of its own.
            std::vector<Mutex> nexts{state};
            Mutex& next = nexts[0];
            switch (state.at[i]) {
                case 0:  // take(): compare and swap
                    next.at[i] = state.word == FREE ? 3 : 1;
                    if (state.word == FREE) next.word = HELD;
                    break;
                case 1:  // exchange
                    next.at[i] = state.word == FREE ? 3 : 2;
                    next.word = CONTENDED;
                    break;
                case 2:  // futex: waits only if the word is still so
                    if (state.word == CONTENDED) next.waiting |= bit;
                    next.at[i] = 1;
                    break;
                case 3:
                    next.inside |= bit;
                    next.at[i] = 4;
                    break;
                case 4:
                    next.inside = std::uint8_t(next.inside & ~bit);
                    next.at[i] = 5;
                    break;
                case 5:  // give(): exchange
                    next.at[i] = state.word == CONTENDED ? 6 : 9;
                    next.word = FREE;
                    break;
                default:
                    next.at[i] = 9;
                    for (unsigned w = 0; w < 3; ++w) {
                        if ((state.waiting & (1u << w)) == 0) continue;
                        Mutex woken = nexts[0];
                        woken.waiting = std::uint8_t(woken.waiting & ~(1u << w));
                        nexts.push_back(woken);
                    }
                    if (nexts.size() > 1) nexts.erase(nexts.begin());
            }
            moved = true;
            for (const Mutex& each : nexts) {
                if ((each.inside & (each.inside - 1)) != 0) ++together;
                if (known.insert(each).second) open.push_back(each);
            }
        }
        if (!moved && !all_done) ++stuck;
    }
    CHECK(known.size() > 100);
    CHECK_EQ(together, 0u);
    CHECK_EQ(stuck, 0u);
}

}  // namespace
}  // namespace pinion::test
