// The PROXY protocol header that a load balancer puts before a connection's first byte: version 1 (text) and version 2
// (binary), as HAProxy's specification "The PROXY protocol" has them.
#pragma once

#include <sys/socket.h>
#include <cstddef>
#include <cstdint>

namespace pinion::http {

enum class ProxyResult : std::int8_t { complete, partial, bad };

struct ProxyHeader {
    std::uint32_t length;      // bytes of the header
    bool has_address;          // false: LOCAL or UNKNOWN, the socket's own address counts
    sockaddr_storage address;  // the client's
};

// Longest header that is accepted: version 1 has 107 bytes, version 2 with its extensions more.
inline constexpr std::size_t PROXY_HEADER_MAX = 536;

// Pure; nothing but bytes[0, length) is read.
ProxyResult parse_proxy_header(const char* bytes, std::size_t length, ProxyHeader& header);

}  // namespace pinion::http
