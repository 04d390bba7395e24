// Request methods (RFC 9110 §9, RFC 5789). The numbers are part of the shared layout: Slot.method.
#pragma once

#include <cstdint>
#include <string_view>

namespace pinion::http {

enum class Method : std::uint8_t { GET, HEAD, POST, PUT, DELETE, CONNECT, OPTIONS, TRACE, PATCH, unknown };

inline constexpr unsigned METHOD_COUNT = 9;
inline constexpr std::string_view METHOD_NAMES[METHOD_COUNT] = {"GET",     "HEAD",    "POST",  "PUT",  "DELETE",
                                                                "CONNECT", "OPTIONS", "TRACE", "PATCH"};

}  // namespace pinion::http
