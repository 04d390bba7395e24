// The first line of a request: method, target, version (RFC 9112 §3).
#pragma once

#include "http/head.hpp"
#include "http/input.hpp"

namespace pinion::http {

// Reads the line, and one empty line before it, from input.at; leaves input.at behind it. Writes method,
// minor_version, target, path, query, absolute_form, escaped, and host if the target is absolute.
// Each refusal depends on the bytes up to where it is noticed and on nothing behind them, so that a request is
// judged the same however it arrives in pieces.
HeadResult parse_request_line(Input& input, std::uint32_t target_bytes, Head& head);

// A request line that a limit of `target_bytes` allows has ended, or been refused, within this many bytes.
std::uint32_t longest_request_line(std::uint32_t target_bytes);

}  // namespace pinion::http
