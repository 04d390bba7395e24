// The bytes of a head that are there, and how far they have been read.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pinion::http {

struct Input {
    const char* begin;
    const char* at;
    const char* end;
    bool full;  // the limit for heads is reached at `end`: what is not complete by then never will be

    std::size_t left() const { return static_cast<std::size_t>(end - at); }
    std::uint16_t offset_of(const char* byte) const { return static_cast<std::uint16_t>(byte - begin); }
};

}  // namespace pinion::http
