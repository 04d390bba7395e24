// host[:port] of Host fields and absolute-form targets (RFC 9110 §7.2, RFC 3986 §3.2).
#pragma once

#include <cstddef>

namespace pinion::http {

// True for a host that is not empty, with or without a port; user information is refused.
bool authority_valid(const char* text, std::size_t length);

}  // namespace pinion::http
