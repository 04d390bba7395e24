// Chunked bodies: decoding in any pieces is decoding the whole; what an encoder wrote comes back.
// The input's last byte seeds the cuts and the limits.
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <string_view>

#include "http/chunked.hpp"

using namespace pinion;
using http::ChunkedResult;

namespace {

#define HOLDS(expression)                    \
    do {                                     \
        if (!(expression)) __builtin_trap(); \
    } while (false)

struct Decoded {
    ChunkedResult result = ChunkedResult::more;
    std::string data;
    std::string trailers;
    std::size_t consumed = 0;
    friend bool operator==(const Decoded&, const Decoded&) = default;
};

// most: bytes of the largest piece; 0: all at once.
Decoded decode(std::string_view bytes, const http::ChunkedLimits& limits, std::size_t most, std::minstd_rand& random) {
    http::ChunkedDecoder decoder;
    Decoded decoded;
    while (decoded.result == ChunkedResult::more && decoded.consumed < bytes.size()) {
        const std::size_t left = bytes.size() - decoded.consumed;
        const std::size_t count = most == 0 ? left : std::min<std::size_t>(left, 1 + random() % most);
        const std::unique_ptr<char[]> piece(new char[count]);
        bytes.copy(piece.get(), count, decoded.consumed);
        http::ChunkedPiece found{};
        decoded.result = decoder.decode(piece.get(), count, limits, found);
        HOLDS(found.data + found.trailers <= found.consumed && found.consumed <= count);
        HOLDS(decoded.result != ChunkedResult::more || found.consumed == count);
        decoded.data.append(piece.get(), found.data);
        decoded.trailers.append(piece.get() + found.data, found.trailers);
        decoded.consumed += found.consumed;
        HOLDS(decoder.total() == decoded.data.size());
    }
    return decoded;
}

std::string encode(std::string_view data, std::string_view trailers, std::minstd_rand& random) {
    std::string encoded;
    while (!data.empty()) {
        const std::size_t count = std::min<std::size_t>(data.size(), 1 + random() % 40);
        char size[32];
        std::snprintf(size, sizeof size, random() % 2 == 0 ? "%zx" : "0%zX", count);
        encoded += size;
        if (random() % 4 == 0) encoded += " ;a=b";
        if (random() % 4 == 0) encoded += R"(; c = "; \" \\")";
        encoded += "\r\n";
        encoded += data.substr(0, count);
        encoded += "\r\n";
        data.remove_prefix(count);
    }
    return encoded.append("0\r\n").append(trailers).append("\r\n");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0 || size > 8192) return 0;
    const std::string_view bytes{reinterpret_cast<const char*>(data), size - 1};
    const unsigned seed = data[size - 1];
    std::minstd_rand random(seed + 1);
    const http::ChunkedLimits limits{(seed & 1) != 0 ? 16U : 256U, (seed & 2) != 0 ? 16U : 256U,
                                     (seed & 4) != 0 ? 32U : 1024U};
    const Decoded whole = decode(bytes, limits, 0, random);
    for (const std::size_t most : {1U, 3U, 50U}) HOLDS(decode(bytes, limits, most, random) == whole);

    const std::string trailers = random() % 2 == 0 ? "" : "A: b\r\nC-d:e\r\n";
    const std::string encoded = encode(bytes, trailers, random) + "GET";
    const Decoded back = decode(encoded, {64, 64, 65536}, 20, random);
    HOLDS(back.result == ChunkedResult::complete && back.data == bytes && back.trailers == trailers);
    HOLDS(back.consumed == encoded.size() - 3);
    return 0;
}
