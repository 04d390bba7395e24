// The whole reactor on the simulated kernel, by seed: clients and workers that do whatever clients and workers do, in
// tiny arenas, slots and rings. The same seed gives the same run.
#pragma once

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "shard/reactor.hpp"
#include "test/shard/audit.hpp"
#include "test/shard/hostile_worker.hpp"
#include "test/shard/reactor_rig.hpp"
#include "test/shard/simulated_client.hpp"
#include "test/shard/simulated_worker.hpp"

namespace pinion::test {

// kind: nothing goes wrong but what a kernel may do at any time; every request must be answered as its handler says.
// rough, tiny: everything else. The reactor must stay in order, answer each client or let it go, and give everything
//          back.
// hostile: some of the workers write what cannot be, where it is theirs to write: their lanes are given up, and nobody
//          else notices.
// wild: all workers write anywhere in the mapping. The reactor must stand, and give everything back.
enum class Weather { kind, rough, tiny, hostile, wild };

class Simulation {
public:
    Simulation(std::uint64_t seed, Weather weather) : Simulation(seed, weather, Dice(~seed)) {}
    // `evil` says what hostile workers do.
    Simulation(std::uint64_t seed, Weather weather, Dice evil)
        : dice_(seed), evil_(evil), weather_(weather), sleepy_(dice_.chance(50)) {
        kernel_.simulation.seed = seed;
        kernel_.simulation.steps = dice_.between(1, 12);
        kernel_.simulation.send_room = dice_.chance(50) ? 65536 : dice_.between(64, 8192);
        kernel_.simulation.lone_send = dice_.chance(50) ? dice_.between(1, 256) : 0;
        kernel_.simulation.send_fails = dice_.chance(20) ? 8 : 0;
        kernel_.simulation.out_of_memory = !kind() && dice_.chance(20) ? 2 : 0;
        kernel_.simulation.shutdown_fails = dice_.chance(20) ? 64 : 0;
        kernel_.simulation.close_fails = dice_.chance(20) ? 64 : 0;
        kernel_.simulation.arena_is_private = weather != Weather::wild;
        shard::Settings settings = make_settings();
        settings.listeners.push_back({LISTENER, false});
        settings.listeners.push_back({PROXIED, true});
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
            for (const Attached& each : lanes_) now += each.worker ? each.worker->moved : 0;
            if (now != moved) quiet = 0;
            moved = now;
            if (clients_.size() < wanted && dice_.chance(10)) connect();
            if (nothing_owed() && clients_.size() == wanted) break;
            if (weather_ != Weather::kind && steps > 4000) break;
            if (evil_.spent()) break;
            lanes_come_and_go();
        }
        if (problem.empty() && weather_ == Weather::kind) {
            for (const auto& client : clients_) {
                if (!client->satisfied()) wrong("frozen: " + client->state() + "; " + state());
            }
        }
        if (weather_ != Weather::kind && weather_ != Weather::wild && !evil_.spent()) see_them_through();
        if (problem.empty()) tear_down();
        for (const auto& client : clients_) good += client->good;
    }

private:
    static constexpr std::uint32_t NEVER = 4000000000;  // milliseconds
    static constexpr int LISTENER = 1000000007;         // no real descriptor is meant
    static constexpr int PROXIED = 1000000008;

