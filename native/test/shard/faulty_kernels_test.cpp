// A whole reactor on the real kernel interfaces, with real sockets, while calls and operations fail or fall short by
// seed: each answer is whole and in its place, or its connection has ended, and everything comes back.
#define PINION_FAULTS seeded
#define EpollKernel SeededEpollKernel
#define UringKernel SeededUringKernel
#include "io/epoll_kernel.cpp"
#include "io/uring_kernel.cpp"
#include "test/io/fault_plan.hpp"
// Behind those: it means the classes by the names above.
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "test/seeds.hpp"
#include "test/shard/audit.hpp"
#include "test/shard/loopback_clients.hpp"
#include "test/shard/on_both_kernels.hpp"
#include "test/shard/simulated_worker.hpp"

namespace pinion::test {
namespace {

using seeded::Call;
using seeded::FaultPlan;

// While it lives its plan is the one that counts.
struct Planned {
    explicit Planned(FaultPlan with) : plan(std::move(with)) { seeded::plan = &plan; }
    ~Planned() { seeded::plan = nullptr; }
    Planned(const Planned&) = delete;
    Planned& operator=(const Planned&) = delete;
    FaultPlan plan;
};

FaultPlan plan_of(std::uint64_t seed, Dice& dice) {
    FaultPlan plan{.seed = seed};
    // Some of the calls, often or now and then.
    for (unsigned& chance : plan.chance) chance = dice.chance(40) ? (dice.chance(30) ? 100 : 12) : 0;
    if (dice.chance(50)) plan.ends_streams = dice.between(1, 100);
    if (dice.chance(60)) plan.most_bytes = dice.chance(50) ? dice.between(1, 40) : dice.between(40, 20000);
    if (dice.chance(40)) plan.short_receives = dice.between(1, 128);
    if (dice.chance(40)) plan.queue = 8;
    return plan;
}

struct Sums {
    FaultPlan faults;
    std::uint64_t good = 0;
};

template <class K>
class FaultyRun {
public:
    FaultyRun(std::uint64_t seed, Sums& sums)
        : dice_(seed), planned_(plan_of(seed, dice_)), sums_(sums), rig_(settings()), clients_at_(rig_.address) {}

    std::string run() {
        if (!rig_.failure.empty()) return rig_.failure;
        start_worker();
        const unsigned wanted = dice_.between(1, 6);
        std::uint64_t moved = 0;
        for (unsigned quiet = 0; quiet < 2000 && problem_.empty(); ++quiet) {
            if (clients_.size() < wanted && dice_.chance(20)) connect();
            step();
            std::uint64_t now = worker_->moved;
            for (const auto& client : clients_) now += client->moved;
            if (now != moved) quiet = 0;
            moved = now;
            const bool over = std::all_of(clients_.begin(), clients_.end(),
                                          [](const auto& each) { return each->over() || each->satisfied(); });
            if (over && clients_.size() == wanted) break;
        }
        for (const auto& client : clients_) {
            if (!client->over() && !client->satisfied()) wrong("neither answered nor let go: " + client->state());
            sums_.good += client->good;
        }
        if (problem_.empty()) tear_down();
        for (unsigned call = 0; call < seeded::CALLS; ++call) sums_.faults.made[call] += planned_.plan.made[call];
        sums_.faults.cut += planned_.plan.cut;
        sums_.faults.streams_ended += planned_.plan.streams_ended;
        return problem_;
    }

private:
    static shard::Settings settings() {
        shard::Settings settings = small_settings();
        // A time-out would be an answer that nobody wants. The clock runs ahead of what really happens.
        constexpr std::uint32_t NEVER = 4000000000;
        settings.timeouts = timeouts_of(NEVER);
        settings.limits.arena_bytes = 512 * layout::SEGMENT_BYTES;
        settings.limits.body_bytes = 1 << 24;
        settings.limits.queue = 4096;
        return settings;
    }

