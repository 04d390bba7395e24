// Which bytes may stand where (RFC 9110 §5.6.2, RFC 3986 §2, §3.2.2), as tables made at compile time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace pinion::http {

// A class is one bit, so that one table serves all of them.
enum CharacterClass : std::uint8_t {
    TOKEN = 1,  // tchar: methods, field names, codings
    HOST = 2,   // unreserved and sub-delims: a registered name without its percent escapes
    HEXADECIMAL = 4,
    DIGIT = 8,
    VALUE = 16,  // field values: anything but controls; HTAB is fine
};

namespace detail {

constexpr std::array<std::uint8_t, 256> make_character_classes() {
    std::array<std::uint8_t, 256> classes{};
    const auto add = [&classes](std::string_view characters, std::uint8_t bit) {
        for (const char character : characters) classes[static_cast<std::uint8_t>(character)] |= bit;
    };
    constexpr std::string_view DIGITS = "0123456789";
    constexpr std::string_view LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    add(DIGITS, TOKEN | HOST | HEXADECIMAL | DIGIT);
    add(LETTERS, TOKEN | HOST);
    add("ABCDEFabcdef", HEXADECIMAL);
    add("!#$%&'*+-.^_`|~", TOKEN);
    add("-._~!$&'()*+,;=", HOST);
    for (unsigned byte = 0; byte < 256; ++byte) {
        if ((byte >= 0x20 && byte != 0x7f) || byte == '\t') classes[byte] |= VALUE;
    }
    return classes;
}

inline constexpr std::array<std::uint8_t, 256> CHARACTER_CLASSES = make_character_classes();

}  // namespace detail

constexpr bool is(CharacterClass wanted, char character) {
    return (detail::CHARACTER_CLASSES[static_cast<std::uint8_t>(character)] & wanted) != 0;
}

constexpr bool all(CharacterClass wanted, const char* from, const char* end) {
    for (; from != end; ++from) {
        if (!is(wanted, *from)) return false;
    }
    return true;
}

// Of ASCII letters only; other bytes are changed too, so compare only with letters, digits and '-'.
constexpr char lower(char letter) { return static_cast<char>(letter | 0x20); }

// `text` is lower-case letters, digits and hyphens; `from` may be in any case.
// A hyphen and a digit have bit 0x20 set; only a control byte could fold to one, and no token holds a control byte.
constexpr bool equals_ignoring_case(const char* from, std::size_t length, std::string_view text) {
    if (length != text.size()) return false;
    for (std::size_t at = 0; at < length; ++at) {
        if (lower(from[at]) != text[at]) return false;
    }
    return true;
}

// Value of a character of class HEXADECIMAL.
constexpr unsigned hexadecimal_value(char character) {
    const unsigned byte = static_cast<std::uint8_t>(character);
    return (byte & 0x0f) + (byte >> 6) * 9;
}

constexpr bool is_blank(char character) { return character == ' ' || character == '\t'; }

}  // namespace pinion::http
