// The shard's fixed block of memory: a buddy allocator over a range that the caller maps, with a stack of segments in
// front of it. Nothing of its own lies in the range, since JavaScript can write there. One thread at a time (the one
// that holds the baton). Offsets are bytes from the start of the range.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "base/assert.hpp"
#include "base/layout.generated.hpp"
#include "base/mapping.hpp"
#include "memory/bit_tree.hpp"
#include "memory/poison.hpp"

namespace pinion::memory {

class Arena {
public:
    static constexpr std::uint32_t NO_OFFSET = layout::NO_OFFSET;
    static constexpr std::uint32_t GRANULE = layout::GRANULE_BYTES;
    static constexpr std::uint32_t SEGMENT = layout::SEGMENT_BYTES;
    static constexpr std::uint32_t MAX_BLOCK = 65536;
    static constexpr std::uint32_t MAX_RUN = MAX_BLOCK / SEGMENT;

    Arena() = default;
    ~Arena();
    Arena(const Arena&) = delete;
    Arena& operator=(const Arena&) = delete;

    // bytes: a multiple of SEGMENT, at least one. False when it is not, or when the tables cannot be mapped. The
    // range itself is not touched (base may be null when only offsets matter).
    bool init(std::byte* base, std::uint32_t bytes);

    // A block of at least `bytes` (1 to MAX_BLOCK), rounded up to a power of two of at least GRANULE and aligned to
    // it relative to the range; NO_OFFSET when there is none. The lowest address that fits best.
    std::uint32_t take(std::uint32_t bytes);

    // Gives back what take(bytes) returned. A block that was not taken, or was given back before, ends the process.
    void give(std::uint32_t offset, std::uint32_t bytes);

    // One segment, the one given back last (warm in the cache) if there is one.
    std::uint32_t take_segment() {
        if (__builtin_expect(stacked_ == 0, 0)) return take_cold_segment();
        const std::uint32_t segment = stack_[--stacked_];
        return taken(segment);
    }

    void give_segment(std::uint32_t offset) {
        const std::uint32_t segment = offset / SEGMENT;
        PINION_ASSERT(offset % SEGMENT == 0 && segment < segments_);
        PINION_ASSERT(taken_[segment] == WHOLE);  // fails when it is given back twice
        taken_[segment] = 0;
        poison(segment);
        if (__builtin_expect(stacked_ == STACK_MAX, 0)) spill();
        stack_[stacked_++] = segment;
    }

    // The longest run of segments that is free, of a power of two up to max_segments and MAX_RUN; NO_OFFSET and
    // count 0 when there is none. Each of its segments is given back on its own, in any order, by give_segment();
    // or the run as a whole by give(offset, count * SEGMENT).
    std::uint32_t take_run(std::uint32_t max_segments, std::uint32_t& count);

    std::uint32_t free_bytes() const { return granules_ * GRANULE + stacked_ * SEGMENT; }
    std::uint32_t total_bytes() const { return segments_ * SEGMENT; }
    // Segments of which no byte is taken: what take_segment() can still return.
    std::uint32_t free_segments() const { return whole_ + stacked_; }
    std::byte* at(std::uint32_t offset) const { return base_ + offset; }

private:
    static constexpr std::uint32_t ORDERS = std::bit_width(MAX_BLOCK / GRANULE);
    static constexpr std::uint32_t SEGMENT_ORDER = std::bit_width(SEGMENT / GRANULE) - 1;
    static constexpr std::uint32_t PER_SEGMENT = SEGMENT / GRANULE;
    static constexpr std::uint32_t STACK_MAX = 256;  // more would keep too much from coalescing
    static constexpr std::uint16_t WHOLE = 0xffff;
    static_assert(PER_SEGMENT == 16, "a segment's granules are the bits of a u16");
    static_assert(std::has_single_bit(MAX_BLOCK) && std::has_single_bit(GRANULE) && std::has_single_bit(SEGMENT));

    static std::uint32_t order_of(std::uint32_t bytes);
    std::uint32_t taken(std::uint32_t segment) {
        PINION_ASSERT(taken_[segment] == 0);
        taken_[segment] = WHOLE;
        memory::unpoison(base_, segment * SEGMENT, SEGMENT);
        return segment * SEGMENT;
    }
    void poison(std::uint32_t segment) { memory::poison(base_, segment * SEGMENT, SEGMENT); }
    std::uint32_t take_cold_segment();
    std::uint32_t take_order(std::uint32_t order);
    std::uint32_t take_from_buddies(std::uint32_t order);
    void give_to_buddies(std::uint32_t granule, std::uint32_t order);
    void mark_taken(std::uint32_t granule, std::uint32_t order);
    void mark_free(std::uint32_t granule, std::uint32_t order);
    void spill();
    bool drain();

    std::byte* base_ = nullptr;
    std::uint16_t* taken_ = nullptr;  // for each segment: which of its granules are taken
    std::uint32_t* stack_ = nullptr;  // free segments, the warmest on top; the buddies do not have them
    std::uint32_t stacked_ = 0;
    std::uint32_t segments_ = 0;
    std::uint32_t granules_ = 0;  // free granules among the buddies
    std::uint32_t whole_ = 0;     // whole free segments among the buddies
    BitTree free_[ORDERS];        // for each order: which blocks are free, by offset / block size
    base::Mapping tables_;
};

}  // namespace pinion::memory
