// A worker of the simulation that has gone wrong: it knows how a lane works, and writes what it likes where it may, or
// (wild) anywhere in the mapping. Whatever it does, the reactor must stand, and lose nothing of its own.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <set>
#include <string>
#include <vector>

#include "shard/lane.hpp"
#include "shard/region.hpp"
#include "test/shard/scripted_lane.hpp"
#include "test/shard/simulated_client.hpp"

namespace pinion::test {

class HostileWorker {
public:
    // `tainted` gets the ids of the requests that this worker was given.
    HostileWorker(Dice& dice, const shard::Region& region, std::uint32_t slots, std::uint32_t lane, bool wild,
                  std::set<std::uint32_t>& tainted)
        : dice_(dice), region_(region), slots_(slots), lane_(region.lane_offset(lane)), wild_(wild), tainted_(tainted) {
        requests_ = lane_ + std::uint32_t(sizeof(layout::Lane));
        responses_ = requests_ + region.ring_entries() * std::uint32_t(sizeof(layout::Entry));
        credits_ = responses_ + region.ring_entries() * std::uint32_t(sizeof(layout::Entry));
    }

    void step() {
        see_requests();
        for (std::uint32_t n = 1 + dice_.below(4); n > 0; --n) act();
    }

private:
    struct Held {
        std::uint32_t slot, generation;
    };

    // --- the mapping, as one that nothing holds back reads and writes it: free memory is poisoned, which is not asked
    __attribute__((no_sanitize("address"))) std::uint32_t read(std::uint64_t at) const {
        if (at + 4 > region_.size()) return 0;
        const auto* bytes = reinterpret_cast<const volatile unsigned char*>(region_.base()) + at;
        std::uint32_t value = 0;
        for (unsigned n = 0; n < 4; ++n) value |= std::uint32_t(bytes[n]) << 8 * n;
        return value;
    }
    __attribute__((no_sanitize("address"))) void write(std::uint64_t at, std::uint64_t value, unsigned length = 4) {
        if (at + length > region_.size()) return;
        auto* bytes = reinterpret_cast<volatile unsigned char*>(region_.base()) + at;
        for (unsigned n = 0; n < length; ++n) bytes[n] = static_cast<unsigned char>(value >> 8 * n);
    }
    static constexpr std::uint32_t SLOT = sizeof(layout::Slot);
    static constexpr std::uint32_t ENTRY = sizeof(layout::Entry);
    std::uint32_t ring(std::uint32_t count) const { return count & (region_.ring_entries() - 1); }

    // What the reactor has published since the last look, before anything of it is spoilt.
    void see_requests() {
        const std::uint32_t tail = read(lane_ + offsetof(layout::Lane, request_tail));
        for (std::uint32_t n = 0; n < region_.ring_entries() && seen_ != tail; ++n, ++seen_) {
            const std::uint32_t at = requests_ + ring(seen_) * ENTRY;
            const std::uint32_t head = read(at);
            const std::uint32_t slot = head >> 8;
            if (shard::is_body_part(EntryType(head & 0xff))) {
                bodies_.push_back({slot, read(at + 4), read(at + 8), read(at + 12)});
                if (bodies_.size() > 64) bodies_.erase(bodies_.begin());
            }
            if (EntryType(head & 0xff) != EntryType::request || slot >= slots_) continue;
            held_.push_back({slot, read(at + 4)});
            if (held_.size() > 64) held_.erase(held_.begin());
            tainted_.insert(id_of(slot));
        }
        seen_ = tail;
        const std::uint32_t credit_tail = read(lane_ + offsetof(layout::Lane, credit_tail));
        for (std::uint32_t n = 0; n < 64 && credits_seen_ != credit_tail; ++n, ++credits_seen_) {
            const std::uint32_t at = credits_ + (credits_seen_ & (region_.credit_entries() - 1)) * 8;
            cursor_ = read(at);
            end_ = cursor_ + read(at + 4);
        }
    }
    std::uint32_t id_of(std::uint32_t slot) const {
        const std::uint64_t record = std::uint64_t{slot} * SLOT;
        const std::uint32_t head = read(record + offsetof(layout::Slot, head_offset));
        const std::uint32_t path = read(record + offsetof(layout::Slot, path_offset)) & 0xffff;
        std::uint32_t id = 0;
        for (std::uint32_t n = 3; n < 13; ++n) {  // /h/ID/LENGTH
            const std::uint32_t digit = read(std::uint64_t{head} + path + n) & 0xff;
            if (digit < '0' || digit > '9') break;
            id = id * 10 + (digit - '0');
        }
        return id;
    }

