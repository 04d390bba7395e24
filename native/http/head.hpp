// The head of a request: request line and field lines (RFC 9112 §3, §5), as offsets from its first byte.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/layout.generated.hpp"
#include "http/method.hpp"

namespace pinion::http {

// A range of the head, relative to its first byte.
struct Range {
    std::uint16_t offset = 0;
    std::uint16_t length = 0;
};

// How the body is delimited (RFC 9112 §6.3).
enum class Framing : std::uint8_t { none, length, chunked };

struct Head {
    Method method;
    std::uint8_t minor_version;  // HTTP/1.<minor>: 0 or 1 (a higher minor is served as 1)
    Framing framing;
    bool keep_alive;  // what the client asked for and its version implies
    bool expect_continue;
    bool absolute_form;            // the target's authority replaces Host
    bool escaped;                  // path or query has a '%'
    std::uint32_t length;          // bytes of the head, the empty lines before it and the final one included
    std::uint64_t content_length;  // framing == length
    Range target;                  // as sent
    Range path;   // of the target; "*" for OPTIONS *; "/" has length 1 even if absolute-form left it out
    Range query;  // without '?'
    Range host;   // Host's value, or the authority of an absolute-form target
    std::uint16_t field_count;
};

struct HeadLimits {
    std::uint32_t head_bytes;  // at most 65535
    std::uint16_t fields;      // at most MAX_FIELDS
    std::uint32_t target_bytes;
};

// What parse_head says. A positive error is the status code of the refusal; the connection closes after it.
enum class HeadResult : std::int16_t {
    complete = 0,
    partial = -1,  // nothing wrong so far, more bytes needed
    bad_request = 400,
    target_too_long = 414,
    expectation_failed = 417,
    fields_too_large = 431,
    not_implemented = 501,  // method or transfer coding that is not known
    version_not_supported = 505,
};

// Parses a request head in place. Pure: it reads bytes[0, length) and nothing else, allocates nothing, and may be
// called again with more of the same bytes. `scanned` is how many bytes an earlier call has seen (0 at first).
// On `complete`, `head` and fields[0, head.field_count) are written; before, they may hold anything.
// `fields` has room for limits.fields entries. Errors are found as early as the bytes allow, so that a
// peer that speaks something else (TLS, say) is refused at once.
HeadResult parse_head(const char* bytes, std::size_t length, std::size_t scanned, const HeadLimits& limits, Head& head,
                      layout::FieldLine* fields);

}  // namespace pinion::http
