// Encodes the head of a response (RFC 9112 §4, §5): native code owns status line, Date, framing and Connection.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/layout.generated.hpp"

namespace pinion::http {

// "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n" (RFC 9110 §5.6.7), made once a second by whoever runs the turn.
struct DateLine {
    static constexpr std::size_t LENGTH = 37;
    char text[LENGTH];
    std::int64_t second = -1;
    void refresh(std::int64_t unix_second);
};

struct ResponseHead {
    std::uint16_t status;
    layout::ContentType content_type;
    std::uint8_t minor_version;  // of the request
    bool keep_alive;             // what the connection does after this answer
    bool own_date;
    bool chunked;       // writes Transfer-Encoding: chunked
    bool length_known;  // writes Content-Length (never for 1xx, 204; as given for HEAD, and 304 unless it is 0)
    std::uint64_t content_length;
    const char* fields;  // Slot.answerFields: u16 name length, u16 value length, name, value; repeated
    std::size_t fields_length;
};

// True if every field is well-formed: lengths inside the block, names tokens, values without CR, LF, NUL or other
// controls (HTAB is fine), and none that native code owns (Content-Length, Transfer-Encoding, Connection, Keep-Alive,
// Upgrade; Date only with own_date). 16-bit lengths are little-endian and unaligned.
bool fields_valid(const char* fields, std::size_t length, bool own_date);

// Bytes that write_head will write for this head, exactly.
std::size_t head_size(const ResponseHead& head);

// Writes the head so that it ends just before `end`; the caller has made sure that head_size(head) bytes are
// free before it. Returns its first byte.
char* write_head(const ResponseHead& head, const DateLine& date, char* end);

// Writes field lines, each with its CRLF, from a block that fields_valid() has found to be so: as many bytes as it has.
// Returns the end of what was written. `fields` and `to` do not overlap.
char* write_fields(const char* fields, std::size_t length, char* to);

// The reason phrase of a status code (RFC 9110 §15), empty for an unknown one.
const char* reason_phrase(std::uint16_t status);

}  // namespace pinion::http
