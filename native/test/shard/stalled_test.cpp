// Clients that take nothing of their answers: what they may hold, and what is broken off for whom.
#include <map>

#include "test/shard/on_both_kernels.hpp"

namespace pinion::test {
namespace {

// A worker that streams without end to who asks for /h/stream/…, a part at a time as the last one leaves, and answers
// everybody else at once.
template <class K>
class StreamingWorker {
public:
    explicit StreamingWorker(ReactorRig<K>& rig) : rig_(rig) {
        rig.on_turn = [this] { step(); };
    }

    std::vector<std::string> streams;  // paths, in the order in which they have begun
    std::vector<std::string> aborted;

private:
    void step() {
        layout::Entry entry;
        while (rig_.worker.pop(entry)) {
            const std::uint32_t slot = entry.head >> 8;
            switch (EntryType(entry.head & 0xff)) {
                case EntryType::request:
                    if (rig_.worker.start(slot, entry.generation)) due_.push_back({slot, entry.generation});
                    break;
                case EntryType::writable: due_.push_back({slot, entry.generation}); break;
                case EntryType::abort: abort({slot, entry.generation}); break;
                default: break;
            }
        }
        // In order, as credits come.
        while (!due_.empty() && go_on(due_.front())) due_.pop_front();
    }
    void abort(const Started& gone) {
        std::erase_if(due_, [&](const Started& each) { return each.slot == gone.slot; });
        if (paths_.count(gone.slot) == 1) aborted.push_back(paths_[gone.slot]);
        paths_.erase(gone.slot);
        rig_.worker.give_back(gone.slot, gone.generation);
    }
    // False: it has to wait for credits.
    bool go_on(const Started& next) {
        using Outcome = ScriptedLane::Outcome;
        if (paths_.count(next.slot) == 1) {
            return rig_.worker.part(next.slot, next.generation, part_) != Outcome::starved;
        }
        const std::string path(rig_.worker.path(next.slot));
        const bool streams_on = path.substr(0, 10) == "/h/stream/";
        const std::uint8_t flags = streams_on ? 0 : layout::answer_flag::LAST;
        const Outcome outcome = rig_.worker.answer(next.slot, next.generation, {.body = path, .flags = flags});
        if (outcome == Outcome::starved) return false;
        if (outcome != Outcome::done || !streams_on) return true;
        streams.push_back(path);
        paths_[next.slot] = path;
        return true;
    }

