// Decoder of the chunked transfer coding (RFC 9112 §7.1), incremental and in place.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pinion::http {

struct ChunkedLimits {
    std::uint32_t line_bytes;     // a chunk's size line with its extensions
    std::uint32_t trailer_bytes;  // all trailer field lines together
    // What the size lines of the whole body have beyond a plain size (CVE-2024-22019), and beyond 1/4 of its data.
    std::uint32_t overhead_bytes;
};

enum class ChunkedResult : std::int16_t {
    more = -1,  // all input consumed, the body goes on
    complete = 0,
    bad_request = 400,
    too_large = 413,
};

// What one decode() has found: bytes of each, in this order at the front of its input.
struct ChunkedPiece {
    std::size_t data;      // of the body
    std::size_t trailers;  // of trailer field lines, each with its CRLF; without the last empty line
    std::size_t consumed;  // of the input: less than its length only on `complete` (what follows is the next request)
                           // and on a refusal
};

// The state of one body: plain numbers, no heap; a connection keeps it while its body is being received.
class ChunkedDecoder {
public:
    // Decodes bytes[0, length) in place: the body's data is moved together to the front, behind it the trailer section.
    // A refusal is final. Trailer fields are checked byte by byte (RFC 9112 §5), and refused where they speak of
    // framing; whoever reads them drops what else has no business there (RFC 9110 §6.5.1).
    ChunkedResult decode(char* bytes, std::size_t length, const ChunkedLimits& limits, ChunkedPiece& piece);
    std::uint64_t total() const { return total_; }  // bytes of data so far

private:
    enum class State : std::uint8_t;

    ChunkedResult step(char byte, const ChunkedLimits& limits);
    ChunkedResult read_size(char byte);
    ChunkedResult read_extension(char byte);
    ChunkedResult read_trailer(char byte);
    ChunkedResult begin_chunk();
    ChunkedResult count_line_byte(const ChunkedLimits& limits);

    std::uint64_t total_ = 0;
    std::uint64_t remaining_ = 0;  // of the current chunk: its size while that is read, then what is left of its data
    std::uint64_t overhead_ = 0;
    std::uint32_t line_ = 0;     // bytes of the current size line
    std::uint32_t trailer_ = 0;  // bytes of trailer field lines
    State state_{};
    std::uint8_t name_at_ = 0;        // in a trailer field's name
    std::uint8_t name_could_be_ = 0;  // bits of the forbidden names that it may still turn out to be
};

}  // namespace pinion::http
