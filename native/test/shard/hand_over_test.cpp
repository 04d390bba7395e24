// A whole shard on real sockets, its worker played by a thread that does what the addon's hooks and the dispatcher do,
// while the baton changes hands in every way: given before "JavaScript", taken while free, taken from an overdue
// worker, at start, at death, at a reload. Random delays at every call into the kernel interface move the hand-overs
// about. Meant for TSan, and for freezes: each request has to be answered, once, in order. PINION_HAND_OVER_MS and
// PINION_SEED make it longer and different.

// The shard's class stands in its source file, out of everybody's sight; this includes it for another kernel.
#define make_shard make_real_shard
#include "shard/shard.cpp"
#undef make_shard

#include "test/shard/hand_over_rig.hpp"

namespace pinion::test {
namespace {

class JitterKernel : public io::EpollKernel {
public:
    unsigned harvest(io::Completion* out, unsigned max) {
        jitter();
        return EpollKernel::harvest(out, max);
    }
    void submit() {
        EpollKernel::submit();
        jitter();
    }
    void begin_wait() {
        jitter();
        EpollKernel::begin_wait();
        jitter();
    }
    void wait(std::int64_t timeout_us) {
        jitter();
        EpollKernel::wait(timeout_us);
        jitter();
    }
    bool pending() const {
        const bool is = EpollKernel::pending();
        jitter();
        return is;
    }
    void ring_doorbell() {
        jitter();
        EpollKernel::ring_doorbell();
    }
};

template <class K>
void hand_overs(std::uint64_t seed, bool deaths, std::chrono::milliseconds duration) {
    jitter_seed.store(seed * 1000);
    Dice dice(seed);
    sockaddr_in address{};
    shard::Settings settings = hand_over_settings(dice, 4, address);
    shard::ShardOn<K> shard(shard::Io::epoll, std::move(settings));
    REQUIRE_EQ(shard.start(), "");

    constexpr unsigned CLIENTS = 4;
    std::atomic<bool> stop{false};
    const std::atomic<bool> quiet{false};
    Outcome outcomes[CLIENTS];
    std::vector<std::thread> clients;
    for (unsigned n = 0; n < CLIENTS; ++n) {
        clients.emplace_back([&, n] { run_client(address, seed * CLIENTS + n, stop, deaths, outcomes[n], quiet); });
    }
    std::vector<std::unique_ptr<WorkerThread>> workers;
    std::string problem;
    std::uint32_t started = 0;
    const auto finish = [&](std::size_t at) {
        workers[at]->end();
        if (!workers[at]->problem().empty()) problem = workers[at]->problem();
        started += workers[at]->started();
        shard.release_lane(workers[at]->lane());
        workers.erase(workers.begin() + std::ptrdiff_t(at));
    };
    const auto hire = [&] {
        const std::int32_t lane = shard.reserve_lane();
        if (lane >= 0)
            workers.push_back(std::make_unique<WorkerThread>(shard, std::uint32_t(lane), dice.between(1, 1u << 30)));
    };
    std::uint64_t requests = 0;
    // As long as was asked for, and until all that is to be seen has come about; a machine that is busy may take long.
    const auto seen = [&] {
        const shard::Status now = shard.status();
        return now.stand_in_turns > 0 && now.worker_turns > 0 && now.takeovers > 0;
    };
    const auto begun = Clock::now();
    const auto goes_on = [&] {
        const auto passed = Clock::now() - begun;
        return passed < duration || (passed < 60s && !seen());
    };
    while (problem.empty() && goes_on()) {
        std::this_thread::sleep_for(std::chrono::microseconds(dice.below(8000)));
        for (std::size_t n = 0; n < workers.size(); ++n) {
            if (workers[n]->done()) finish(n--);
        }
        const std::uint32_t what = dice.below(100);
        if (workers.empty() || what < 5) {
            hire();  // the first one, or one that takes over from one that is in JavaScript, maybe
        } else if (what < 8 && deaths) {
            const std::size_t at = dice.below(std::uint32_t(workers.size()));
            if (dice.chance(50)) shard.quarantine_lane(workers[at]->lane());
            finish(at);
        } else if (what < 50) {
            const shard::Status status = shard.status();
            if (status.broken_lanes != 0) problem = "a lane that kept the rules was broken";
            if (status.requests < requests) problem = "the counters run backwards";
            requests = status.requests;
        } else if (what < 60) {
            shard.wake_driver();
        }
    }
    if (workers.empty()) hire();
    stop.store(true);
    for (std::thread& client : clients) client.join();
    const shard::Status status = shard.status();
    CHECK(status.stand_in_turns > 0);
    CHECK(status.worker_turns > 0);
    shard.drain();
    for (unsigned n = 0; n < 2000 && !shard.status().drained; ++n) std::this_thread::sleep_for(5ms);
    CHECK(shard.status().drained);
    while (!workers.empty()) finish(0);
    CHECK_EQ(shard.status().slots_used, 0u);
    shard.stop();
    if (std::getenv("PINION_VERBOSE") != nullptr) {
        std::printf("%u started, turns %lu and %lu, %lu take-overs, %lu requests\n", started, status.worker_turns,
                    status.stand_in_turns, status.takeovers, status.requests);
    }
    unsigned answered = 0;
    for (const Outcome& outcome : outcomes) {
        if (!outcome.problem.empty()) problem = "client: " + outcome.problem;
        answered += outcome.answered;
    }
    CHECK(answered > 0 && started > 0 && status.takeovers > 0);
    if (!problem.empty()) {
        FAIL("seed " + std::to_string(seed) + ": " + problem + "; worker turns " + std::to_string(status.worker_turns) +
             ", stand-in turns " + std::to_string(status.stand_in_turns) + ", take-overs " +
             std::to_string(status.takeovers));
    }
}

std::chrono::milliseconds duration() {
    const char* given = std::getenv("PINION_HAND_OVER_MS");
    return std::chrono::milliseconds(given == nullptr ? 1200 : std::atoi(given));
}

std::uint64_t first_seed() {
    const char* given = std::getenv("PINION_SEED");
    return given == nullptr ? 0 : std::strtoull(given, nullptr, 10);
}

TEST("threads: hand-overs at start, in JavaScript and at reloads") {
    for (std::uint64_t seed = 1; seed <= 3; ++seed) hand_overs<JitterKernel>(first_seed() + seed, false, duration());
}
TEST("threads: hand-overs at deaths") {
    for (std::uint64_t seed = 11; seed <= 13; ++seed) hand_overs<JitterKernel>(first_seed() + seed, true, duration());
}

}  // namespace
}  // namespace pinion::test
