#include <random>
#include <string>
#include <vector>

#include "test/check.hpp"
#include "test/http/compare_routers.hpp"

namespace {

// Few different segments, so that patterns overlap, share parts and lead astray.
const std::vector<std::string> LITERALS{"a", "ab", "abc", "b", "1", "12", "1.5", "", "..", "a%2Fb", "%61", "\xc3\xa9"};
const std::vector<std::string> TYPES{"", ":string", ":int", ":float", ":uuid", ":path"};
const std::vector<std::string> TEXTS{"a",
                                     "ab",
                                     "abc",
                                     "abcd",
                                     "b",
                                     "1",
                                     "12",
                                     "-12",
                                     "1.5",
                                     "1e2",
                                     "",
                                     "..",
                                     "%2e.",
                                     ".",
                                     "a%2fb",
                                     "a%2F..",
                                     "%61",
                                     "%61b",
                                     "%C3%A9",
                                     "\xc3\xa9",
                                     "%31",
                                     "%312",
                                     "00",
                                     "%",
                                     "%00",
                                     "%ff",
                                     "123e4567-E89b-12d3-a456-426614174000",
                                     "123e4567-E89b-12d3-a456-42661417400%30"};

class Random {
public:
    explicit Random(unsigned seed) : engine_(seed) {}
    unsigned below(std::size_t bound) { return unsigned(engine_() % bound); }
    const std::string& of(const std::vector<std::string>& choices) { return choices[below(choices.size())]; }

private:
    std::mt19937 engine_;
};

std::string pattern_of(Random& random) {
    std::string text;
    const unsigned segments = 1 + random.below(5);
    for (unsigned i = 0; i < segments; ++i) {
        const bool parameter = random.below(2) == 0;
        const std::string type = random.of(TYPES);
        text += parameter ? "/{p" + std::to_string(i) + type + "}" : "/" + random.of(LITERALS);
    }
    return text;
}

std::string path_of(Random& random) {
    std::string text;
    const unsigned segments = 1 + random.below(6);
    // Broken ones seldom: they end the search before it begins.
    for (unsigned i = 0; i < segments; ++i) {
        const std::string& part = random.of(TEXTS);
        const bool broken = part == "%" || part == "%00" || part == "%ff";
        text += "/" + (broken && random.below(8) != 0 ? "a" : part);
    }
    return text;
}

}  // namespace

TEST("router: random routes and paths, as the naive router has them") {
    unsigned wrong = 0;
    for (unsigned seed = 0; seed < 700 && wrong < 5; ++seed) {
        Random random(seed);
        std::string text;
        const unsigned routes = 1 + random.below(40);
        for (unsigned i = 0; i < routes; ++i)
            text += std::to_string(1 + random.below(15)) + " " + pattern_of(random) + "\n";
        text += "\n";
        for (unsigned i = 0; i < 60; ++i) {
            if (i == 20 || i == 40) {
                text += '!';
                for (unsigned route = 0; route < routes; ++route) text += std::to_string(random.below(16)) + " ";
                text += '\n';
            }
            text += std::to_string(random.below(5)) + " " + path_of(random) + "\n";
        }
        const std::string difference = pinion::test::compare_routers(text);
        CHECK_EQ(difference, "");
        wrong += !difference.empty();
    }
}
