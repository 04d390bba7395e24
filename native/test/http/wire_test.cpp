// Every wire case: whole, cut after each byte, cut in two at each byte, and grown byte by byte, always ending at a
// guard page.
#include <cstdint>
#include <string>

#include "http/chunked.hpp"
#include "http/head.hpp"
#include "test/check.hpp"
#include "test/http/guarded.hpp"
#include "test/http/wire_case.hpp"

namespace pinion::test {

namespace {

using http::Framing;
using http::HeadResult;

std::string result_text(HeadResult result) {
    if (result == HeadResult::complete) return "complete";
    if (result == HeadResult::partial) return "partial";
    return std::to_string(static_cast<int>(result));
}

std::string result_text(http::ChunkedResult result) {
    if (result == http::ChunkedResult::complete) return "complete";
    if (result == http::ChunkedResult::more) return "more";
    return std::to_string(static_cast<int>(result));
}

constexpr http::ChunkedLimits CHUNKED_LIMITS{256, 1024, 4096};

struct Body {
    std::string result = "complete";
    std::string data;
    std::string trailers;
    std::string rest;
    friend bool operator==(const Body&, const Body&) = default;
};

std::ostream& operator<<(std::ostream& out, const Body& body) {
    return out << body.result << " data " << escaped(body.data) << " trailers " << escaped(body.trailers) << " rest "
               << escaped(body.rest);
}

// Decodes in pieces of `piece` bytes, the first one `first` bytes long.
Body decode_chunked(const std::string& bytes, std::size_t first, std::size_t piece) {
    GuardedBytes memory(bytes.size());
    http::ChunkedDecoder decoder;
    Body body;
    std::size_t at = 0;
    std::size_t count = std::min(first, bytes.size());
    while (true) {
        char* const placed = memory.place(std::string_view(bytes).substr(at, count));
        http::ChunkedPiece part{};
        const http::ChunkedResult result = decoder.decode(placed, count, CHUNKED_LIMITS, part);
        body.data.append(placed, part.data);
        body.trailers.append(placed + part.data, part.trailers);
        at += part.consumed;
        body.result = result_text(result);
        if (result != http::ChunkedResult::more || at == bytes.size()) break;
        if (part.consumed != count) return {"input left over", {}, {}, {}};
        count = std::min(piece, bytes.size() - at);
    }
    if (body.result == "complete") body.rest = bytes.substr(at);
    return body;
}

Body body_of(const WireCase& wire, const http::Head& head) {
    const std::string after = wire.bytes.substr(head.length);
    if (head.framing == Framing::none) return {"complete", "", "", after};
    if (head.framing == Framing::length) {
        const auto length = static_cast<std::size_t>(std::min<std::uint64_t>(head.content_length, after.size()));
        return {length < head.content_length ? "more" : "complete", after.substr(0, length), "", after.substr(length)};
    }
    return decode_chunked(after, after.size(), 1);
}

// The result block that this request would have, in full.
std::vector<std::string> describe(const WireCase& wire, const http::Head& head, const layout::FieldLine* fields) {
    const auto text = [&wire](http::Range range) { return wire.bytes.substr(range.offset, range.length); };
    std::vector<std::string> lines;
    const auto add = [&lines](const std::string& key, const std::string& value) {
        lines.push_back(value.empty() ? key : key + " " + value);
    };
    add("method", std::string(http::METHOD_NAMES[static_cast<unsigned>(head.method)]));
    add("version", std::to_string(head.minor_version));
    add("target", text(head.target));
    add("path", text(head.path));
    add("query", text(head.query));
    add("host", text(head.host));
    add("framing", head.framing == Framing::none      ? "none"
                   : head.framing == Framing::chunked ? "chunked"
                                                      : "length " + std::to_string(head.content_length));
    add("connection", head.keep_alive ? "keep-alive" : "close");
    std::string flags;
    for (const auto& [set, name] : {std::pair{head.expect_continue, "expect"},
                                    std::pair{head.absolute_form, "absolute"}, std::pair{head.escaped, "escaped"}}) {
        if (set) flags += (flags.empty() ? "" : " ") + std::string(name);
    }
    add("flags", flags);
    for (unsigned i = 0; i < head.field_count; ++i) {
        const layout::FieldLine& field = fields[i];
        add("field " + wire.bytes.substr(field.name_offset, field.name_length) + ":",
            escaped(wire.bytes.substr(field.value_offset, field.value_length)));
    }
    const Body body = body_of(wire, head);
    add("body", escaped(body.data));
    add("body-result", body.result);
    add("trailers", escaped(body.trailers));
    add("rest", escaped(body.rest));
    return lines;
}

std::string key_of(const std::string& line) { return line.substr(0, line.find(' ')); }

void check_expected(const WireCase& wire, const std::vector<std::string>& lines) {
    const bool lists_fields = std::any_of(wire.expected.begin(), wire.expected.end(),
                                          [](const std::string& line) { return key_of(line) == "field"; });
    std::vector<std::string> wanted_fields;
    std::vector<std::string> fields;
    for (std::size_t i = 1; i < wire.expected.size(); ++i) {
        const std::string& wanted = wire.expected[i];
        if (key_of(wanted) == "field") {
            wanted_fields.push_back(wanted);
            continue;
        }
        const auto same = [&wanted](const std::string& line) { return key_of(line) == key_of(wanted); };
        const auto found = std::find_if(lines.begin(), lines.end(), same);
        CHECK_EQ(wire.name + ": " + (found == lines.end() ? "no such line" : *found), wire.name + ": " + wanted);
    }
    for (const std::string& line : lines) {
        if (lists_fields && key_of(line) == "field") fields.push_back(line);
    }
    if (fields != wanted_fields) {
        std::string shown = wire.name + ": fields are";
        for (const std::string& field : fields) shown += "\n      " + field;
        FAIL(shown);
    }
}

struct Parsed {
    HeadResult result;
    http::Head head{};
    std::vector<layout::FieldLine> fields;
};

class Parser {
public:
    explicit Parser(const WireCase& wire) : wire_(wire), memory_(wire.bytes.size() + 64) {}

