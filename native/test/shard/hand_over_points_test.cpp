// A whole shard on each real kernel, its worker a thread, commands from a third; and a hand-over forced at every point
// where the baton may change hands: a thread that comes to the point is held up there until another one has come first.
// Work goes on meanwhile: no request is lost, none is started twice, order is kept. Each point has to have been reached
// and to have led to a hand-over, else the test fails. PINION_SEED makes it different; PINION_HAND_OVERS is how many of
// them there have to be at each point.
#include "base/hand_over_point.hpp"

#ifdef PINION_HAND_OVER_POINTS

// The shard's class is not in its header; and the library has no run-time types, which UBSan asks for.
#define make_shard make_forced_shard
#include "shard/shard.cpp"
#undef make_shard

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "io/probe.hpp"
#include "test/shard/hand_over_director.hpp"
#include "test/shard/hand_over_rig.hpp"

namespace pinion::test {
namespace {

constexpr unsigned CLIENTS = 3;
constexpr auto BUDGET = 30s;    // of one shard for all of its stops; a few are usual
constexpr auto PATIENCE = 60s;  // behind that it has frozen

std::uint64_t number(const char* name, std::uint64_t otherwise) {
    const char* given = std::getenv(name);
    return given == nullptr ? otherwise : std::strtoull(given, nullptr, 10);
}

std::string name_of(const Stop& stop) {
    return std::string(POINT_NAMES[unsigned(stop.at)]) + ", " + ROLE_NAMES[unsigned(stop.who)];
}

bool is_death(Need need) { return need == Need::death || need == Need::broken; }

// Says what was under way when everything stands still, and ends the process: nothing else would.
class Watch {
public:
    Watch(const Director& director, std::uint64_t seed) : director_(director), seed_(seed) {}
    ~Watch() {
        done_.store(true);
        thread_.join();
    }

private:
    void run() {
        for (const auto end = Clock::now() + BUDGET + PATIENCE; !done_.load();) {
            std::this_thread::sleep_for(20ms);
            if (Clock::now() < end) continue;
            const int armed = director_.armed();
            std::printf("  frozen, PINION_SEED=%lu, the last stop: %s\n", (unsigned long)seed_,
                        armed == Director::NONE ? "none" : name_of(STOPS[armed]).c_str());
            std::fflush(stdout);
            std::abort();
        }
    }

    const Director& director_;
    std::uint64_t seed_;
    std::atomic<bool> done_{false};
    std::thread thread_{[this] { run(); }};
};

// The supervisor's part: workers come and go as the armed stop needs it, and commands are given all the time.
class Commander {
public:
    Commander(shard::Shard& shard, Director& director, std::uint64_t seed)
        : shard_(shard), director_(director), dice_(seed) {}

    void start() {
        thread_ = std::thread([this] { run(); });
    }
    // Afterwards the workers are still there, and the caller's.
    void stop() {
        stopping_.store(true);
        thread_.join();
    }
    void finish_all() {
        while (!workers_.empty()) finish(0);
    }

    StartedOnce started;
    // The first client, and the others, send nothing. A lone client's lost wake-up is made good by nobody else.
    std::atomic<bool> first_quiet{false}, others_quiet{false};
    std::atomic<bool> lone{false};
    std::string problem;  // after stop()

private:
    void run() {
        Director::is(Role::commander);
        while (!stopping_.load()) {
            std::this_thread::sleep_for(std::chrono::microseconds(dice_.below(2000)));
            const int armed = director_.armed();
            const Need need = armed == Director::NONE ? Need::traffic : STOPS[armed].need;
            // Nobody disturbs a stand-in that is to park, until it has been held up there.
            if (need == Need::quiet && !director_.holding_up()) {
                first_quiet.store(true);
                others_quiet.store(true);
                if (!workers_.empty()) continue;
            } else {
                first_quiet.store(false);
                others_quiet.store(lone.load());
            }
            for (std::size_t n = 0; n < workers_.size(); ++n) {
                if (workers_[n]->done()) finish(n--);
            }
            if (workers_.empty()) hire();
            for (const auto& worker : workers_)
                worker->stay_away(armed != Director::NONE && takes_stand_in(STOPS[armed]));
            ++rounds_;
            switch (need) {
                case Need::reload:
                    if (workers_.size() < 3 && rounds_ % 8 == 0) hire();
                    break;
                case Need::death:
                    if (rounds_ % 8 != 0) break;
                    if (dice_.chance(70)) shard_.quarantine_lane(workers_.back()->lane());
                    finish(workers_.size() - 1);
                    break;
                case Need::broken:
                    if (rounds_ % 16 == 0) workers_.back()->break_rules(STOPS[armed].who == Role::stand_in);
                    break;
                default: break;
            }
            command(armed);
        }
    }

