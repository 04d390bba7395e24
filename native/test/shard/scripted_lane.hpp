// The worker's end of a lane in C++: what the dispatcher does in JavaScript, entry by entry, for tests that need no
// Node.
#pragma once

#include <cstring>
#include <deque>
#include <functional>
#include <string>
#include <string_view>

#include "base/hand_over_point.hpp"
#include "shard/region.hpp"

namespace pinion::test {

using layout::EntryType;
using layout::SlotState;

// Encodes field lines as in Slot.answerFields.
inline std::string encoded_field(std::string_view name, std::string_view value) {
    const std::uint16_t lengths[2] = {std::uint16_t(name.size()), std::uint16_t(value.size())};
    std::string bytes(reinterpret_cast<const char*>(lengths), sizeof lengths);
    return bytes.append(name).append(value);
}

class ScriptedLane {
public:
    // Called after an answer has been pushed while the stand-in says that it sleeps.
    std::function<void()> ring_stand_in = [] {};

    void attach(std::byte* region, std::uint32_t lane_offset) {
        region_ = region;
        lane_ = reinterpret_cast<layout::Lane*>(region + lane_offset);
        request_head_ = response_tail_ = credit_head_ = 0;
        cursor_ = end_ = 0;
        outbox_.clear();
    }

    layout::Slot& slot(std::uint32_t index) const { return reinterpret_cast<layout::Slot*>(region_)[index]; }
    char* at(std::uint32_t offset) const { return reinterpret_cast<char*>(region_) + offset; }
    layout::Lane& lane() const { return *lane_; }

    std::uint32_t unread() const { return shard::load_acquire(lane_->request_tail) - request_head_; }
    bool pop(layout::Entry& entry) {
        if (unread() == 0) return false;
        entry = requests()[request_head_ & (lane_->request_capacity - 1)];
        shard::store_release(lane_->request_head, ++request_head_);
        return true;
    }

    // Entries leave in order; what finds the ring full waits for flush().
    void push(EntryType type, std::uint32_t slot, std::uint32_t generation, std::uint32_t argument = 0,
              std::uint32_t argument2 = 0) {
        outbox_.push_back({std::uint32_t(type) | slot << 8, generation, argument, argument2});
        flush();
    }
    void flush() {
        bool pushed = false;
        while (!outbox_.empty() &&
               response_tail_ - shard::load_acquire(lane_->response_head) < lane_->response_capacity) {
            responses()[response_tail_++ & (lane_->response_capacity - 1)] = outbox_.front();
            outbox_.pop_front();
            pushed = true;
        }
        if (!pushed) return;
        std::atomic_ref(lane_->response_tail).store(response_tail_, std::memory_order_seq_cst);
        PINION_HAND_OVER(lane_pushed);
        if (std::atomic_ref(lane_->stand_in_asleep).load(std::memory_order_seq_cst) == 0) return;
        PINION_HAND_OVER(lane_rings);
        ring_stand_in();
    }
    bool all_pushed() const { return outbox_.empty(); }

    // A slot's steps. False: the reactor has abandoned it meanwhile, and gets it back.
    bool start(std::uint32_t index, std::uint32_t generation) {
        if (move(index, generation, SlotState::queued, SlotState::started)) return true;
        give_back(index, generation);
        return false;
    }
    bool stream(std::uint32_t index, std::uint32_t generation) {
        return move(index, generation, SlotState::started, SlotState::streaming);
    }
    bool finish(std::uint32_t index, std::uint32_t generation) {
        return move(index, generation, SlotState::started, SlotState::answered) ||
               move(index, generation, SlotState::streaming, SlotState::answered);
    }
    void give_back(std::uint32_t index, std::uint32_t generation) { push(EntryType::give_back, index, generation); }

    // `bytes` of the lane's credits, in one piece; NO_OFFSET: it has to wait for more.
    std::uint32_t take(std::uint32_t bytes) {
        while (end_ - cursor_ < bytes) {
            if (credit_head_ == shard::load_acquire(lane_->credit_tail)) {
                shard::store_release(lane_->credit_starved, 1);
                return layout::NO_OFFSET;
            }
            const layout::Credit credit = credits()[credit_head_ & (lane_->credit_capacity - 1)];
            shard::store_release(lane_->credit_head, ++credit_head_);
            shard::store_release(lane_->credit_starved, 0);
            cursor_ = credit.offset;
            end_ = credit.offset + credit.length;
        }
        cursor_ += bytes;
        return cursor_ - bytes;
    }

    // The longest piece that take() could give now.
    std::uint32_t available() const {
        std::uint32_t longest = end_ - cursor_;
        if (credit_head_ != shard::load_acquire(lane_->credit_tail)) {
            longest = std::max(longest, credits()[credit_head_ & (lane_->credit_capacity - 1)].length);
        }
        return longest;
    }

    enum class Outcome { done, abandoned, starved };

    struct Answer {
        std::uint16_t status = 200;
        std::string_view body = {};
        std::string_view fields = {};  // encoded
        layout::ContentType type = layout::ContentType::text_plain;
        std::uint8_t flags = layout::answer_flag::LAST;
        double length = -1;  // of the whole body, if it is known and more follows
        int kept = -1;       // the number of the kept body that it has, instead of `body`
    };

