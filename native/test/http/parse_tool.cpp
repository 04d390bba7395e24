// The parser as a program, for the comparison with other parsers (daemon/test/parser-differential.test.ts).
//   parse_tool                  reads inputs from stdin, each a 32-bit little-endian length and that many bytes,
// and prints
//                               for each one line of JSON: the requests in it, and how it ends
//   parse_tool --cases FOLDER   prints the wire cases as lines of JSON: name, bytes in hexadecimal
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>

#include "http/chunked.hpp"
#include "http/head.hpp"
#include "test/http/wire_case.hpp"

namespace {

using namespace pinion;

// Bytes as characters of the same number, as Node shows them.
std::string json(std::string_view text) {
    std::string out = "\"";
    for (const char character : text) {
        const auto byte = static_cast<unsigned char>(character);
        if (byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\') {
            out += character;
        } else {
            char escape[8];
            std::snprintf(escape, sizeof escape, "\\u%04x", byte);
            out += escape;
        }
    }
    return out + "\"";
}

std::string json_head(std::string_view bytes, const http::Head& head, const layout::FieldLine* fields) {
    const auto text = [bytes](std::size_t offset, std::size_t length) { return json(bytes.substr(offset, length)); };
    std::string out = "{\"method\":" + json(http::METHOD_NAMES[static_cast<unsigned>(head.method)]) +
                      ",\"target\":" + text(head.target.offset, head.target.length) +
                      ",\"minorVersion\":" + std::to_string(head.minor_version) +
                      ",\"keepAlive\":" + (head.keep_alive ? "true" : "false") + ",\"fields\":[";
    for (unsigned i = 0; i < head.field_count; ++i) {
        const layout::FieldLine& line = fields[i];
        out += (i == 0 ? "" : ",") + text(line.name_offset, line.name_length) + "," +
               text(line.value_offset, line.value_length);
    }
    return out + "]";
}

// What one connection would see: requests up to the first that is not whole, wrong, or the last one.
std::string json_connection(std::string bytes) {
    std::string requests;
    std::string end = "partial";
    std::size_t at = 0;
    while (at < bytes.size()) {
        http::Head head;
        layout::FieldLine fields[layout::MAX_FIELDS];
        const std::string_view left = std::string_view(bytes).substr(at);
        const http::HeadResult result = http::parse_head(left.data(), left.size(), 0, test::USUAL_LIMITS, head, fields);
        if (result != http::HeadResult::complete) {
            end = result == http::HeadResult::partial ? "partial" : std::to_string(static_cast<int>(result));
            break;
        }
        requests += (requests.empty() ? "" : ",") + json_head(left, head, fields);
        at += head.length;
        std::size_t data = 0;
        std::size_t consumed = 0;
        end = "end";
        if (head.framing == http::Framing::length) {
            data = consumed = static_cast<std::size_t>(std::min<std::uint64_t>(head.content_length, bytes.size() - at));
            if (data < head.content_length) end = "partial";
        } else if (head.framing == http::Framing::chunked) {
            http::ChunkedDecoder decoder;
            http::ChunkedPiece piece{};
            const auto decoded = decoder.decode(bytes.data() + at, bytes.size() - at, {16384, 16384, 16384}, piece);
            data = piece.data;
            consumed = piece.consumed;
            if (decoded == http::ChunkedResult::more)
                end = "partial";
            else if (decoded != http::ChunkedResult::complete)
                end = std::to_string(static_cast<int>(decoded));
        }
        requests += ",\"body\":" + json(std::string_view(bytes).substr(at, data)) + "}";
        at += consumed;
        if (end != "end" || !head.keep_alive) break;
    }
    if (bytes.empty()) end = "end";
    return "{\"requests\":[" + requests + "],\"end\":" + json(end) + "}";
}

int print_cases(const char* folder) {
    for (const test::WireCase& wire : test::read_wire_cases(folder)) {
        std::string hexadecimal;
        for (const char byte : wire.bytes) {
            char digits[4];
            std::snprintf(digits, sizeof digits, "%02x", static_cast<unsigned char>(byte));
            hexadecimal += digits;
        }
        std::printf("{\"name\":%s,\"bytes\":\"%s\"}\n", json(wire.name).c_str(), hexadecimal.c_str());
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc == 3 && std::strcmp(argv[1], "--cases") == 0) return print_cases(argv[2]);
    if (argc != 1) {
        std::fprintf(stderr, "usage: parse_tool < inputs, or parse_tool --cases FOLDER\n");
        return 2;
    }
    std::uint32_t length;
    while (std::fread(&length, sizeof length, 1, stdin) == 1) {
        std::string bytes(length, '\0');
        if (length != 0 && std::fread(bytes.data(), length, 1, stdin) != 1) {
            std::fprintf(stderr, "parse_tool: the input ends inside a message of %u bytes\n", length);
            return 1;
        }
        std::puts(json_connection(std::move(bytes)).c_str());
    }
    return 0;
}
