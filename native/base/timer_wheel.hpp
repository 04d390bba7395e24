// Deadlines of connections, by index: a wheel of 1024 ticks of 16 ms. It reads no clock; the time is passed in.
//
// Lazy: a deadline that moves later (as on each request of a connection) is only stored; the id is moved on when
// its old tick comes. So the cost of a busy connection is one store, and one relink in a while.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/assert.hpp"
#include "base/mapping.hpp"

namespace pinion::base {

class TimerWheel {
public:
    static constexpr std::uint32_t TICK_MS = 16;
    static constexpr std::uint32_t BUCKETS = 1024;
    static constexpr std::uint64_t NEVER = UINT64_MAX;

    // For ids below `ids`; now_ms: the clock's present value (any monotonic clock in milliseconds). False when the
    // tables cannot be mapped.
    bool init(std::uint32_t ids, std::uint64_t now_ms);

    // Sets the id's deadline, the last one set counts. It expires with the first advance() at or after the deadline,
    // rounded up to a whole tick; one that has passed already, at the next tick. Deadlines beyond 198 days come then.
    void schedule(std::uint32_t id, std::uint64_t deadline_ms) {
        PINION_ASSERT(id < ids_);
        Entry& entry = entries_[id];
        const std::uint32_t tick = tick_of(deadline_ms);
        entry.deadline_tick = tick;
        if (entry.state != OUT && later_or_equal(tick, entry.standing_tick)) return;
        relink(id);
    }

    // Takes the id out; nothing happens if it is not in.
    void cancel(std::uint32_t id) {
        PINION_ASSERT(id < ids_);
        if (entries_[id].state != OUT) unlink(id);
    }

    bool contains(std::uint32_t id) const { return entries_[id].state != OUT; }

    // Calls expired(id) for each id whose deadline has come, `most` of them: the others are left for the next call. It
    // is out of the wheel by then. expired() may schedule and cancel any id, its own included.
    template <typename Expired>
    void advance(std::uint64_t now_ms, std::uint32_t most, Expired&& expired) {
        const std::uint64_t now_tick = now_ms / TICK_MS;
        // After a long pause one round visits every bucket, and whoever is not due yet gets a place from now on.
        if (now_tick > next_tick_ + BUCKETS) next_tick_ = now_tick - BUCKETS + 1;
        while (next_tick_ <= now_tick) {
            const std::uint32_t distance = distance_to_occupied();
            if (distance == EMPTY || distance > now_tick - next_tick_) {
                next_tick_ = now_tick + 1;
                return;
            }
            next_tick_ += distance;
            const std::uint64_t visited = next_tick_++;
            const std::uint32_t tick = std::uint32_t(visited);
            // Whatever is inserted from here on stands at next_tick_ or later, never in this bucket.
            for (std::uint32_t id; (id = heads_[tick % BUCKETS]) != NONE;) {
                id = id - 1;
                unlink(id);
                if (!later_or_equal(tick, entries_[id].deadline_tick)) {
                    insert(id);
                    continue;
                }
                expired(id);
                if (--most == 0) {
                    next_tick_ = visited;
                    return;
                }
            }
        }
    }

    // The earliest time at which advance() may have something to do; NEVER if the wheel is empty. No deadline comes
    // before it, but it may be the old place of one that has moved.
    std::uint64_t next_ms() const {
        const std::uint32_t distance = distance_to_occupied();
        return distance == EMPTY ? NEVER : (next_tick_ + distance) * TICK_MS;
    }

private:
    // One bucket is never used at a time: the one that advance() empties.
    static constexpr std::uint32_t HORIZON = BUCKETS - 2;
    static constexpr std::uint32_t LONGEST = 1u << 30;  // ticks; so that comparing modulo 2^32 is right
    static constexpr std::uint32_t EMPTY = UINT32_MAX;
    static constexpr std::uint32_t NONE = 0;
    static constexpr std::uint32_t WORDS = BUCKETS / 64;
    static constexpr std::uint32_t OUT = 0;

    // Ticks modulo 2^32. Links are id + 1, so that zeroed memory says "out" and "none".
    struct Entry {
        std::uint32_t deadline_tick;
        std::uint32_t standing_tick;
        std::uint32_t next;
        std::uint32_t state;  // OUT; HEAD, first of its bucket; else the link to the one before
    };
    static constexpr std::uint32_t HEAD = UINT32_MAX;

    static bool later_or_equal(std::uint32_t a, std::uint32_t b) { return std::int32_t(a - b) >= 0; }
    std::uint32_t tick_of(std::uint64_t deadline_ms) const {
        const std::uint64_t tick = deadline_ms / TICK_MS + (deadline_ms % TICK_MS != 0);
        if (tick <= next_tick_) return std::uint32_t(next_tick_);
        return std::uint32_t(tick - next_tick_ > LONGEST ? next_tick_ + LONGEST : tick);
    }
    void relink(std::uint32_t id);
    void insert(std::uint32_t id);
    void unlink(std::uint32_t id);
    std::uint32_t distance_to_occupied() const;

    std::uint64_t next_tick_ = 0;  // the next one to visit: all before it are done
    std::uint64_t occupied_[WORDS] = {};
    std::uint32_t occupied_words_ = 0;  // which of them are not zero
    std::uint32_t ids_ = 0;
    std::uint32_t* heads_ = nullptr;
    Entry* entries_ = nullptr;
    Mapping tables_;
};

}  // namespace pinion::base