    // Writes an answer, behind the request where there is room (or into credits), and pushes it.
    Outcome answer(std::uint32_t index, std::uint32_t generation, const Answer& answer, bool use_credits = false) {
        layout::Slot& slot = this->slot(index);
        const std::uint32_t bytes = std::uint32_t(answer.body.size() + answer.fields.size());
        std::uint32_t begin = layout::NO_OFFSET;
        if (!use_credits && slot.answer_end - slot.answer_offset >= layout::HEADROOM_BYTES + bytes) {
            begin = slot.answer_offset;
        } else {
            begin = take(layout::HEADROOM_BYTES + bytes);
            if (begin == layout::NO_OFFSET) return Outcome::starved;
        }
        const std::uint32_t body = begin + layout::HEADROOM_BYTES;
        if (!answer.body.empty()) std::memcpy(at(body), answer.body.data(), answer.body.size());
        const std::uint32_t fields = body + std::uint32_t(answer.body.size());
        if (!answer.fields.empty()) std::memcpy(at(fields), answer.fields.data(), answer.fields.size());
        slot.answer_status = answer.status;
        slot.answer_content_type = std::uint8_t(answer.type);
        slot.answer_flags = answer.flags | (answer.kept >= 0 ? layout::answer_flag::KEPT_BODY : 0);
        slot.answer_fields_offset = fields;
        slot.answer_fields_length = std::uint32_t(answer.fields.size());
        slot.answer_length = answer.length;
        const bool last = (answer.flags & layout::answer_flag::LAST) != 0;
        if (!(last ? finish(index, generation) : stream(index, generation))) {
            give_back(index, generation);
            return Outcome::abandoned;
        }
        push(EntryType::answer, index, generation, body,
             std::uint32_t(answer.kept >= 0 ? answer.kept : int(answer.body.size())));
        return Outcome::done;
    }

    // A piece of the fields of an answer to come. `starved`: nothing was done.
    Outcome fields(std::uint32_t index, std::uint32_t generation, std::string_view bytes) {
        const std::uint32_t begin = take(std::uint32_t(bytes.size()));
        if (begin == layout::NO_OFFSET) return Outcome::starved;
        std::memcpy(at(begin), bytes.data(), bytes.size());
        push(EntryType::fields, index, generation, begin, std::uint32_t(bytes.size()));
        return Outcome::done;
    }

    // Has a body kept for answers to come. `starved`: nothing was done.
    Outcome keep(std::uint32_t number, std::string_view bytes) {
        const std::uint32_t begin = take(std::uint32_t(bytes.size()));
        if (begin == layout::NO_OFFSET) return Outcome::starved;
        std::memcpy(at(begin), bytes.data(), bytes.size());
        push(EntryType::keep, number, 0, begin, std::uint32_t(bytes.size()));
        return Outcome::done;
    }
    void drop_kept(std::uint32_t number) { push(EntryType::keep, number, 0); }

    // One more piece of a streamed answer. `starved`: nothing was done.
    Outcome part(std::uint32_t index, std::uint32_t generation, std::string_view bytes) {
        const std::uint32_t begin = take(std::uint32_t(bytes.size()) + 18);
        if (begin == layout::NO_OFFSET) return Outcome::starved;
        std::memcpy(at(begin + 16), bytes.data(), bytes.size());
        push(EntryType::part, index, generation, begin + 16, std::uint32_t(bytes.size()));
        return Outcome::done;
    }

    // Ends a streamed answer with trailers, encoded as answer fields are.
    Outcome end_with_trailers(std::uint32_t index, std::uint32_t generation, std::string_view fields) {
        const std::uint32_t begin = take(std::uint32_t(fields.size()) + 18);
        if (begin == layout::NO_OFFSET) return Outcome::starved;
        std::memcpy(at(begin + 16), fields.data(), fields.size());
        if (!finish(index, generation)) {
            give_back(index, generation);
            return Outcome::abandoned;
        }
        push(EntryType::end, index, generation, begin + 16, std::uint32_t(fields.size()));
        return Outcome::done;
    }

    // Ends a streamed answer, whole (`end`) or not (`fail`).
    Outcome end(std::uint32_t index, std::uint32_t generation, EntryType type = EntryType::end) {
        if (finish(index, generation)) {
            push(type, index, generation);
            return Outcome::done;
        }
        give_back(index, generation);
        return Outcome::abandoned;
    }

    std::string_view path(std::uint32_t index) const {
        const layout::Slot& slot = this->slot(index);
        return {at(slot.head_offset + slot.path_offset), slot.path_length};
    }
    std::string_view inline_body(std::uint32_t index) const {
        const layout::Slot& slot = this->slot(index);
        return {at(slot.body_offset), slot.body_length};
    }

    layout::Entry* requests() const { return reinterpret_cast<layout::Entry*>(at(lane_->request_ring)); }
    layout::Entry* responses() const { return reinterpret_cast<layout::Entry*>(at(lane_->response_ring)); }
    layout::Credit* credits() const { return reinterpret_cast<layout::Credit*>(at(lane_->credit_ring)); }

private:
    bool move(std::uint32_t index, std::uint32_t generation, SlotState from, SlotState to) {
        std::uint32_t expected = generation << 8 | std::uint32_t(from);
        return std::atomic_ref(slot(index).state)
            .compare_exchange_strong(expected, generation << 8 | std::uint32_t(to), std::memory_order_acq_rel);
    }

    std::byte* region_ = nullptr;
    layout::Lane* lane_ = nullptr;
    std::uint32_t request_head_ = 0;
    std::uint32_t response_tail_ = 0;
    std::uint32_t credit_head_ = 0;
    std::uint32_t cursor_ = 0;  // of the credit in use: [cursor_, end_) is free
    std::uint32_t end_ = 0;
    std::deque<layout::Entry> outbox_;
};

}  // namespace pinion::test
