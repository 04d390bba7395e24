#include "http/pattern.hpp"

#include <algorithm>
#include <array>
#include <initializer_list>

#include "http/path_text.hpp"

namespace pinion::http {

namespace {

using layout::ParameterKind;

struct Type {
    std::string_view name;
    ParameterKind kind;
    std::string_view aliases;  // what people write who come from elsewhere; between spaces
};

constexpr std::array TYPES{
    Type{"string", ParameterKind::string, " str text slug word "},
    Type{"int", ParameterKind::int_, " integer number num long bigint "},
    Type{"float", ParameterKind::float_, " double decimal real "},
    Type{"uuid", ParameterKind::uuid, " guid "},
    Type{"path", ParameterKind::path, " rest any all wildcard * ** "},
};
static_assert(TYPES.size() == layout::PARAMETER_KIND_COUNT);

bool letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool name_byte(char c) { return letter(c) || is(DIGIT, c); }

std::string quoted(std::string_view text) { return '"' + std::string(text) + '"'; }

// Insertions, deletions, replacements and swaps of neighbours that make b of a.
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::vector<std::size_t>> rows(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
    for (std::size_t i = 0; i <= a.size(); ++i) {
        for (std::size_t j = 0; j <= b.size(); ++j) {
            if (i == 0 || j == 0) {
                rows[i][j] = i + j;
                continue;
            }
            const std::size_t replaced = rows[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            rows[i][j] = std::min({rows[i - 1][j] + 1, rows[i][j - 1] + 1, replaced});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                rows[i][j] = std::min(rows[i][j], rows[i - 2][j - 2] + 1);
            }
        }
    }
    return rows[a.size()][b.size()];
}

// The type that was probably meant, or empty.
std::string_view nearest_type(std::string_view text) {
    if (text.empty() || text.size() > 16) return {};
    std::string lower(text);
    for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
    const std::string word = ' ' + lower + ' ';
    std::string_view nearest;
    std::size_t least = 3;
    for (const Type& type : TYPES) {
        if (type.aliases.find(word) != std::string_view::npos) return type.name;
        const std::size_t edits = distance(lower, type.name);
        if (edits < least && edits < type.name.size() - 1) {
            least = edits;
            nearest = type.name;
        }
    }
    return nearest;
}

class Parser {
public:
    Parser(std::string_view text, Pattern& pattern, PatternError& error)
        : text_(text), pattern_(pattern), error_(error) {}

    bool parse() {
        if (text_.empty() || text_[0] != '/')
            return fail(0, "a pattern begins with '/': write " + quoted("/" + std::string(text_)));
        if (text_.size() > Pattern::MAX_BYTES)
            return fail(Pattern::MAX_BYTES, "a pattern has at most 1024 bytes: shorten it");
        if (!check_text()) return false;
        pattern_.literals.emplace_back();
        while (at_ < text_.size()) {
            if (text_[at_] == '{' ? !parameter() : !literal()) return false;
        }
        return true;
    }

private:
    bool fail(std::size_t column, std::string message) {
        error_.column = static_cast<std::uint32_t>(column);
        error_.message = std::move(message);
        return false;
    }

    bool check_text() {
        std::size_t at = 0;
        switch (check_path_text(text_, at)) {
            case PathTextFault::escape:
                return fail(at,
                            "'%' begins an escape: write two hexadecimal digits after it, or %25 for a percent sign");
            case PathTextFault::nul: return fail(at, "a path with a NUL is always refused: leave it out");
            case PathTextFault::utf8:
                return fail(at, "this is not UTF-8: write the character itself, or its UTF-8 bytes as escapes");
            case PathTextFault::none: return true;
        }
        return true;
    }

    // One byte of literal text, or one escape.
    bool literal() {
        const char byte = text_[at_];
        const std::string message = refusal(byte);
        if (!message.empty()) return fail(at_, message);
        const char* at = text_.data() + at_;
        pattern_.literals.back() += next_byte<true>(at);
        at_ = static_cast<std::size_t>(at - text_.data());
        return true;
    }

