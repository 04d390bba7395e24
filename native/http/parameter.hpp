// The text of one typed parameter, checked and converted.
#pragma once

#include <string_view>

namespace pinion::http {

// Longer than this, once decoded, nothing is an int or a float: no sensible client writes one, and it bounds the work.
inline constexpr std::size_t NUMBER_BYTES = 512;

// -?[0-9]+ with a value within ±(2^53 - 1), so that a double has it exactly. -0 is 0.
bool parse_int(std::string_view text, double& value);

// -?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)? whose value is a finite double; too small a value is 0.
bool parse_float(std::string_view text, double& value);

// 8-4-4-4-12 hexadecimal digits of any case (RFC 9562 §4); version and variant are not looked at.
bool is_uuid(std::string_view text);

}  // namespace pinion::http
