#include "memory/arena.hpp"

#include <algorithm>
#include <cstring>

namespace pinion::memory {

namespace {

std::uint32_t blocks_of(std::uint32_t segments, std::uint32_t per_segment, std::uint32_t order) {
    const std::uint64_t granules = std::uint64_t(segments) * per_segment;
    // Even, so that the last block's buddy has a bit, which is never set.
    return std::uint32_t(((granules - 1) >> order) + 2) & ~1u;
}

}  // namespace

Arena::~Arena() {
    if (segments_ != 0) unpoison(base_, 0, total_bytes());
}

bool Arena::init(std::byte* base, std::uint32_t bytes) {
    PINION_ASSERT(segments_ == 0);
    if (bytes == 0 || bytes % SEGMENT != 0) return false;
    const std::uint32_t segments = bytes / SEGMENT;

    std::size_t words = 0;
    for (std::uint32_t order = 0; order < ORDERS; ++order)
        words += BitTree::words(blocks_of(segments, PER_SEGMENT, order));
    const std::size_t bits = words * sizeof(std::uint64_t);
    const std::size_t stack = STACK_MAX * sizeof(std::uint32_t);
    if (!tables_.map(bits + stack + segments * sizeof(std::uint16_t))) return false;

    base_ = base;
    segments_ = segments;
    auto* storage = reinterpret_cast<std::uint64_t*>(tables_.start());
    for (std::uint32_t order = 0; order < ORDERS; ++order) {
        const std::uint32_t blocks = blocks_of(segments, PER_SEGMENT, order);
        free_[order].init(storage, blocks);
        storage += BitTree::words(blocks);
    }
    stack_ = reinterpret_cast<std::uint32_t*>(tables_.start() + bits);
    taken_ = reinterpret_cast<std::uint16_t*>(tables_.start() + bits + stack);

    // The largest blocks that fit; what is left at the end in ever smaller ones.
    std::uint32_t granule = 0;
    const std::uint32_t granules = segments * PER_SEGMENT;
    for (std::uint32_t order = ORDERS; order-- > SEGMENT_ORDER;) {
        for (; granules - granule >= 1u << order; granule += 1u << order) free_[order].insert(granule >> order);
    }
    granules_ = granules;
    whole_ = segments;
    memory::poison(base_, 0, bytes);
    return true;
}

std::uint32_t Arena::order_of(std::uint32_t bytes) {
    PINION_ASSERT(bytes != 0 && bytes <= MAX_BLOCK);
    return std::uint32_t(std::bit_width((bytes - 1) / GRANULE));
}

std::uint32_t Arena::take(std::uint32_t bytes) {
    const std::uint32_t order = order_of(bytes);
    return order == SEGMENT_ORDER ? take_segment() : take_order(order);
}

void Arena::give(std::uint32_t offset, std::uint32_t bytes) {
    const std::uint32_t order = order_of(bytes);
    if (order == SEGMENT_ORDER) return give_segment(offset);
    const std::uint32_t granule = offset / GRANULE;
    PINION_ASSERT(offset % (GRANULE << order) == 0);
    PINION_ASSERT(offset < total_bytes() && total_bytes() - offset >= GRANULE << order);
    mark_free(granule, order);
    give_to_buddies(granule, order);
}

std::uint32_t Arena::take_run(std::uint32_t max_segments, std::uint32_t& count) {
    count = 0;
    if (max_segments == 0) return NO_OFFSET;
    const std::uint32_t most = std::uint32_t(std::bit_width(std::min(max_segments, MAX_RUN))) - 1;
    // Stacked segments may be just the neighbours that a long run lacks: let them coalesce before settling for less.
    bool drained = most == 0;
    for (std::uint32_t order = most + SEGMENT_ORDER; order > SEGMENT_ORDER; --order) {
        std::uint32_t offset = take_from_buddies(order);
        if (offset == NO_OFFSET && !drained) {
            drained = true;
            if (drain()) offset = take_from_buddies(order);
        }
        if (offset == NO_OFFSET) continue;
        mark_taken(offset / GRANULE, order);
        count = 1u << (order - SEGMENT_ORDER);
        return offset;
    }
    const std::uint32_t offset = take_segment();
    count = offset == NO_OFFSET ? 0 : 1;
    return offset;
}

std::uint32_t Arena::take_cold_segment() {
    const std::uint32_t offset = take_from_buddies(SEGMENT_ORDER);
    return offset == NO_OFFSET ? NO_OFFSET : taken(offset / SEGMENT);
}

std::uint32_t Arena::take_order(std::uint32_t order) {
    std::uint32_t offset = take_from_buddies(order);
    if (offset == NO_OFFSET && order < SEGMENT_ORDER && stacked_ != 0) {
        // One segment is enough, the coldest one.
        give_to_buddies(stack_[0] * PER_SEGMENT, SEGMENT_ORDER);
        std::memmove(stack_, stack_ + 1, --stacked_ * sizeof *stack_);
        offset = take_from_buddies(order);
    } else if (offset == NO_OFFSET && drain()) {
        offset = take_from_buddies(order);
    }
    if (offset != NO_OFFSET) mark_taken(offset / GRANULE, order);
    return offset;
}

// The smallest free block of at least this order, and of these the lowest, so that memory is touched from the bottom
// up. What is left of a larger one stays free.
std::uint32_t Arena::take_from_buddies(std::uint32_t order) {
    std::uint32_t found = order;
    std::uint32_t block = BitTree::NONE;
    for (; found < ORDERS; ++found) {
        block = free_[found].first();
        if (block != BitTree::NONE) break;
    }
    if (block == BitTree::NONE) return NO_OFFSET;
    free_[found].erase(block);
    const std::uint32_t whole_before = found >= SEGMENT_ORDER ? 1u << (found - SEGMENT_ORDER) : 0;
    for (; found > order; --found) {
        block *= 2;
        free_[found - 1].insert(block + 1);
    }
    granules_ -= 1u << order;
    // A part of a segment breaks a whole one, if the block was one.
    if (whole_before != 0) whole_ -= order >= SEGMENT_ORDER ? 1u << (order - SEGMENT_ORDER) : 1;
    return block * (GRANULE << order);
}

void Arena::give_to_buddies(std::uint32_t granule, std::uint32_t order) {
    granules_ += 1u << order;
    const std::uint32_t order_before = order;
    std::uint32_t block = granule >> order;
    for (; order + 1 < ORDERS && free_[order].contains(block ^ 1); ++order) {
        free_[order].erase(block ^ 1);
        block /= 2;
    }
    free_[order].insert(block);
    if (order_before >= SEGMENT_ORDER) {
        whole_ += 1u << (order_before - SEGMENT_ORDER);
    } else if (order >= SEGMENT_ORDER) {
        ++whole_;
    }
}

void Arena::mark_taken(std::uint32_t granule, std::uint32_t order) {
    const std::uint32_t segment = granule / PER_SEGMENT;
    if (order < SEGMENT_ORDER) {
        const auto mask = std::uint16_t(((1u << (1u << order)) - 1) << (granule % PER_SEGMENT));
        PINION_ASSERT((taken_[segment] & mask) == 0);
        taken_[segment] = std::uint16_t(taken_[segment] | mask);
        memory::unpoison(base_, granule * GRANULE, GRANULE << order);
        return;
    }
    for (std::uint32_t i = 0; i < 1u << (order - SEGMENT_ORDER); ++i) taken(segment + i);
}

void Arena::mark_free(std::uint32_t granule, std::uint32_t order) {
    const std::uint32_t segment = granule / PER_SEGMENT;
    if (order < SEGMENT_ORDER) {
        const auto mask = std::uint16_t(((1u << (1u << order)) - 1) << (granule % PER_SEGMENT));
        PINION_ASSERT((taken_[segment] & mask) == mask);  // fails when it is given back twice
        taken_[segment] = std::uint16_t(taken_[segment] & ~mask);
    } else {
        for (std::uint32_t i = 0; i < 1u << (order - SEGMENT_ORDER); ++i) {
            PINION_ASSERT(taken_[segment + i] == WHOLE);
            taken_[segment + i] = 0;
        }
    }
    memory::poison(base_, granule * GRANULE, GRANULE << order);
}

// The older half goes back to the buddies, where it can coalesce.
void Arena::spill() {
    constexpr std::uint32_t half = STACK_MAX / 2;
    for (std::uint32_t i = 0; i < half; ++i) give_to_buddies(stack_[i] * PER_SEGMENT, SEGMENT_ORDER);
    std::memmove(stack_, stack_ + half, (stacked_ - half) * sizeof *stack_);
    stacked_ -= half;
}

bool Arena::drain() {
    if (stacked_ == 0) return false;
    while (stacked_ != 0) give_to_buddies(stack_[--stacked_] * PER_SEGMENT, SEGMENT_ORDER);
    return true;
}

}  // namespace pinion::memory
