// Who uses which segment. A segment counts its users; the last one to drop it gives it back to the arena.
//
// Users are: the connection whose unread input it holds, each request whose head (or inline body) lies in it, each body
// part that a lane reads, each part of an answer that lies in it, the lane that may still write into it (credits), and
// each body in it that is kept for a lane.
#pragma once

#include <cstdint>

#include "memory/arena.hpp"
#include "shard/region.hpp"
#include "shard/table.hpp"

namespace pinion::shard {

struct SegmentRecord {
    std::uint32_t next;                           // the connection's next segment of unread input
    std::uint16_t begin, end;                     // unread input: [begin, end)
    std::uint32_t users;                          // as many parts as there are may send the same kept body
    std::uint16_t body_parts[layout::MAX_LANES];  // of these, body parts that each lane holds
};

class Segments {
public:
    bool open(Region& region, std::uint32_t arena_bytes) {
        region_ = &region;
        first_ = region.arena_offset() / layout::SEGMENT_BYTES;
        return arena_.init(region.arena(), arena_bytes) && records_.map(arena_bytes / layout::SEGMENT_BYTES);
    }

    memory::Arena& arena() { return arena_; }
    std::uint32_t free_count() const { return arena_.free_segments(); }
    SegmentRecord& operator[](std::uint32_t segment) { return records_[segment]; }
    std::uint32_t count() const { return records_.capacity(); }

    // One segment with no user yet; NONE: the arena is exhausted.
    std::uint32_t take() {
        const std::uint32_t offset = arena_.take_segment();
        return offset == layout::NO_OFFSET ? NONE : offset / layout::SEGMENT_BYTES;
    }
    // A run with one user for each segment. Returns its region offset.
    std::uint32_t take_run(std::uint32_t max_segments, std::uint32_t& count) {
        const std::uint32_t offset = arena_.take_run(max_segments, count);
        if (offset == layout::NO_OFFSET) return layout::NO_OFFSET;
        for (std::uint32_t i = 0; i < count; ++i) records_[offset / layout::SEGMENT_BYTES + i].users = 1;
        return region_->arena_offset() + offset;
    }
    // A segment that never got a user.
    void give(std::uint32_t segment) { arena_.give_segment(segment * layout::SEGMENT_BYTES); }

    std::uint32_t region_offset(std::uint32_t segment) const {
        return region_->arena_offset() + segment * layout::SEGMENT_BYTES;
    }
    std::uint32_t segment_of(std::uint32_t region_offset) const {
        return region_offset / layout::SEGMENT_BYTES - first_;
    }
    // The bytes of all segments that a range touches: what it keeps from others.
    std::uint32_t spanned(std::uint32_t region_offset, std::uint32_t length) const {
        return (segment_of(region_offset + length - 1) - segment_of(region_offset) + 1) * layout::SEGMENT_BYTES;
    }
    bool inside(std::uint32_t region_offset, std::uint32_t length) const {
        return region_offset >= region_->arena_offset() && region_offset <= region_->size() &&
               length <= region_->size() - region_offset;
    }

    void hold(std::uint32_t segment) { ++records_[segment].users; }
    void drop(std::uint32_t segment) {
        SegmentRecord& record = records_[segment];
        PINION_ASSERT(record.users > 0);
        if (--record.users == 0) give(segment);
    }
    void hold_range(std::uint32_t region_offset, std::uint32_t length) {
        for (std::uint32_t s = segment_of(region_offset), last = segment_of(region_offset + length - 1); s <= last;
             ++s) {
            hold(s);
        }
    }
    void drop_range(std::uint32_t region_offset, std::uint32_t length) {
        for (std::uint32_t s = segment_of(region_offset), last = segment_of(region_offset + length - 1); s <= last;
             ++s) {
            drop(s);
        }
    }

    // Blocks of other sizes (head blocks, long heads of answers), as region offsets.
    std::uint32_t take_block(std::uint32_t bytes) {
        const std::uint32_t offset = arena_.take(bytes);
        return offset == layout::NO_OFFSET ? offset : offset + region_->arena_offset();
    }
    void give_block(std::uint32_t region_offset, std::uint32_t bytes) {
        arena_.give(region_offset - region_->arena_offset(), bytes);
    }

private:
    Region* region_ = nullptr;
    memory::Arena arena_;
    Table<SegmentRecord> records_;
    std::uint32_t first_ = 0;
};

}  // namespace pinion::shard
