#include "http/framing.hpp"

#include "http/authority.hpp"
#include "http/character_classes.hpp"

namespace pinion::http {

namespace {

constexpr std::uint64_t GREATEST_LENGTH = INT64_MAX;

std::string_view without_blanks(std::string_view text) {
    while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
    return text;
}

// Takes the first element off a comma-separated list (RFC 9110 §5.6.1). The list becomes null after the last one, so
// that an empty element behind a last comma is seen too.
std::string_view take_element(std::string_view& list) {
    const std::size_t comma = list.find(',');
    const std::string_view element = without_blanks(list.substr(0, comma));
    list = comma == std::string_view::npos ? std::string_view{} : list.substr(comma + 1);
    return element;
}

bool is_element(std::string_view element, std::string_view wanted) {
    return equals_ignoring_case(element.data(), element.size(), wanted);
}

enum class Coding : std::uint8_t { malformed, chunked, unknown };

// A transfer coding: a token, perhaps with parameters. Chunked has none (RFC 9112 §7.1). Quoted parameters are refused:
// they can hide commas, and no coding that is in use has any.
Coding coding_of(std::string_view element) {
    const char* const end = element.data() + element.size();
    const char* at = element.data();
    while (at != end && is(TOKEN, *at)) ++at;
    const auto name_length = static_cast<std::size_t>(at - element.data());
    if (name_length == 0) return Coding::malformed;
    const bool chunked = is_element(element.substr(0, name_length), "chunked");
    if (at == end) return chunked ? Coding::chunked : Coding::unknown;
    while (at != end && is_blank(*at)) ++at;
    if (chunked || *at != ';') return Coding::malformed;
    for (; at != end; ++at) {
        if (!is(TOKEN, *at) && *at != ';' && *at != '=' && !is_blank(*at)) return Coding::malformed;
    }
    return Coding::unknown;
}

}  // namespace

// An empty Host is legal: it is what a client sends whose target has no authority.
HeadResult FramingFields::note_host(const char* bytes, const layout::FieldLine& line) {
    if (has_host_) return HeadResult::bad_request;
    if (line.value_length != 0 && !authority_valid(bytes + line.value_offset, line.value_length)) {
        return HeadResult::bad_request;
    }
    has_host_ = true;
    host_ = {line.value_offset, line.value_length};
    return HeadResult::complete;
}

// A server must ignore it from HTTP/1.0 (RFC 9110 §10.1.1).
HeadResult FramingFields::note_expect(std::string_view value) {
    if (minor_version_ == 0) return HeadResult::complete;
    while (value.data() != nullptr) {
        const std::string_view element = take_element(value);
        if (element.empty()) continue;
        if (!is_element(element, "100-continue")) return HeadResult::expectation_failed;
        expect_continue_ = true;
    }
    return HeadResult::complete;
}

HeadResult FramingFields::note_connection(std::string_view value) {
    while (value.data() != nullptr) {
        const std::string_view element = take_element(value);
        close_ |= is_element(element, "close");
        keep_alive_ |= is_element(element, "keep-alive");
    }
    return HeadResult::complete;
}

// One field with one number. A second one is refused even if it agrees: what stands before us may have used another.
HeadResult FramingFields::note_length(std::string_view value) {
    if (has_length_ || chunked_ || value.empty()) return HeadResult::bad_request;
    std::uint64_t length = 0;
    for (const char digit : value) {
        if (!is(DIGIT, digit)) return HeadResult::bad_request;
        const auto units = static_cast<std::uint64_t>(digit - '0');
        if (length > (GREATEST_LENGTH - units) / 10) return HeadResult::bad_request;
        length = length * 10 + units;
    }
    has_length_ = true;
    content_length_ = length;
    return HeadResult::complete;
}

// The only body that can be framed by it is one that is chunked, once and last; anything before that would have to be
// decoded, which is not implemented (RFC 9112 §6.1).
HeadResult FramingFields::note_coding(std::string_view value) {
    if (minor_version_ == 0 || has_length_ || chunked_) return HeadResult::bad_request;
    bool unknown = false;
    do {
        const Coding coding = coding_of(take_element(value));
        if (coding == Coding::malformed || chunked_) return HeadResult::bad_request;
        chunked_ = coding == Coding::chunked;
        unknown |= coding == Coding::unknown;
    } while (value.data() != nullptr);
    return unknown ? HeadResult::not_implemented : HeadResult::complete;
}

HeadResult FramingFields::conclude(Head& head) const {
    if (minor_version_ != 0 && !has_host_) return HeadResult::bad_request;
    if (!head.absolute_form) head.host = host_;
    head.framing = chunked_ ? Framing::chunked : has_length_ ? Framing::length : Framing::none;
    head.content_length = content_length_;
    head.keep_alive = !close_ && (minor_version_ != 0 || keep_alive_);
    // Without a body there is nothing to wait for.
    head.expect_continue = expect_continue_ && (chunked_ || content_length_ != 0);
    return HeadResult::complete;
}

}  // namespace pinion::http