    void start_worker() {
        rig_.driver = dice_.chance(70) ? io::Driver::worker : io::Driver::stand_in;
        const auto lane = std::uint32_t(rig_.reactor->reserve_lane());
        worker_plan_.answers_all = true;
        worker_plan_.pace = dice_.between(1, 10);
        worker_plan_.answer_max = dice_.chance(30) ? 100000 : 10000;
        worker_plan_.part_max = dice_.between(1, 9000);
        worker_ = std::make_unique<SimulatedWorker>(dice_, worker_plan_);
        worker_->lane.attach(rig_.reactor->region().base(), rig_.reactor->region().lane_offset(lane));
        worker_->send_now = [this, lane](std::uint32_t slot, std::uint32_t generation, std::string_view bytes) {
            return rig_.reactor->send_now(lane, slot, generation, bytes.data(), bytes.size());
        };
        rig_.reactor->go_live(lane);
        rig_.on_turn = [this] { worker_->step(); };
    }

    void connect() {
        ClientPlan plan;
        plan.kind = plan.breaks_off = true;
        plan.requests = dice_.between(1, 8);
        plan.body_max = dice_.chance(20) ? 200000 : 5000;
        plan.fragment_max = dice_.between(100, 20000);
        plan.read_max = dice_.chance(20) ? dice_.between(100, 3000) : 100000;
        plan.idle_chance = dice_.below(30);
        clients_.push_back(std::make_unique<ClientOf<LoopbackClients>>(clients_at_, 0, dice_, plan, next_id_));
    }

    void step() {
        rig_.kernel.now_ms += 5;
        rig_.step();
        for (const auto& client : clients_) {
            client->step();
            if (!client->problem.empty()) wrong("client: " + client->problem);
        }
        if (!worker_->problem.empty()) wrong("worker: " + worker_->problem);
        if (std::string found = audit(*rig_.reactor); !found.empty()) wrong(std::move(found));
    }

    void tear_down() {
        for (const auto& client : clients_) client->leave(dice_.chance(50));
        rig_.on_turn = nullptr;
        for (std::uint32_t lane = 0; lane < layout::MAX_LANES; ++lane) rig_.reactor->release_lane(lane);
        for (unsigned n = 0; n < 5000 && (n < 20 || rig_.reactor->connection_count() > 0); ++n) {
            rig_.kernel.now_ms += 20;
            rig_.step();
            if (std::string found = audit(*rig_.reactor); !found.empty()) return wrong(std::move(found));
        }
        if (rig_.reactor->connection_count() != 0) wrong("a connection was never closed");
        if (rig_.reactor->slots_used() != 0) wrong("slots are missing");
        const memory::Arena& arena = rig_.reactor->segments().arena();
        const std::uint64_t back = arena.free_bytes() + std::uint64_t{rig_.kernel.lent()} * layout::SEGMENT_BYTES;
        if (back != arena.total_bytes()) wrong("memory is missing");
    }

    void wrong(std::string what) {
        if (problem_.empty()) problem_ = std::move(what);
    }

