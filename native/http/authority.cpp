#include "http/authority.hpp"

#include "http/character_classes.hpp"

namespace pinion::http {

namespace {

// The empty port is legal (RFC 3986 §3.2.3); a number that no port has is not.
bool port_valid(const char* from, const char* end) {
    unsigned port = 0;
    for (; from != end; ++from) {
        if (!is(DIGIT, *from)) return false;
        port = port * 10 + static_cast<unsigned>(*from - '0');
        if (port > 65535) return false;
    }
    return true;
}

bool ipv4_valid(const char* from, const char* end) {
    for (int part = 0; part < 4; ++part) {
        if (part != 0 && (from == end || *from++ != '.')) return false;
        const char* const digits = from;
        unsigned value = 0;
        while (from != end && is(DIGIT, *from) && from - digits < 3)
            value = value * 10 + static_cast<unsigned>(*from++ - '0');
        if (from == digits || value > 255 || (from - digits > 1 && *digits == '0')) return false;
    }
    return from == end;
}

// Eight groups of 16 bits, one run of zeros left out as "::", the last two perhaps written as IPv4.
bool ipv6_valid(const char* from, const char* end) {
    int groups = 0;
    bool compressed = false;
    if (end - from >= 2 && from[0] == ':' && from[1] == ':') {
        compressed = true;
        from += 2;
    }
    while (from != end) {
        const char* const group = from;
        while (from != end && is(HEXADECIMAL, *from)) ++from;
        if (from != end && *from == '.') {
            groups += 2;
            return ipv4_valid(group, end) && (compressed ? groups < 8 : groups == 8);
        }
        if (from == group || from - group > 4) return false;
        ++groups;
        if (from == end) break;
        if (*from++ != ':' || from == end) return false;
        if (*from == ':') {
            if (compressed) return false;
            compressed = true;
            ++from;
        }
    }
    return compressed ? groups < 8 : groups == 8;
}

// "v" version "." address: no such address exists yet, but the grammar has it.
bool ip_future_valid(const char* from, const char* end) {
    const char* const version = ++from;
    while (from != end && is(HEXADECIMAL, *from)) ++from;
    if (from == version || from == end || *from++ != '.' || from == end) return false;
    for (; from != end; ++from) {
        if (!is(HOST, *from) && *from != ':') return false;
    }
    return true;
}

bool ip_literal_valid(const char* from, const char* end) {
    if (from == end) return false;
    return lower(*from) == 'v' ? ip_future_valid(from, end) : ipv6_valid(from, end);
}

// First byte behind a registered name, or null if a percent escape in it is malformed.
const char* registered_name_end(const char* from, const char* end) {
    while (from != end) {
        if (is(HOST, *from)) {
            ++from;
        } else if (*from == '%') {
            if (end - from < 3 || !is(HEXADECIMAL, from[1]) || !is(HEXADECIMAL, from[2])) return nullptr;
            from += 3;
        } else {
            break;
        }
    }
    return from;
}

}  // namespace

bool authority_valid(const char* text, std::size_t length) {
    const char* const end = text + length;
    const char* host_end = text;
    if (text != end && *text == '[') {
        while (host_end != end && *host_end != ']') ++host_end;
        if (host_end == end || !ip_literal_valid(text + 1, host_end)) return false;
        ++host_end;
    } else {
        host_end = registered_name_end(text, end);
        if (host_end == nullptr || host_end == text) return false;
    }
    if (host_end == end) return true;
    return *host_end == ':' && port_valid(host_end + 1, end);
}

}  // namespace pinion::http
