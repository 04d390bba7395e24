// The decoder's own state: limits, totals, the end, and what it says after it.
#include "http/chunked.hpp"

#include <string>

#include "test/check.hpp"

namespace pinion::test {

namespace {

using http::ChunkedDecoder;
using http::ChunkedLimits;
using http::ChunkedResult;

struct Decoded {
    ChunkedResult result;
    std::string data;
    std::string trailers;
    std::size_t consumed = 0;
};

Decoded decode(ChunkedDecoder& decoder, std::string bytes, const ChunkedLimits& limits = {256, 1024, 1024}) {
    Decoded decoded{};
    http::ChunkedPiece piece{};
    decoded.result = decoder.decode(bytes.data(), bytes.size(), limits, piece);
    decoded.consumed = piece.consumed;
    decoded.data = bytes.substr(0, piece.data);
    decoded.trailers = bytes.substr(piece.data, piece.trailers);
    return decoded;
}

}  // namespace

TEST("http chunked: data is moved to the front, the next request is left alone") {
    ChunkedDecoder decoder;
    std::string bytes = "3\r\nabc\r\n2;x\r\nde\r\n0\r\n\r\nGET /";
    http::ChunkedPiece piece{};
    CHECK_EQ(decoder.decode(bytes.data(), bytes.size(), {256, 1024, 1024}, piece), ChunkedResult::complete);
    CHECK_EQ(bytes.substr(0, piece.data), "abcde");
    CHECK_EQ(piece.trailers, 0);
    CHECK_EQ(bytes.substr(piece.consumed), "GET /");
    CHECK_EQ(decoder.total(), 5);
}

TEST("http chunked: trailer field lines come behind the data, whatever the cuts") {
    const std::string fields = "A: b\r\nContent-Digest: sha-256=:x:\r\nEmpty:\r\n";
    const std::string body = "3\r\nabc\r\n0;x\r\n" + fields + "\r\n";
    const std::string bytes = body + "GET / HTTP/1.1\r\n";
    for (std::size_t first = 0; first <= body.size(); ++first) {
        for (std::size_t second = first; second <= body.size(); ++second) {
            ChunkedDecoder decoder;
            std::string data;
            std::string trailers;
            ChunkedResult result = ChunkedResult::more;
            std::size_t consumed = 0;
            for (const std::string& piece :
                 {bytes.substr(0, first), bytes.substr(first, second - first), bytes.substr(second)}) {
                const Decoded decoded = decode(decoder, piece);
                result = decoded.result;
                data += decoded.data;
                trailers += decoded.trailers;
                consumed += decoded.consumed;
            }
            REQUIRE_EQ(result, ChunkedResult::complete);
            REQUIRE_EQ(data, "abc");
            REQUIRE_EQ(trailers, fields);
            REQUIRE_EQ(consumed, body.size());
        }
    }
}

TEST("http chunked: no byte of what is refused, and of the last empty line, is a trailer's") {
    for (const char* const bytes : {"0\r\n\r\n", "0\r\n\r", "1\r\nz\r\n0\r\n\r\n"}) {
        ChunkedDecoder decoder;
        CHECK_EQ(decode(decoder, bytes).trailers, "");
    }
    for (const char* const bytes : {"0\r\nA: b\r\n\r", "0\r\nA: b\r\n", "0\r\nA: b\r\n\r\nB: c\r\n"}) {
        ChunkedDecoder decoder;
        CHECK_EQ(decode(decoder, bytes).trailers, "A: b\r\n");
    }
}

TEST("http chunked: a finished body takes no more, a refused one stays refused") {
    ChunkedDecoder decoder;
    CHECK_EQ(decode(decoder, "0\r\n\r\n").result, ChunkedResult::complete);
    const Decoded again = decode(decoder, "GET / HTTP/1.1\r\n");
    CHECK_EQ(again.result, ChunkedResult::complete);
    CHECK_EQ(again.consumed, 0);
    ChunkedDecoder refused;
    CHECK_EQ(decode(refused, "x").result, ChunkedResult::bad_request);
    CHECK_EQ(decode(refused, "0\r\n\r\n").result, ChunkedResult::bad_request);
    ChunkedDecoder large;
    CHECK_EQ(decode(large, "0000", {3, 9, 99}).result, ChunkedResult::too_large);
    CHECK_EQ(decode(large, "0\r\n\r\n").result, ChunkedResult::too_large);
}

TEST("http chunked: a quoted string of an extension ends before its line does") {
    const auto with = [](const std::string& extension) {
        ChunkedDecoder decoder;
        return decode(decoder, "1;" + extension + "\r\nz\r\n0\r\n\r\n").result;
    };
    for (const char* const taken :
         {R"(a="")", R"(a="b;c")", R"(a = "b" ; c)", R"(a="\"")", R"(a="\\")", R"(a="b";c="d")"}) {
        CHECK_EQ(with(taken), ChunkedResult::complete);
    }
    for (const char* const refused :
         {R"(a=")", R"(a="b)", R"(a="\)", R"(a="\")", R"(a="b";c="d)", R"(a="b"")", R"(a="b;c)"}) {
        CHECK_EQ(with(refused), ChunkedResult::bad_request);
    }
    // Neither inside of quotes nor behind a backslash.
    for (unsigned byte = 0; byte < 256; ++byte) {
        const char text = char(byte);
        const bool control = (byte < 0x20 && text != '\t') || byte == 0x7f;
        const bool ends = text == '"' || text == '\\';
        const ChunkedResult found = control ? ChunkedResult::bad_request : ChunkedResult::complete;
        CHECK_EQ(with(R"(a="\)" + std::string(1, text) + '"'), found);
        if (!ends) CHECK_EQ(with("a=\"" + std::string(1, text) + '"'), found);
    }
}

TEST("http chunked: limits are exact") {
    const auto with = [](const ChunkedLimits& limits, const std::string& bytes) {
        ChunkedDecoder decoder;
        return decode(decoder, bytes, limits).result;
    };
    const ChunkedLimits wide{1000, 1000, 1000};
    CHECK_EQ(with({5, 1000, 1000}, "1;a\r\nz\r\n0\r\n\r\n"), ChunkedResult::complete);
    CHECK_EQ(with({4, 1000, 1000}, "1;a\r\nz\r\n0\r\n\r\n"), ChunkedResult::too_large);
    CHECK_EQ(with({1000, 6, 1000}, "0\r\nA: b\r\n\r\n"), ChunkedResult::complete);
    CHECK_EQ(with({1000, 5, 1000}, "0\r\nA: b\r\n\r\n"), ChunkedResult::too_large);
    CHECK_EQ(with({1000, 0, 1000}, "0\r\n\r\n"), ChunkedResult::complete);
    // A size line has 16 bytes for nothing.
    const auto extended = [](std::size_t beyond) { return "1;" + std::string(12 + beyond, 'a') + "\r\nz\r\n"; };
    CHECK_EQ(with({1000, 1000, 6}, extended(6) + "0\r\n\r\n"), ChunkedResult::complete);
    CHECK_EQ(with({1000, 1000, 5}, extended(6) + "0\r\n\r\n"), ChunkedResult::too_large);
    // A quarter of the data is let through beyond the limit.
    CHECK_EQ(with({1000, 1000, 4}, "8\r\nzzzzzzzz\r\n" + extended(6) + "0\r\n\r\n"), ChunkedResult::complete);
    CHECK_EQ(with({1000, 1000, 3}, "8\r\nzzzzzzzz\r\n" + extended(6) + "0\r\n\r\n"), ChunkedResult::too_large);
    // However many plain ones there are.
    std::string bytewise;
    for (int i = 0; i < 1000; ++i) bytewise += "1\r\nz\r\n";
    CHECK_EQ(with({1000, 1000, 0}, bytewise + "0\r\n\r\n"), ChunkedResult::complete);
    CHECK_EQ(with(wide, "1fffffffffffff\r\n"), ChunkedResult::more);
    CHECK_EQ(with(wide, "20000000000000\r\n"), ChunkedResult::bad_request);
    CHECK_EQ(with(wide, "1\r\nz\r\n1fffffffffffff\r\n"), ChunkedResult::too_large);
}

TEST("http chunked: extensions of a MiB and trailers of a MiB end at their limits") {
    ChunkedDecoder extensions;
    const Decoded first = decode(extensions, "1;" + std::string(1 << 20, 'a'));
    CHECK_EQ(first.result, ChunkedResult::too_large);
    CHECK(first.consumed < 300);
    for (const char* const quoted : {"\"", "\"\\"}) {
        ChunkedDecoder decoder;
        const Decoded decoded = decode(decoder, std::string("1;a=") + quoted + std::string(1 << 20, 'a'));
        CHECK_EQ(decoded.result, ChunkedResult::too_large);
        CHECK(decoded.consumed < 300);
    }
    ChunkedDecoder trailers;
    std::string fields = "0\r\n";
    for (int i = 0; i < 100000; ++i) fields += "A: bcdefg\r\n";
    CHECK_EQ(decode(trailers, fields).result, ChunkedResult::too_large);
}

TEST("http chunked: a large body in many pieces") {
    ChunkedDecoder decoder;
    CHECK_EQ(decode(decoder, "100000000\r\n").result, ChunkedResult::more);  // 4 GiB
    const std::string piece(1 << 20, 'x');
    for (int i = 0; i < 64; ++i) CHECK_EQ(decode(decoder, piece).data.size(), piece.size());
    CHECK_EQ(decoder.total(), 64U << 20);
}

}  // namespace pinion::test
