#include "http/chunked.hpp"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "http/character_classes.hpp"

namespace pinion::http {

namespace {

// Sizes and totals stay exact as JavaScript numbers.
constexpr std::uint64_t GREATEST_SIZE = (std::uint64_t{1} << 53) - 1;
constexpr std::uint32_t PLAIN_LINE_BYTES = 16;  // as many digits as that has, and CRLF

// Trailer fields that speak of framing: one who believes them would see another message (RFC 9110 §6.5.1).
constexpr std::string_view FRAMING_NAMES[] = {"content-length", "transfer-encoding"};
constexpr std::uint8_t EVERY_NAME = 0b11;

}  // namespace

// Named by what comes next.
enum class ChunkedDecoder::State : std::uint8_t {
    size_start,  // the first digit of a size
    size,        // more digits, or what ends them
    before_semicolon,
    extension,    // anything up to CR, outside of quotes
    quoted,       // inside a quoted string of an extension
    quoted_pair,  // behind a backslash in it
    size_line_feed,
    data,
    data_return,  // the CR behind a chunk's data
    data_line_feed,
    trailer_start,  // a trailer field or the last empty line
    trailer_name,
    trailer_value,
    trailer_line_feed,
    last_line_feed,
    done,
    refused,        // 400
    refused_large,  // 413
};

ChunkedResult ChunkedDecoder::decode(char* bytes, std::size_t length, const ChunkedLimits& limits,
                                     ChunkedPiece& piece) {
    const char* const end = bytes + length;
    const char* from = bytes;
    char* to = bytes;
    const std::uint32_t trailer_before = trailer_;
    ChunkedResult result = state_ == State::done ? ChunkedResult::complete : ChunkedResult::more;
    while (result == ChunkedResult::more && from != end) {
        if (state_ != State::data) {
            const char byte = *from++;
            const std::uint32_t before = trailer_;
            result = step(byte, limits);
            if (trailer_ != before) *to++ = byte;
            continue;
        }
        const auto count =
            static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, static_cast<std::uint64_t>(end - from)));
        if (to != from) std::memmove(to, from, count);
        from += count;
        to += count;
        total_ += count;
        remaining_ -= count;
        if (remaining_ == 0) state_ = State::data_return;
    }
    if (result == ChunkedResult::bad_request) state_ = State::refused;
    if (result == ChunkedResult::too_large) state_ = State::refused_large;
    piece.trailers = trailer_ - trailer_before;
    piece.data = static_cast<std::size_t>(to - bytes) - piece.trailers;
    piece.consumed = static_cast<std::size_t>(from - bytes);
    return result;
}

// Everything but data, a byte at a time.
ChunkedResult ChunkedDecoder::step(char byte, const ChunkedLimits& limits) {
    const auto expect = [this, byte](char wanted, State next) {
        if (byte != wanted) return ChunkedResult::bad_request;
        state_ = next;
        return ChunkedResult::more;
    };
    switch (state_) {
        case State::size_start:
        case State::size:
        case State::before_semicolon:
        case State::extension:
        case State::quoted:
        case State::quoted_pair:
        case State::size_line_feed: {
            const ChunkedResult counted = count_line_byte(limits);
            if (counted != ChunkedResult::more) return counted;
            if (state_ == State::size_line_feed) return byte == '\n' ? begin_chunk() : ChunkedResult::bad_request;
            const bool in_size = state_ <= State::before_semicolon;
            return in_size ? read_size(byte) : read_extension(byte);
        }
        case State::data_return: return expect('\r', State::data_line_feed);
        case State::data_line_feed: return expect('\n', State::size_start);
        case State::trailer_start:
        case State::trailer_name:
        case State::trailer_value:
        case State::trailer_line_feed:
            // The last empty line is none of its fields.
            if ((state_ != State::trailer_start || byte != '\r') && ++trailer_ > limits.trailer_bytes) {
                return ChunkedResult::too_large;
            }
            return read_trailer(byte);
        case State::last_line_feed: return read_trailer(byte);
        case State::refused_large: return ChunkedResult::too_large;
        case State::done: return ChunkedResult::complete;
        case State::data:
        case State::refused: break;
    }
    return ChunkedResult::bad_request;
}

