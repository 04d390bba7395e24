// What the fields of a request say about its body and its connection (RFC 9112 §6, §9.3; RFC 9110 §7.2, §10.1.1).
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

#include "http/head.hpp"

namespace pinion::http {

// Gathers it field by field. Everything ambiguous is refused where it is seen, never repaired.
class FramingFields {
public:
    explicit FramingFields(std::uint8_t minor_version) : minor_version_(minor_version) {}

    // The name is a token and the value free of controls. `complete`: nothing against it.
    HeadResult note(const char* bytes, const layout::FieldLine& line) {
        const std::string_view name{bytes + line.name_offset, line.name_length};
        // Most names fall through here: their length says that they mean nothing to the framing.
        switch (name.size()) {
            case 4: return named(name, "host") ? note_host(bytes, line) : HeadResult::complete;
            case 6: return named(name, "expect") ? note_expect(value_of(bytes, line)) : HeadResult::complete;
            case 10: return named(name, "connection") ? note_connection(value_of(bytes, line)) : HeadResult::complete;
            case 14: return named(name, "content-length") ? note_length(value_of(bytes, line)) : HeadResult::complete;
            case 17:
                return named(name, "transfer-encoding") ? note_coding(value_of(bytes, line)) : HeadResult::complete;
            default: return HeadResult::complete;
        }
    }

    // After the last field: the head's framing, host, keep_alive and expect_continue.
    HeadResult conclude(Head& head) const;

private:
    // Bit 0x20 folds case, and no token has a byte that would fold to a hyphen.
    template <std::size_t SIZE>
    static bool named(std::string_view name, const char (&wanted)[SIZE]) {
        constexpr std::size_t LENGTH = SIZE - 1;
        char folded[LENGTH];
        std::memcpy(folded, name.data(), LENGTH);
        for (char& letter : folded) letter = static_cast<char>(letter | 0x20);
        return std::memcmp(folded, wanted, LENGTH) == 0;
    }
    static std::string_view value_of(const char* bytes, const layout::FieldLine& line) {
        return {bytes + line.value_offset, line.value_length};
    }

    HeadResult note_host(const char* bytes, const layout::FieldLine& line);
    HeadResult note_expect(std::string_view value);
    HeadResult note_connection(std::string_view value);
    HeadResult note_length(std::string_view value);
    HeadResult note_coding(std::string_view value);

    std::uint64_t content_length_ = 0;
    Range host_;
    std::uint8_t minor_version_;
    bool has_host_ = false;
    bool has_length_ = false;
    bool chunked_ = false;
    bool close_ = false;
    bool keep_alive_ = false;
    bool expect_continue_ = false;
};

}  // namespace pinion::http