    Parsed parse(std::size_t length, std::size_t scanned) { return parse(wire_.bytes.substr(0, length), scanned); }
    Parsed parse(const std::string& bytes, std::size_t scanned) {
        Parsed parsed{};
        parsed.fields.resize(wire_.limits.fields);
        parsed.result = http::parse_head(memory_.place(bytes), bytes.size(), scanned, wire_.limits, parsed.head,
                                         parsed.fields.data());
        return parsed;
    }

private:
    const WireCase& wire_;
    GuardedBytes memory_;
};

// Cut after each byte it is partial, or refused as the whole is, and from then on always; never complete.
// In between a call that knows how much has been seen may put a refusal off to the end of the line, no further.
void check_fragments(const WireCase& wire, const Parsed& whole) {
    Parser parser(wire);
    const bool complete = whole.result == HeadResult::complete;
    const std::size_t length = complete ? whole.head.length : wire.bytes.size();
    // What begins anew at each cut would take quadratic time: in the middle of long cases it does so less often.
    const std::size_t step = length > 4096 ? 97 : 1;
    bool refused = false;
    HeadResult grown = HeadResult::partial;
    std::size_t seen = 0;
    bool fine = true;
    for (std::size_t cut = 0; cut < length; ++cut) {
        if (grown == HeadResult::partial) {
            grown = parser.parse(cut, seen).result;
            seen = cut;
            fine = fine && (grown == HeadResult::partial || (!complete && grown == whole.result));
        }
        if (cut % step == 0 || cut + 200 >= length) {
            const HeadResult fresh = parser.parse(cut, 0).result;
            fine = fine && (fresh == HeadResult::partial ? !refused : !complete && fresh == whole.result);
            refused = refused || fresh != HeadResult::partial;
            // Two pieces, the second one with all the rest.
            const Parsed second = parser.parse(wire.bytes.size(), cut);
            fine = fine && (second.result == whole.result || (second.result == HeadResult::partial && !complete));
            fine = fine && (!complete || describe(wire, second.head, second.fields.data()) ==
                                             describe(wire, whole.head, whole.fields.data()));
        }
        if (!fine) {
            FAIL(wire.name + ": judged otherwise when cut after " + std::to_string(cut) + " bytes");
            return;
        }
    }
    if (complete || whole.result == HeadResult::partial) return;
    const HeadResult late = parser.parse(wire.bytes + "\r\n\r\n", seen).result;
    CHECK_EQ(wire.name + ": grown " + result_text(grown == HeadResult::partial ? late : grown),
             wire.name + ": grown " + result_text(whole.result));
}

void check_body_fragments(const WireCase& wire, const http::Head& head) {
    if (head.framing != Framing::chunked) return;
    const std::string after = wire.bytes.substr(head.length);
    const Body whole = decode_chunked(after, after.size(), 1);
    CHECK_EQ(decode_chunked(after, 1, 1), whole);
    for (std::size_t cut = 1; cut < after.size(); ++cut) CHECK_EQ(decode_chunked(after, cut, after.size()), whole);
}

}  // namespace

TEST("http: wire cases") {
    const auto cases = read_wire_cases(std::filesystem::path(__FILE__).parent_path() / "cases");
    CHECK(cases.size() > 100);
    for (const WireCase& wire : cases) {
        const Parsed whole = Parser(wire).parse(wire.bytes.size(), 0);
        const std::string expected = wire.expected.empty() ? "no result block" : wire.expected.front();
        CHECK_EQ(wire.name + ": " + result_text(whole.result), wire.name + ": " + expected);
        if (whole.result == HeadResult::complete) {
            check_expected(wire, describe(wire, whole.head, whole.fields.data()));
            check_body_fragments(wire, whole.head);
        }
        check_fragments(wire, whole);
    }
}

}  // namespace pinion::test