    // --- choices ---
    std::uint32_t any() { return dice_.below(0xffffffff); }
    std::uint32_t near(std::uint32_t value) { return dice_.chance(60) ? value : value + dice_.below(9) - 4; }
    std::uint32_t slot() {
        if (!held_.empty() && !dice_.chance(10)) return held_[dice_.below(std::uint32_t(held_.size()))].slot;
        return dice_.chance(80) ? dice_.below(slots_ + 1) : any() >> 8;
    }
    Held held() {
        if (held_.empty()) return {dice_.below(slots_), any() & 0xffffff};
        return held_[dice_.below(std::uint32_t(held_.size()))];
    }
    // Still its own, as far as shared memory says.
    bool own(const Held& held) const {
        return read(std::uint64_t{held.slot} * SLOT) >> 8 == (held.generation & 0xffffff);
    }
    std::uint32_t offset() {
        const auto size = std::uint32_t(region_.size());
        const std::uint32_t record = held().slot * SLOT;
        switch (dice_.below(10)) {
            case 0: return any();
            case 1: return dice_.below(300);
            case 2: return near(region_.arena_offset());
            case 3: return near(size);
            case 4: return ~dice_.below(300);
            case 5: return near(cursor_);
            case 6: return near(end_);
            case 7: return near(read(record + offsetof(layout::Slot, answer_offset)));
            case 8: return near(read(record + offsetof(layout::Slot, answer_end)));
            default: return region_.arena_offset() + dice_.below(size - region_.arena_offset());
        }
    }
    std::uint32_t length() {
        switch (dice_.below(6)) {
            case 0: return any();
            case 1: return 0;
            case 2: return ~dice_.below(300);
            case 3: return 4096 + dice_.below(3) - 1;
            default: return dice_.below(2000);
        }
    }

    // --- deeds ---
    void push(EntryType type, std::uint32_t slot, std::uint32_t generation, std::uint32_t argument = 0,
              std::uint32_t argument2 = 0) {
        const std::uint32_t at = responses_ + ring(response_tail_++) * ENTRY;
        write(at, std::uint32_t(type) | slot << 8);
        write(at + 4, generation);
        write(at + 8, argument);
        write(at + 12, argument2);
        write(lane_ + offsetof(layout::Lane, response_tail), response_tail_);
    }
    void set_state(const Held& held, SlotState state) {
        if (!own(held) && !wild_) return;
        write(std::uint64_t{held.slot} * SLOT, (held.generation & 0xffffff) << 8 | std::uint32_t(state));
    }

    void act() {
        const std::uint32_t deed = dice_.below(wild_ ? 22 : 19);
        const Held mine = held();
        switch (deed) {
            case 0:
            case 1:
            case 2: return pop();
            case 3:
            case 4:
            case 5: return set_state(mine, SlotState::started);
            case 6:
            case 7: return answer(mine);
            case 8: return part(mine);
            case 9: return finish(mine);
            case 10: return consume();
            case 11: {
                const std::uint32_t first = std::uint32_t(EntryType::answer);
                const std::uint32_t types = std::uint32_t(EntryType::fields) - first + 1;
                return push(EntryType(first + dice_.below(types)), mine.slot, mine.generation, offset(), length());
            }
            case 12: return set_state(mine, SlotState(dice_.below(7)));
            case 13: return dice_.chance(80) ? pop() : forge_request(mine);
            case 14: return dice_.chance(70) ? answer(mine) : spoil_count();
            case 15:
                if (dice_.chance(70)) return answer(mine);
                return push(EntryType(dice_.below(256)), slot(), any(), any(), any());
            case 16: return write(lane_ + offsetof(layout::Lane, credit_starved), dice_.below(4));
            case 17: return keep();
            case 18: return fields(mine);
            default: return smear();
        }
    }

