#include "http/proxy_protocol.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <algorithm>
#include <charconv>
#include <cstring>
#include <string_view>

namespace pinion::http {
namespace {

constexpr std::string_view SIGNATURE{"\r\n\r\n\0\r\nQUIT\n", 12};

std::uint16_t big_endian(const char* bytes) {
    return std::uint16_t(std::uint16_t(static_cast<unsigned char>(bytes[0])) << 8 |
                         static_cast<unsigned char>(bytes[1]));
}

void set_v4(sockaddr_storage& to, const void* address, std::uint16_t port) {
    auto& v4 = reinterpret_cast<sockaddr_in&>(to);
    v4.sin_family = AF_INET;
    std::memcpy(&v4.sin_addr, address, 4);
    v4.sin_port = htons(port);
}

void set_v6(sockaddr_storage& to, const void* address, std::uint16_t port) {
    auto& v6 = reinterpret_cast<sockaddr_in6&>(to);
    v6.sin6_family = AF_INET6;
    std::memcpy(&v6.sin6_addr, address, 16);
    v6.sin6_port = htons(port);
}

ProxyResult parse_version_2(const char* bytes, std::size_t length, ProxyHeader& header) {
    if (length < 16) return ProxyResult::partial;
    const auto version_command = static_cast<unsigned char>(bytes[12]);
    const auto family = static_cast<unsigned char>(bytes[13]);
    const std::uint16_t addresses = big_endian(bytes + 14);
    if (version_command >> 4 != 2 || (version_command & 15) > 1) return ProxyResult::bad;
    header.length = 16u + addresses;
    if (header.length > PROXY_HEADER_MAX) return ProxyResult::bad;
    if (length < header.length) return ProxyResult::partial;
    // LOCAL, a health check of the balancer's own: whatever the rest says is ignored.
    if ((version_command & 15) == 0) return ProxyResult::complete;
    const bool stream = (family & 15) == 1;
    switch (family) {
        case 0x00: return ProxyResult::complete;  // it does not know either
        case 0x11:
        case 0x12:
            if (addresses < 12) return ProxyResult::bad;
            if (stream) set_v4(header.address, bytes + 16, big_endian(bytes + 24));
            break;
        case 0x21:
        case 0x22:
            if (addresses < 36) return ProxyResult::bad;
            if (stream) set_v6(header.address, bytes + 16, big_endian(bytes + 48));
            break;
        case 0x31:
        case 0x32: return addresses < 216 ? ProxyResult::bad : ProxyResult::complete;  // Unix sockets have no address
        default: return ProxyResult::bad;  // "receivers must drop connections presenting unexpected values here"
    }
    header.has_address = stream;
    return ProxyResult::complete;
}

// The next word of a version 1 line: up to a single space, or to the end of the line if it is the last one.
std::string_view next_word(std::string_view& rest) {
    const std::size_t space = rest.find(' ');
    const std::string_view word = rest.substr(0, space);
    rest = space == std::string_view::npos ? std::string_view{} : rest.substr(space + 1);
    return word;
}

// inet_pton reads up to a NUL: a word that has one would be taken for what stands before it.
bool parse_address(std::string_view word, int family, unsigned char (&address)[16]) {
    char text[INET6_ADDRSTRLEN] = "";
    if (word.empty() || word.size() >= sizeof text || word.find('\0') != std::string_view::npos) return false;
    std::memcpy(text, word.data(), word.size());
    return inet_pton(family, text, address) == 1;
}

bool parse_port(std::string_view word, std::uint16_t& port) {
    if (word.empty() || (word.size() > 1 && word[0] == '0')) return false;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), port);
    return error == std::errc{} && end == word.data() + word.size();
}

ProxyResult parse_version_1(const char* bytes, std::size_t length, ProxyHeader& header) {
    constexpr std::size_t LONGEST = 107;
    const std::string_view seen(bytes, std::min(length, LONGEST));
    const std::size_t end = seen.find("\r\n");
    if (end == std::string_view::npos) return length < LONGEST ? ProxyResult::partial : ProxyResult::bad;
    header.length = std::uint32_t(end + 2);
    std::string_view rest = seen.substr(6, end - 6);
    const std::string_view family = next_word(rest);
    if (family == "UNKNOWN") return ProxyResult::complete;
    if (family != "TCP4" && family != "TCP6") return ProxyResult::bad;
    const int kind = family == "TCP4" ? AF_INET : AF_INET6;
    unsigned char address[16];
    unsigned char destination[16];
    std::uint16_t port = 0;
    std::uint16_t destination_port = 0;
    if (!parse_address(next_word(rest), kind, address) || !parse_address(next_word(rest), kind, destination) ||
        !parse_port(next_word(rest), port) || !parse_port(rest, destination_port)) {
        return ProxyResult::bad;
    }
    if (family == "TCP4") {
        set_v4(header.address, address, port);
    } else {
        set_v6(header.address, address, port);
    }
    header.has_address = true;
    return ProxyResult::complete;
}

}  // namespace

ProxyResult parse_proxy_header(const char* bytes, std::size_t length, ProxyHeader& header) {
    header = {};
    const std::string_view seen(bytes, length);
    if (seen.starts_with(SIGNATURE.substr(0, std::min(length, SIGNATURE.size())))) {
        return length < SIGNATURE.size() ? ProxyResult::partial : parse_version_2(bytes, length, header);
    }
    constexpr std::string_view WORD = "PROXY ";
    if (!seen.starts_with(WORD.substr(0, std::min(length, WORD.size())))) return ProxyResult::bad;
    return length < WORD.size() ? ProxyResult::partial : parse_version_1(bytes, length, header);
}

}  // namespace pinion::http
