// Every committed input of every fuzzer, so that what once made one fail is tried wherever the tests run. The build
// compiles the fuzzers into these tests, each under a name of its own, and says which there are
// (PINION_FUZZERS).
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "test/check.hpp"
#include "test/seeds.hpp"

#define X(name) extern "C" int pinion_##name##_fuzz(const std::uint8_t* data, std::size_t size);
PINION_FUZZERS
#undef X

namespace pinion::test {
namespace {

using Fuzzer = int (*)(const std::uint8_t* data, std::size_t size);

std::filesystem::path corpora() { return std::filesystem::path(__FILE__).parent_path() / "corpus"; }

void replay(const std::string& name, Fuzzer fuzzer) {
    DeathWatch watch;
    std::set<std::filesystem::path> files;
    for (const auto& each : std::filesystem::directory_iterator(corpora() / name)) files.insert(each.path());
    CHECK(!files.empty());
    for (const std::filesystem::path& file : files) {
        watch.begin("\n    the input: " + file.string() + "\n");
        std::ifstream in(file, std::ios::binary);
        const std::string bytes{std::istreambuf_iterator<char>(in), {}};
        CHECK_EQ(fuzzer(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()), 0);
    }
}

#define X(name) \
    PINION_TEST("fuzz: the corpus of " #name, corpus_of_##name) { replay(#name, pinion_##name##_fuzz); }
PINION_FUZZERS
#undef X

TEST("fuzz: each corpus has its fuzzer, each fuzzer its corpus") {
    std::set<std::string> fuzzers;
#define X(name) fuzzers.insert(#name);
    PINION_FUZZERS
#undef X
    std::set<std::string> folders;
    for (const auto& each : std::filesystem::directory_iterator(corpora())) folders.insert(each.path().filename());
    CHECK(!fuzzers.empty());
    CHECK(fuzzers == folders);
}

}  // namespace
}  // namespace pinion::test
