// Heads: however the bytes arrive, the verdict is the same; what is accepted is what the grammar allows.
// The input's last byte chooses limits and cuts.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include "http/character_classes.hpp"
#include "http/head.hpp"

using namespace pinion;
using http::HeadResult;

namespace {

#define HOLDS(expression)                    \
    do {                                     \
        if (!(expression)) __builtin_trap(); \
    } while (false)

struct Parsed {
    HeadResult result;
    http::Head head{};
    std::vector<layout::FieldLine> fields;
};

// On a heap block of exactly this size, so that ASan sees a byte read too many.
Parsed parse(std::string_view bytes, std::size_t scanned, const http::HeadLimits& limits) {
    const std::unique_ptr<char[]> copy(new char[bytes.size()]);
    if (!bytes.empty()) std::memcpy(copy.get(), bytes.data(), bytes.size());
    Parsed parsed{};
    parsed.fields.resize(limits.fields);
    parsed.result = http::parse_head(copy.get(), bytes.size(), scanned, limits, parsed.head, parsed.fields.data());
    return parsed;
}

bool same(const Parsed& one, const Parsed& other) {
    if (one.result != other.result) return false;
    if (one.result != HeadResult::complete) return true;
    const auto equal = [](http::Range a, http::Range b) { return a.offset == b.offset && a.length == b.length; };
    const http::Head& a = one.head;
    const http::Head& b = other.head;
    return a.method == b.method && a.minor_version == b.minor_version && a.framing == b.framing &&
           a.keep_alive == b.keep_alive && a.expect_continue == b.expect_continue && a.escaped == b.escaped &&
           a.absolute_form == b.absolute_form && a.length == b.length && a.content_length == b.content_length &&
           equal(a.target, b.target) && equal(a.path, b.path) && equal(a.query, b.query) && equal(a.host, b.host) &&
           a.field_count == b.field_count &&
           (a.field_count == 0 ||
            std::memcmp(one.fields.data(), other.fields.data(), a.field_count * sizeof(layout::FieldLine)) == 0);
}

void check_accepted(std::string_view bytes, const Parsed& parsed, const http::HeadLimits& limits) {
    const http::Head& head = parsed.head;
    HOLDS(head.length <= bytes.size() && head.length <= limits.head_bytes && head.length >= 18);
    HOLDS(head.field_count <= limits.fields && head.target.length <= limits.target_bytes);
    const std::string_view text = bytes.substr(0, head.length);
    HOLDS(text.substr(text.size() - 4) == "\r\n\r\n");
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\r') HOLDS(text[i + 1] == '\n');
        if (text[i] == '\n')
            HOLDS(i > 0 && text[i - 1] == '\r');
        else if (text[i] != '\r')
            HOLDS(http::is(http::VALUE, text[i]));
    }
    const auto part = [text](http::Range range) {
        HOLDS(std::size_t{range.offset} + range.length <= text.size());
        return text.substr(range.offset, range.length);
    };
    const std::string_view path = part(head.path);
    HOLDS(path == "*" || path.front() == '/');
    HOLDS(part(head.target).find('#') == std::string_view::npos);
    HOLDS((part(head.target).find('%') != std::string_view::npos) == head.escaped);
    HOLDS(part(head.query).find(' ') == std::string_view::npos && part(head.host).find('@') == std::string_view::npos);
    HOLDS(head.framing != http::Framing::chunked || head.minor_version == 1);
    // The lines, counted and split the simple way.
    std::size_t at = text.find("\r\n", text.starts_with("\r\n") ? 2 : 0) + 2;
    for (unsigned i = 0; i < head.field_count; ++i) {
        const std::size_t end = text.find("\r\n", at);
        const std::size_t colon = text.find(':', at);
        std::string_view value = text.substr(colon + 1, end - colon - 1);
        while (!value.empty() && http::is_blank(value.front())) value.remove_prefix(1);
        while (!value.empty() && http::is_blank(value.back())) value.remove_suffix(1);
        const layout::FieldLine& line = parsed.fields[i];
        HOLDS(line.name_offset == at && line.name_length == colon - at && line.name_length > 0);
        HOLDS(http::all(http::TOKEN, text.data() + at, text.data() + colon));
        HOLDS(part({line.value_offset, line.value_length}) == value);
        at = end + 2;
    }
    HOLDS(at + 2 == text.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0 || size > 4096) return 0;
    const std::string_view bytes{reinterpret_cast<const char*>(data), size - 1};
    const unsigned choice = data[size - 1];
    const http::HeadLimits limits{(choice & 1) != 0 ? 200U : 65535U,
                                  static_cast<std::uint16_t>((choice & 2) != 0 ? 3 : 100),
                                  (choice & 4) != 0 ? 20U : 8192U};
    const Parsed whole = parse(bytes, 0, limits);
    const bool complete = whole.result == HeadResult::complete;
    if (complete) check_accepted(bytes, whole, limits);
    bool refused = false;
    const std::size_t length = complete ? whole.head.length : bytes.size();
    const std::size_t step = 1 + length / 300;
    for (std::size_t cut = 0; cut < length; cut += step) {
        const HeadResult fresh = parse(bytes.substr(0, cut), 0, limits).result;
        HOLDS(fresh == HeadResult::partial ? !refused : !complete && fresh == whole.result);
        refused = refused || fresh != HeadResult::partial;
        const Parsed second = parse(bytes, cut, limits);
        HOLDS(same(second, whole) || (!complete && second.result == HeadResult::partial));
    }
    return 0;
}
