#include "http/head.hpp"

#include <algorithm>

#include "http/character_classes.hpp"
#include "http/framing.hpp"
#include "http/input.hpp"
#include "http/request_line.hpp"
#include "http/scan.hpp"

namespace pinion::http {

namespace {

// Offsets have 16 bits.
constexpr std::uint32_t GREATEST_HEAD = 65535;

// While so few bytes are there, everything is looked at each time: what is no HTTP at all shows here.
constexpr std::size_t OPENING = 64;

// A name has been read up to a byte that is neither a letter nor a hyphen: goes on to the colon.
inline HeadResult finish_name(const Input& input, const char*& end) {
    while (end != input.end && is(TOKEN, *end)) ++end;
    if (end == input.end) return HeadResult::partial;
    return *end == ':' ? HeadResult::complete : HeadResult::bad_request;
}

// A value ends at the first control that is no HTAB, and that has to be CR LF.
inline HeadResult find_value_end(const Input& input, const char* from, const char*& end) {
    end = find_control(input.begin, from, input.end);
    while (end != input.end && *end == '\t') end = find_control(input.begin, end + 1, input.end);
    if (end == input.end) return HeadResult::partial;
    if (*end != '\r') return HeadResult::bad_request;
    if (end + 1 == input.end) return HeadResult::partial;
    return end[1] == '\n' ? HeadResult::complete : HeadResult::bad_request;
}

// field-line = field-name ":" OWS field-value OWS (RFC 9112 §5). Blanks before the name (obs-fold among them) or the
// colon are no token, so they are refused here as well.
inline HeadResult parse_field_line(Input& input, layout::FieldLine& line) {
    const char* const name = input.at;
    const char* name_end = find_name_end(input.begin, name, input.end);
    if (name_end == input.end || *name_end != ':') {
        const HeadResult result = finish_name(input, name_end);
        if (result != HeadResult::complete) return result;
    }
    if (name_end == name) return HeadResult::bad_request;

    const char* value = name_end + 1;
    const char* line_end;
    const HeadResult result = find_value_end(input, value, line_end);
    if (result != HeadResult::complete) return result;
    while (value != line_end && is_blank(*value)) ++value;
    const char* value_end = line_end;
    while (value_end != value && is_blank(value_end[-1])) --value_end;

    line.name_offset = input.offset_of(name);
    line.name_length = static_cast<std::uint16_t>(name_end - name);
    line.value_offset = input.offset_of(value);
    line.value_length = static_cast<std::uint16_t>(value_end - value);
    input.at = line_end + 2;
    return HeadResult::complete;
}

HeadResult parse_fields(Input& input, std::uint16_t limit, Head& head, layout::FieldLine* fields) {
    FramingFields framing{head.minor_version};
    std::uint16_t count = 0;
    while (input.at != input.end) {
        if (*input.at == '\r') {
            if (input.left() < 2) return HeadResult::partial;
            if (input.at[1] != '\n') return HeadResult::bad_request;
            input.at += 2;
            head.field_count = count;
            head.length = static_cast<std::uint32_t>(input.at - input.begin);
            return framing.conclude(head);
        }
        if (count == limit) return HeadResult::fields_too_large;
        HeadResult result = parse_field_line(input, fields[count]);
        if (result != HeadResult::complete) return result;
        result = framing.note(input.begin, fields[count]);
        if (result != HeadResult::complete) return result;
        ++count;
    }
    return HeadResult::partial;
}

// True if the bytes that have come since the last call can change nothing: no line has ended, none can have gone wrong
// (a control is looked into at once, any other wrong byte at the end of its line), and no limit has been passed.
// So a head that arrives byte by byte is parsed a few times for each line, not for each byte.
bool nothing_new(const char* bytes, std::size_t length, std::size_t scanned, const HeadLimits& limits) {
    if (scanned < OPENING || scanned > length) return false;
    const std::size_t line = longest_request_line(limits.target_bytes);
    if (scanned < line && length >= line) return false;
    const char* const end = bytes + length;
    const char* from = bytes + scanned;
    if (from[-1] == '\r') return false;
    from = find_control(bytes, from, end);
    while (from != end && *from == '\t') from = find_control(bytes, from + 1, end);
    return from == end;
}

}  // namespace

HeadResult parse_head(const char* bytes, std::size_t length, std::size_t scanned, const HeadLimits& limits, Head& head,
                      layout::FieldLine* fields) {
    const std::size_t most = std::min(limits.head_bytes, GREATEST_HEAD);
    const bool full = length >= most;
    if (!full && scanned != 0 && nothing_new(bytes, length, scanned, limits)) return HeadResult::partial;

    Input input{bytes, bytes, bytes + std::min(length, most), full};
    HeadResult result = parse_request_line(input, limits.target_bytes, head);
    if (result == HeadResult::complete) result = parse_fields(input, limits.fields, head, fields);
    return result == HeadResult::partial && full ? HeadResult::fields_too_large : result;
}

}  // namespace pinion::http