    Dice dice_;
    Planned planned_;
    Sums& sums_;
    ReactorRig<Clocked<K>> rig_;
    LoopbackClients clients_at_;
    WorkerPlan worker_plan_;
    std::unique_ptr<SimulatedWorker> worker_;
    std::vector<std::unique_ptr<ClientOf<LoopbackClients>>> clients_;
    std::uint32_t next_id_ = 1;
    std::string problem_;
};

template <class K>
constexpr bool is_ring = requires(K kernel) {
    kernel.setup_flags();
};

constexpr const char* SEEDS = "faulty kernels: by seed, each answer is whole and in its place or its connection ended";

REACTOR_TEST(Seeds, SEEDS) {
    Sums sums;
    const SeedsRun done = run_seeds(SEEDS, 60, [&](std::uint64_t seed) {
        const std::string problem = FaultyRun<K>(seed, sums).run();
        return problem.empty() ? problem : (is_ring<K> ? "io_uring: " : "epoll: ") + problem;
    });
    if (done.only) return CHECK(done.failed == 0);
    CHECK(done.failed > 0 || sums.good >= done.count);
    // All of it has happened.
    for (const Call call : {Call::accept, Call::receive, Call::receive_into, Call::send, Call::shutdown, Call::close,
                            is_ring<K> ? Call::uring_enter : Call::epoll_ctl}) {
        CHECK(sums.faults.made[unsigned(call)] > 0 || done.count < 60);
    }
    CHECK(sums.faults.cut > 0);
    CHECK(!is_ring<K> || sums.faults.streams_ended > 0);
}

// What a worker that answers at once says; as on the simulated kernel (kernel_faults_test.cpp).
template <class K>
void answer_all(ReactorRig<K>& rig) {
    layout::Entry entry;
    while (rig.worker.pop(entry)) {
        const std::uint32_t slot = entry.head >> 8;
        if (EntryType(entry.head & 0xff) != EntryType::request || !rig.worker.start(slot, entry.generation)) continue;
        const std::string body = known_bytes(7, 120);
        if (rig.worker.path(slot) != "/h/streamed") {
            rig.worker.answer(slot, entry.generation, {.body = body});
            continue;
        }
        rig.worker.answer(slot, entry.generation, {.body = std::string_view(body).substr(0, 50), .flags = 0});
        rig.worker.part(slot, entry.generation, std::string_view(body).substr(50));
        rig.worker.end(slot, entry.generation);
    }
}

REACTOR_TEST(ShortSends, "faulty kernels: a send that is short at every length is resumed where it stopped") {
    Planned planned({});
    ReactorRig<K> rig;
    REQUIRE_EQ(rig.failure, "");
    rig.go_live();
    rig.on_turn = [&] { answer_all(rig); };
    auto peer = rig.connect();
    // One plain send, and a vectored one.
    for (const char* const path : {"/h/whole", "/h/streamed"}) {
        std::size_t total = 0;
        for (std::size_t length = 1; total == 0 || length < total; ++length) {
            const std::size_t before = peer->in.answers.size();
            if (total != 0) planned.plan.next_send = length;
            peer->write(get(path) + get("/fixed"));
            REQUIRE(rig.until([&] { return peer->in.answers.size() == before + 2 || peer->ended; }));
            REQUIRE_EQ(peer->in.answers.size(), before + 2);
            const Answer& first = peer->in.answers[before];
            const Answer& second = peer->in.answers[before + 1];
            if (first.body != known_bytes(7, 120) || second.body != "fixed\n") {
                FAIL(std::string(path) + " cut at byte " + std::to_string(length));
                return;
            }
            if (total == 0) length = 0;
            total = first.head.size() + first.body.size();
        }
        CHECK(total > 200);
    }
    CHECK(planned.plan.cut > 400);
    rig.check_all_returned();
}

#if PINION_WITH_URING

// What the kernel keeps aside for a completion queue that is full (io_uring(7), IORING_FEAT_NODROP).
std::size_t overflowed(int ring) {
    std::ifstream info("/proc/self/fdinfo/" + std::to_string(ring));
    std::size_t lines = 0;
    bool inside = false;
    for (std::string line; std::getline(info, line);) {
        if (inside && line.find("user_data") != std::string::npos) ++lines;
        inside = line.starts_with("CqOverflowList") || (inside && line.starts_with(" "));
    }
    return lines;
}

REACTOR_TEST(Overflow, "faulty kernels: a completion queue that overflows loses nothing") {
    Planned planned({.queue = 8});
    ReactorRig<K> rig;
    REQUIRE_EQ(rig.failure, "");
    rig.go_live();
    rig.driver = io::Driver::worker;
    rig.on_turn = [&] { answer_all(rig); };
    std::vector<std::unique_ptr<Peer>> peers;
    for (unsigned n = 0; n < 48; ++n) peers.push_back(rig.connect());
    REQUIRE(rig.until([&] { return rig.reactor->connection_count() == peers.size(); }));
    rig.quiet(3);
    std::size_t most = 0;
    for (std::size_t round = 1; round <= 10; ++round) {
        for (const auto& peer : peers) peer->write(get("/h/whole"));
        // What has been armed completes when the kernel is entered.
        rig.kernel.submit();
        pollfd one{rig.kernel.descriptor(), POLLIN, 0};
        poll(&one, 1, 1000);
        rig.kernel.wait(1000);
        most = std::max(most, overflowed(rig.kernel.descriptor()));
        const auto answered = [round](const auto& peer) { return peer->in.answers.size() == round; };
        REQUIRE(rig.until([&] { return std::all_of(peers.begin(), peers.end(), answered); }));
    }
    for (const auto& peer : peers) {
        for (const Answer& answer : peer->in.answers) CHECK(answer.body == known_bytes(7, 120));
    }
    if (is_ring<K>) CHECK(most > 0);
    rig.check_all_returned();
}

#endif

}  // namespace
}  // namespace pinion::test
