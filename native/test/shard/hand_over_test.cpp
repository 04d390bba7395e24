// A whole shard on real sockets, its worker played by a thread that does what the addon's hooks and the dispatcher do,
// while the baton changes hands in every way: given before "JavaScript", taken while free, taken from an overdue
// worker, at start, at death, at a reload. Random delays at every call into the kernel interface move the hand-overs
// about. Meant for TSan, and for freezes: each request has to be answered, once, in order. PINION_HAND_OVER_MS and
// PINION_SEED make it longer and different.

// The shard's class stands in its source file, out of everybody's sight; this includes it for another kernel.
#define make_shard make_real_shard
#include "shard/shard.cpp"
#undef make_shard

#include <chrono>
#include <thread>

#include "test/check.hpp"
#include "test/shard/reactor_rig.hpp"
#include "test/shard/simulated_worker.hpp"

namespace pinion::test {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

std::atomic<std::uint64_t> jitter_seed{1};

void jitter() {
    thread_local std::mt19937_64 engine(jitter_seed.fetch_add(1));
    const std::uint64_t dice = engine();
    if (dice % 8 == 0) sched_yield();
    if (dice % 64 == 1) std::this_thread::sleep_for(std::chrono::microseconds(dice / 64 % 400));
}

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

// The thread of a worker: libuv's loop, the hooks and the dispatcher.
class WorkerThread {
public:
    WorkerThread(shard::Shard& shard, std::uint32_t lane, std::uint64_t seed)
        : shard_(shard),
          lane_(lane),
          dice_(seed),
          worker_(dice_, plan()),
          async_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
        worker_.lane.attach(shard.region_base(), shard.lane_offset(lane));
        worker_.lane.ring_stand_in = [this] { shard_.ring_stand_in(); };
        thread_ = std::thread([this] { run(); });
    }
    ~WorkerThread() {
        end();
        ::close(async_);
    }

    // The thread is ended wherever it is, and joined; its lane may be released.
    void end() {
        if (!thread_.joinable()) return;
        stopping_.store(true);
        wake(this);
        thread_.join();
    }
    bool done() const { return done_.load(); }  // drained, and gone by itself
    std::uint32_t lane() const { return lane_; }
    const std::string& problem() const { return worker_.problem; }  // after end()
    std::uint32_t started() const { return worker_.started; }

private:
    static WorkerPlan plan() {
        return {.kind = false, .pace = 6, .answer_max = 20000, .part_max = 3000, .answers_all = true};
    }

    static void wake(void* self) {
        const std::uint64_t one = 1;
        [[maybe_unused]] const ssize_t written = write(static_cast<WorkerThread*>(self)->async_, &one, sizeof one);
    }

    void run() {
        shard_.attach(lane_, &WorkerThread::wake, this);
        jitter();
        shard_.go_live(lane_);
        while (!stopping_.load()) {
            shard::Next next = shard_.worker_turn(lane_);
            jitter();
            if (next == shard::Next::dispatch || shard_.lane_ready(lane_)) {
                javascript();
                next = shard_.worker_flush(lane_);
            }
            jitter();
            sleep(next);
            jitter();
            shard_.worker_awake(lane_);
            if (stopping_.load()) break;
            // Timers and other callbacks: handlers that answer later.
            if (!worker_.idle()) javascript();
            const bool draining =
                shard::load_acquire(worker_.lane.lane().lane_state) == unsigned(shard::LaneState::draining);
            if (draining && worker_.idle() && ++drained_ > 3) break;
        }
        shard_.detach(lane_);
        done_.store(true);
    }

    void javascript() {
        for (unsigned n = dice_.below(8); n > 0; --n) worker_.step();
        const std::uint32_t dice = dice_.below(100);
        if (dice < 6) std::this_thread::sleep_for(std::chrono::microseconds(dice_.below(6000)));
        if (dice == 99) std::this_thread::sleep_for(15ms);
        worker_.step();
    }

    void sleep(shard::Next next) {
        int timeout = -1;
        const std::uint64_t deadline = shard_.next_deadline_ms();
        if (deadline != UINT64_MAX) timeout = 1000;
        if (!worker_.idle()) timeout = int(dice_.below(2));
        if (next != shard::Next::sleep) timeout = 0;
        pollfd both[2] = {{shard_.descriptor(), POLLIN, 0}, {async_, POLLIN, 0}};
        poll(both, 2, timeout);
        std::uint64_t count;
        [[maybe_unused]] const ssize_t got = read(async_, &count, sizeof count);
    }

