// Status lines, whole and ready to be copied (RFC 9112 §4).
#pragma once

#include <cstdint>
#include <string_view>

namespace pinion::http {

// "HTTP/1.1 200 OK\r\n". A code without a known phrase has an empty one; what is no status code at all (outside of
// 100 to 599, RFC 9110 §15) never reaches the wire: 500 stands in for it.
std::string_view status_line_of(std::uint16_t status);

}  // namespace pinion::http
