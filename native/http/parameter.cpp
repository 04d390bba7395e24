#include "http/parameter.hpp"

#include <charconv>
#include <cmath>
#include <cstdint>
#include <system_error>

#include "http/character_classes.hpp"

namespace pinion::http {

namespace {

const char* skip_digits(const char* at, const char* end) {
    while (at != end && is(DIGIT, *at)) ++at;
    return at;
}

// Whether a decimal beyond the range of a double is too small (or zero) rather than too large: from_chars does not say.
// Its first digit that is not 0 is of weight 10^weight.
bool is_tiny(const char* at, const char* end) {
    std::int64_t weight = 0;
    bool significant = false;
    bool fraction = false;
    for (; at != end && (*at | 0x20) != 'e'; ++at) {
        if (*at == '.') {
            fraction = true;
        } else if (is(DIGIT, *at)) {
            if (significant && !fraction) ++weight;
            if (!significant && fraction) --weight;
            significant = significant || *at != '0';
        }
    }
    if (at == end) return weight < 0;
    const bool negative = *++at == '-';
    std::int64_t exponent = 0;
    for (; at != end; ++at) {
        if (is(DIGIT, *at) && exponent < 1000000) exponent = exponent * 10 + (*at - '0');
    }
    return weight + (negative ? -exponent : exponent) < 0;
}

}  // namespace

bool parse_int(std::string_view text, double& value) {
    if (text.size() > NUMBER_BYTES) return false;
    constexpr std::int64_t most = (std::int64_t(1) << 53) - 1;
    const char* at = text.data();
    const char* const end = at + text.size();
    const bool negative = at != end && *at == '-';
    if (negative) ++at;
    if (at == end) return false;
    std::int64_t number = 0;
    for (; at != end; ++at) {
        if (!is(DIGIT, *at)) return false;
        number = number * 10 + (*at - '0');
        if (number > most) return false;
    }
    value = static_cast<double>(negative ? -number : number);
    return true;
}

bool parse_float(std::string_view text, double& value) {
    if (text.empty() || text.size() > NUMBER_BYTES) return false;
    const char* const begin = text.data();
    const char* const end = begin + text.size();
    const char* at = begin + (*begin == '-');
    const char* part = at;
    if ((at = skip_digits(at, end)) == part) return false;
    if (at != end && *at == '.') {
        part = ++at;
        if ((at = skip_digits(at, end)) == part) return false;
    }
    if (at != end && (*at | 0x20) == 'e') {
        ++at;
        if (at != end && (*at == '+' || *at == '-')) ++at;
        part = at;
        if ((at = skip_digits(at, end)) == part) return false;
    }
    if (at != end) return false;
    // The grammar above leaves out what from_chars takes beyond it: inf, nan, ".5", "5.".
    const std::from_chars_result result = std::from_chars(begin, end, value);
    if (result.ec == std::errc()) return std::isfinite(value);
    if (!is_tiny(begin, end)) return false;
    value = 0;
    return true;
}

bool is_uuid(std::string_view text) {
    if (text.size() != 36) return false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool hyphen = i == 8 || i == 13 || i == 18 || i == 23;
        if (hyphen ? text[i] != '-' : !is(HEXADECIMAL, text[i])) return false;
    }
    return true;
}

}  // namespace pinion::http