    ReactorRig<K>& rig_;
    std::string part_ = std::string(4000, 'p');
    std::deque<Started> due_;
    std::map<std::uint32_t, std::string> paths_;  // of streams under way, by slot
};

constexpr std::uint32_t STALL_MS = 300;

shard::Settings stalling_settings() {
    shard::Settings settings = small_settings();
    settings.limits.arena_bytes = 1024 * layout::SEGMENT_BYTES;
    settings.timeouts.write = 30 * STALL_MS;
    return settings;
}

template <class K>
void pass(ReactorRig<K>& rig, std::uint32_t milliseconds) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(milliseconds);
    while (std::chrono::steady_clock::now() < end) rig.step();
}

REACTOR_TEST(StalledStreams,
             "stalled: newcomers leave slots to the proven, and the longest stalled goes for who waits") {
    ReactorRig<K> rig(stalling_settings());
    REQUIRE_EQ(rig.failure, "");
    rig.go_live();
    StreamingWorker<K> worker(rig);
    auto proven = rig.connect();
    CHECK_EQ(rig.talk(*proven, get("/h/first")).size(), 1u);
    // The first takes what it gets, the others nothing.
    std::vector<std::unique_ptr<Peer>> readers;
    for (unsigned n = 0; n < 13; ++n) {
        readers.push_back(std::make_unique<Peer>(rig.address, 4096));
        if (n == 0) rig.watch(*readers[n]);
        readers[n]->write(get("/h/stream/" + std::to_string(n)));
        CHECK(rig.until([&] { return worker.streams.size() == n + 1; }));
    }
    // There are two more for who has taken an answer, none for who has not.
    auto newcomer = rig.connect();
    newcomer->write(get("/h/new"));
    rig.quiet();
    CHECK_EQ(rig.talk(*proven, get("/h/second") + get("/h/third"), 3).size(), 3u);
    CHECK(newcomer->in.answers.empty());
    CHECK(worker.aborted.empty());
    // One is broken off for the one who waits, and no other.
    CHECK(rig.until([&] { return newcomer->in.answers.size() == 1; }));
    CHECK_EQ(newcomer->in.answers[0].status, 200u);
    pass(rig, 3 * STALL_MS);
    REQUIRE_EQ(worker.aborted.size(), 1u);
    // Which of them has stalled for longest is as exact as the timer wheel's ticks.
    const std::string_view prefix = "/h/stream/";
    REQUIRE(worker.aborted[0].starts_with(prefix));
    Peer& aborted = *readers[std::stoul(worker.aborted[0].substr(prefix.size()))];
    aborted.pump();
    CHECK(aborted.reset_seen);
    CHECK(!readers[0]->ended);
    CHECK_EQ(rig.reactor->slots_used(), 12u);
    rig.check_all_returned();
}

REACTOR_TEST(StalledUnharmed, "stalled: nobody is broken off while nobody waits") {
    ReactorRig<K> rig(stalling_settings());
    REQUIRE_EQ(rig.failure, "");
    rig.go_live();
    StreamingWorker<K> worker(rig);
    std::vector<std::unique_ptr<Peer>> readers;
    for (unsigned n = 0; n < 12; ++n) {
        readers.push_back(std::make_unique<Peer>(rig.address, 65536));
        readers[n]->write(get("/h/stream/" + std::to_string(n)));
    }
    CHECK(rig.until([&] { return worker.streams.size() == 12; }));
    pass(rig, 4 * STALL_MS);
    auto newcomer = rig.connect();
    CHECK_EQ(rig.talk(*newcomer, get("/h/new")).size(), 1u);
    CHECK(worker.aborted.empty());
    // Who takes it after all gets on.
    std::size_t taken = 0;
    CHECK(rig.until([&] {
        char bytes[16384];
        for (ssize_t got; (got = ::recv(readers[3]->fd(), bytes, sizeof bytes, MSG_DONTWAIT)) > 0;) {
            taken += std::size_t(got);
        }
        return taken > 1000000;
    }));
    rig.check_all_returned();
}

// What they have asked for is answered and holds no slot; but it holds memory.
REACTOR_TEST(StalledMemory, "stalled: whole answers that nobody takes give way to who waits for memory") {
    shard::Settings settings = stalling_settings();
    settings.limits.arena_bytes = 128 * layout::SEGMENT_BYTES;
    ReactorRig<K> rig(std::move(settings));
    REQUIRE_EQ(rig.failure, "");
    rig.go_live();
    StreamingWorker<K> worker(rig);
    std::vector<std::unique_ptr<Peer>> readers;
    std::string many;
    for (unsigned n = 0; n < 400; ++n) many += get("/h/" + std::string(1500, 'x'));
    for (unsigned n = 0; n < 50; ++n) {
        readers.push_back(std::make_unique<Peer>(rig.address, 4096));
        readers[n]->write(many);
    }
    const auto broken_off = [&] {
        unsigned count = 0;
        for (auto& reader : readers) {
            reader->pump_out();
            pollfd one{reader->fd(), POLLIN, 0};
            count += poll(&one, 1, 0) > 0 && (one.revents & POLLERR) != 0;
        }
        return count;
    };
    CHECK(rig.until([&] { return broken_off() > 0; }));
    auto honest = rig.connect();
    for (unsigned n = 1; n <= 5; ++n) CHECK_EQ(rig.talk(*honest, get("/h/honest"), n).size(), n);
    readers.clear();
    CHECK(rig.until([&] { return rig.reactor->connection_count() == 1; }));
    rig.check_all_returned();
}

}  // namespace
}  // namespace pinion::test
