// Where the live worker is, as the stand-in sees it: one word, an epoch and a place. The epoch names one absence; it
// changes whenever the worker comes back, so that two equal readings some time apart mean one uninterrupted absence,
// whatever filled it: a handler, a promise continuation, a timer or a garbage collection.
#pragma once

#include <atomic>
#include <cstdint>

namespace pinion::shard {

enum class Place : std::uint8_t {
    nowhere,  // no worker is live: the stand-in runs every turn
    turning,  // in a turn
    away,     // in JavaScript, or anywhere else outside a turn
    asleep,   // libuv waits for it, the ring's descriptor among its polls
};

class Presence {
public:
    struct Reading {
        std::uint64_t word = 0;
        Place place() const { return Place(word & 3); }
        Reading moved(Place place) const { return {((word >> 2) + 1) << 2 | std::uint64_t(place)}; }
        bool operator==(const Reading&) const = default;
    };

    // Sequentially consistent, as is read(): a sleeper stores its place, then looks at the rings once more;
    // whoever fills a ring stores first, then looks at the place. One of the two sees the other.
    void move(Place place) {
        const Reading before{word_.load(std::memory_order_relaxed)};
        word_.store(before.moved(place).word, std::memory_order_seq_cst);
    }
    // For a mover without the baton: false, and nothing moved, if somebody else has moved since `from` was read.
    bool move_from(Reading from, Place place) {
        const std::uint64_t moved = from.moved(place).word;
        return word_.compare_exchange_strong(from.word, moved, std::memory_order_seq_cst);
    }
    Reading read() const { return {word_.load(std::memory_order_seq_cst)}; }

private:
    std::atomic<std::uint64_t> word_{0};
};

}  // namespace pinion::shard
