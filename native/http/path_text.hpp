// The text of a path: percent-encoding (RFC 3986 §2.1) read byte by byte, without a decoded copy.
#pragma once

#include <cstddef>
#include <string_view>

#include "http/character_classes.hpp"

namespace pinion::http {

// Stands for an encoded slash among decoded bytes: it is data, and neither ends a segment nor equals '/'. NUL is
// free for this, since a path (or a pattern) with an encoded NUL is refused.
inline constexpr char ENCODED_SLASH = '\0';

// What is wrong with the percent-encoding of a text, in the order in which it is looked for.
enum class PathTextFault : std::uint8_t { none, escape, nul, utf8 };

// Looks for an invalid escape, a NUL (encoded or not), and bytes that are no UTF-8 (RFC 3629) once decoded.
// `at`: where the fault is, if there is one.
PathTextFault check_path_text(std::string_view text, std::size_t& at);

// True if the text holds nothing that check_path_text() and decoding have to look at, and so stands for itself.
// bytes before it down to `readable` may be read.
bool stands_for_itself(const char* readable, std::string_view text);

// Reads the byte at `at`, which is before the end of a text without faults, and goes on to the next one: behind the end
// where the text has changed since it was checked, as a worker can bring about.
template <bool ESCAPED>
inline char next_byte(const char*& at) {
    const char byte = *at++;
    if constexpr (ESCAPED) {
        if (byte == '%') {
            const unsigned value = hexadecimal_value(at[0]) << 4 | hexadecimal_value(at[1]);
            at += 2;
            return value == '/' ? ENCODED_SLASH : static_cast<char>(value);
        }
    }
    return byte;
}

// True if one of the segments is ".." once decoded. An encoded slash parts segments here, since whoever decodes
// the text and uses it as a file's name will read it as a slash.
template <bool ESCAPED>
bool has_parent_segment(std::string_view text) {
    constexpr unsigned NO_DOTS = 3;  // or too many
    unsigned dots = 0;
    const char* at = text.data();
    const char* const end = at + text.size();
    while (at < end) {
        const char byte = next_byte<ESCAPED>(at);
        if (byte == '/' || byte == ENCODED_SLASH) {
            if (dots == 2) return true;
            dots = 0;
        } else if (byte != '.') {
            dots = NO_DOTS;
        } else if (dots < NO_DOTS) {
            ++dots;
        }
    }
    return dots == 2;
}

}  // namespace pinion::http
