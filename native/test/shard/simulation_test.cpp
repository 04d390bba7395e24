// The simulation under many seeds. test/seeds.hpp says how to run one again, or a million.
#include "test/shard/simulation.hpp"

#include <cstdint>
#include <string>

#include "test/check.hpp"
#include "test/seeds.hpp"

namespace pinion::test {
namespace {

void simulate(Weather weather, const char* name, std::uint64_t usual) {
    std::uint64_t good = 0;
    const SeedsRun done = run_seeds(name, usual, [&](std::uint64_t seed) {
        Simulation simulation(seed, weather);
        simulation.run();
        good += simulation.good;
        if (simulation.problem.empty()) return std::string();
        return "step " + std::to_string(simulation.steps) + ": " + simulation.problem;
    });
    // The simulation must have got somewhere.
    CHECK(done.failed > 0 || done.only || good >= (weather == Weather::wild ? done.count / 4 : done.count));
}

TEST("simulation: kind") { simulate(Weather::kind, "simulation: kind", 300); }
TEST("simulation: rough") { simulate(Weather::rough, "simulation: rough", 1500); }
TEST("simulation: tiny") { simulate(Weather::tiny, "simulation: tiny", 1000); }
TEST("simulation: hostile") { simulate(Weather::hostile, "simulation: hostile", 1000); }
TEST("simulation: wild") { simulate(Weather::wild, "simulation: wild", 1000); }

}  // namespace
}  // namespace pinion::test