    shard::Shard& shard_;
    std::uint32_t lane_;
    Dice dice_;
    SimulatedWorker worker_;
    int async_;
    unsigned drained_ = 0;
    std::atomic<bool> stopping_{false};
    std::atomic<bool> done_{false};
    std::thread thread_;
};

struct Outcome {
    unsigned answered = 0;
    unsigned excused = 0;  // 502, 503: a worker died
    std::string problem;
};

// Sends requests, some in one go, and reads their answers; reconnects where the server closes.
void run_client(const sockaddr_in& address, std::uint64_t seed, const std::atomic<bool>& stop, bool deaths,
                Outcome& outcome) {
    Dice dice(seed);
    std::uint32_t id = std::uint32_t(seed) * 1000000;
    while (!stop.load() && outcome.problem.empty()) {
        Peer peer(address);
        for (unsigned rounds = dice.between(1, 20);
             rounds > 0 && !peer.ended && outcome.problem.empty() && !stop.load(); --rounds) {
            const std::size_t before = peer.in.answers.size();
            const unsigned count = dice.between(1, 5);
            std::vector<std::uint32_t> ids;
            std::string text;
            for (unsigned n = 0; n < count; ++n) {
                if (dice.chance(25)) {
                    ids.push_back(0);
                    text += get("/fixed");
                    continue;
                }
                ids.push_back(++id);
                const std::uint32_t length = dice.chance(60)   ? 0
                                             : dice.chance(80) ? dice.below(300)
                                                               : dice.below(40000);
                text += (length > 0 ? "POST /h/" : "GET /h/") + std::to_string(id) + "/" + std::to_string(length) +
                        " HTTP/1.1\r\nHost: a\r\n";
                if (length > 0) text += "Content-Length: " + std::to_string(length) + "\r\n";
                text += "\r\n" + (length > 0 ? known_bytes(id, length) : std::string());
            }
            peer.write(text);
            const auto patience = Clock::now() + 20s;
            while (peer.in.answers.size() < before + count && !peer.ended) {
                pollfd one{peer.fd(), short(peer.all_written() ? POLLIN : POLLIN | POLLOUT), 0};
                poll(&one, 1, 100);
                peer.pump();
                if (Clock::now() > patience) {
                    outcome.problem = "frozen: " + std::to_string(peer.in.answers.size() - before) + " of " +
                                      std::to_string(count) + " answered" +
                                      (peer.all_written() ? "" : ", not all taken");
                    return;
                }
            }
            if (peer.in.malformed) outcome.problem = "not HTTP: " + peer.in.rest().substr(0, 100);
            if (peer.in.answers.size() > before + count) outcome.problem = "more answers than requests";
            for (std::size_t n = before; n < peer.in.answers.size() && outcome.problem.empty(); ++n) {
                const Answer& answer = peer.in.answers[n];
                const std::uint32_t asked = ids[n - before];
                const bool good = answer.status == 200 &&
                                  (asked == 0 ? answer.body == "fixed\n" : is_known_answer(asked, answer.body));
                ++outcome.answered;
                if (good) continue;
                ++outcome.excused;
                if (answer.status != 200 && answer.status != 404 && deaths && asked != 0) continue;
                outcome.problem =
                    "request " + std::to_string(asked) + " got " + answer.head + answer.body.substr(0, 60);
            }
            if (peer.in.answers.size() < before + count && !deaths) outcome.problem = "the connection was closed early";
        }
        peer.close();
    }
}

template <class K>
void hand_overs(std::uint64_t seed, bool deaths, std::chrono::milliseconds duration) {
    jitter_seed.store(seed * 1000);
    Dice dice(seed);
    shard::Settings settings = small_settings();
    settings.limits.arena_bytes = 512 * layout::SEGMENT_BYTES;
    settings.limits.slots = dice.between(4, 32);
    settings.limits.queue = 1000;
    settings.cpu = dice.chance(50) ? 0 : -1;
    sockaddr_in address{};
    settings.listeners.push_back({listen_on_loopback(address), false});
    shard::ShardOn<K> shard(shard::Io::epoll, std::move(settings));
    REQUIRE_EQ(shard.start(), "");

    constexpr unsigned CLIENTS = 4;
    std::atomic<bool> stop{false};
    Outcome outcomes[CLIENTS];
    std::vector<std::thread> clients;
    for (unsigned n = 0; n < CLIENTS; ++n) {
        clients.emplace_back([&, n] { run_client(address, seed * CLIENTS + n, stop, deaths, outcomes[n]); });
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
    for (const auto end = Clock::now() + duration; Clock::now() < end && problem.empty();) {
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
