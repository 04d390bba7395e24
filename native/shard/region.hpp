// The shard's shared mapping: slots | lanes with their rings | arena. Native code maps and owns it; workers see it as
// an ArrayBuffer, so nothing in it is trusted: what steers the reactor (ring counts, generations, ownership) has a
// private twin.
#pragma once

#include <sys/mman.h>
#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <new>

#include "base/assert.hpp"
#include "base/layout.generated.hpp"

namespace pinion::shard {

// Words that two threads share are plain u32 in the layout; every access to them goes through these.
inline std::uint32_t load_acquire(std::uint32_t& word) {
    return std::atomic_ref<std::uint32_t>(word).load(std::memory_order_acquire);
}
inline void store_release(std::uint32_t& word, std::uint32_t value) {
    std::atomic_ref<std::uint32_t>(word).store(value, std::memory_order_release);
}

// A lane's unused credits: runs of so many segments, and so many of these. An eighth of the arena at most, but two runs
// always, the second to end the first with.
constexpr std::uint32_t run_segments_of(std::uint32_t segments) { return std::clamp(segments / 32, 1u, 16u); }
constexpr std::uint32_t most_runs_of(std::uint32_t segments) {
    return std::clamp(segments / 8 / run_segments_of(segments), 2u, 64u);
}

class Region {
public:
    Region() = default;
    Region(const Region&) = delete;
    Region& operator=(const Region&) = delete;
    ~Region() {
        if (base_ != nullptr) munmap(base_, size_ + TAIL_BYTES);
    }

    // False: no memory, or too much for the signed offsets that JavaScript reads. Pages are touched only as they are
    // used.
    bool map(std::uint32_t slots, std::uint32_t arena_bytes) {
        ring_entries_ = std::bit_ceil(slots * 8u);
        credit_entries_ = std::bit_ceil(most_runs_of(arena_bytes / layout::SEGMENT_BYTES));
        const std::size_t slots_bytes = std::size_t(slots) * sizeof(layout::Slot);
        lane_bytes_ = std::uint32_t(sizeof(layout::Lane) + 2u * ring_entries_ * sizeof(layout::Entry) +
                                    credit_entries_ * sizeof(layout::Credit));
        lane_bytes_ = (lane_bytes_ + 4095u) & ~4095u;
        lanes_offset_ = std::uint32_t((slots_bytes + 4095u) & ~std::size_t(4095));
        // 64 KiB: the largest block of the arena, so that blocks are aligned in the address space too.
        arena_offset_ = (lanes_offset_ + layout::MAX_LANES * lane_bytes_ + 65535u) & ~65535u;
        size_ = std::size_t(arena_offset_) + arena_bytes;
        if (size_ > std::size_t{1} << 31) return false;
        const std::size_t mapped = size_ + TAIL_BYTES;
        void* memory =
            mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED) return false;
        // A huge page would make 2 MiB resident at the first byte.
        madvise(memory, mapped, MADV_NOHUGEPAGE);
        base_ = static_cast<std::byte*>(memory);
        return true;
    }

    std::byte* base() const { return base_; }
    std::size_t size() const { return size_; }
    std::byte* arena() const { return base_ + arena_offset_; }
    std::uint32_t arena_offset() const { return arena_offset_; }
    std::uint32_t ring_entries() const { return ring_entries_; }
    std::uint32_t credit_entries() const { return credit_entries_; }
    std::uint32_t lane_offset(std::uint32_t lane) const { return lanes_offset_ + lane * lane_bytes_; }

    layout::Slot& slot(std::uint32_t index) const { return reinterpret_cast<layout::Slot*>(base_)[index]; }
    layout::Lane& lane(std::uint32_t index) const {
        return *reinterpret_cast<layout::Lane*>(base_ + lane_offset(index));
    }
    char* at(std::uint32_t offset) const { return reinterpret_cast<char*>(base_) + offset; }
    std::uint32_t offset_of(const void* address) const {
        return std::uint32_t(static_cast<const std::byte*>(address) - base_);
    }

private:
    // Behind the end, and no worker's: as far as the offset and length of a field line reach from a head at the very
    // end, if a worker writes to them while the reactor reads a head.
    static constexpr std::size_t TAIL_BYTES = 2 * 65536;

    std::byte* base_ = nullptr;
    std::size_t size_ = 0;
    std::uint32_t ring_entries_ = 0;
    std::uint32_t credit_entries_ = 0;
    std::uint32_t lane_bytes_ = 0;
    std::uint32_t lanes_offset_ = 0;
    std::uint32_t arena_offset_ = 0;
};

}  // namespace pinion::shard