    // Why a byte cannot stand unescaped at at_ in literal text; empty if it can.
    std::string refusal(char byte) const {
        const auto code = static_cast<unsigned char>(byte);
        if (byte == '}') return "'}' without '{' before it: write {name}, or %7D for a literal brace";
        if (byte == '?')
            return "the query is no part of a pattern: leave it out, or write %3F for a literal question mark";
        if (byte == '#') return "a fragment never reaches a server: leave it out, or write %23 for a literal '#'";
        if (byte == ' ') return "a space is written %20";
        if (code < 0x20 || code == 0x7f) return "a control character is written as an escape, such as %0A";
        if (text_[at_ - (at_ != 0)] != '/') return {};
        const std::string_view segment = rest_of_segment();
        if (segment == "*" || segment == "**") {
            return "to take the rest of the path write {rest:path}, or %2A for a literal '*'";
        }
        if (byte == ':' && segment.size() > 1 && letter(segment[1])) {
            std::size_t end = 1;
            while (end < segment.size() && name_byte(segment[end])) ++end;
            return "a parameter is written in braces: write {" + std::string(segment.substr(1, end - 1)) +
                   "}, or %3A for a literal ':'";
        }
        return {};
    }

    std::string_view rest_of_segment() const { return text_.substr(at_, text_.find('/', at_) - at_); }

    bool parameter() {
        const std::size_t open = at_;
        const std::size_t close = text_.find_first_of("{}/", open + 1);
        if (text_[open - 1] != '/') {
            return fail(open, "a parameter fills its whole segment: write '/' before it, or %7B for a literal brace");
        }
        if (close == std::string_view::npos || text_[close] != '}') {
            return fail(open, "'{' without '}' after it: write {name} or {name:type}, or %7B for a literal brace");
        }
        const std::string_view inside = text_.substr(open + 1, close - open - 1);
        const std::size_t colon = inside.find(':');
        const std::string_view name = inside.substr(0, colon);
        ParameterKind kind = ParameterKind::string;
        if (!check_name(name, open + 1)) return false;
        if (colon != std::string_view::npos && !find_type(inside.substr(colon + 1), open + colon + 2, kind))
            return false;
        at_ = close + 1;
        if (at_ < text_.size() && text_[at_] != '/') {
            return fail(at_, "a parameter fills its whole segment: write '/' after it");
        }
        if (kind == ParameterKind::path && at_ < text_.size()) {
            return fail(open, "{" + std::string(name) + ":path} takes the rest of the path: write it last");
        }
        if (pattern_.kinds.size() == layout::MAX_PARAMETERS) {
            return fail(open, "a pattern has at most " + std::to_string(layout::MAX_PARAMETERS) +
                                  " parameters: take the rest as one with {rest:path}");
        }
        pattern_.kinds.push_back(kind);
        pattern_.names.emplace_back(name);
        pattern_.literals.emplace_back();
        return true;
    }

    bool check_name(std::string_view name, std::size_t column) {
        if (name.empty()) return fail(column, "a parameter needs a name: write {name} or {name:type}");
        for (std::size_t i = 0; i < name.size(); ++i) {
            if (i == 0 ? !letter(name[i]) : !name_byte(name[i])) {
                return fail(
                    column + i,
                    "a parameter's name has letters, digits and '_', and does not begin with a digit: write {name}");
            }
        }
        // In JavaScript it would set the prototype of the object that holds the parameters.
        if (name == "__proto__") return fail(column, "a parameter cannot be named __proto__: write another name");
        if (std::find(pattern_.names.begin(), pattern_.names.end(), name) != pattern_.names.end()) {
            return fail(column, "there are two parameters named " + quoted(name) + ": give this one another name");
        }
        return true;
    }

    bool find_type(std::string_view name, std::size_t column, ParameterKind& kind) {
        for (const Type& type : TYPES) {
            if (type.name != name) continue;
            kind = type.kind;
            return true;
        }
        const std::string_view nearest = nearest_type(name);
        std::string message = "unknown type " + quoted(name) + ": write ";
        if (nearest.empty()) return fail(column, message + "string, int, float, uuid or path");
        return fail(column, message + std::string(nearest) + " (types: string, int, float, uuid, path)");
    }

    std::string_view text_;
    Pattern& pattern_;
    PatternError& error_;
    std::size_t at_ = 0;
};

}  // namespace

bool parse_pattern(std::string_view text, Pattern& pattern, PatternError& error) {
    pattern = {};
    return Parser(text, pattern, error).parse();
}

}  // namespace pinion::http