    void pop() {
        popped_ = dice_.chance(90) ? seen_ : popped_ + dice_.below(seen_ - popped_ + 1);
        write(lane_ + offsetof(layout::Lane, request_head), popped_);
        write(lane_ + offsetof(layout::Lane, credit_head), credits_seen_);
    }
    // As it should be done, but for one thing now and then.
    void answer(const Held& mine) {
        if (!own(mine) && !wild_) return;
        const std::uint64_t record = std::uint64_t{mine.slot} * SLOT;
        const std::uint32_t room =
            read(record + offsetof(layout::Slot, answer_end)) - read(record + offsetof(layout::Slot, answer_offset));
        std::uint32_t begin = read(record + offsetof(layout::Slot, answer_offset));
        std::uint32_t bytes = room > 256 ? dice_.below(std::min(room - 256, 3000u)) : 0;
        if (dice_.chance(40) && end_ - cursor_ > 256) {
            begin = cursor_;
            bytes = dice_.below(std::min(end_ - cursor_ - 256, 5000u));
            cursor_ += 256 + bytes;
        }
        std::uint32_t body = begin + layout::HEADROOM_BYTES;
        std::uint32_t fields = body + bytes;
        std::uint32_t fields_length = 0;
        std::uint16_t status = std::uint16_t(200 + dice_.below(400));
        std::uint8_t flags = dice_.chance(60) ? 1 : std::uint8_t(dice_.below(64));
        std::uint8_t type = std::uint8_t(dice_.below(5));
        double total = dice_.chance(50) ? double(bytes) : -1;
        switch (dice_.below(30)) {
            case 0: body = offset(); break;
            case 1: bytes = length(); break;
            case 2: fields = offset(); break;
            case 3: fields_length = length(); break;
            case 4: fields = near(body), fields_length = dice_.below(bytes + 8); break;
            case 5: status = std::uint16_t(any()); break;
            case 6: flags = std::uint8_t(any()); break;
            case 7: type = std::uint8_t(any()); break;
            case 8: total = dice_.chance(50) ? -0.5 : 1e300; break;
            case 9: total = double(any()) * 4e9; break;
            default: break;
        }
        const std::uint64_t total_bits = dice_.below(40) == 0 ? ~std::uint64_t{0} : std::bit_cast<std::uint64_t>(total);
        write(record + offsetof(layout::Slot, answer_status), status, 2);
        write(record + offsetof(layout::Slot, answer_content_type), type, 1);
        write(record + offsetof(layout::Slot, answer_flags), flags, 1);
        write(record + offsetof(layout::Slot, answer_fields_offset), fields);
        write(record + offsetof(layout::Slot, answer_fields_length), fields_length);
        write(record + offsetof(layout::Slot, answer_length), total_bits, 8);
        if (dice_.chance(90)) set_state(mine, flags & 1 ? SlotState::answered : SlotState::streaming);
        if (flags & layout::answer_flag::KEPT_BODY) bytes = number();
        push(EntryType::answer, mine.slot, mine.generation, body, bytes);
    }
    // Often one that is kept.
    std::uint32_t number() {
        return dice_.chance(90) ? dice_.below(3) : dice_.chance(90) ? dice_.below(layout::KEPT_BODIES + 1) : any() >> 8;
    }
    void keep() {
        std::uint32_t begin = cursor_;
        std::uint32_t bytes = dice_.chance(20) ? 0 : dice_.below(std::min(end_ - cursor_, 9000u));
        if (dice_.below(12) == 0) begin = offset();
        if (dice_.below(12) == 0) bytes = length();
        push(EntryType::keep, number(), dice_.chance(90) ? 0 : any(), begin, bytes);
        if (begin == cursor_ && bytes <= end_ - cursor_) cursor_ += bytes;
    }
    void fields(const Held& mine) {
        std::uint32_t begin = cursor_;
        std::uint32_t bytes = std::min(end_ - cursor_, 1 + dice_.below(9000));
        if (dice_.below(8) == 0) begin = offset();
        if (dice_.below(8) == 0) bytes = length();
        push(EntryType::fields, mine.slot, mine.generation, begin, bytes);
        if (begin == cursor_ && bytes <= end_ - cursor_) cursor_ += bytes;
    }
    void part(const Held& mine) {
        std::uint32_t bytes = 1 + dice_.below(1000);
        std::uint32_t begin = cursor_;
        if (dice_.below(8) == 0) begin = offset();
        if (dice_.below(8) == 0) bytes = length();
        push(EntryType::part, mine.slot, mine.generation, begin + 16, bytes);
        if (begin == cursor_ && bytes < end_ - cursor_) cursor_ += bytes + 18;
    }
    void finish(const Held& mine) {
        if (dice_.chance(80)) set_state(mine, SlotState::answered);
        const EntryType ends[] = {EntryType::end, EntryType::end, EntryType::fail, EntryType::give_back};
        if (dice_.chance(30)) return end_with_trailers(mine);
        push(ends[dice_.below(4)], mine.slot, mine.generation);
    }
    // What lies in its credits, as trailers; fields or nearly, where it may write.
    void end_with_trailers(const Held& mine) {
        std::uint32_t begin = cursor_;
        std::uint32_t bytes = wild_ ? 0 : dice_.below(30);
        for (std::uint32_t n = wild_ ? dice_.below(3) : 0; n > 0; --n) {
            const std::uint32_t value = dice_.below(40);
            const std::uint64_t at = std::uint64_t{begin} + 16 + bytes;
            write(at, 1 | (dice_.chance(95) ? value : any()) << 16);
            for (std::uint32_t i = 0; i <= value; ++i) write(at + 4 + i, dice_.chance(99) ? 'x' : any(), 1);
            bytes += 5 + value;
        }
        if (dice_.below(8) == 0) begin = offset();
        if (dice_.below(8) == 0) bytes = length();
        push(EntryType::end, mine.slot, mine.generation, begin + 16, bytes);
        if (begin == cursor_ && bytes < end_ - cursor_) cursor_ += bytes + 18;
    }
    void consume() {
        if (bodies_.empty()) return push(EntryType::consumed, slot(), any(), offset(), length());
        const layout::Entry part = bodies_[dice_.below(std::uint32_t(bodies_.size()))];
        const std::uint32_t at = dice_.below(8) == 0 ? offset() : part.argument;
        const std::uint32_t bytes = dice_.below(8) == 0 ? length() : part.argument2;
        push(EntryType::consumed, part.head, part.generation, at, bytes);
    }
    // A request that it has begun, back among those that wait.
    void forge_request(const Held& mine) {
        if (!own(mine) && !wild_) return;
        const std::uint32_t at = requests_ + ring(seen_ - 1 - dice_.below(4)) * ENTRY;
        write(at, std::uint32_t(EntryType::request) | mine.slot << 8);
        write(at + 4, mine.generation);
        if (dice_.chance(80)) set_state(mine, SlotState::queued);
    }
    void spoil_count() {
        static constexpr std::size_t COUNTS[] = {
            offsetof(layout::Lane, request_head),   offsetof(layout::Lane, response_tail),
            offsetof(layout::Lane, credit_head),    offsetof(layout::Lane, request_tail),
            offsetof(layout::Lane, response_head),  offsetof(layout::Lane, credit_tail),
            offsetof(layout::Lane, lane_state),     offsetof(layout::Lane, request_capacity),
            offsetof(layout::Lane, response_ring),  offsetof(layout::Lane, credit_ring),
            offsetof(layout::Lane, credit_starved), offsetof(layout::Lane, stand_in_asleep),
        };
        const std::uint64_t at = lane_ + COUNTS[dice_.below(std::size(COUNTS))];
        write(at, dice_.chance(60) ? near(read(at)) + dice_.below(3) : any());
    }
    void smear() {
        const std::uint32_t bytes = 1 + dice_.below(24);
        const auto size = std::uint32_t(region_.size());
        std::uint32_t at = offset();
        if (dice_.chance(40)) at = dice_.below(slots_) * SLOT + dice_.below(120);
        if (dice_.chance(20)) at = region_.lane_offset(dice_.below(layout::MAX_LANES)) + dice_.below(640);
        if (dice_.chance(20))
            at = region_.lane_offset(0) + dice_.below(region_.arena_offset() - region_.lane_offset(0));
        if (at >= size) at = dice_.below(size);
        for (std::uint32_t n = 0; n < bytes; ++n) write(std::uint64_t{at} + n, dice_.below(256), 1);
    }

    Dice& dice_;
    const shard::Region& region_;
    std::uint32_t slots_;
    std::uint32_t lane_, requests_, responses_, credits_;  // region offsets
    bool wild_;
    std::set<std::uint32_t>& tainted_;
    std::uint32_t seen_ = 0, popped_ = 0, credits_seen_ = 0, response_tail_ = 0;
    std::uint32_t cursor_ = 0, end_ = 0;
    std::vector<Held> held_;
    std::vector<layout::Entry> bodies_;  // head: the slot
};

}  // namespace pinion::test
