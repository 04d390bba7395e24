// Reactor: what crosses to the workers and back. Everything that a worker writes is checked here; what cannot be breaks
// its lane, and never the reactor.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstring>
#include <vector>

#include "shard/reactor.hpp"

namespace pinion::shard {

template <class K>
LaneEnd* Reactor<K>::live() {
    return live_ == NONE ? nullptr : &lanes_[live_];
}

template <class K>
bool Reactor<K>::has_responses() const {
    for (const LaneEnd& lane : lanes_) {
        if ((lane.state() == LaneState::live || lane.state() == LaneState::draining) && lane.has_responses())
            return true;
    }
    return false;
}

template <class K>
std::uint32_t Reactor<K>::queued() const {
    return std::uint32_t(backlog_.size()) + (live_ == NONE ? 0 : lanes_[live_].unread());
}

// --- to the worker ---

template <class K>
void Reactor<K>::push(std::uint32_t lane, EntryType type, const Exchange& exchange, std::uint32_t argument) {
    if (deferred_.empty() && lanes_[lane].request_space() > 0) {
        return lanes_[lane].push(type, index_of(exchange), exchange.generation, argument);
    }
    deferred_.push_back({lane, {std::uint32_t(type) | index_of(exchange) << 8, exchange.generation, argument, 0}});
}

template <class K>
void Reactor<K>::push_deferred() {
    while (!deferred_.empty()) {
        const Deferred& first = deferred_.front();
        LaneEnd& lane = lanes_[first.lane];
        if (lane.state() == LaneState::live || lane.state() == LaneState::draining) {
            if (lane.request_space() == 0) return;
            lane.push(EntryType(first.entry.head & 0xff), first.entry.head >> 8, first.entry.generation,
                      first.entry.argument, first.entry.argument2);
        }
        deferred_.pop_front();
    }
}

// The caller has made sure of body_room().
template <class K>
void Reactor<K>::push_body(Exchange& exchange, std::uint32_t offset, std::uint32_t length) {
    if (exchange.stage != Stage::lane) return;
    lanes_[exchange.lane].push(EntryType::body, index_of(exchange), exchange.generation, offset, length);
    segments_.hold_range(offset, length);
    count_body_part(offset, length, exchange.lane, 1);
    exchange.body_held += segments_.spanned(offset, length);
}

// False: no further part of this body can go to the lane now; requests, ends and aborts keep their room on the ring.
template <class K>
bool Reactor<K>::body_room(const Exchange& exchange) {
    if (exchange.body_discard) return true;
    if (exchange.body_held >= BODY_HELD_MAX || exchange.stage == Stage::backlog || exchange.backlogged > 0)
        return false;
    return exchange.stage != Stage::lane || lanes_[exchange.lane].request_space() >= 4 * settings_.limits.slots;
}

template <class K>
void Reactor<K>::count_body_part(std::uint32_t offset, std::uint32_t length, std::uint32_t lane, int change) {
    const std::uint32_t last = segments_.segment_of(offset + length - 1);
    for (std::uint32_t s = segments_.segment_of(offset); s <= last; ++s) {
        segments_[s].body_parts[lane] = std::uint16_t(segments_[s].body_parts[lane] + change);
    }
}

// The lane has body parts in each segment of this range, so that one may be taken back from it.
template <class K>
bool Reactor<K>::has_body_part(std::uint32_t lane, std::uint32_t offset, std::uint32_t length) {
    if (length == 0 || !segments_.inside(offset, length)) return false;
    const std::uint32_t last = segments_.segment_of(offset + length - 1);
    for (std::uint32_t s = segments_.segment_of(offset); s <= last; ++s) {
        if (segments_[s].body_parts[lane] == 0) return false;
    }
    return true;
}

template <class K>
void Reactor<K>::push_body_end(Exchange& exchange, bool broken) {
    if (exchange.stage == Stage::lane) push(exchange.lane, EntryType::body_end, exchange, broken);
}

// Requests that waited for a lane go to it in order, with the body parts that came behind them.
template <class K>
void Reactor<K>::serve_backlog() {
    push_deferred();
    while (!backlog_.empty()) {
        const layout::Entry entry = backlog_.front();
        const std::uint32_t index = entry.head >> 8;
        const EntryType type = EntryType(entry.head & 0xff);
        Exchange& exchange = exchanges_[index];
        if (exchange.generation != entry.generation ||
            (exchange.stage != Stage::backlog && exchange.stage != Stage::lane)) {
            if (type == EntryType::body) segments_.drop_range(entry.argument, entry.argument2);
            backlog_.pop_front();
            continue;
        }
        LaneEnd* lane = exchange.stage == Stage::lane ? &lanes_[exchange.lane] : live();
        if (lane == nullptr || lane->request_space() < 3 * settings_.limits.slots) return;
        if (type == EntryType::request) {
            if (lane->waiting() >= settings_.limits.queue) return;
            store_release(region_.slot(index).state, exchange.generation << 8 | std::uint32_t(SlotState::queued));
            exchange.stage = Stage::lane;
            exchange.lane = lane->index();
            exchange.lane_holds = true;
            ++lane->held;
        } else {
            --exchange.backlogged;
            if (type == EntryType::body) count_body_part(entry.argument, entry.argument2, lane->index(), 1);
        }
        lane->push(type, index, exchange.generation, entry.argument, entry.argument2);
        backlog_.pop_front();
    }
}

// Answering and abandoning race by one compare-and-swap. False: the lane has answered, its entry is on the way; what
// it brings is dropped.
template <class K>
bool Reactor<K>::abandon(Exchange& exchange, layout::AbortReason reason) {
    const Stage stage = exchange.stage;
    if (stage != Stage::lane && stage != Stage::backlog) return true;
    exchange.stage = Stage::ended;
    if (stage == Stage::backlog) return true;
    layout::Slot& slot = region_.slot(index_of(exchange));
    std::atomic_ref<std::uint32_t> word(slot.state);
    std::uint32_t seen = word.load(std::memory_order_acquire);
    while (seen >> 8 == exchange.generation) {
        const SlotState state = SlotState(seen & 0xff);
        if (state == SlotState::answered || state == SlotState::abandoned) return false;
        if (!word.compare_exchange_weak(seen, exchange.generation << 8 | std::uint32_t(SlotState::abandoned),
                                        std::memory_order_acq_rel, std::memory_order_acquire)) {
            continue;
        }
        // One that was still queued gives itself back when it is popped.
        if (state != SlotState::queued) push(exchange.lane, EntryType::abort, exchange, std::uint32_t(reason));
        return true;
    }
    return false;
}

// --- from the worker ---

template <class K>
void Reactor<K>::read_lanes() {
    for (LaneEnd& lane : lanes_) {
        if (lane.state() != LaneState::live && lane.state() != LaneState::draining) continue;
        if (!lane.counts_possible()) {
            break_lane(lane, "a ring count that cannot be");
            continue;
        }
        layout::Entry entry;
        std::uint32_t count = 0;
        while (count < region_.ring_entries() && lane.pop(entry)) {
            ++count;
            read_entry(lane, entry);
            if (lane.state() == LaneState::quarantined) return;
        }
        if (count > 0) lane.acknowledge();
    }
}

template <class K>
void Reactor<K>::read_entry(LaneEnd& lane, const layout::Entry& entry) {
    const std::uint32_t index = entry.head >> 8;
    const EntryType type = EntryType(entry.head & 0xff);
    if (index >= exchanges_.capacity()) return break_lane(lane, "a slot number that does not exist");
    if (type == EntryType::consumed) return take_consumed(lane, entry);
    Exchange& exchange = exchanges_[index];
    const bool owned = exchange.generation == entry.generation && exchange.lane_holds && exchange.lane == lane.index();
    if (!owned) {
        // What concerns only the body may come after the answer.
        if (type == EntryType::body_discard || type == EntryType::continue_) return;
        return break_lane(lane, "an entry for a slot that is not the lane's");
    }
    switch (type) {
        case EntryType::answer: return take_answer(lane, exchange, entry);
        case EntryType::part: return take_part(lane, exchange, entry);
        case EntryType::end: return take_end(lane, exchange);
        case EntryType::fail: return take_fail(lane, exchange);
        case EntryType::give_back: return given_back(lane, exchange);
        case EntryType::body_discard: exchange.body_discard = true; break;
        case EntryType::continue_: exchange.want_continue = true; break;
        default: return break_lane(lane, "an entry of an unknown type");
    }
    if (exchange.connection != NONE) {
        Connection& connection = connections_[exchange.connection];
        mark(connection);
        read_input(connection);
    }
}

// The slot is the reactor's again.
template <class K>
void Reactor<K>::given_back(LaneEnd& lane, Exchange& exchange) {
    exchange.lane_holds = false;
    --lane.held;
    exchange.body_held = 0;
    if (exchange.stage == Stage::lane) {
        // Given back without an answer although nobody abandoned it.
        if (exchange.begun) return terminate(connections_[exchange.connection], true);
        exchange.stage = Stage::ended;
        return answer_status(exchange, 500);
    }
    release(exchange);
}

// Checks that [begin, end) is memory that the lane may hand out now, and moves its credit cursor over it.
template <class K>
bool Reactor<K>::claim_range(LaneEnd& lane, std::uint32_t begin, std::uint32_t end) {
    while (!lane.runs.empty()) {
        CreditRun& run = lane.runs.front();
        if (begin >= run.cursor && end <= run.end && begin <= end) {
            run.cursor = end;
            return true;
        }
        if (begin >= run.begin && begin < run.end) return false;  // overlaps what was handed out before
        drop_run(run, run.end / layout::SEGMENT_BYTES);
        lane.runs.pop_front();
    }
    return false;
}

// The lane's own hold on the run's segments before `until` (region offset / SEGMENT_BYTES) ends.
template <class K>
void Reactor<K>::drop_run(CreditRun& run, std::uint32_t until) {
    for (; run.dropped < until; ++run.dropped) {
        segments_.drop(segments_.segment_of(run.dropped * layout::SEGMENT_BYTES));
    }
}

template <class K>
void Reactor<K>::take_answer(LaneEnd& lane, Exchange& exchange, const layout::Entry& entry) {
    layout::Slot& slot = region_.slot(index_of(exchange));
    // Copied once: the lane could write to the slot while it is checked.
    const std::uint16_t status = slot.answer_status;
    const std::uint8_t flags = slot.answer_flags;
    const std::uint8_t type = slot.answer_content_type;
    const std::uint32_t fields_offset = slot.answer_fields_offset;
    const std::uint32_t fields_length = slot.answer_fields_length;
    const double answer_length = slot.answer_length;
    std::uint32_t body = entry.argument;
    std::uint32_t body_length = entry.argument2;
    const bool last = flags & layout::answer_flag::LAST;

    const auto behind_request = [&](std::uint32_t begin, std::uint32_t length) {
        return begin >= exchange.answer_begin && begin <= exchange.answer_end && length <= exchange.answer_end - begin;
    };
    const bool has_range = body != layout::NO_OFFSET && body >= layout::HEADROOM_BYTES;
    bool in_place = false;
    if (has_range) {
        const std::uint32_t begin = body - layout::HEADROOM_BYTES;
        // In 64 bits: nothing that the lane writes may wrap around.
        const std::uint64_t body_end = std::uint64_t(body) + body_length;
        const std::uint64_t fields_end = std::uint64_t(fields_offset) + fields_length;
        const std::uint64_t far_end = fields_length > 0 ? std::max(body_end, fields_end) : body_end;
        const std::uint32_t end = std::uint32_t(std::min<std::uint64_t>(far_end, region_.size()));
        in_place = end == far_end && (behind_request(begin, end - begin) ||
                                      (segments_.inside(begin, end - begin) && claim_range(lane, begin, end)));
        if (!in_place) return break_lane(lane, "an answer outside the memory that it was given");
        const bool fields_inside = fields_offset >= begin && fields_end <= end;
        if (fields_length > 0 && !fields_inside) return break_lane(lane, "fields outside the answer's memory");
    } else if (body_length > 0 || fields_length > 0) {
        return break_lane(lane, "an answer outside the memory that it was given");
    }

    if (exchange.stage != Stage::lane) {  // abandoned meanwhile: only the memory counts
        if (last) given_back(lane, exchange);
        return;
    }
    if (exchange.begun) return break_lane(lane, "a second answer to one request");
    const bool statusless_body = status == 204 || status == 304 || status < 200;
    if (status < 200 || status > 599 || type > std::uint8_t(layout::ContentType::octet_stream)) {
        return break_lane(lane, "a status or content type out of range");
    }
    const char* fields = region_.at(fields_offset);
    const bool own_date = flags & layout::answer_flag::OWN_DATE;
    if (fields_length > 0 && !http::fields_valid(fields, fields_length, own_date)) {
        return break_lane(lane, "fields that are not well-formed");
    }
    Connection& connection = connections_[exchange.connection];
    mark(connection);

    const bool length_known = last || (flags & layout::answer_flag::LENGTH_KNOWN);
    const std::uint64_t total = last                                         ? body_length
                                : answer_length >= 0 && answer_length < 9e15 ? std::uint64_t(answer_length)
                                                                             : 0;
    exchange.status = status;
    exchange.begun = true;
    if (!exchange.keep_alive || (flags & layout::answer_flag::CLOSE) || draining_) exchange.close_after = true;
    if (exchange.body_open && last) {
        exchange.body_discard = true;
        // It is not worth reading to the end what nobody wants; and whether it follows at all may be unknown.
        if (exchange.expect_continue || exchange.framing == http::Framing::chunked ||
            exchange.body_remaining > DISCARD_MAX) {
            exchange.close_after = true;
        }
    }
    http::ResponseHead head{};
    head.status = status;
    head.content_type = layout::ContentType(type);
    head.minor_version = exchange.minor_version;
    head.own_date = own_date;
    head.fields = fields;
    head.fields_length = fields_length;
    head.length_known = length_known;
    head.content_length = total;
    if (!length_known && !exchange.is_head && !statusless_body) {
        if (exchange.minor_version >= 1) {
            exchange.chunked_out = head.chunked = true;
        } else {
            exchange.until_close = exchange.close_after = true;
        }
    }
    head.keep_alive = !exchange.close_after;
    exchange.answer_left = total;
    exchange.is_head = exchange.is_head || statusless_body;
    if (exchange.is_head) body_length = 0;
    if (length_known && !exchange.is_head) {
        if (body_length > exchange.answer_left) return break_off(lane, exchange, last);
        exchange.answer_left -= body_length;
    } else {
        exchange.answer_left = 0;
    }

    const std::uint32_t stream_bytes = last ? 0 : body_length;
    char chunk_line[12];
    unsigned chunk_bytes = 0;
    if (head.chunked && body_length > 0)
        chunk_bytes = unsigned(std::snprintf(chunk_line, sizeof chunk_line, "%x\r\n", body_length));
    const std::size_t head_bytes = http::head_size(head);
    if (in_place && head_bytes + chunk_bytes <= layout::HEADROOM_BYTES) {
        char* start = region_.at(body) - chunk_bytes;
        std::memcpy(start, chunk_line, chunk_bytes);
        start = http::write_head(head, date_, start);
        const std::uint32_t length = std::uint32_t(head_bytes) + chunk_bytes + body_length;
        const std::uint32_t offset = region_.offset_of(start);
        segments_.hold_range(offset, length);
        add_part(exchange, start, length, Hold{offset, length, HoldKind::segments}, stream_bytes);
    } else {
        const std::uint32_t size =
            std::max<std::uint32_t>(std::bit_ceil(std::uint32_t(head_bytes + chunk_bytes)), layout::GRANULE_BYTES);
        const std::uint32_t block = size > 65536 ? layout::NO_OFFSET : segments_.take_block(size);
        if (block == layout::NO_OFFSET) return break_off(lane, exchange, last);
        char* at = region_.at(block);
        http::write_head(head, date_, at + head_bytes);
        std::memcpy(at + head_bytes, chunk_line, chunk_bytes);
        add_part(exchange, at, std::uint32_t(head_bytes) + chunk_bytes, Hold{block, size, HoldKind::block});
        if (body_length > 0) {
            segments_.hold_range(body, body_length);
            add_part(exchange, region_.at(body), body_length, Hold{body, body_length, HoldKind::segments},
                     stream_bytes);
        }
    }
    if (head.chunked && body_length > 0) add_part(exchange, "\r\n", 2, Hold{});
    exchange.answer_bytes = body_length;
    if (last) {
        exchange.complete = true;
        exchange.stage = Stage::ended;
        exchange.lane_holds = false;
        --lane.held;
    }
}

template <class K>
void Reactor<K>::take_part(LaneEnd& lane, Exchange& exchange, const layout::Entry& entry) {
    constexpr std::uint32_t BEFORE = 16;  // room for a chunk's size line, and for the CRLF behind its data
    const std::uint32_t offset = entry.argument;
    const std::uint32_t length = entry.argument2;
    const bool possible =
        length > 0 && length < (1u << 20) && offset >= BEFORE && segments_.inside(offset - BEFORE, length + BEFORE + 2);
    if (!possible || !claim_range(lane, offset - BEFORE, offset + length + 2)) {
        return break_lane(lane, "a part outside the memory that it was given");
    }
    if (exchange.stage != Stage::lane) return;
    if (!exchange.begun) return break_lane(lane, "a part of an answer that has not begun");
    mark(connections_[exchange.connection]);
    if (exchange.is_head) {  // nothing leaves, and nothing holds the stream up
        return push(lane.index(), EntryType::writable, exchange, length);
    }
    char* data = region_.at(offset);
    std::uint32_t bytes = length;
    if (exchange.chunked_out) {
        char line[12];
        const unsigned line_bytes = unsigned(std::snprintf(line, sizeof line, "%x\r\n", length));
        data[length] = '\r';
        data[length + 1] = '\n';
        data -= line_bytes;
        std::memcpy(data, line, line_bytes);
        bytes += line_bytes + 2;
    } else if (!exchange.until_close) {
        if (length > exchange.answer_left) return break_off(lane, exchange, false);  // longer than it said
        exchange.answer_left -= length;
    }
    exchange.answer_bytes += length;
    const std::uint32_t start = region_.offset_of(data);
    segments_.hold_range(start, bytes);
    add_part(exchange, data, bytes, Hold{start, bytes, HoldKind::segments}, length);
}

template <class K>
void Reactor<K>::take_end(LaneEnd& lane, Exchange& exchange) {
    if (exchange.stage != Stage::lane) return given_back(lane, exchange);
    if (!exchange.begun) return break_lane(lane, "the end of an answer that has not begun");
    if (exchange.answer_left > 0) return take_fail(lane, exchange);  // shorter than it said
    Connection& connection = connections_[exchange.connection];
    if (exchange.chunked_out) add_part(exchange, "0\r\n\r\n", 5, Hold{});
    if (exchange.body_open) {
        exchange.body_discard = true;
        if (exchange.framing == http::Framing::chunked || exchange.body_remaining > DISCARD_MAX)
            exchange.close_after = true;
    }
    exchange.complete = true;
    exchange.stage = Stage::ended;
    exchange.lane_holds = false;
    --lane.held;
    mark(connection);
}

// The reactor cannot go on with an answer. The lane, if it has more to send, learns of it and gives the slot back.
template <class K>
void Reactor<K>::break_off(LaneEnd& lane, Exchange& exchange, bool last) {
    if (last) return take_fail(lane, exchange);
    terminate(connections_[exchange.connection], true);
}

// The answer broke off after it had begun: the client must not take it for a whole one.
template <class K>
void Reactor<K>::take_fail(LaneEnd& lane, Exchange& exchange) {
    exchange.lane_holds = false;
    --lane.held;
    if (exchange.stage == Stage::lane && exchange.connection != NONE) {
        exchange.stage = Stage::ended;
        return terminate(connections_[exchange.connection], true);
    }
    release(exchange);
}

// Counted by segment, not by request: parts may come back after their request has been answered.
template <class K>
void Reactor<K>::take_consumed(LaneEnd& lane, const layout::Entry& entry) {
    const std::uint32_t offset = entry.argument;
    const std::uint32_t length = entry.argument2;
    if (!has_body_part(lane.index(), offset, length)) return break_lane(lane, "a body part that it never had");
    count_body_part(offset, length, lane.index(), -1);
    segments_.drop_range(offset, length);
    Exchange& exchange = exchanges_[entry.head >> 8];
    if (exchange.generation != entry.generation || exchange.stage == Stage::free) return;
    exchange.body_held -= std::min(segments_.spanned(offset, length), exchange.body_held);
    if (exchange.body_open && exchange.connection != NONE) {
        Connection& connection = connections_[exchange.connection];
        exchange.body_deadline_ms = std::max(exchange.body_deadline_ms, clock_.now_ms + settings_.timeouts.body);
        mark(connection);
        read_input(connection);
    }
}

template <class K>
void Reactor<K>::break_lane(LaneEnd& lane, const char* what) {
    std::fprintf(stderr, "pinion: lane %u broke the rules of shared memory (%s): its worker is replaced\n",
                 lane.index(), what);
    broken_lanes_ |= 1u << lane.index();
    quarantine_lane(lane.index());
}

template <class K>
void Reactor<K>::grant_credits(LaneEnd& lane) {
    if (lane.starved() && lane.run_target < run_target_max_) lane.run_target *= 2;
    // What the worker has taken off the ring and used up is known by its answers only; ungranted is what counts.
    while (lane.runs.size() < lane.run_target && lane.credit_space() > 0) {
        std::uint32_t count = 0;
        const std::uint32_t run = segments_.take_run(run_segments_, count);
        if (run == layout::NO_OFFSET) return;
        lane.grant(run, count * layout::SEGMENT_BYTES);
    }
}

// --- the life of a lane ---

template <class K>
std::int32_t Reactor<K>::reserve_lane() {
    for (std::uint32_t i = 0; i < layout::MAX_LANES; ++i) {
        if (lanes_[i].state() != LaneState::empty) continue;
        lanes_[i].open(region_, i);
        lanes_[i].set_state(LaneState::warming);
        lanes_[i].held = 0;
        lanes_[i].run_target = 2;
        broken_lanes_ &= ~(1u << i);
        return std::int32_t(i);
    }
    return -1;
}

template <class K>
void Reactor<K>::go_live(std::uint32_t lane) {
    if (lanes_[lane].state() != LaneState::warming) return;
    if (live_ != NONE) lanes_[live_].set_state(LaneState::draining);
    lanes_[lane].set_state(LaneState::live);
    live_ = lane;
}

template <class K>
void Reactor<K>::quarantine_lane(std::uint32_t lane_index) {
    LaneEnd& lane = lanes_[lane_index];
    if (lane.state() == LaneState::empty || lane.state() == LaneState::quarantined) return;
    read_clock();
    if (lane.state() == LaneState::live || lane.state() == LaneState::draining) {
        layout::Entry entry;  // what it has answered counts
        for (std::uint32_t most = region_.ring_entries(); most > 0 && lane.counts_possible(); --most) {
            if (lane.state() == LaneState::quarantined || lane_broken(lane_index) || !lane.pop(entry)) break;
            read_entry(lane, entry);
        }
        if (lane.state() == LaneState::quarantined) return;
    }
    lane.publish();
    lane.set_state(LaneState::quarantined);
    if (live_ == lane_index) live_ = NONE;
    requeue(lane);
    for (std::uint32_t i = 0; i < exchanges_.reached(); ++i) {
        Exchange& exchange = exchanges_[i];
        if (exchange.stage != Stage::lane || exchange.lane != lane_index) continue;
        exchange.stage = Stage::ended;
        if (exchange.connection == NONE) continue;
        Connection& connection = connections_[exchange.connection];
        if (exchange.begun) {
            terminate(connection, true);
        } else {
            answer_status(exchange, 502);
        }
    }
}

// Queued requests of a lane that is given up wait for the next one, with the body parts behind them, under a new
// generation: the old worker's compare-and-swap on them fails from now on. They are older than what waits already.
template <class K>
void Reactor<K>::requeue(LaneEnd& lane) {
    std::deque<layout::Entry> older;
    std::vector<std::uint32_t> requeued;
    const auto is_requeued = [&](std::uint32_t index) {
        return std::find(requeued.begin(), requeued.end(), index) != requeued.end();
    };
    const auto take = [&](layout::Entry entry) {
        const std::uint32_t index = entry.head >> 8;
        const EntryType type = EntryType(entry.head & 0xff);
        if (index >= exchanges_.capacity()) return;
        Exchange& exchange = exchanges_[index];
        const std::uint32_t next_generation = (entry.generation + 1) & 0xffffff;
        if (type == EntryType::request) {
            if (exchange.stage != Stage::lane || exchange.lane != lane.index() || !exchange.lane_holds ||
                exchange.generation != entry.generation) {
                return;
            }
            std::uint32_t expected = entry.generation << 8 | std::uint32_t(SlotState::queued);
            if (!std::atomic_ref<std::uint32_t>(region_.slot(index).state)
                     .compare_exchange_strong(expected, next_generation << 8 | std::uint32_t(SlotState::queued))) {
                return;
            }
            exchange.generation = next_generation;
            exchange.lane = NONE;
            exchange.lane_holds = false;
            exchange.stage = Stage::backlog;
            exchange.backlogged = exchange.body_held = 0;
            requeued.push_back(index);
            --lane.held;
        } else if ((type == EntryType::body || type == EntryType::body_end) && is_requeued(index) &&
                   exchange.generation == next_generation) {
            if (type == EntryType::body && !has_body_part(lane.index(), entry.argument, entry.argument2)) return;
            ++exchange.backlogged;
            if (type == EntryType::body) {
                count_body_part(entry.argument, entry.argument2, lane.index(), -1);
                exchange.body_held += segments_.spanned(entry.argument, entry.argument2);
            }
        } else {
            return;
        }
        entry.generation = next_generation;
        older.push_back(entry);
    };
    const std::uint32_t unread = region_.ring_entries() - lane.request_space();
    for (std::uint32_t count = lane.request_tail() - unread; count != lane.request_tail(); ++count) {
        take(lane.request_at(count));
    }
    for (const Deferred& each : deferred_) {
        if (each.lane == lane.index()) take(each.entry);
    }
    std::erase_if(deferred_, [&](const Deferred& each) { return each.lane == lane.index(); });
    // Body parts of theirs that had not even reached the ring.
    for (layout::Entry& entry : backlog_) {
        Exchange& exchange = exchanges_[entry.head >> 8];
        if (EntryType(entry.head & 0xff) == EntryType::request || !is_requeued(entry.head >> 8) ||
            exchange.generation != ((entry.generation + 1) & 0xffffff)) {
            continue;
        }
        entry.generation = exchange.generation;
        ++exchange.backlogged;
        if (EntryType(entry.head & 0xff) == EntryType::body) {
            exchange.body_held += segments_.spanned(entry.argument, entry.argument2);
        }
    }
    backlog_.insert(backlog_.begin(), older.begin(), older.end());
}

template <class K>
void Reactor<K>::release_lane(std::uint32_t lane_index) {
    LaneEnd& lane = lanes_[lane_index];
    if (lane.state() == LaneState::empty) return;
    quarantine_lane(lane_index);
    for (std::uint32_t i = 0; i < exchanges_.reached(); ++i) {
        Exchange& exchange = exchanges_[i];
        if (!exchange.lane_holds || exchange.lane != lane_index) continue;
        exchange.lane_holds = false;
        release(exchange);
    }
    for (std::uint32_t s = 0; s < segments_.count(); ++s) {
        SegmentRecord& record = segments_[s];
        for (; record.body_parts[lane_index] > 0; --record.body_parts[lane_index]) segments_.drop(s);
    }
    while (!lane.runs.empty()) {
        drop_run(lane.runs.front(), lane.runs.front().end / layout::SEGMENT_BYTES);
        lane.runs.pop_front();
    }
    lane.set_state(LaneState::empty);
}

}  // namespace pinion::shard
