// The native end of a lane: one consumer of the shard's requests. Private twins of every count live here, outside the
// mapping; of what the worker writes, only its own counts are read, and checked.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <new>
#include <string>

#include "base/cache_line.hpp"
#include "base/hand_over_point.hpp"
#include "shard/region.hpp"
#include "shard/table.hpp"

namespace pinion::shard {

using layout::EntryType;
using layout::LaneState;

// A run of segments that the lane may write answers into, front to back.
struct CreditRun {
    std::uint32_t begin;  // region offsets
    std::uint32_t end;
    std::uint32_t cursor;   // answers were written up to here
    std::uint32_t dropped;  // the lane's own hold on segments before this one has been given up
};

// A body that the lane's answers may name, in memory that it has written.
struct KeptBody {
    std::uint32_t offset = 0;  // region offset
    std::uint32_t length = 0;  // 0: none
};

// Fields that have come before their answer, in pieces: a copy.
struct FieldsBefore {
    std::string bytes;
    std::uint32_t slot = NONE;
    std::uint32_t generation = 0;
};

// Memory of a request that the lane has until it pushes `consumed`.
constexpr bool is_body_part(EntryType type) { return type == EntryType::body || type == EntryType::trailers; }

class LaneEnd {
public:
    void open(Region& region, std::uint32_t index) {
        const std::uint32_t offset = region.lane_offset(index);
        // Zeroed word by word: a stand-in that wakes meanwhile says so in every lane.
        if (shared_ == nullptr) map(region, index, offset);
        for (std::uint32_t at = 0; at < sizeof(layout::Lane); at += sizeof(std::uint32_t)) {
            if (at == offsetof(layout::Lane, stand_in_asleep)) continue;
            store_release(*reinterpret_cast<std::uint32_t*>(region.at(offset + at)), 0);
        }
        shared_->request_capacity = shared_->response_capacity = region.ring_entries();
        shared_->credit_capacity = region.credit_entries();
        shared_->request_ring = region.offset_of(requests_);
        shared_->response_ring = region.offset_of(responses_);
        shared_->credit_ring = region.offset_of(credits_);
        request_tail_ = published_tail_ = seen_head_ = waiting_ = credit_tail_ = window_ = 0;
        response_head_.store(0, std::memory_order_relaxed);
        runs.clear();
        deferred.clear();
        fields_before = {};
    }

    LaneState state() const { return state_.load(std::memory_order_acquire); }
    void set_state(LaneState state) {
        state_.store(state, std::memory_order_release);
        if (shared_ != nullptr) store_release(shared_->lane_state, std::uint32_t(state));
    }
    std::uint32_t index() const { return index_; }
    layout::Lane& shared() const { return *shared_; }

    // --- request ring (producer) ---
    // Entries that fit. A head count from the worker that cannot be is taken for a full ring: nothing is overwritten.
    std::uint32_t request_space() {
        const std::uint32_t head = load_acquire(shared_->request_head);
        const std::uint32_t used = request_tail_ - head;
        // Nor one that has gone back: the loop below would go all the way round.
        if (used > mask_ + 1 || head - seen_head_ > request_tail_ - seen_head_) return 0;
        for (; seen_head_ != head; ++seen_head_) waiting_ -= waiting_ > 0 && is_request(requests_[seen_head_ & mask_]);
        return mask_ + 1 - used;
    }
    // Entries on the ring that the worker has not taken; and those of them that are no requests.
    std::uint32_t entries() { return mask_ + 1 - request_space(); }
    std::uint32_t events() {
        const std::uint32_t all = entries();
        return all - std::min(waiting_, all);
    }
    // Requests on the ring that the worker has not taken, as of the last request_space().
    std::uint32_t waiting() const { return waiting_; }
    // Calls `each` with the entries of these, oldest first, until it returns false.
    template <typename Each>
    void waiting_requests(Each&& each) {
        if (waiting_ == 0 || request_space() == 0) return;
        for (std::uint32_t count = seen_head_; count != request_tail_; ++count) {
            const layout::Entry entry = requests_[count & mask_];
            if (is_request(entry) && !each(entry)) return;
        }
    }
    // Counts up as the worker takes entries.
    std::uint32_t requests_taken() const { return seen_head_; }
    void push(EntryType type, std::uint32_t slot, std::uint32_t generation, std::uint32_t argument = 0,
              std::uint32_t argument2 = 0) {
        waiting_ += type == EntryType::request;
        requests_[request_tail_++ & mask_] = {std::uint32_t(type) | slot << 8, generation, argument, argument2};
    }
    // One store makes the whole batch visible. Sequentially consistent: the caller looks at the worker's place next.
    void publish() {
        if (published_tail_ == request_tail_) return;
        published_tail_ = request_tail_;
        PINION_HAND_OVER(lane_publishes);
        std::atomic_ref<std::uint32_t>(shared_->request_tail).store(request_tail_, std::memory_order_seq_cst);
        PINION_HAND_OVER(lane_published);
    }
    // Published entries that the worker has not taken. Any thread: both counts are the mapping's.
    std::uint32_t unread() const { return load_acquire(shared_->request_tail) - load_acquire(shared_->request_head); }
    // False: the worker has written a count that cannot be.
    bool counts_possible() const {
        // The head of the requests never goes back either.
        return load_acquire(shared_->request_head) - seen_head_ <= published_tail_ - seen_head_ &&
               load_acquire(shared_->response_tail) - response_head() <= mask_ + 1 &&
               credit_tail_ - load_acquire(shared_->credit_head) <= credit_mask_ + 1;
    }
    const layout::Entry& request_at(std::uint32_t count) const { return requests_[count & mask_]; }
    std::uint32_t request_tail() const { return request_tail_; }