ChunkedResult ChunkedDecoder::count_line_byte(const ChunkedLimits& limits) {
    ++line_;
    if (line_ > PLAIN_LINE_BYTES) ++overhead_;
    const bool bounded = line_ <= limits.line_bytes && overhead_ <= limits.overhead_bytes + total_ / 4;
    return bounded ? ChunkedResult::more : ChunkedResult::too_large;
}

// chunk-size = 1*HEXDIG, perhaps blanks and ";" behind it. Blanks alone are refused: they are legal only around
// the ";" of an extension (§7.1.1).
ChunkedResult ChunkedDecoder::read_size(char byte) {
    if (state_ != State::before_semicolon && is(HEXADECIMAL, byte)) {
        remaining_ = remaining_ * 16 + hexadecimal_value(byte);
        state_ = State::size;
        return remaining_ <= GREATEST_SIZE ? ChunkedResult::more : ChunkedResult::bad_request;
    }
    if (state_ == State::size_start) return ChunkedResult::bad_request;
    if (byte == ';') {
        state_ = State::extension;
    } else if (is_blank(byte)) {
        state_ = State::before_semicolon;
    } else if (byte == '\r' && state_ == State::size) {
        state_ = State::size_line_feed;
    } else {
        return ChunkedResult::bad_request;
    }
    return ChunkedResult::more;
}

// Extensions mean nothing to us. That they hold no control, and that their quoted strings end (RFC 9110 §5.6.4), is
// enough to agree with everyone on where they end.
ChunkedResult ChunkedDecoder::read_extension(char byte) {
    if (byte == '\r' && state_ == State::extension) {
        state_ = State::size_line_feed;
        return ChunkedResult::more;
    }
    if (!is(VALUE, byte)) return ChunkedResult::bad_request;
    if (state_ == State::quoted_pair) {
        state_ = State::quoted;
    } else if (byte == '"') {
        state_ = state_ == State::quoted ? State::extension : State::quoted;
    } else if (byte == '\\' && state_ == State::quoted) {
        state_ = State::quoted_pair;
    }
    return ChunkedResult::more;
}

ChunkedResult ChunkedDecoder::begin_chunk() {
    line_ = 0;
    if (remaining_ > GREATEST_SIZE - total_) return ChunkedResult::too_large;
    state_ = remaining_ != 0 ? State::data : State::trailer_start;
    return ChunkedResult::more;
}

ChunkedResult ChunkedDecoder::read_trailer(char byte) {
    switch (state_) {
        case State::trailer_start:
            if (byte == '\r') {
                state_ = State::last_line_feed;
                return ChunkedResult::more;
            }
            state_ = State::trailer_name;
            name_at_ = 0;
            name_could_be_ = EVERY_NAME;
            if (byte == ':') return ChunkedResult::bad_request;
            [[fallthrough]];
        case State::trailer_name:
            if (byte == ':') {
                for (unsigned name = 0; name < std::size(FRAMING_NAMES); ++name) {
                    const bool is_it = (name_could_be_ >> name & 1) != 0 && name_at_ == FRAMING_NAMES[name].size();
                    if (is_it) return ChunkedResult::bad_request;
                }
                state_ = State::trailer_value;
                return ChunkedResult::more;
            }
            if (!is(TOKEN, byte)) return ChunkedResult::bad_request;
            for (unsigned name = 0; name < std::size(FRAMING_NAMES); ++name) {
                const std::string_view text = FRAMING_NAMES[name];
                if (name_at_ >= text.size() || lower(byte) != text[name_at_]) {
                    name_could_be_ = static_cast<std::uint8_t>(name_could_be_ & ~(1U << name));
                }
            }
            if (name_could_be_ != 0) ++name_at_;  // else it no longer matters, and could overflow
            return ChunkedResult::more;
        case State::trailer_value:
            if (byte == '\r') {
                state_ = State::trailer_line_feed;
                return ChunkedResult::more;
            }
            return is(VALUE, byte) ? ChunkedResult::more : ChunkedResult::bad_request;
        case State::trailer_line_feed:
            if (byte != '\n') return ChunkedResult::bad_request;
            state_ = State::trailer_start;
            return ChunkedResult::more;
        default:  // last_line_feed
            if (byte != '\n') return ChunkedResult::bad_request;
            state_ = State::done;
            return ChunkedResult::complete;
    }
}

}  // namespace pinion::http
