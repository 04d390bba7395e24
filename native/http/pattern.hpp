// A route's pattern, taken apart. Its grammar is described at Router.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/layout.generated.hpp"

namespace pinion::http {

// What is wrong with a pattern, for the configuration's error messages.
struct PatternError {
    std::uint32_t column = 0;  // 0-based byte of the pattern
    std::string message;       // what and what to do
};

struct Pattern {
    static constexpr std::size_t MAX_BYTES = 1024;  // bounds the depth of the router's search

    // Literal text before each parameter, and after the last: one more than there are parameters. Decoded; an encoded
    // slash is ENCODED_SLASH. Each but the first is empty or begins with '/'.
    std::vector<std::string> literals;
    std::vector<layout::ParameterKind> kinds;
    std::vector<std::string> names;
};

// False, and error filled, if the text is no pattern.
bool parse_pattern(std::string_view text, Pattern& pattern, PatternError& error);

}  // namespace pinion::http
