#include "http/request_line.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "http/authority.hpp"
#include "http/character_classes.hpp"
#include "http/scan.hpp"

namespace pinion::http {

namespace {

// Longer than any registered method (the longest has 17 letters): what is longer is not waited for.
constexpr std::size_t LONGEST_METHOD = 32;

// "GET " and the like as a number of eight bytes, so that a method is recognised by one comparison.
struct MethodWord {
    std::uint64_t word = 0;
    std::uint64_t mask = 0;
};

constexpr std::array<MethodWord, METHOD_COUNT> make_method_words() {
    std::array<MethodWord, METHOD_COUNT> words{};
    for (unsigned method = 0; method < METHOD_COUNT; ++method) {
        const std::string_view name = METHOD_NAMES[method];
        for (unsigned at = 0; at <= name.size(); ++at) {
            const std::uint64_t byte = at < name.size() ? static_cast<std::uint8_t>(name[at]) : std::uint8_t{' '};
            words[method].word |= byte << (8 * at);
            words[method].mask |= std::uint64_t{0xff} << (8 * at);
        }
    }
    return words;
}

constexpr std::array<MethodWord, METHOD_COUNT> METHOD_WORDS = make_method_words();

std::uint64_t load_word(const char* from) {
    std::uint64_t word;
    std::memcpy(&word, from, sizeof word);
    return word;
}

HeadResult refuse_method(std::string_view name) {
    // The HTTP/2 preface begins "PRI * HTTP/2.0", and the name is reserved for it (RFC 9113 §11.6).
    return name == "PRI" ? HeadResult::version_not_supported : HeadResult::not_implemented;
}

// A method that has not arrived yet, is unknown, or stands too close to the end to be read as a word.
HeadResult parse_method_slowly(Input& input, Method& method) {
    const std::size_t count = std::min(input.left(), LONGEST_METHOD + 1);
    std::size_t length = 0;
    while (length < count && is(TOKEN, input.at[length])) ++length;
    if (length == count) return count > LONGEST_METHOD ? HeadResult::not_implemented : HeadResult::partial;
    if (length == 0 || input.at[length] != ' ') return HeadResult::bad_request;
    const std::string_view name{input.at, length};
    for (unsigned known = 0; known < METHOD_COUNT; ++known) {
        if (name != METHOD_NAMES[known]) continue;
        method = static_cast<Method>(known);
        input.at += length + 1;
        return HeadResult::complete;
    }
    return refuse_method(name);
}

HeadResult parse_method(Input& input, Method& method) {
    if (input.left() >= sizeof(std::uint64_t)) {
        const std::uint64_t word = load_word(input.at);
        for (unsigned known = 0; known < METHOD_COUNT; ++known) {
            if ((word & METHOD_WORDS[known].mask) != METHOD_WORDS[known].word) continue;
            method = static_cast<Method>(known);
            input.at += METHOD_NAMES[known].size() + 1;
            return HeadResult::complete;
        }
    }
    return parse_method_slowly(input, method);
}

// Where a target ends and what is in it.
struct TargetScan {
    const char* end;       // the first byte that no target has, or the end of the input
    const char* question;  // the first '?', or null
    bool escaped;
};

TargetScan scan_target(const char* begin, const char* from, const char* end) {
    TargetScan scan{end, nullptr, false};
    while (from != end) {
        LaneMask question = 0;
        LaneMask percent = 0;
        const auto matcher = [&](ByteBlock block) {
            question = block.equal('?').mask();
            percent = block.equal('%').mask();
            return (block.below(0x21) | block.equal(0x7f) | block.equal('#') | block.not_ascii()).mask();
        };
        LaneMask stop;
        const auto left = static_cast<std::size_t>(end - from);
        std::size_t step = Lanes::WIDTH;
        if (left >= Lanes::WIDTH) {
            stop = matcher(ByteBlock::load(from));
        } else {
            step = left;
            stop = match_short_block(begin, from, left, matcher);
            // The lanes of the two other masks have to be brought to the same places.
            if (static_cast<std::size_t>(end - begin) >= Lanes::WIDTH) {
                const auto shift = (Lanes::WIDTH - left) * Lanes::BITS;
                question = static_cast<LaneMask>(question >> shift);
                percent = static_cast<LaneMask>(percent >> shift);
            }
        }
        const LaneMask before = stop != 0 ? (stop & (~stop + 1)) - 1 : ~LaneMask{0};
        question &= before;
        scan.escaped |= (percent & before) != 0;
        if (scan.question == nullptr && question != 0) scan.question = from + first_lane(question);
        if (stop != 0) {
            scan.end = from + first_lane(stop);
            break;
        }
        from += step;
    }
    return scan;
}

// Length of "http://" or "https://" in any case at the front of the target, or 0.
std::size_t scheme_length(const char* from, const char* end) {
    const auto length = static_cast<std::size_t>(end - from);
    if (length < 7 || !equals_ignoring_case(from, 4, "http")) return 0;
    const std::size_t colon = lower(from[4]) == 's' ? 5 : 4;
    if (length < colon + 3 || std::memcmp(from + colon, "://", 3) != 0) return 0;
    return colon + 3;
}

// absolute-form: its authority counts, whatever Host says (RFC 9112 §3.2.2).
HeadResult split_absolute(const Input& input, const TargetScan& scan, Head& head, const char*& path) {
    const std::size_t scheme = scheme_length(input.at, scan.end);
    if (scheme == 0) return HeadResult::bad_request;
    const char* const authority = input.at + scheme;
    const char* const authority_end_limit = scan.question != nullptr ? scan.question : scan.end;
    const char* authority_end = authority;
    while (authority_end < authority_end_limit && *authority_end != '/') ++authority_end;
    const auto length = static_cast<std::size_t>(authority_end - authority);
    if (!authority_valid(authority, length)) return HeadResult::bad_request;
    head.absolute_form = true;
    head.host = {input.offset_of(authority), static_cast<std::uint16_t>(length)};
    path = authority_end;
    return HeadResult::complete;
}

HeadResult split_target(const Input& input, const TargetScan& scan, Head& head) {
    const char* path = input.at;
    head.absolute_form = false;
    if (*path == '*') {
        if (scan.end - path != 1 || head.method != Method::OPTIONS) return HeadResult::bad_request;
    } else if (*path != '/') {
        const HeadResult result = split_absolute(input, scan, head, path);
        if (result != HeadResult::complete) return result;
    }
    const char* const path_end = scan.question != nullptr ? scan.question : scan.end;
    if (path == path_end) {
        // http://host means http://host/ : the slash before the authority stands in for the one that is not there.
        path = input.begin + head.host.offset - 1;
        head.path = {input.offset_of(path), 1};
    } else {
        head.path = {input.offset_of(path), static_cast<std::uint16_t>(path_end - path)};
    }
    const char* const query = scan.question != nullptr ? scan.question + 1 : scan.end;
    head.query = {input.offset_of(query), static_cast<std::uint16_t>(scan.end - query)};
    return HeadResult::complete;
}

HeadResult parse_target(Input& input, std::uint32_t target_bytes, Head& head) {
    if (input.at == input.end) return HeadResult::partial;
    const char first = *input.at;
    if (first != '/' && first != '*' && lower(first) != 'h') return HeadResult::bad_request;
    const std::size_t allowed = std::min<std::size_t>(input.left(), std::size_t{target_bytes} + 1);
    const TargetScan scan = scan_target(input.begin, input.at, input.at + allowed);
    const auto length = static_cast<std::size_t>(scan.end - input.at);
    if (length == allowed) {
        const bool too_long = length > target_bytes || input.full;
        return too_long ? HeadResult::target_too_long : HeadResult::partial;
    }
    if (*scan.end != ' ') return HeadResult::bad_request;
    head.target = {input.offset_of(input.at), static_cast<std::uint16_t>(length)};
    head.escaped = scan.escaped;
    const HeadResult result = split_target(input, scan, head);
    input.at = scan.end + 1;
    return result;
}

// Byte by byte, for a version that is another one or has not wholly arrived.
HeadResult parse_version_slowly(Input& input, std::uint8_t& minor_version) {
    constexpr std::string_view PATTERN = "HTTP/d.d\r\n";
    const std::size_t count = std::min(input.left(), PATTERN.size());
    for (std::size_t at = 0; at < count; ++at) {
        const bool fits = PATTERN[at] == 'd' ? is(DIGIT, input.at[at]) : input.at[at] == PATTERN[at];
        if (!fits) return HeadResult::bad_request;
    }
    if (count < PATTERN.size()) return HeadResult::partial;
    if (input.at[5] != '1') return HeadResult::version_not_supported;
    minor_version = input.at[7] == '0' ? 0 : 1;  // a later minor version is served as the latest that we know (§2.5)
    input.at += PATTERN.size();
    return HeadResult::complete;
}

HeadResult parse_version(Input& input, std::uint8_t& minor_version) {
    constexpr std::size_t LENGTH = 10;
    if (input.left() >= LENGTH && std::memcmp(input.at, "HTTP/1.1\r\n", LENGTH) == 0) {
        minor_version = 1;
        input.at += LENGTH;
        return HeadResult::complete;
    }
    return parse_version_slowly(input, minor_version);
}

// Some clients send an empty line after a body; one is passed over (§2.2).
HeadResult skip_empty_line(Input& input) {
    if (input.at == input.end) return HeadResult::partial;
    if (*input.at != '\r') return HeadResult::complete;
    if (input.left() < 2) return HeadResult::partial;
    if (input.at[1] != '\n') return HeadResult::bad_request;
    input.at += 2;
    return input.at == input.end ? HeadResult::partial : HeadResult::complete;
}

}  // namespace

HeadResult parse_request_line(Input& input, std::uint32_t target_bytes, Head& head) {
    HeadResult result = skip_empty_line(input);
    if (result != HeadResult::complete) return result;
    result = parse_method(input, head.method);
    if (result != HeadResult::complete) return result;
    if (head.method == Method::CONNECT) return HeadResult::not_implemented;
    result = parse_target(input, target_bytes, head);
    if (result != HeadResult::complete) return result;
    return parse_version(input, head.minor_version);
}

std::uint32_t longest_request_line(std::uint32_t target_bytes) {
    constexpr std::uint32_t AROUND_TARGET = 2 + LONGEST_METHOD + 1 + 1 + 10;
    return std::min<std::uint32_t>(target_bytes, 65535) + AROUND_TARGET;
}

}  // namespace pinion::http
