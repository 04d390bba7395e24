// The whole reactor on the simulated kernel, by seed: clients and workers that do whatever clients and workers do,
// in tiny
// arenas, slots and rings. The same seed gives the same run: PINION_SEED=n runs one seed, PINION_SEEDS=n that many.
#include <cstdlib>
#include <memory>

#include "shard/reactor.hpp"
#include "test/check.hpp"
#include "test/shard/reactor_rig.hpp"
#include "test/shard/simulated_client.hpp"
#include "test/shard/simulated_worker.hpp"

namespace pinion::test {
namespace {

// kind: nothing goes wrong but what a kernel may do at any time; every request must be answered as its handler says.
// rough: everything else. The reactor must stay in order and give everything back.
enum class Weather { kind, rough, tiny };

class Simulation {
public:
    Simulation(std::uint64_t seed, Weather weather) : dice_(seed), weather_(weather) {
        kernel_.simulation.seed = seed;
        kernel_.simulation.steps = dice_.between(1, 12);
        kernel_.simulation.send_room = dice_.chance(50) ? 65536 : dice_.between(64, 8192);
        kernel_.simulation.send_fails = dice_.chance(20) ? 8 : 0;
        shard::Settings settings = make_settings();
        settings.listeners.push_back({LISTENER, false});
        reactor_ = std::make_unique<shard::Reactor<ClockedKernel>>(std::move(settings), kernel_);
    }

    std::string problem;
    std::uint32_t good = 0;
    std::uint32_t steps = 0;

    void run() {
        if (!open()) return;
        const std::uint32_t wanted = dice_.between(1, 8);
        // Frozen is where no byte has moved for so long.
        std::uint32_t quiet = 0;
        std::uint64_t moved = 0;
        while (problem.empty() && ++quiet < 5000) {
            step();
            std::uint64_t now = 0;
            for (const auto& client : clients_) now += client->moved;
            if (now != moved) quiet = 0;
            moved = now;
            if (clients_.size() < wanted && dice_.chance(10)) connect();
            const bool satisfied = std::all_of(clients_.begin(), clients_.end(),
                                               [](const auto& each) { return each->over() || each->satisfied(); });
            if (satisfied && clients_.size() == wanted) break;
            if (weather_ != Weather::kind && steps > 4000) break;
            lanes_come_and_go();
        }
        if (problem.empty() && weather_ == Weather::kind) {
            for (const auto& client : clients_) {
                if (!client->satisfied()) wrong("frozen: " + client->state() + "; " + state());
            }
        }
        if (problem.empty()) tear_down();
        for (const auto& client : clients_) good += client->good;
    }

private:
    static constexpr std::uint32_t NEVER = 4000000000;  // milliseconds
    static constexpr int LISTENER = -7;                 // no real descriptor is meant

    struct Attached {
        std::uint32_t lane;
        std::unique_ptr<SimulatedWorker> worker;
        bool dying = false;
    };

    bool kind() const { return weather_ == Weather::kind; }

    shard::Settings make_settings() {
        shard::Settings settings = small_settings();
        shard::Limits& limits = settings.limits;
        limits.connections = kind() ? 16 : dice_.between(1, 10);
        limits.slots = weather_ == Weather::tiny ? dice_.between(1, 3) : dice_.between(2, 16);
        limits.queue = kind() ? 4096 : dice_.between(1, 30);
        limits.arena_bytes = layout::SEGMENT_BYTES * (weather_ == Weather::tiny ? dice_.between(6, 32)
                                                      : kind()                  ? dice_.between(256, 512)
                                                                                : dice_.between(32, 256));
        limits.pipeline = dice_.between(1, 8);
        limits.connection_bytes = dice_.between(1, 16) * 4096;
        limits.body_bytes = kind() ? 1 << 24 : dice_.between(1000, 400000);
        limits.head_bytes = kind() ? 16384 : dice_.between(300, 16384);
        settings.half_open = dice_.chance(70);
        if (kind()) {
            settings.timeouts = {.head = NEVER,
                                 .body = NEVER,
                                 .handler = NEVER,
                                 .write = NEVER,
                                 .keep_alive = NEVER,
                                 .drain = NEVER,
                                 .spin = NEVER};
        } else {
            settings.timeouts = {.head = 2000,
                                 .body = 2000,
                                 .handler = 3000,
                                 .write = 3000,
                                 .keep_alive = 2000,
                                 .drain = 2000,
                                 .spin = 2000};
        }
        return settings;
    }

