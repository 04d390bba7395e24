#include "base/timer_wheel.hpp"

#include <bit>

namespace pinion::base {

bool TimerWheel::init(std::uint32_t ids, std::uint64_t now_ms) {
    PINION_ASSERT(ids < HEAD - 1);
    static_assert(sizeof(Entry) == 16, "four to a cache line");
    static_assert(WORDS <= 32, "occupied_words_ has a bit for each word");
    const std::size_t heads = BUCKETS * sizeof(std::uint32_t);
    if (!tables_.map(heads + ids * sizeof(Entry))) return false;
    heads_ = reinterpret_cast<std::uint32_t*>(tables_.start());
    entries_ = reinterpret_cast<Entry*>(tables_.start() + heads);
    ids_ = ids;
    next_tick_ = now_ms / TICK_MS;
    for (std::uint64_t& word : occupied_) word = 0;
    occupied_words_ = 0;
    return true;
}

void TimerWheel::relink(std::uint32_t id) {
    if (entries_[id].state != OUT) unlink(id);
    insert(id);
}

void TimerWheel::insert(std::uint32_t id) {
    Entry& entry = entries_[id];
    std::uint32_t ahead = entry.deadline_tick - std::uint32_t(next_tick_);
    if (std::int32_t(ahead) < 0) ahead = 0;
    if (ahead > HORIZON) ahead = HORIZON;  // comes by on its way
    entry.standing_tick = std::uint32_t(next_tick_) + ahead;
    const std::uint32_t bucket = entry.standing_tick % BUCKETS;
    entry.next = heads_[bucket];
    entry.state = HEAD;
    if (entry.next != NONE) entries_[entry.next - 1].state = id + 1;
    heads_[bucket] = id + 1;
    occupied_[bucket / 64] |= std::uint64_t(1) << (bucket % 64);
    occupied_words_ |= 1u << (bucket / 64);
}

void TimerWheel::unlink(std::uint32_t id) {
    Entry& entry = entries_[id];
    const std::uint32_t bucket = entry.standing_tick % BUCKETS;
    if (entry.next != NONE) entries_[entry.next - 1].state = entry.state;
    if (entry.state != HEAD) {
        entries_[entry.state - 1].next = entry.next;
    } else {
        heads_[bucket] = entry.next;
        if (entry.next == NONE) {
            occupied_[bucket / 64] &= ~(std::uint64_t(1) << (bucket % 64));
            if (occupied_[bucket / 64] == 0) occupied_words_ &= ~(1u << (bucket / 64));
        }
    }
    entry.state = OUT;
}

// Ticks from next_tick_ to the first bucket that has somebody, going round; EMPTY if none has.
std::uint32_t TimerWheel::distance_to_occupied() const {
    if (occupied_words_ == 0) return EMPTY;
    const std::uint32_t start = std::uint32_t(next_tick_ % BUCKETS);
    const std::uint32_t word = start / 64;
    const std::uint64_t rest = occupied_[word] >> (start % 64);
    if (rest != 0) return std::uint32_t(std::countr_zero(rest));
    // The other words, and at last the part of this one that lies before start: bits of words after this one first.
    const std::uint32_t after = word + 1 < WORDS ? occupied_words_ >> (word + 1) << (word + 1) : 0;
    const std::uint32_t found = std::uint32_t(std::countr_zero(after != 0 ? after : occupied_words_));
    const std::uint32_t bucket = found * 64 + std::uint32_t(std::countr_zero(occupied_[found]));
    return (bucket - start) % BUCKETS;
}

}  // namespace pinion::base