    // Bytes of one streamed answer that may be unsent.
    void set_window(std::uint32_t bytes) {
        if (window_ == bytes) return;
        window_ = bytes;
        store_release(shared_->stream_window, bytes);
    }

    // --- response ring (consumer) ---
    bool has_responses() const {
        return std::atomic_ref<std::uint32_t>(shared_->response_tail).load(std::memory_order_seq_cst) !=
               response_head();
    }
    // Copies the next entry out (the worker could change it afterwards). False: none.
    bool pop(layout::Entry& entry) {
        const std::uint32_t head = response_head();
        if (load_acquire(shared_->response_tail) == head) return false;
        entry = responses_[head & mask_];
        response_head_.store(head + 1, std::memory_order_relaxed);
        return true;
    }
    // Says how far the ring has been read; after a batch.
    void acknowledge() { store_release(shared_->response_head, response_head()); }

    // --- credit ring (producer) ---
    std::uint32_t credit_space() const {
        const std::uint32_t used = credit_tail_ - load_acquire(shared_->credit_head);
        return used > credit_mask_ + 1 ? 0 : credit_mask_ + 1 - used;
    }
    void grant(std::uint32_t offset, std::uint32_t length) {
        credits_[credit_tail_++ & credit_mask_] = {offset, length};
        store_release(shared_->credit_tail, credit_tail_);
        runs.push_back({offset, offset + length, offset, offset / layout::SEGMENT_BYTES});
    }
    bool credits_unread() const { return load_acquire(shared_->credit_tail) != load_acquire(shared_->credit_head); }
    // The worker waits for credits.
    bool starved() const { return (load_acquire(shared_->credit_starved) & 1) != 0; }
    // What the worker waits for is there: credits, or room on the response ring. Any thread.
    bool relieved() const {
        const std::uint32_t lacks = load_acquire(shared_->credit_starved);
        return ((lacks & 1) != 0 && credits_unread()) || ((lacks & 2) != 0 && !has_responses());
    }

    // Entries that found the request ring full, in order.
    base::OwnDeque<layout::Entry> deferred;
    // Runs granted and not yet used up, oldest first.
    base::OwnDeque<CreditRun> runs;
    std::uint32_t run_target = 2;  // how many to keep granted; grows when the worker runs dry
    std::uint32_t held = 0;        // slots that the lane has to give back
    KeptBody kept[layout::KEPT_BODIES];
    std::uint32_t kept_bytes = 0;  // of the segments that they lie in
    FieldsBefore fields_before;

private:
    // Once: what is asked without the baton reads these.
    void map(Region& region, std::uint32_t index, std::uint32_t offset) {
        index_ = index;
        mask_ = region.ring_entries() - 1;
        credit_mask_ = region.credit_entries() - 1;
        shared_ = std::launder(reinterpret_cast<layout::Lane*>(region.at(offset)));
        requests_ = reinterpret_cast<layout::Entry*>(region.at(offset + std::uint32_t(sizeof(layout::Lane))));
        responses_ = requests_ + region.ring_entries();
        credits_ = reinterpret_cast<layout::Credit*>(requests_ + 2 * region.ring_entries());
    }
    static bool is_request(const layout::Entry& entry) {
        return (entry.head & 0xff) == std::uint32_t(EntryType::request);
    }
    std::uint32_t response_head() const { return response_head_.load(std::memory_order_relaxed); }

    layout::Lane* shared_ = nullptr;
    layout::Entry* requests_ = nullptr;
    const layout::Entry* responses_ = nullptr;
    layout::Credit* credits_ = nullptr;
    std::uint32_t index_ = 0;
    std::uint32_t mask_ = 0;
    std::uint32_t credit_mask_ = 0;
    std::uint32_t request_tail_ = 0;
    std::uint32_t published_tail_ = 0;
    std::uint32_t seen_head_ = 0;  // requests before it are not counted in waiting_
    std::uint32_t waiting_ = 0;
    std::uint32_t credit_tail_ = 0;
    std::uint32_t window_ = 0;
    // Written with the baton; has_responses() is asked without it.
    std::atomic<std::uint32_t> response_head_{0};
    std::atomic<LaneState> state_{LaneState::empty};
};

}  // namespace pinion::shard