    struct Attached {
        std::uint32_t lane;
        std::unique_ptr<SimulatedWorker> worker;
        std::unique_ptr<HostileWorker> hostile;  // instead
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
                                                                                : dice_.between(32, 400));
        limits.pipeline = dice_.between(1, 8);
        limits.connection_bytes = dice_.between(1, 16) * 4096;
        limits.body_bytes = kind() ? 1 << 24 : dice_.between(1000, 400000);
        limits.head_bytes = kind() ? 16384 : dice_.between(300, 16384);
        settings.half_open = dice_.chance(70);
        if (!kind() && dice_.chance(30)) settings.admission = {dice_.between(1, 100), dice_.between(1, 100)};
        if (!kind() && dice_.chance(10)) limits.address_connections = dice_.between(1, 6);
        if (!kind() && dice_.chance(10)) limits.address_rate = dice_.between(1, 200);
        settings.timeouts = timeouts_of(kind() ? NEVER : 2000);
        if (!kind()) settings.timeouts.handler = settings.timeouts.write = 3000;
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
        worker_plan_.tainted = &tainted_;
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
        plan.tainted = &tainted_;
        const bool proxied = dice_.chance(20);
        if (proxied) plan.proxied_port = std::uint16_t(40000 + clients_.size());
        plan.proxy_spoilt = proxied && !kind() && dice_.chance(10);
        const int listener = proxied ? PROXIED : LISTENER;
        clients_.push_back(std::make_unique<SimulatedClient>(kernel_, listener, dice_, plan, next_id_));
        if (!kind() && dice_.below(200) == 0) reactor_->drain();  // while it waits to be accepted
    }

    void step() {
        ++steps;
        kernel_.now_ms += kind() ? dice_.below(2) : dice_.chance(1) ? dice_.below(3000) : dice_.below(20);
        for (const auto& client : clients_) client->step();
        const bool live = reactor_->live_lane() != shard::NONE;
        const io::Driver driver = live && dice_.chance(70) ? io::Driver::worker : io::Driver::stand_in;
        if (turn_is_due()) awake_ = reactor_->turn(driver);
        bool dispatched = false;
        for (Attached& each : lanes_) {
            if (dice_.chance(30)) continue;
            shard::LaneEnd& lane = reactor_->lane(each.lane);
            dispatched |= lane.unread() != 0 || lane.relieved();
            if (each.hostile) {
                each.hostile->step();
                continue;
            }
            each.worker->step();
            if (each.dying) each.worker->scribble();
        }
        if (sleepy_ ? dispatched : dice_.chance(70)) {
            reactor_->flush(driver);
            awake_ |= reactor_->turn_owed();
        }
        check();
    }

    // As whoever drives would find it: what is forgotten while they sleep leaves a client frozen.
    bool turn_is_due() const {
        return !sleepy_ || awake_ || kernel_.pending() || reactor_->has_responses() ||
               kernel_.now_ms >= reactor_->next_deadline_ms();
    }

    void start_worker() {
        const std::int32_t reserved = reactor_->reserve_lane();
        if (reserved < 0) return;
        Attached added{std::uint32_t(reserved), nullptr, nullptr};
        const shard::Region& region = reactor_->region();
        if (weather_ == Weather::wild || (weather_ == Weather::hostile && dice_.chance(50))) {
            added.hostile = std::make_unique<HostileWorker>(evil_, region, reactor_->settings().limits.slots,
                                                            added.lane, weather_ == Weather::wild, tainted_);
        } else {
            added.worker = std::make_unique<SimulatedWorker>(dice_, worker_plan_);
            added.worker->lane.attach(region.base(), region.lane_offset(added.lane));
            added.worker->region_size = std::uint32_t(region.size());
            added.worker->send_now = [this, lane = added.lane](std::uint32_t slot, std::uint32_t generation,
                                                               std::string_view bytes) {
                return reactor_->live_lane() == lane
                           ? reactor_->send_now(lane, slot, generation, bytes.data(), bytes.size())
                           : -1;
            };
            added.worker->on_start = [this](std::uint32_t slot, std::uint32_t generation, std::uint32_t id) {
                return address_problem(slot, generation, id);
            };
        }
        lanes_.push_back(std::move(added));
    }

    // What a handler is told of its client is what the PROXY protocol said.
    std::string address_problem(std::uint32_t slot, std::uint32_t generation, std::uint32_t id) {
        sockaddr_storage address{};
        const int result = reactor_->remote_address(slot, generation, &address);
        for (const auto& client : clients_) {
            const std::vector<std::uint32_t> ids = client->ids();
            if (std::find(ids.begin(), ids.end(), id) == ids.end()) continue;
            if (result == -ENOTCONN) return kind() ? "the address of a client that is there is not known" : "";
            if (result != 0) return "remote_address failed: " + std::to_string(result);
            const bool as_told = ntohs(reinterpret_cast<sockaddr_in&>(address).sin_port) == client->proxied_port();
            return as_told || client->proxied_port() == 0 ? "" : "another client's address";
        }
        return "a request that nobody sent";
    }

    // Each of these wakes whoever drives.
    void lanes_come_and_go() {
        const bool live = reactor_->live_lane() != shard::NONE;
        if (!live ? dice_.chance(5) : dice_.below(600) == 0) start_worker();
        for (std::size_t i = 0; i < lanes_.size(); ++i) {
            Attached& each = lanes_[i];
            const shard::LaneState state = reactor_->lane(each.lane).state();
            awake_ |= each.dying;
            if (state == shard::LaneState::warming && dice_.chance(30)) {
                reactor_->go_live(each.lane);
                awake_ = true;
            }
            if (each.hostile && reactor_->lane_broken(each.lane) && !each.dying) {
                if (dice_.chance(80)) kernel_.driver_dies();
                each.dying = true;
            }
            if (state == shard::LaneState::draining && reactor_->lane(each.lane).held == 0 &&
                (each.hostile || each.worker->idle()) && dice_.chance(5)) {
                release(i--);
            } else if (!kind() && !each.dying && dice_.below(500) == 0) {
                reactor_->quarantine_lane(each.lane);
                kernel_.driver_dies();
                each.dying = awake_ = true;
            } else if (each.dying && dice_.chance(5)) {
                release(i--);
            }
        }
        if (!kind() && dice_.below(3000) == 0) reactor_->drain();
    }

    void release(std::size_t at) {
        reactor_->release_lane(lanes_[at].lane);
        kernel_.driver_dies();
        awake_ = true;
        lanes_.erase(lanes_.begin() + std::ptrdiff_t(at));
    }

    bool nothing_owed() const {
        return std::all_of(clients_.begin(), clients_.end(),
                           [](const auto& each) { return each->over() || each->satisfied(); });
    }

    // All time-outs are short: whoever still waits soon has an answer, or no connection.
    void see_them_through() {
        for (unsigned n = 0; n < 4000 && problem.empty() && !nothing_owed(); ++n) {
            kernel_.now_ms += 30;
            step();
            lanes_come_and_go();
        }
        for (const auto& client : clients_) {
            client->read(SIZE_MAX);  // the slowest still have some of what was sent to them before them
            if (client->over() || client->satisfied() || !problem.empty()) continue;
            const std::vector<std::uint32_t> ids = client->ids();
            // A hostile worker may begin an answer and never end it. And who had not been accepted before a drain began
            // never is: a real kernel would turn it away.
            const bool excused = std::any_of(ids.begin(), ids.end(), [&](auto id) { return tainted_.contains(id); }) ||
                                 (reactor_->draining() && !kernel_.was_accepted(client->id()));
            if (!excused) wrong("neither answered nor let go: " + client->state() + "; " + state());
        }
    }

    void check() {
        if (!kernel_.violations().empty()) wrong("the kernel's contract: " + kernel_.violations().front());
        for (const auto& client : clients_) {
            if (client->problem.empty()) continue;
            if (weather_ != Weather::wild) wrong("client: " + client->problem);
            client->leave(dice_.chance(50));
        }
        for (const Attached& each : lanes_) {
            if (each.hostile) continue;
            if (!each.worker->problem.empty()) wrong("worker: " + each.worker->problem);
            if (reactor_->lane_broken(each.lane)) wrong("a lane that kept the rules was broken");
        }
        const shard::Limits& limits = reactor_->settings().limits;
        if (reactor_->slots_used() > limits.slots || reactor_->connection_count() > limits.connections) {
            wrong("more slots or connections than there are");
        }
        if (!problem.empty()) return;
        const bool slots_kept = weather_ != Weather::hostile && weather_ != Weather::wild;
        if (std::string found = audit(*reactor_, slots_kept); !found.empty()) wrong(std::move(found) + "; " + state());
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
        if (!reactor_->nobody_stalls()) wrong("streams or stalled clients are still counted; " + state());
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
                     (lane.starved() ? "starved" : "not starved") + ")" +
                     (each.hostile ? ", hostile; " : ", " + each.worker->state() + "; ");
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
    Dice evil_;
    Weather weather_;
    ClockedKernel kernel_;
    std::unique_ptr<shard::Reactor<ClockedKernel>> reactor_;
    std::vector<std::unique_ptr<SimulatedClient>> clients_;
    std::vector<Attached> lanes_;
    WorkerPlan worker_plan_;
    bool sleepy_;        // turns are run when there is a reason for one, else always
    bool awake_ = true;  // there is more to do
    std::uint32_t next_id_ = 1;
    std::set<std::uint32_t> tainted_;  // requests that hostile workers were given
};

}  // namespace pinion::test