    void command(int armed) {
        // Only where it is asked for: it would make good every wake-up that is lost.
        const bool rings = armed != Director::NONE && STOPS[armed].who == Role::commander &&
                           (STOPS[armed].at == Point::waking_driver || STOPS[armed].at == Point::stand_in_rung ||
                            STOPS[armed].at == Point::doorbell_flagged);
        if (rings && dice_.chance(50)) return shard_.wake_driver();
        const shard::Status status = shard_.status();
        for (std::size_t n = 0; n < workers_.size(); ++n) {
            if ((status.broken_lanes & 1u << workers_[n]->lane()) == 0) continue;
            if (!workers_[n]->breaks_rules()) problem = "a lane that kept the rules was broken";
            finish(n--);
        }
        if (status.requests < requests_) problem = "the counters run backwards";
        requests_ = status.requests;
    }

    void hire() {
        const std::int32_t lane = shard_.reserve_lane();
        if (lane < 0) return;
        workers_.push_back(std::make_unique<WorkerThread>(
            shard_, std::uint32_t(lane), dice_.between(1, 1u << 30), [] { Director::is(Role::worker); }, &started));
    }

    void finish(std::size_t at) {
        workers_[at]->end();
        if (!workers_[at]->problem().empty()) problem = workers_[at]->problem();
        shard_.release_lane(workers_[at]->lane());
        workers_.erase(workers_.begin() + std::ptrdiff_t(at));
    }

