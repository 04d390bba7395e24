// A test that runs under many seeds (or inputs), one after the other: which one fails is said, also when an assertion
// or a sanitizer ends the process. PINION_SEED=n runs one seed; PINION_SEEDS=n that many, from PINION_FIRST_SEED on,
// with a line of progress now and then.
#pragma once

#include <signal.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>

#include "test/check.hpp"

// Of the sanitizers, where there is one.
// NOLINTNEXTLINE(readability-redundant-declaration,bugprone-reserved-identifier,readability-identifier-naming)
extern "C" __attribute__((weak)) void __sanitizer_set_death_callback(void (*)());

namespace pinion::test {

inline std::uint64_t environment(const char* name, std::uint64_t otherwise) {
    const char* value = std::getenv(name);
    return value == nullptr ? otherwise : std::strtoull(value, nullptr, 10);
}

// While one of these lives, what is written to stderr is kept for the run that fails, and the process does not end
// without saying how to run it again.
class DeathWatch {
public:
    DeathWatch() {
        if (__sanitizer_set_death_callback != nullptr) __sanitizer_set_death_callback(say);
        on_abort_ = ::signal(SIGABRT, died);
        on_alarm_ = ::signal(SIGALRM, died);
        on_ill_ = ::signal(SIGILL, died);  // a trap of the compiler's, as the machine has it
        on_trap_ = ::signal(SIGTRAP, died);
        real_stderr_ = stderr;
        stderr = open_memstream(&said_, &said_bytes_);
    }
    ~DeathWatch() {
        alarm(0);
        std::fclose(stderr);
        std::free(said_);
        stderr = real_stderr_;
        ::signal(SIGABRT, on_abort_);
        ::signal(SIGALRM, on_alarm_);
        ::signal(SIGILL, on_ill_);
        ::signal(SIGTRAP, on_trap_);
        if (__sanitizer_set_death_callback != nullptr) __sanitizer_set_death_callback(nullptr);
    }
    DeathWatch(const DeathWatch&) = delete;
    DeathWatch& operator=(const DeathWatch&) = delete;

    // The next run begins. One takes milliseconds: after two minutes it would never end.
    void begin(const std::string& again) {
        std::snprintf(again_, sizeof again_, "%s", again.c_str());
        std::rewind(stderr);
        alarm(120);
    }
    static const char* again() { return again_; }

private:
    static void say() {
        std::fflush(stderr);
        const std::pair<const char*, std::size_t> texts[] = {{said_, said_bytes_}, {again_, std::strlen(again_)}};
        for (const auto& [text, length] : texts) {
            [[maybe_unused]] const ssize_t done = write(STDOUT_FILENO, text, length);
        }
    }
    static void died(int signal) {
        say();
        ::signal(signal, SIG_DFL);
        raise(signal);
    }

    inline static char again_[400];
    inline static char* said_ = nullptr;
    inline static std::size_t said_bytes_ = 0;
    std::FILE* real_stderr_ = nullptr;
    sighandler_t on_abort_ = nullptr, on_alarm_ = nullptr, on_ill_ = nullptr, on_trap_ = nullptr;
};

struct SeedsRun {
    std::uint64_t count = 0;
    unsigned failed = 0;
    bool only = false;  // one seed was asked for
};

// Calls run(seed) for each seed, which returns what went wrong; `name` is the test's.
template <class Run>
SeedsRun run_seeds(const char* name, std::uint64_t usual, Run&& run) {
    const std::uint64_t only = environment("PINION_SEED", 0);
    const std::uint64_t first = only != 0 ? only : environment("PINION_FIRST_SEED", 1);
    const std::uint64_t wanted = environment("PINION_SEEDS", 0);
    SeedsRun done{.count = only != 0 ? 1 : wanted != 0 ? wanted : usual, .failed = 0, .only = only != 0};
    DeathWatch watch;
    for (std::uint64_t seed = first; seed < first + done.count && done.failed < 5; ++seed) {
        watch.begin("\n    again: PINION_SEED=" + std::to_string(seed) + " native_tests \"" + name + "\"\n");
        const std::string problem = run(seed);
        if (wanted >= 10'000 && (seed - first + 1) % 10'000 == 0) {
            const std::string count = std::to_string(seed - first + 1);
            std::printf("%s of %s seeds\n", count.c_str(), std::to_string(done.count).c_str());
            std::fflush(stdout);
        }
        if (problem.empty()) continue;
        ++done.failed;
        FAIL("seed " + std::to_string(seed) + ", " + problem + DeathWatch::again());
    }
    return done;
}

}  // namespace pinion::test
