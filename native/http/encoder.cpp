#include "http/encoder.hpp"

#include <bit>
#include <cstring>
#include <string_view>

#include "http/character_classes.hpp"
#include "http/status_line.hpp"

namespace pinion::http {

namespace {

constexpr std::string_view LENGTH_NAME = "Content-Length: ";
constexpr std::string_view CHUNKED_LINE = "Transfer-Encoding: chunked\r\n";
constexpr std::string_view CLOSE_LINE = "Connection: close\r\n";
constexpr std::string_view KEEP_ALIVE_LINE = "Connection: keep-alive\r\n";
constexpr std::string_view LINE_END = "\r\n";

// By layout::ContentType.
constexpr std::string_view CONTENT_TYPE_LINES[] = {
    "",
    "Content-Type: text/plain; charset=utf-8\r\n",
    "Content-Type: application/json\r\n",
    "Content-Type: text/html; charset=utf-8\r\n",
    "Content-Type: application/octet-stream\r\n",
};

constexpr std::uint64_t POWERS_OF_TEN[] = {
    0,
    10,
    100,
    1'000,
    10'000,
    100'000,
    1'000'000,
    10'000'000,
    100'000'000,
    1'000'000'000,
    10'000'000'000,
    100'000'000'000,
    1'000'000'000'000,
    10'000'000'000'000,
    100'000'000'000'000,
    1'000'000'000'000'000,
    10'000'000'000'000'000,
    100'000'000'000'000'000,
    1'000'000'000'000'000'000,
    10'000'000'000'000'000'000U,
};

// Decimal digits: the bits of a number say how many, but for one comparison (1233 / 4096 is about log10(2)).
std::size_t digit_count(std::uint64_t number) {
    const auto bits = static_cast<unsigned>(std::bit_width(number | 1));
    const unsigned guess = bits * 1233 >> 12;
    return guess + (number >= POWERS_OF_TEN[guess] ? 1 : 0);
}

void write_digits(char* end, std::size_t count, std::uint64_t number) {
    for (; count != 0; --count) {
        *--end = static_cast<char>('0' + number % 10);
        number /= 10;
    }
}

char* append(char* to, std::string_view text) {
    return to + text.copy(to, text.size());  // which may be of no bytes at no address
}

std::uint16_t load_length(const char* from) {
    std::uint16_t length;
    std::memcpy(&length, from, sizeof length);
    return length;
}

constexpr std::size_t LENGTHS = 2 * sizeof(std::uint16_t);
// A field takes as many bytes in the block as on the wire, so that its size is known without walking it.
static_assert(LENGTHS == std::string_view(": ").size() + LINE_END.size());

// What goes into a head besides the fields of the handler: the one place that knows the rules.
struct Plan {
    std::string_view status_line;
    std::string_view content_type;
    std::string_view coding;
    std::string_view connection;
    std::size_t digits = 0;  // of Content-Length; 0: no such field
    bool date = false;

    explicit Plan(const ResponseHead& head) : status_line(status_line_of(head.status)) {
        // An interim answer has its status line and nothing that speaks of the final one (RFC 9110 §15.2).
        if (head.status >= 100 && head.status < 200) return;
        date = !head.own_date;
        content_type = CONTENT_TYPE_LINES[static_cast<std::size_t>(head.content_type)];
        if (head.length_known) {
            // RFC 9110 §8.6: never with 204; with 304 it says what a 200 would have had, and 0 is just that it has
            // none.
            const bool unsaid = head.status == 204 || (head.status == 304 && head.content_length == 0);
            if (!unsaid) digits = digit_count(head.content_length);
        } else if (head.chunked && head.minor_version != 0 && head.status != 204 && head.status != 304) {
            coding = CHUNKED_LINE;  // RFC 9112 §6.1: not with these, not to HTTP/1.0
        }
        if (!head.keep_alive) {
            connection = CLOSE_LINE;
        } else if (head.minor_version == 0) {
            connection = KEEP_ALIVE_LINE;
        }
    }

    std::size_t size(std::size_t fields_length) const {
        return status_line.size() + (date ? DateLine::LENGTH : 0) + content_type.size() + coding.size() +
               connection.size() + (digits != 0 ? LENGTH_NAME.size() + digits + LINE_END.size() : 0) + fields_length +
               LINE_END.size();
    }
};

// Field names that say how the message is framed or what becomes of the connection: native code owns them.
bool is_owned(std::string_view name, bool own_date) {
    const auto is_name = [name](std::string_view wanted) {
        return equals_ignoring_case(name.data(), name.size(), wanted);
    };
    switch (name.size()) {
        case 4: return !own_date && is_name("date");
        case 7: return is_name("upgrade");
        case 10: return is_name("connection") || is_name("keep-alive");
        case 14: return is_name("content-length");
        case 17: return is_name("transfer-encoding");
        default: return false;
    }
}

}  // namespace

bool fields_valid(const char* fields, std::size_t length, bool own_date) {
    while (length != 0) {
        if (length < LENGTHS) return false;
        const std::size_t name_length = load_length(fields);
        const std::size_t value_length = load_length(fields + sizeof(std::uint16_t));
        if (name_length == 0 || length - LENGTHS < name_length + value_length) return false;
        const char* const name = fields + LENGTHS;
        const char* const value = name + name_length;
        if (!all(TOKEN, name, value) || !all(VALUE, value, value + value_length)) return false;
        if (is_owned({name, name_length}, own_date)) return false;
        fields = value + value_length;
        length -= LENGTHS + name_length + value_length;
    }
    return true;
}

char* write_fields(const char* fields, std::size_t length, char* to) {
    const char* const end = fields + length;
    while (fields != end) {
        const std::size_t name = load_length(fields);
        const std::size_t value = load_length(fields + sizeof(std::uint16_t));
        fields += LENGTHS;
        to = append(to, {fields, name});
        to = append(to, ": ");
        to = append(to, {fields + name, value});
        to = append(to, LINE_END);
        fields += name + value;
    }
    return to;
}

std::size_t head_size(const ResponseHead& head) { return Plan(head).size(head.fields_length); }

char* write_head(const ResponseHead& head, const DateLine& date, char* end) {
    const Plan plan(head);
    char* const begin = end - plan.size(head.fields_length);
    char* to = append(begin, plan.status_line);
    if (plan.date) to = append(to, {date.text, DateLine::LENGTH});
    to = append(to, plan.content_type);
    if (plan.digits != 0) {
        to = append(to, LENGTH_NAME) + plan.digits;
        write_digits(to, plan.digits, head.content_length);
        to = append(to, LINE_END);
    }
    to = append(to, plan.coding);
    to = append(to, plan.connection);
    to = write_fields(head.fields, head.fields_length, to);
    append(to, LINE_END);
    return begin;
}

}  // namespace pinion::http
