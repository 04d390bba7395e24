// Heads of answers: whatever fields a handler sets, what is accepted comes out as exactly these fields. The head is
// read back by our own parser, its status line exchanged for a request line.
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "http/character_classes.hpp"
#include "http/encoder.hpp"
#include "http/head.hpp"

using namespace pinion;

namespace {

#define HOLDS(expression)                    \
    do {                                     \
        if (!(expression)) __builtin_trap(); \
    } while (false)

struct Fields {
    const char* at;
    const char* end;

    bool next(std::string_view& name, std::string_view& value) {
        if (at == end) return false;
        std::uint16_t lengths[2];
        std::memcpy(lengths, at, sizeof lengths);
        name = {at + sizeof lengths, lengths[0]};
        value = {name.data() + name.size(), lengths[1]};
        at = value.data() + value.size();
        return true;
    }
};

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && http::is_blank(text.front())) text.remove_prefix(1);
    while (!text.empty() && http::is_blank(text.back())) text.remove_suffix(1);
    return text;
}

bool is_name(std::string_view name, std::string_view wanted) {
    return http::equals_ignoring_case(name.data(), name.size(), wanted);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr std::size_t CHOICES = 12;
    if (size < CHOICES || size > 8192) return 0;
    const char* const fields = reinterpret_cast<const char*>(data) + CHOICES;
    const std::size_t fields_length = size - CHOICES;
    http::ResponseHead head{};
    std::memcpy(&head.status, data, 2);
    head.status = static_cast<std::uint16_t>(head.status % 620);
    head.content_type = static_cast<layout::ContentType>(data[2] % layout::CONTENT_TYPE_COUNT);
    head.minor_version = data[3] & 1;
    head.keep_alive = (data[3] & 2) != 0;
    head.own_date = (data[3] & 4) != 0;
    head.chunked = (data[3] & 8) != 0;
    head.length_known = (data[3] & 16) != 0;
    std::memcpy(&head.content_length, data + 4, 8);
    head.content_length >>= data[3] >> 5 << 3;
    head.content_length &= INT64_MAX;
    if (!http::fields_valid(fields, fields_length, head.own_date)) return 0;
    head.fields = fields;
    head.fields_length = fields_length;

    http::DateLine date;
    date.refresh(static_cast<std::int64_t>(head.content_length));
    const std::size_t length = http::head_size(head);
    std::string memory(length, '\0');
    HOLDS(http::write_head(head, date, memory.data() + length) == memory.data());
    HOLDS(memory.starts_with("HTTP/1.1 ") && memory.ends_with("\r\n\r\n"));

    const std::string request = "GET / HTTP/1.1\r\nHost: a\r\n" + memory.substr(memory.find("\r\n") + 2);
    http::Head parsed;
    static layout::FieldLine lines[2000];
    const http::HeadResult result =
        http::parse_head(request.data(), request.size(), 0, {65535, 2000, 8192}, parsed, lines);
    Fields check{fields, fields + fields_length};
    bool meaningful = false;  // a field that only requests may not have
    for (std::string_view name, value; check.next(name, value);) {
        meaningful = meaningful || is_name(name, "host") || is_name(name, "expect");
    }
    if (meaningful) return 0;
    HOLDS(result == http::HeadResult::complete && parsed.length == request.size());

    // The handler's fields are the last ones, in their order.
    unsigned count = 0;
    for (Fields walk{fields, fields + fields_length}; walk.at != walk.end; ++count) {
        std::string_view name, value;
        walk.next(name, value);
    }
    HOLDS(parsed.field_count >= count);
    const layout::FieldLine* line = lines + (parsed.field_count - count);
    Fields walk{fields, fields + fields_length};
    for (std::string_view name, value; walk.next(name, value); ++line) {
        HOLDS(name == std::string_view(request).substr(line->name_offset, line->name_length));
        HOLDS(trimmed(value) == std::string_view(request).substr(line->value_offset, line->value_length));
    }
    const unsigned status = head.status;
    const bool interim = status >= 100 && status < 200;
    const bool unsaid = status == 204 || (status == 304 && head.content_length == 0);
    const bool has_length = head.length_known && !interim && !unsaid;
    const bool has_coding =
        !head.length_known && head.chunked && head.minor_version != 0 && !interim && status != 204 && status != 304;
    HOLDS(parsed.framing == (has_length   ? http::Framing::length
                             : has_coding ? http::Framing::chunked
                                          : http::Framing::none));
    if (has_length) HOLDS(parsed.content_length == head.content_length);
    HOLDS(interim || parsed.keep_alive == head.keep_alive);
    return 0;
}
