// PROXY protocol headers, case by case, as HAProxy's specification "The PROXY protocol" has them (sections 2.1, 2.2).
#include "http/proxy_protocol.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "test/check.hpp"
#include "test/http/guarded.hpp"

namespace pinion::test {
namespace {

using http::ProxyHeader;
using http::ProxyResult;

// In memory that ends where the bytes end.
ProxyResult parse(std::string_view bytes, ProxyHeader& header) {
    static GuardedBytes memory(http::PROXY_HEADER_MAX + 64);
    return http::parse_proxy_header(memory.place(bytes), bytes.size(), header);
}

// "address port", "own" for the socket's own one, "bad", or "partial".
std::string verdict(std::string_view bytes) {
    ProxyHeader header;
    switch (parse(bytes, header)) {
        case ProxyResult::bad: return "bad";
        case ProxyResult::partial: return "partial";
        case ProxyResult::complete: break;
    }
    if (!header.has_address) return "own";
    char text[INET6_ADDRSTRLEN] = "";
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(header.address);
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(header.address);
    const bool is_v4 = header.address.ss_family == AF_INET;
    if (is_v4) inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    if (header.address.ss_family == AF_INET6) inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
    return std::string(text) + " " + std::to_string(ntohs(is_v4 ? v4.sin_port : v6.sin6_port));
}

std::string version_1(std::string_view words) { return "PROXY " + std::string(words) + "\r\n"; }

// `length`: what the header says of itself, if that is not how long the addresses are.
std::string version_2(unsigned command, unsigned family, std::string_view addresses, int length = -1) {
    const std::size_t said = length < 0 ? addresses.size() : std::size_t(length);
    std::string bytes("\r\n\r\n\0\r\nQUIT\n", 12);
    for (const std::size_t byte : {std::size_t(command), std::size_t(family), said >> 8, said & 0xff}) {
        bytes += char(byte);
    }
    return bytes.append(addresses);
}

using namespace std::string_view_literals;
constexpr auto FOUR = "\xc0\0\2\1\xc0\0\2\2\xdc\4\1\xbb"sv;  // 192.0.2.1, 192.0.2.2, 56324, 443
constexpr auto SIX = "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2\xdc\4\1\xbb"sv;
const std::string UNIX(216, 'u');

struct Case {
    std::string bytes;
    std::string verdict;
};

const std::vector<Case>& headers() {
    static const std::vector<Case> cases = {
        {version_1("TCP4 192.0.2.1 192.0.2.2 56324 443"), "192.0.2.1 56324"},
        {version_1("TCP4 255.255.255.255 255.255.255.255 65535 65535"), "255.255.255.255 65535"},
        {version_1("TCP4 0.0.0.0 0.0.0.0 0 0"), "0.0.0.0 0"},
        {version_1("TCP6 2001:db8::1 2001:db8::2 56324 443"), "2001:db8::1 56324"},
        {version_1("TCP6 ::ffff:192.0.2.1 ::1 1 2"), "::ffff:192.0.2.1 1"},
        {version_1("TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535"),
         "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535"},
        {version_1("UNKNOWN"), "own"},
        {version_1("UNKNOWN " + std::string(91, 'u')), "own"},  // 107 bytes, the longest
        {version_1("UNKNOWN  whatever it says\0is ignored"sv), "own"},
        {version_2(0x21, 0x11, FOUR), "192.0.2.1 56324"},
        {version_2(0x21, 0x11, std::string(FOUR) + std::string("\4\0\3abc"sv)), "192.0.2.1 56324"},
        {version_2(0x21, 0x21, SIX), "2001:db8::1 56324"},
        {version_2(0x21, 0x21, std::string(SIX) + std::string(484, 't')), "2001:db8::1 56324"},  // the longest
        {version_2(0x21, 0x00, ""), "own"},
        {version_2(0x21, 0x00, FOUR), "own"},
        {version_2(0x21, 0x12, FOUR), "own"},
        {version_2(0x21, 0x22, SIX), "own"},
        {version_2(0x21, 0x31, UNIX), "own"},
        {version_2(0x21, 0x32, UNIX), "own"},
        {version_2(0x20, 0x00, ""), "own"},
        {version_2(0x20, 0x11, FOUR), "own"},
        {version_2(0x20, 0x11, ""), "own"},
        {version_2(0x20, 0xff, "x"), "own"},
    };
    return cases;
}

TEST("proxy protocol: headers of both versions, whole, cut at every byte, with a request behind") {
    for (const Case& each : headers()) {
        CHECK_EQ(escaped(each.bytes) + ": " + verdict(each.bytes), escaped(each.bytes) + ": " + each.verdict);
        for (std::size_t length = 0; length < each.bytes.size(); ++length) {
            if (verdict(std::string_view(each.bytes).substr(0, length)) == "partial") continue;
            FAIL(escaped(each.bytes) + ", the first " + std::to_string(length));
        }
        for (const std::string_view behind : {"GET / HTTP/1.1\r\n\r\n"sv, "\r\n"sv, "\0"sv, " "sv}) {
            ProxyHeader header;
            CHECK(parse(each.bytes + std::string(behind), header) == ProxyResult::complete);
            CHECK_EQ(header.length, each.bytes.size());
            CHECK_EQ(verdict(each.bytes + std::string(behind)), each.verdict);
        }
    }
}

TEST("proxy protocol: what is none is refused, and never taken for one before that can be seen") {
    const std::string words = "TCP4 192.0.2.1 192.0.2.2 56324 443";
    std::vector<std::string> bad = {
        "GET / HTTP/1.1\r\n\r\n",
        "proxy TCP4 192.0.2.1 192.0.2.2 56324 443\r\n",
        "PROXY\r\n",
        "PROXY  " + words + "\r\n",
        " PROXY " + words + "\r\n",
        version_1(""),
        version_1("TCP4"),
        version_1("TCP5 192.0.2.1 192.0.2.2 56324 443"),
        version_1("tcp4 192.0.2.1 192.0.2.2 56324 443"),
        version_1("UNKNOWNS"),
        version_1("TCP4 192.0.2.1 192.0.2.2 56324"),
        version_1("TCP4 192.0.2.1 192.0.2.2 56324 "),
        version_1("TCP4 192.0.2.1 192.0.2.2 56324 443 "),
        version_1("TCP4 192.0.2.1 192.0.2.2 56324 443 1"),
        version_1("TCP4  192.0.2.1 192.0.2.2 56324 443"),
        version_1("TCP4 192.0.2.1  192.0.2.2 56324 443"),
        version_1("TCP4\t192.0.2.1 192.0.2.2 56324 443"),
        version_1("TCP4 192.0.2.1 192.0.2.2 56324 443\r"),
        // Addresses: of the family that is named, in the form that inet_ntop gives, both.
        version_1("TCP4 192.0.2.1\0x 192.0.2.2 56324 443"sv),
        version_1("TCP4 192.0.2.1 192.0.2.2\0x 56324 443"sv),
        version_1("TCP4 192.0.2.1\0 192.0.2.2 56324 443"sv),
        version_1("TCP6 ::1\0 ::2 56324 443"sv),
        version_1("TCP4 192.0.2.1 nonsense 56324 443"),
        version_1("TCP4 192.0.2.1 ::1 56324 443"),
        version_1("TCP6 ::1 192.0.2.1 56324 443"),
        version_1("TCP6 ::1 ::g 56324 443"),
        version_1("TCP4 2001:db8::1 2001:db8::2 56324 443"),
        version_1("TCP6 192.0.2.1 192.0.2.2 56324 443"),
        version_1("TCP4 192.0.2 192.0.2.2 56324 443"),
        version_1("TCP4 192.0.2.256 192.0.2.2 56324 443"),
        version_1("TCP4 192.0.2.01 192.0.2.2 56324 443"),
        version_1("TCP4 0xc0.0.2.1 192.0.2.2 56324 443"),
        version_1("TCP6 fe80::1%lo ::2 56324 443"),
        version_1("TCP6 [::1] ::2 56324 443"),
        // Ports: decimal, no sign, no leading zero, 16 bits.
        version_1("TCP4 192.0.2.1 192.0.2.2 65536 443"),
        version_1("TCP4 192.0.2.1 192.0.2.2 56324 65536"),
        version_1("TCP4 192.0.2.1 192.0.2.2 056324 443"),
        version_1("TCP4 192.0.2.1 192.0.2.2 +1 443"),
        version_1("TCP4 192.0.2.1 192.0.2.2 -1 443"),
        version_1("TCP4 192.0.2.1 192.0.2.2 1\0 443"sv),
        version_1("TCP4 192.0.2.1 192.0.2.2 1 443\0"sv),
        version_1("TCP4 192.0.2.1 192.0.2.2 0x1 443"),
        // 108 bytes, and no end at all.
        version_1("UNKNOWN " + std::string(92, 'u')),
        "PROXY " + std::string(101, 'x'),
        // Version 2: only version 2, commands 0 and 1, families and protocols that exist, addresses that are whole.
        version_2(0x11, 0x11, FOUR),
        version_2(0x31, 0x11, FOUR),
        version_2(0x22, 0x11, FOUR),
        version_2(0x2f, 0x11, FOUR),
        version_2(0x21, 0x11, FOUR.substr(1)),
        version_2(0x21, 0x12, FOUR.substr(1)),
        version_2(0x21, 0x21, SIX.substr(1)),
        version_2(0x21, 0x22, SIX.substr(1)),
        version_2(0x21, 0x31, UNIX.substr(1)),
        version_2(0x21, 0x32, UNIX.substr(1)),
        version_2(0x21, 0x11, "", 521),
        version_2(0x20, 0x00, "", 65535),
    };
    for (unsigned family = 0; family < 256; ++family) {
        const unsigned kind = family >> 4;
        const unsigned protocol = family & 15;
        const bool exists = family == 0 || (kind >= 1 && kind <= 3 && (protocol == 1 || protocol == 2));
        if (!exists) bad.push_back(version_2(0x21, family, UNIX));
    }
    for (const std::string& each : bad) {
        CHECK_EQ(escaped(each) + ": " + verdict(each), escaped(each) + ": bad");
        bool refused = false;
        for (std::size_t length = 0; length <= each.size(); ++length) {
            const std::string seen = verdict(std::string_view(each).substr(0, length));
            if (seen != "bad" && (refused || seen != "partial")) FAIL(escaped(each) + " cut: " + seen);
            refused = refused || seen == "bad";
        }
    }
}

TEST("proxy protocol: every byte of a header exchanged for every other is refused, or read as what it says") {
    // Digits, points and spaces that still make addresses and ports are taken; nothing else is.
    for (const std::string& whole : {version_1("TCP4 192.0.2.1 192.0.2.2 56324 443"), version_1("TCP6 ::1 ::2 5 44")}) {
        for (std::size_t at = 0; at < whole.size(); ++at) {
            for (unsigned byte = 0; byte < 256; ++byte) {
                std::string changed = whole;
                changed[at] = char(byte);
                const std::string seen = verdict(changed);
                if (seen == "bad" || seen == "partial") continue;
                CHECK((byte != 0 && std::strchr("0123456789abcdefABCDEF.: ", int(byte)) != nullptr) ||
                      changed == whole);
            }
        }
    }
    CHECK_EQ(verdict(version_1("TCP4 192.0.2.9 192.0.2.2 56324 443")), "192.0.2.9 56324");
}

}  // namespace
}  // namespace pinion::test
