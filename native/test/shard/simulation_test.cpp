// The simulation under many seeds. PINION_SEED=n runs one seed; PINION_SEEDS=n that many, from PINION_FIRST_SEED on,
// with a line of progress now and then.
#include "test/shard/simulation.hpp"

#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "test/check.hpp"

// Of the sanitizers, where there is one. NOLINTNEXTLINE(readability-redundant-declaration)
extern "C" __attribute__((weak)) void __sanitizer_set_death_callback(void (*)());

namespace pinion::test {
namespace {

std::uint64_t environment(const char* name, std::uint64_t otherwise) {
    const char* value = std::getenv(name);
    return value == nullptr ? otherwise : std::strtoull(value, nullptr, 10);
}

// How to run the seed again that is under way; said also when an assertion or a sanitizer ends the process.
char again[160];
// What the reactor has to say of hostile workers would fill the log; it is kept for the seed that fails.
char* said = nullptr;
std::size_t said_bytes = 0;
void say_again() {
    std::fflush(stderr);
    for (const auto& [text, length] : {std::pair<const char*, std::size_t>{said, said_bytes}, {again, strlen(again)}}) {
        [[maybe_unused]] const ssize_t done = write(STDOUT_FILENO, text, length);
    }
}
void died(int signal) {
    say_again();
    ::signal(signal, SIG_DFL);
    raise(signal);
}

void simulate(Weather weather, const char* name, std::uint64_t usual) {
    const std::uint64_t only = environment("PINION_SEED", 0);
    const std::uint64_t first = only != 0 ? only : environment("PINION_FIRST_SEED", 1);
    const std::uint64_t wanted = environment("PINION_SEEDS", 0);
    const std::uint64_t count = only != 0 ? 1 : wanted != 0 ? wanted : usual;
    if (__sanitizer_set_death_callback != nullptr) __sanitizer_set_death_callback(say_again);
    const auto on_abort = ::signal(SIGABRT, died);
    const auto on_alarm = ::signal(SIGALRM, died);
    std::FILE* const real_stderr = stderr;
    stderr = open_memstream(&said, &said_bytes);
    unsigned failed = 0;
    std::uint64_t good = 0;
    for (std::uint64_t seed = first; seed < first + count && failed < 5; ++seed) {
        std::snprintf(again, sizeof again, "\n    again: PINION_SEED=%llu native_tests \"%s\"\n",
                      static_cast<unsigned long long>(seed), name);
        std::rewind(stderr);
        alarm(120);  // a seed takes milliseconds: this one would never end
        Simulation simulation(seed, weather);
        simulation.run();
        good += simulation.good;
        if (wanted >= 10'000 && (seed - first + 1) % 10'000 == 0) {
            const std::uint64_t done = seed - first + 1;
            std::printf("%llu of %llu seeds, %llu good answers\n", static_cast<unsigned long long>(done),
                        static_cast<unsigned long long>(count), static_cast<unsigned long long>(good));
            std::fflush(stdout);
        }
        if (simulation.problem.empty()) continue;
        ++failed;
        FAIL("seed " + std::to_string(seed) + ", step " + std::to_string(simulation.steps) + ": " + simulation.problem +
             again);
    }
    alarm(0);
    std::fclose(stderr);
    std::free(said);
    stderr = real_stderr;
    ::signal(SIGABRT, on_abort);
    ::signal(SIGALRM, on_alarm);
    if (__sanitizer_set_death_callback != nullptr) __sanitizer_set_death_callback(nullptr);
    // The simulation must have got somewhere.
    CHECK(failed > 0 || only != 0 || good >= (weather == Weather::wild ? count / 4 : count));
}

TEST("simulation: kind") { simulate(Weather::kind, "simulation: kind", 300); }
TEST("simulation: rough") { simulate(Weather::rough, "simulation: rough", 1500); }
TEST("simulation: tiny") { simulate(Weather::tiny, "simulation: tiny", 1000); }
TEST("simulation: hostile") { simulate(Weather::hostile, "simulation: hostile", 1000); }
TEST("simulation: wild") { simulate(Weather::wild, "simulation: wild", 1000); }

}  // namespace
}  // namespace pinion::test