    bool open() {
        if (const std::string failed = reactor_->open(); !failed.empty()) return wrong(failed), false;
        io::KernelOptions options{};
        options.arena = reactor_->region().arena();
        options.segment_count = reactor_->settings().limits.arena_bytes / layout::SEGMENT_BYTES;
        options.segment_bytes = layout::SEGMENT_BYTES;
        options.lent_max = 1024;
        options.connections = reactor_->settings().limits.connections;
        options.queue_depth = 64;
        if (const std::string failed = kernel_.open(options); !failed.empty()) return wrong(failed), false;
        reactor_->start();
        worker_plan_.kind = kind();
        worker_plan_.pace = dice_.between(1, 10);
        worker_plan_.answer_max = dice_.chance(30) ? 100000 : 10000;
        worker_plan_.part_max = dice_.between(1, 9000);
        return true;
    }

    void connect() {
        ClientPlan plan;
        plan.kind = kind();
        plan.requests = dice_.between(1, 12);
        plan.body_max = dice_.chance(10) ? 300000 : 10000;
        plan.fragment_max = dice_.chance(30) ? dice_.between(1, 40) : dice_.between(100, 20000);
        if (plan.fragment_max < 100) plan.body_max = 300;
        plan.read_max = dice_.chance(20) ? dice_.between(1, 300) : 100000;
        plan.idle_chance = dice_.chance(20) ? 90 : dice_.below(30);
        clients_.push_back(std::make_unique<SimulatedClient>(kernel_, LISTENER, dice_, plan, next_id_));
    }

    void step() {
        ++steps;
        kernel_.now_ms += kind() ? dice_.below(2) : dice_.chance(1) ? dice_.below(3000) : dice_.below(20);
        for (const auto& client : clients_) client->step();
        const bool live = reactor_->live_lane() != shard::NONE;
        const io::Driver driver = live && dice_.chance(70) ? io::Driver::worker : io::Driver::stand_in;
        reactor_->turn(driver);
        for (Attached& each : lanes_) {
            if (dice_.chance(30)) continue;
            each.worker->step();
            if (each.dying) each.worker->scribble();
        }
        if (dice_.chance(70)) reactor_->flush(driver);
        check();
    }

    void lanes_come_and_go() {
        const bool live = reactor_->live_lane() != shard::NONE;
        if (!live ? dice_.chance(5) : dice_.below(600) == 0) {
            const std::int32_t reserved = reactor_->reserve_lane();
            if (reserved >= 0) {
                Attached added{std::uint32_t(reserved), std::make_unique<SimulatedWorker>(dice_, worker_plan_)};
                added.worker->lane.attach(reactor_->region().base(), reactor_->region().lane_offset(added.lane));
                added.worker->region_size = std::uint32_t(reactor_->region().size());
                reactor_->go_live(added.lane);
                lanes_.push_back(std::move(added));
            }
        }
        for (std::size_t i = 0; i < lanes_.size(); ++i) {
            Attached& each = lanes_[i];
            const shard::LaneState state = reactor_->lane(each.lane).state();
            if (state == shard::LaneState::draining && reactor_->lane(each.lane).held == 0 && each.worker->idle() &&
                dice_.chance(5)) {
                release(i--);
            } else if (!kind() && !each.dying && dice_.below(500) == 0) {
                reactor_->quarantine_lane(each.lane);
                kernel_.driver_dies();
                each.dying = true;
            } else if (each.dying && dice_.chance(5)) {
                release(i--);
            }
        }
        if (!kind() && dice_.below(3000) == 0) reactor_->drain();
    }

    void release(std::size_t at) {
        reactor_->release_lane(lanes_[at].lane);
        kernel_.driver_dies();
        lanes_.erase(lanes_.begin() + std::ptrdiff_t(at));
    }

    void check() {
        if (!kernel_.violations().empty()) wrong("the kernel's contract: " + kernel_.violations().front());
        for (const auto& client : clients_) {
            if (!client->problem.empty()) wrong("client: " + client->problem);
        }
        for (const Attached& each : lanes_) {
            if (!each.worker->problem.empty()) wrong("worker: " + each.worker->problem);
            if (reactor_->lane_broken(each.lane)) wrong("a lane that kept the rules was broken");
        }
        const shard::Limits& limits = reactor_->settings().limits;
        if (reactor_->slots_used() > limits.slots || reactor_->connection_count() > limits.connections) {
            wrong("more slots or connections than there are");
        }
    }

