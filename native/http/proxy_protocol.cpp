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
    if ((version_command & 15) == 0) return ProxyResult::complete;  // LOCAL: a health check of the balancer's own
    if (family == 0x11) {
        if (addresses < 12) return ProxyResult::bad;
        set_v4(header.address, bytes + 16, big_endian(bytes + 24));
        header.has_address = true;
    } else if (family == 0x21) {
        if (addresses < 36) return ProxyResult::bad;
        set_v6(header.address, bytes + 16, big_endian(bytes + 48));
        header.has_address = true;
    }
    return ProxyResult::complete;
}

// The next word of a version 1 line, which ends at a single space or at the end.
std::string_view next_word(std::string_view& rest) {
    const std::size_t space = rest.find(' ');
    const std::string_view word = rest.substr(0, space);
    rest = space == std::string_view::npos ? std::string_view{} : rest.substr(space + 1);
    return word;
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
    char source[INET6_ADDRSTRLEN] = "";
    const std::string_view source_word = next_word(rest);
    const std::string_view destination_word = next_word(rest);
    std::uint16_t port = 0;
    std::uint16_t destination_port = 0;
    if (source_word.size() >= sizeof source || destination_word.empty()) return ProxyResult::bad;
    std::memcpy(source, source_word.data(), source_word.size());
    if (!parse_port(next_word(rest), port) || !parse_port(next_word(rest), destination_port) || !rest.empty()) {
        return ProxyResult::bad;
    }
    unsigned char address[16];
    if (inet_pton(family == "TCP4" ? AF_INET : AF_INET6, source, address) != 1) return ProxyResult::bad;
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
