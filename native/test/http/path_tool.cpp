// The check of paths as a program, for the comparison with TypeScript's decoding (daemon/test/fuzz/query.ts). Reads
// texts from stdin, each a 32-bit little-endian length and that many bytes, and prints for each a PathTextFault.
#include <cstdint>
#include <cstdio>
#include <string>

#include "http/path_text.hpp"

int main() {
    std::uint32_t length = 0;
    std::string text;
    while (std::fread(&length, sizeof length, 1, stdin) == 1) {
        if (length > (1u << 20)) return 1;
        text.resize(length);
        if (std::fread(text.data(), 1, length, stdin) != length) return 1;
        std::size_t at = 0;
        std::putchar('0' + int(pinion::http::check_path_text(text, at)));
    }
    return 0;
}
