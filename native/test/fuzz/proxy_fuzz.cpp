// PROXY protocol headers: however the bytes arrive, the verdict is the same; the address of what is accepted is the one
// that the header says, read back in the other direction.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "http/proxy_protocol.hpp"

using namespace pinion;
using http::ProxyHeader;
using http::ProxyResult;

namespace {

#define HOLDS(expression)                    \
    do {                                     \
        if (!(expression)) __builtin_trap(); \
    } while (false)

// On a heap block of exactly this size, so that ASan sees a byte read too many.
ProxyResult parse(std::string_view bytes, ProxyHeader& header) {
    const std::unique_ptr<char[]> copy(new char[bytes.size()]);
    if (!bytes.empty()) std::memcpy(copy.get(), bytes.data(), bytes.size());
    return http::parse_proxy_header(copy.get(), bytes.size(), header);
}

std::string_view cut(std::string_view& line, char at) {
    const std::size_t end = line.find(at);
    HOLDS(end != std::string_view::npos);
    const std::string_view word = line.substr(0, end);
    line.remove_prefix(end + 1);
    return word;
}

void check_address(const ProxyHeader& header, int family, const void* address, unsigned port) {
    HOLDS(header.address.ss_family == family);
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(header.address);
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(header.address);
    const bool four = family == AF_INET;
    HOLDS(ntohs(four ? v4.sin_port : v6.sin6_port) == port);
    HOLDS(four ? std::memcmp(&v4.sin_addr, address, 4) == 0 : std::memcmp(&v6.sin6_addr, address, 16) == 0);
}

void check_version_1(std::string_view line, const ProxyHeader& header) {
    HOLDS(line.size() <= 107 && line.ends_with("\r\n") && line.find("\r\n") == line.size() - 2);
    line.remove_suffix(2);
    HOLDS(line.starts_with("PROXY "));
    line.remove_prefix(6);
    if (!header.has_address) {
        HOLDS(line == "UNKNOWN" || line.starts_with("UNKNOWN "));
        return;
    }
    const std::string_view kind = cut(line, ' ');
    HOLDS(kind == "TCP4" || kind == "TCP6");
    const int family = kind == "TCP4" ? AF_INET : AF_INET6;
    unsigned char source[16];
    for (const bool first : {true, false}) {
        const std::string word(cut(line, ' '));
        unsigned char address[16];
        HOLDS(std::strlen(word.c_str()) == word.size() && inet_pton(family, word.c_str(), address) == 1);
        if (first) std::memcpy(source, address, sizeof source);
    }
    const unsigned long port = std::strtoul(std::string(cut(line, ' ')).c_str(), nullptr, 10);
    const unsigned long destination_port = std::strtoul(std::string(line).c_str(), nullptr, 10);
    HOLDS(line == std::to_string(destination_port) && destination_port < 65536);
    check_address(header, family, source, unsigned(port));
}

void check_version_2(std::string_view bytes, const ProxyHeader& header) {
    const auto byte = [bytes](std::size_t at) { return unsigned(static_cast<unsigned char>(bytes[at])); };
    HOLDS(bytes.size() == 16 + (byte(14) << 8 | byte(15)) && bytes.size() <= http::PROXY_HEADER_MAX);
    HOLDS(byte(12) == 0x20 || byte(12) == 0x21);
    const bool named = byte(12) == 0x21 && (byte(13) == 0x11 || byte(13) == 0x21);
    HOLDS(header.has_address == named);
    if (!named) return;
    const std::size_t ports = byte(13) == 0x11 ? 24 : 48;
    HOLDS(bytes.size() >= ports + 4);
    check_address(header, byte(13) == 0x11 ? AF_INET : AF_INET6, bytes.data() + 16, byte(ports) << 8 | byte(ports + 1));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size > 1024) return 0;
    const std::string_view bytes{reinterpret_cast<const char*>(data), size};
    ProxyHeader header;
    const ProxyResult result = parse(bytes, header);
    if (result == ProxyResult::complete) {
        HOLDS(header.length >= 15 && header.length <= size);
        const std::string_view own = bytes.substr(0, header.length);
        own.starts_with('P') ? check_version_1(own, header) : check_version_2(own, header);
    }
    bool refused = false;
    for (std::size_t length = 0; length < size; ++length) {
        ProxyHeader part;
        const ProxyResult seen = parse(bytes.substr(0, length), part);
        if (result == ProxyResult::complete) {
            HOLDS(seen == (length < header.length ? ProxyResult::partial : ProxyResult::complete));
            continue;
        }
        HOLDS(seen != ProxyResult::complete && !(refused && seen == ProxyResult::partial));
        HOLDS(result == ProxyResult::bad || seen == ProxyResult::partial);
        refused = refused || seen == ProxyResult::bad;
    }
    return 0;
}