    shard::Shard& shard_;
    Director& director_;
    Dice dice_;
    std::vector<std::unique_ptr<WorkerThread>> workers_;
    std::uint64_t requests_ = 0;
    unsigned rounds_ = 0;
    std::atomic<bool> stopping_{false};
    std::thread thread_;
};

// One stop until it has led to `wanted` hand-overs; false: not in this time.
bool make(Director& director, unsigned index, unsigned wanted) {
    const Stop& stop = STOPS[index];
    director.arm(int(index));
    const auto end = Clock::now() + (stop.need == Need::traffic ? 150ms : stop.need == Need::quiet ? 2000ms : 400ms);
    while (director.stopped[index].hand_overs.load(std::memory_order_relaxed) < wanted && Clock::now() < end) {
        std::this_thread::sleep_for(500us);
    }
    director.arm(Director::NONE);
    return director.stopped[index].hand_overs.load(std::memory_order_relaxed) >= wanted;
}

// Whether this client still gets answers: 20 seconds is as long as it waits for one itself.
bool goes_on(const Outcome& outcome) {
    const unsigned before = outcome.answered.load();
    for (const auto end = Clock::now() + 20s; outcome.answered.load() == before;) {
        if (Clock::now() > end) return false;
        std::this_thread::sleep_for(200us);
    }
    return true;
}

void report(const Director& director, bool deaths) {
    for (unsigned index = 0; index < STOP_COUNT; ++index) {
        if (is_death(STOPS[index].need) != deaths) continue;
        const Stopped& stopped = director.stopped[index];
        std::printf("    %-34s held up %4u, came %4u, hand-overs %4u\n", name_of(STOPS[index]).c_str(),
                    stopped.held_up.load(), stopped.came.load(), stopped.hand_overs.load());
    }
}

void force(shard::Io io, bool deaths, std::uint64_t seed) {
    Dice dice(seed);
    jitter_seed.store(seed * 1000);
    const auto wanted = unsigned(number("PINION_HAND_OVERS", 2));
    sockaddr_in address{};
    shard::Settings settings = hand_over_settings(dice, 8, address);
    const auto director = std::make_unique<Director>();
    Director::is(Role::commander);
    director->open(seed);
    const Watch watch(*director, seed);
    const std::unique_ptr<shard::Shard> shard = shard::make_forced_shard(io, std::move(settings));
    REQUIRE_EQ(shard->start(), "");

    std::atomic<bool> stop{false};
    Commander commander(*shard, *director, seed);
    Outcome outcomes[CLIENTS];
    std::vector<std::thread> clients;
    for (unsigned n = 0; n < CLIENTS; ++n) {
        clients.emplace_back([&, n] {
            run_client(address, seed * CLIENTS + n, stop, deaths, outcomes[n],
                       n == 0 ? commander.first_quiet : commander.others_quiet);
        });
    }
    commander.start();

    std::vector<unsigned> open, at_end;
    for (unsigned index = 0; index < STOP_COUNT; ++index) {
        if (STOPS[index].need == Need::drain) {
            at_end.push_back(index);
        } else if (is_death(STOPS[index].need) == deaths) {
            open.push_back(index);
        }
    }
    std::string froze;
    for (const auto end = Clock::now() + BUDGET; froze.empty() && !open.empty() && Clock::now() < end;) {
        for (std::size_t n = open.size(); n > 1; --n) std::swap(open[n - 1], open[dice.below(std::uint32_t(n))]);
        std::erase_if(open, [&](unsigned index) {
            commander.lone.store(dice.chance(50));
            const bool made = make(*director, index, wanted);
            // Before others come to its help.
            if (commander.lone.load() && froze.empty() && !goes_on(outcomes[0])) froze = name_of(STOPS[index]);
            return made;
        });
    }
    stop.store(true);
    for (std::thread& client : clients) client.join();
    for (const unsigned index : at_end) {
        director->arm(int(index));
        for (unsigned n = 0; n < 100 && director->stopped[index].hand_overs.load() == 0; ++n) shard->drain();
        director->arm(Director::NONE);
    }
    for (unsigned n = 0; n < 2000 && !shard->status().drained; ++n) std::this_thread::sleep_for(5ms);
    const bool drained = shard->status().drained;
    commander.stop();
    commander.finish_all();
    const unsigned slots_left = shard->status().slots_used;
    shard->stop();
    director->close();
    if (std::getenv("PINION_VERBOSE") != nullptr) report(*director, deaths);

    const std::string where = "PINION_SEED=" + std::to_string(seed) + ": ";
    if (!froze.empty()) FAIL(where + "a wake-up was lost: a lone client got no answer after " + froze);
    if (!commander.problem.empty()) FAIL(where + commander.problem);
    unsigned handled = 0;
    for (const Outcome& outcome : outcomes) {
        if (!outcome.problem.empty()) FAIL(where + "client: " + outcome.problem);
        handled += outcome.handled;
    }
    const std::size_t started = commander.started.count();
    if (!PINION_CHECK(drained && slots_left == 0 && handled > 0)) FAIL(where + "not everything has come back");
    // Nobody died: what was started is what was answered, and once each.
    if (!deaths && !PINION_CHECK_EQ(started, handled)) FAIL(where + "not each request that was started was answered");
    for (unsigned index = 0; index < STOP_COUNT; ++index) {
        const Stop& each = STOPS[index];
        if (each.need != Need::drain && is_death(each.need) != deaths) continue;
        const Stopped& stopped = director->stopped[index];
        if (stopped.hand_overs.load() > 0) continue;
        FAIL(where + "no hand-over at " + name_of(each) + ": it was there " +
             std::to_string(director->reached_by[unsigned(each.at)][unsigned(each.who)].load()) + " times, held up " +
             std::to_string(stopped.held_up.load()) + ", another came " + std::to_string(stopped.came.load()));
    }
}

std::uint64_t seed_of(std::uint64_t otherwise) { return number("PINION_SEED", otherwise); }

TEST("threads: a hand-over at every point, epoll") { force(shard::Io::epoll, false, seed_of(1)); }
TEST("threads: a hand-over at every point of a lane's end, epoll") { force(shard::Io::epoll, true, seed_of(2)); }

#if PINION_WITH_URING
bool has_uring() {
    const io::ProbeReport probed = io::probe();
    if (!probed.uring) std::printf("(without io_uring: %s) ", probed.why.c_str());
    CHECK(probed.uring || !probed.why.empty());
    return probed.uring;
}
TEST("threads: a hand-over at every point, io_uring") {
    if (has_uring()) force(shard::Io::uring, false, seed_of(3));
}
TEST("threads: a hand-over at every point of a lane's end, io_uring") {
    if (has_uring()) force(shard::Io::uring, true, seed_of(4));
}
#endif

}  // namespace
}  // namespace pinion::test

#endif
