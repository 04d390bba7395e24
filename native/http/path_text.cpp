#include "http/path_text.hpp"

#include <cstdint>

#include "http/scan.hpp"

namespace pinion::http {

namespace {

// RFC 3629 §4, one byte after the other: over-long forms, surrogates and what lies beyond U+10FFFF are refused by
// the narrower range of the second byte.
struct Utf8 {
    unsigned missing = 0;
    unsigned low = 0x80;
    unsigned high = 0xbf;

    bool next(unsigned byte) {
        if (missing == 0) return begin(byte);
        if (byte < low || byte > high) return false;
        low = 0x80;
        high = 0xbf;
        --missing;
        return true;
    }

private:
    bool begin(unsigned byte) {
        if (byte < 0x80) return true;
        if (byte < 0xc2 || byte > 0xf4) return false;
        missing = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
        if (byte == 0xe0) low = 0xa0;
        if (byte == 0xed) high = 0x9f;
        if (byte == 0xf0) low = 0x90;
        if (byte == 0xf4) high = 0x8f;
        return true;
    }
};

}  // namespace

PathTextFault check_path_text(std::string_view text, std::size_t& at) {
    Utf8 utf8;
    std::size_t start = 0;  // of the character being decoded
    for (std::size_t i = 0; i < text.size();) {
        at = i;
        if (utf8.missing == 0) start = i;
        unsigned byte = static_cast<std::uint8_t>(text[i++]);
        if (byte == '%') {
            if (text.size() - i < 2 || !is(HEXADECIMAL, text[i]) || !is(HEXADECIMAL, text[i + 1])) {
                return PathTextFault::escape;
            }
            byte = hexadecimal_value(text[i]) << 4 | hexadecimal_value(text[i + 1]);
            i += 2;
        }
        if (byte == 0) return PathTextFault::nul;
        if (!utf8.next(byte)) {
            at = start;
            return PathTextFault::utf8;
        }
    }
    at = start;
    return utf8.missing == 0 ? PathTextFault::none : PathTextFault::utf8;
}

bool stands_for_itself(const char* readable, std::string_view text) {
    const char* const end = text.data() + text.size();
    return find(readable, text.data(), end, [](ByteBlock block) {
               return (block.equal('%') | block.equal('\0') | block.not_ascii()).mask();
           }) == end;
}

}  // namespace pinion::http
