// Slots, rings and the rest of the mapping as a corrupted worker leaves them: the first bytes choose clients and
// limits, all others are what hostile workers do, deed by deed, between the turns of a whole reactor on the simulated
// kernel. Afterwards every byte of the arena, every slot and every socket must have come back.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "test/shard/simulation.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 3) return 0;
    // What the reactor says of broken lanes is said thousands of times a second.
    static std::FILE* const nowhere = std::fopen("/dev/null", "we");
    std::FILE* const real_stderr = std::exchange(stderr, nowhere);
    const std::uint64_t seed = std::uint64_t{data[0]} << 8 | data[1];
    const auto weather = data[2] % 4 == 0 ? pinion::test::Weather::hostile : pinion::test::Weather::wild;
    pinion::test::Simulation simulation(seed, weather, pinion::test::Dice(data + 3, size - 3));
    simulation.run();
    stderr = real_stderr;
    if (!simulation.problem.empty()) {
        std::fprintf(stderr, "%s\n", simulation.problem.c_str());
        std::abort();
    }
    return 0;
}
