// Forward searches for the first byte that ends something, a block at a time, never reading outside [begin, end).
#pragma once

#include <cstring>

#include "http/byte_block.hpp"

namespace pinion::http::inline PINION_BLOCKS {

// The block at `from`, of which only `count` < WIDTH bytes are there: reads the block that ends at `end` where
// the input is long enough, a padded copy where it is not. `matcher` gives a mask; lanes past `count` come back as
// zero.
template <typename Matcher>
LaneMask match_short_block(const char* begin, const char* from, std::size_t count, const Matcher& matcher) {
    const char* const end = from + count;
    if (static_cast<std::size_t>(end - begin) >= Lanes::WIDTH) {
        return static_cast<LaneMask>(matcher(ByteBlock::load(end - Lanes::WIDTH)) >>
                                     ((Lanes::WIDTH - count) * Lanes::BITS));
    }
    char padded[Lanes::WIDTH] = {};
    std::memcpy(padded, from, count);
    return matcher(ByteBlock::load(padded)) & static_cast<LaneMask>((LaneMask{1} << (count * Lanes::BITS)) - 1);
}

// First byte of [from, end) for which the matcher's mask is set, or `end`.
template <typename Matcher>
const char* find(const char* begin, const char* from, const char* end, const Matcher& matcher) {
    while (static_cast<std::size_t>(end - from) >= Lanes::WIDTH) {
        const LaneMask mask = matcher(ByteBlock::load(from));
        if (mask != 0) return from + first_lane(mask);
        from += Lanes::WIDTH;
    }
    if (from == end) return end;
    const LaneMask mask = match_short_block(begin, from, static_cast<std::size_t>(end - from), matcher);
    return mask != 0 ? from + first_lane(mask) : end;
}

// Controls, HTAB among them: the bytes at which a field value ends, or is wrong, or (HTAB) may go on.
inline const char* find_control(const char* begin, const char* from, const char* end) {
    return find(begin, from, end, [](ByteBlock block) { return (block.below(0x20) | block.equal(0x7f)).mask(); });
}

// The first byte that is neither a letter nor a hyphen, which is all that most field names have.
inline const char* find_name_end(const char* begin, const char* from, const char* end) {
    return find(begin, from, end, [](ByteBlock block) {
        return static_cast<LaneMask>((block.letters() | block.equal('-')).mask() ^ Lanes::ALL);
    });
}

}  // namespace pinion::http::inline PINION_BLOCKS
