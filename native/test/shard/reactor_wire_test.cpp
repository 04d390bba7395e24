// Every wire case through a whole reactor, on both real kernels: in one piece, cut in two at each byte, byte by byte.
#include <numeric>
#include <tuple>

#include "test/shard/wire_rig.hpp"

namespace pinion::test {
namespace {

constexpr std::size_t AT_A_TIME = 200;

struct PlannedCase {
    WireCase wire;
    std::vector<Wanted> wanted;
};
using LimitsKey = std::tuple<std::uint32_t, std::uint16_t, std::uint32_t>;

// By their limits: each set needs a reactor of its own.
std::map<LimitsKey, std::vector<PlannedCase>> planned_cases() {
    const auto folder = std::filesystem::path(__FILE__).parent_path().parent_path() / "http" / "cases";
    std::map<LimitsKey, std::vector<PlannedCase>> planned;
    for (WireCase& wire : read_wire_cases(folder)) {
        const LimitsKey key{wire.limits.head_bytes, wire.limits.fields, wire.limits.target_bytes};
        std::vector<Wanted> wanted = wanted_answers(wire);
        // The result block's own word on the head.
        const std::string& expected = wire.expected.front();
        if (expected == "partial") CHECK_EQ(wire.name + std::to_string(wanted.size()), wire.name + "0");
        if (expected != "partial" && expected != "complete") {
            CHECK(!wanted.empty());
            if (!wanted.empty()) CHECK_EQ(wire.name + std::to_string(wanted[0].status), wire.name + expected);
        }
        planned[key].push_back({std::move(wire), std::move(wanted)});
    }
    return planned;
}

shard::Settings wire_settings(const LimitsKey& key) {
    shard::Settings settings = small_settings();
    settings.limits.head_bytes = std::get<0>(key);
    settings.limits.fields = std::get<1>(key);
    settings.limits.target_bytes = std::get<2>(key);
    settings.limits.body_bytes = UINT64_MAX;
    settings.limits.queue = 1024;
    settings.limits.connections = 512;
    settings.limits.slots = 512;
    settings.limits.arena_bytes = 4096 * layout::SEGMENT_BYTES;
    settings.routes = wire_routes();
    return settings;
}

// Each place to cut in two at, which takes quadratic time: in the midst of long cases some of them.
std::vector<std::size_t> cuts_in_two(std::size_t length) {
    std::vector<std::size_t> cuts;
    for (std::size_t at = 1; at<length; at += length> 600 && at > 200 && at + 200 < length ? 97 : 1) {
        cuts.push_back(at);
    }
    return cuts;
}

std::vector<std::size_t> every_cut(std::size_t length) {
    std::vector<std::size_t> cuts(length > 1 ? length - 1 : 0);
    std::iota(cuts.begin(), cuts.end(), 1);
    return cuts;
}

template <class K>
void play_all(ReactorRig<K>& rig, const std::vector<PlannedCase>& cases) {
    std::vector<WireTalk> talks;
    const auto add = [&](const PlannedCase& each, std::vector<std::size_t> cuts) {
        talks.push_back({&each.wire, &each.wanted, std::move(cuts)});
        if (talks.size() == AT_A_TIME) play_wire_talks(rig, talks);
    };
    for (const PlannedCase& each : cases) add(each, {});
    play_wire_talks(rig, talks);
    for (const PlannedCase& each : cases) {
        for (const std::size_t cut : cuts_in_two(each.wire.bytes.size())) add(each, {cut});
    }
    play_wire_talks(rig, talks);
    for (const PlannedCase& each : cases) add(each, every_cut(each.wire.bytes.size()));
    play_wire_talks(rig, talks);
}

REACTOR_TEST(WireCases, "reactor: wire cases, fragmented at every byte") {
    std::size_t count = 0;
    for (const auto& [key, cases] : planned_cases()) {
        ReactorRig<K> rig(wire_settings(key));
        REQUIRE_EQ(rig.failure, "");
        rig.driver = io::Driver::worker;
        rig.go_live();
        DescribingWorker worker(rig.worker);
        rig.on_turn = [&] { worker.step(); };
        play_all(rig, cases);
        rig.check_all_returned();
        count += cases.size();
    }
    CHECK(count > 300);
}

}  // namespace
}  // namespace pinion::test
