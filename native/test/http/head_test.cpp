// What the wire cases cannot say: when a refusal is noticed, and what a call with bytes already seen may skip.
#include "http/head.hpp"

#include <string>

#include "test/check.hpp"
#include "test/http/guarded.hpp"

namespace pinion::test {

namespace {

using http::HeadResult;

constexpr http::HeadLimits LIMITS{4096, 8, 200};

HeadResult parse(const std::string& bytes, std::size_t scanned = 0, const http::HeadLimits& limits = LIMITS) {
    static GuardedBytes memory(70000);
    http::Head head;
    layout::FieldLine fields[layout::MAX_FIELDS];
    return http::parse_head(memory.place(bytes), bytes.size(), scanned, limits, head, fields);
}

// How many bytes arrive, one at a time, before the answer is there.
std::size_t bytes_until_refused(const std::string& bytes, HeadResult& result) {
    for (std::size_t length = 1; length <= bytes.size(); ++length) {
        result = parse(bytes.substr(0, length), length - 1);
        if (result != HeadResult::partial) return length;
    }
    return 0;
}

const std::string LONG_START = "GET /" + std::string(100, 'a') + " HTTP/1.1\r\nHost: a\r\nX: ";

}  // namespace

TEST("http head: nothing at all is partial") { CHECK_EQ(parse(""), HeadResult::partial); }

TEST("http head: what is no HTTP is refused by its first byte") {
    for (int byte = 0; byte < 256; ++byte) {
        const std::string first(1, static_cast<char>(byte));
        const bool token = http::METHOD_COUNT != 0 &&
                           (std::isalnum(byte) != 0 ||
                            (byte != 0 && std::string("!#$%&'*+-.^_`|~\r").find(first) != std::string::npos));
        CHECK_EQ(parse(first), token ? HeadResult::partial : HeadResult::bad_request);
    }
    CHECK_EQ(parse("GET x"), HeadResult::bad_request);
    CHECK_EQ(parse("GET / F"), HeadResult::bad_request);
    CHECK_EQ(parse("GET / HTTP/2"), HeadResult::partial);
}

TEST("http head: a control is noticed when it comes, a bare CR at the next byte") {
    HeadResult result;
    CHECK_EQ(bytes_until_refused(LONG_START + std::string("b\0c", 3), result), LONG_START.size() + 2);
    CHECK_EQ(result, HeadResult::bad_request);
    CHECK_EQ(bytes_until_refused(LONG_START + "b\rc", result), LONG_START.size() + 3);
    CHECK_EQ(result, HeadResult::bad_request);
    CHECK_EQ(bytes_until_refused(LONG_START + "b\tc\nd", result), LONG_START.size() + 4);
    CHECK_EQ(result, HeadResult::bad_request);
}

TEST("http head: limits are noticed in the midst of a line") {
    HeadResult result;
    const std::size_t refused = bytes_until_refused("GET /" + std::string(5000, 'a'), result);
    CHECK_EQ(result, HeadResult::target_too_long);
    CHECK(refused > LIMITS.target_bytes && refused < LIMITS.target_bytes + 60);
    CHECK_EQ(bytes_until_refused(LONG_START + std::string(5000, 'b'), result), LIMITS.head_bytes);
    CHECK_EQ(result, HeadResult::fields_too_large);
}

TEST("http head: offsets have 16 bits whatever the limit says") {
    const http::HeadLimits wide{1U << 20, 8, 1U << 20};
    const std::string start = "GET / HTTP/1.0\r\nX: ";
    CHECK_EQ(parse(start + std::string(65535 - start.size() - 4, 'b') + "\r\n\r\n", 0, wide), HeadResult::complete);
    CHECK_EQ(parse(start + std::string(65536 - start.size() - 4, 'b') + "\r\n\r\n", 0, wide),
             HeadResult::fields_too_large);
}

TEST("http head: scanned may be anything up to the length") {
    const std::string bytes = LONG_START + "b\r\nY: c\r\n\r\n";
    for (std::size_t scanned = 0; scanned <= bytes.size(); ++scanned) {
        // Nothing new came, or everything: a head that is complete is found complete when its last byte is new.
        if (scanned < bytes.size()) CHECK_EQ(parse(bytes, scanned), HeadResult::complete);
    }
}

TEST("http head: every byte as a name, in a value, in a target, in a method") {
    for (int byte = 0; byte < 256; ++byte) {
        const std::string character(1, static_cast<char>(byte));
        const bool token = std::isalnum(byte) != 0 ||
                           (byte != 0 && std::string("!#$%&'*+-.^_`|~").find(character) != std::string::npos);
        for (const std::size_t around : {0U, 1U, 15U, 16U, 40U}) {
            const std::string pad(around, 'z');
            const std::string host = "Host: a\r\n";
            const auto with_name = parse("GET / HTTP/1.1\r\n" + host + pad + character + pad + ": v\r\n\r\n");
            const bool name_fine = token || (byte == ':' && around != 0);
            CHECK_EQ(with_name, name_fine ? HeadResult::complete : HeadResult::bad_request);
            const auto with_value = parse("GET / HTTP/1.1\r\n" + host + "X:" + pad + character + pad + "\r\n\r\n");
            const bool value_fine = byte == '\t' || (byte >= 0x20 && byte != 0x7f);
            CHECK_EQ(with_value, value_fine ? HeadResult::complete : HeadResult::bad_request);
            const auto with_target = parse("GET /" + pad + character + pad + " HTTP/1.1\r\n" + host + "\r\n");
            const bool target_fine = byte > 0x20 && byte < 0x7f && byte != '#';
            // A blank at the end of the target would be the second one before the version.
            CHECK_EQ(with_target, target_fine ? HeadResult::complete : HeadResult::bad_request);
        }
    }
}

}  // namespace pinion::test
