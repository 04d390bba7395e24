// What tests of a whole shard on real sockets need: the thread of a worker, that does what the addon's hooks and the
// dispatcher do, and clients that know their answers. Each request has to be answered, once, in order.
#pragma once

#include <sys/eventfd.h>
#include <chrono>
#include <mutex>
#include <set>
#include <thread>

#include "shard/shard.hpp"
#include "test/check.hpp"
#include "test/shard/reactor_rig.hpp"
#include "test/shard/simulated_worker.hpp"

namespace pinion::test {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

inline std::atomic<std::uint64_t> jitter_seed{1};

inline void jitter() {
    thread_local std::mt19937_64 engine(jitter_seed.fetch_add(1));
    const std::uint64_t dice = engine();
    if (dice % 8 == 0) sched_yield();
    if (dice % 64 == 1) std::this_thread::sleep_for(std::chrono::microseconds(dice / 64 % 400));
}

// Of a shard that listens at `address`, with `least_slots` to 32 slots, pinned or not.
inline shard::Settings hand_over_settings(Dice& dice, std::uint32_t least_slots, sockaddr_in& address) {
    shard::Settings settings = small_settings();
    settings.limits.arena_bytes = 512 * layout::SEGMENT_BYTES;
    settings.limits.slots = dice.between(least_slots, 32);
    settings.limits.queue = 1000;
    settings.cpu = dice.chance(50) ? 0 : -1;
    settings.listeners.push_back({listen_on_loopback(address), false});
    return settings;
}

// Which requests have been started, and how often: each may be once, by whatever worker.
class StartedOnce {
public:
    std::string add(std::uint32_t id) {
        const std::lock_guard lock(mutex_);
        return ids_.insert(id).second ? "" : "request " + std::to_string(id) + " was started twice";
    }
    std::size_t count() {
        const std::lock_guard lock(mutex_);
        return ids_.size();
    }

private:
    std::mutex mutex_;
    std::set<std::uint32_t> ids_;
};

// The thread of a worker: libuv's loop, the hooks and the dispatcher.
class WorkerThread {
public:
    // on_thread: called first, on the worker's thread.
    WorkerThread(shard::Shard& shard, std::uint32_t lane, std::uint64_t seed, void (*on_thread)() = nullptr,
                 StartedOnce* all_started = nullptr)
        : shard_(shard),
          lane_(lane),
          dice_(seed),
          worker_(dice_, plan()),
          async_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
        worker_.lane.attach(shard.region_base(), shard.lane_offset(lane));
        worker_.lane.ring_stand_in = [this] { shard_.ring_stand_in(); };
        worker_.send_now = [this](std::uint32_t slot, std::uint32_t generation, std::string_view bytes) {
            return shard_.send_now(lane_, slot, generation, bytes.data(), bytes.size());
        };
        if (all_started != nullptr) {
            worker_.on_start = [all_started](std::uint32_t, std::uint32_t, std::uint32_t id) {
                return all_started->add(id);
            };
        }
        thread_ = std::thread([this, on_thread] {
            if (on_thread != nullptr) on_thread();
            run();
        });
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
    // It writes what cannot be, and does nothing with its lane from then on. `absent`: it stays in JavaScript until
    // somebody has noticed, for 200 ms at most.
    void break_rules(bool absent) { breaking_.store(absent ? Breaking::absent : Breaking::present); }
    // From now on in JavaScript for long, often: the stand-in drives.
    void stay_away(bool often) { away_often_.store(often, std::memory_order_relaxed); }
    bool breaks_rules() const { return breaking_.load() != Breaking::no; }
    bool done() const { return done_.load(); }  // drained, and gone by itself
    std::uint32_t lane() const { return lane_; }
    const std::string& problem() const { return worker_.problem; }  // after end()
    std::uint32_t started() const { return worker_.started; }

private:
    enum class Breaking { no, present, absent, done };

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
        shard_.go_live(lane_, {});
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
            if (worker_.busy()) javascript();
            const bool draining =
                shard::load_acquire(worker_.lane.lane().lane_state) == unsigned(shard::LaneState::draining);
            if (draining && worker_.idle() && ++drained_ > 3) break;
        }
        shard_.detach(lane_);
        done_.store(true);
    }

    void javascript() {
        if (breaking_.load() == Breaking::done) return;
        if (breaking_.load() != Breaking::no) return write_what_cannot_be();
        for (unsigned n = dice_.below(8); n > 0; --n) worker_.step();
        const std::uint32_t dice = dice_.below(100);
        const bool often = away_often_.load(std::memory_order_relaxed);
        if (dice < (often ? 40 : 6)) std::this_thread::sleep_for(std::chrono::microseconds(dice_.below(6000)));
        if (dice >= (often ? 90 : 99)) std::this_thread::sleep_for(15ms);
        worker_.step();
    }

    void write_what_cannot_be() {
        const bool absent = breaking_.exchange(Breaking::done) == Breaking::absent;
        std::atomic_ref<std::uint32_t>(worker_.lane.lane().response_tail).fetch_add(1u << 20);
        for (unsigned n = 0; absent && n < 200 && !quarantined(); ++n) std::this_thread::sleep_for(1ms);
    }
    bool quarantined() const {
        return shard::load_acquire(worker_.lane.lane().lane_state) == unsigned(shard::LaneState::quarantined);
    }

    void sleep(shard::Next next) {
        int timeout = -1;
        const std::uint64_t deadline = shard_.next_deadline_ms();
        const auto now = std::uint64_t(Clock::now().time_since_epoch() / 1ms);  // CLOCK_MONOTONIC
        // As long as libuv would: a wake-up that is lost is to be seen.
        if (deadline != UINT64_MAX) timeout = deadline > now ? int(std::min<std::uint64_t>(deadline - now, 60000)) : 0;
        if (worker_.busy()) timeout = int(dice_.below(2));
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
    std::atomic<Breaking> breaking_{Breaking::no};
    std::atomic<bool> away_often_{false};
    std::thread thread_;
};

struct Outcome {
    std::atomic<unsigned> answered{0};
    unsigned handled = 0;  // of them, well and by a handler
    unsigned excused = 0;  // 502, 503: a worker died
    std::string problem;
};

// Sends requests, some in one go, and reads their answers; reconnects where the server closes. Sends nothing while
// `quiet` is set.
inline void run_client(const sockaddr_in& address, std::uint64_t seed, const std::atomic<bool>& stop, bool deaths,
                       Outcome& outcome, const std::atomic<bool>& quiet) {
    Dice dice(seed);
    std::uint32_t id = std::uint32_t(seed) * 1000000;
    while (!stop.load() && outcome.problem.empty()) {
        Peer peer(address);
        for (unsigned rounds = dice.between(1, 20);
             rounds > 0 && !peer.ended && outcome.problem.empty() && !stop.load(); --rounds) {
            while (quiet.load() && !stop.load()) std::this_thread::sleep_for(2ms);
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
                outcome.handled += good && asked != 0;
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

}  // namespace pinion::test
