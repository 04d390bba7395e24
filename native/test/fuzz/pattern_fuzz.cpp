// The pattern parser against the naive one; and an error always has a place and a text.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "http/pattern.hpp"
#include "test/http/naive_router.hpp"

namespace {

void require(bool holds, const char* what, const std::string& text) {
    if (holds) return;
    std::fprintf(stderr, "%s: %s\n", what, text.c_str());
    std::abort();
}

// The literals with a parameter's type between them, as the naive parser has it.
pinion::test::Text flat(const pinion::http::Pattern& pattern) {
    pinion::test::Text out;
    for (std::size_t i = 0; i < pattern.literals.size(); ++i) {
        for (const char c : pattern.literals[i])
            out.push_back(c == '\0' ? pinion::test::SLASH_AS_DATA : int(std::uint8_t(c)));
        if (i < pattern.kinds.size()) out.push_back(1000 + int(pattern.kinds[i]));
    }
    return out;
}

pinion::test::Text flat(const pinion::test::NaivePattern& pattern) {
    constexpr const char* NAMES[] = {"string", "int", "float", "uuid", "path"};
    pinion::test::Text out;
    for (const auto& segment : pattern) {
        out.push_back('/');
        out.insert(out.end(), segment.literal.begin(), segment.literal.end());
        for (int kind = 0; kind < 5; ++kind) {
            if (segment.type == NAMES[kind]) out.push_back(1000 + kind);
        }
    }
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), size);
    pinion::http::Pattern pattern;
    pinion::http::PatternError error;
    const bool parsed = pinion::http::parse_pattern(text, pattern, error);
    const auto expected = pinion::test::naive_pattern(text);
    require(parsed == expected.has_value(), parsed ? "taken" : "refused", text);
    if (parsed) {
        require(flat(pattern) == flat(*expected), "has other parts", text);
        require(pattern.kinds.size() == pattern.names.size() && pattern.literals.size() == pattern.kinds.size() + 1,
                "parts do not fit", text);
    } else {
        require(!error.message.empty() && error.column <= text.size(), "an error without a place or a text", text);
    }
    return 0;
}