    void tear_down() {
        for (const auto& client : clients_) client->leave(dice_.chance(50));
        while (!lanes_.empty()) release(0);
        for (std::uint32_t n = 0; n < 3000 && (n < 20 || reactor_->connection_count() > 0); ++n) {
            kernel_.now_ms += 50;
            reactor_->turn(io::Driver::stand_in);
            check();
        }
        if (reactor_->connection_count() != 0) wrong("a connection was never closed; " + state());
        if (reactor_->slots_used() != 0) wrong("slots are missing; " + state());
        if (reactor_->parts_used() != 0) wrong("parts of answers are missing; " + state());
        memory::Arena& arena = reactor_->segments().arena();
        const std::uint32_t free = arena.free_bytes() + kernel_.lent() * layout::SEGMENT_BYTES;
        if (free != arena.total_bytes()) {
            wrong("memory is missing: " + std::to_string(arena.total_bytes() - free) + " bytes; " + state());
        }
        if (kernel_.open_sockets() != 0) wrong("sockets are still open");
    }

    std::string state() const {
        std::string lanes;
        for (const Attached& each : lanes_) {
            shard::LaneEnd& lane = reactor_->lane(each.lane);
            lanes += "lane " + std::to_string(each.lane) + " in state " + std::to_string(unsigned(lane.state())) +
                     " holds " + std::to_string(lane.held) + " slots, " + std::to_string(lane.runs.size()) + " runs (" +
                     (lane.starved() ? "starved" : "not starved") + "), " + std::to_string(each.worker->body_parts()) +
                     " body parts; ";
        }
        return lanes + std::to_string(reactor_->connection_count()) + " connections, " +
               std::to_string(reactor_->slots_used()) + " slots, " + std::to_string(reactor_->parts_used()) +
               " parts, " + std::to_string(reactor_->queued()) + " queued, " + std::to_string(lanes_.size()) +
               " lanes, " + std::to_string(reactor_->segments().arena().free_segments()) + " segments free, " +
               std::to_string(kernel_.lent()) + " lent, " + std::to_string(kernel_.in_flight()) + " in flight";
    }

    void wrong(std::string what) {
        if (problem.empty()) problem = std::move(what);
    }

    Dice dice_;
    Weather weather_;
    ClockedKernel kernel_;
    std::unique_ptr<shard::Reactor<ClockedKernel>> reactor_;
    std::vector<std::unique_ptr<SimulatedClient>> clients_;
    std::vector<Attached> lanes_;
    WorkerPlan worker_plan_;
    std::uint32_t next_id_ = 1;
};

std::uint64_t environment(const char* name, std::uint64_t otherwise) {
    const char* value = std::getenv(name);
    return value == nullptr ? otherwise : std::strtoull(value, nullptr, 10);
}

void simulate(Weather weather, const char* name, std::uint64_t usual) {
    const std::uint64_t only = environment("PINION_SEED", 0);
    const std::uint64_t first = only != 0 ? only : 1;
    const std::uint64_t count = only != 0 ? 1 : environment("PINION_SEEDS", usual);
    unsigned failed = 0;
    std::uint64_t good = 0;
    for (std::uint64_t seed = first; seed < first + count && failed < 5; ++seed) {
        Simulation simulation(seed, weather);
        simulation.run();
        good += simulation.good;
        if (simulation.problem.empty()) continue;
        ++failed;
        FAIL("seed " + std::to_string(seed) + ", step " + std::to_string(simulation.steps) + ": " + simulation.problem +
             "\n    again: PINION_SEED=" + std::to_string(seed) + " native_tests \"" + name + "\"");
    }
    // The simulation must have got somewhere.
    CHECK(failed > 0 || good >= count);
}

TEST("simulation: kind") { simulate(Weather::kind, "simulation: kind", 300); }
TEST("simulation: rough") { simulate(Weather::rough, "simulation: rough", 1500); }
TEST("simulation: tiny") { simulate(Weather::tiny, "simulation: tiny", 1000); }

}  // namespace
}  // namespace pinion::test
