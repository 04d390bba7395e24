// Reactor: a worker's answers, whole or in parts, become parts of the output.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "shard/reactor.hpp"

namespace pinion::shard {

// Fields that need more than a segment come in pieces: in a small arena no run of credits may ever be as long as they.
template <class K>
void Reactor<K>::take_fields(LaneEnd& lane, const Exchange& exchange, const layout::Entry& entry) {
    const std::uint32_t begin = entry.argument;
    const std::uint32_t length = entry.argument2;
    const bool possible = length > 0 && length <= layout::ANSWER_FIELDS_BYTES && segments_.inside(begin, length);
    if (!possible || !claim_range(lane, begin, begin + length)) {
        return break_lane(lane, "fields outside the memory that it was given");
    }
    FieldsBefore& before = lane.fields_before;
    if (before.slot != index_of(exchange) || before.generation != exchange.generation) {
        before.bytes.clear();
        before.slot = index_of(exchange);
        before.generation = exchange.generation;
    }
    if (before.bytes.size() + length > layout::ANSWER_FIELDS_BYTES) {
        return break_lane(lane, "more fields than an answer may have");
    }
    before.bytes.append(region_.at(begin), length);
    // Copied, so what is full goes back at once: the head will need as much.
    drop_run(lane.runs.front(), (begin + length) / layout::SEGMENT_BYTES);
}

// Makes the private copy of an answer's fields, that is checked and used: the lane could change its own meanwhile.
// False: what it says has come before has not.
template <class K>
bool Reactor<K>::copy_fields(LaneEnd& lane, const Exchange& exchange, bool before, std::uint32_t offset,
                             std::uint32_t length) {
    fields_.clear();
    if (before) {
        FieldsBefore& came = lane.fields_before;
        if (came.slot != index_of(exchange) || came.generation != exchange.generation) return false;
        fields_.assign(came.bytes);
        came.slot = NONE;
    }
    if (length > 0) fields_.append(region_.at(offset), length);
    return true;
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
    const std::uint32_t body = entry.argument;
    const bool last = flags & layout::answer_flag::LAST;
    const bool names_kept = flags & layout::answer_flag::KEPT_BODY;
    std::uint32_t body_length = names_kept ? 0 : entry.argument2;

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

    KeptBody kept;
    if (names_kept) {
        if (entry.argument2 < layout::KEPT_BODIES) kept = lane.kept[entry.argument2];
        if (kept.length == 0 || !last) return break_lane(lane, "an answer with a kept body that is not there");
        body_length = kept.length;
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
    const bool before = flags & layout::answer_flag::FIELDS_BEFORE;
    if (!copy_fields(lane, exchange, before, fields_offset, fields_length)) {
        return break_lane(lane, "fields before an answer that did not come");
    }
    const bool own_date = flags & layout::answer_flag::OWN_DATE;
    if (!http::fields_valid(fields_.data(), fields_.size(), own_date)) {
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
    exchange.begun_ns = clock_.now_ns;
    end_with(exchange);
    if (!exchange.keep_alive || (flags & layout::answer_flag::CLOSE)) exchange.close_after = true;
    // No 100 can follow behind the head: whether the body does is unknown, its bytes could be the next request.
    if (exchange.body_open && exchange.expect_continue) exchange.close_after = true;
    if (exchange.body_open && last) {
        exchange.body_discard = true;
        // It is not worth reading to the end what nobody wants.
        if (exchange.framing == http::Framing::chunked || exchange.body_remaining > DISCARD_MAX) {
            exchange.close_after = true;
        }
    }
    http::ResponseHead head{};
    head.status = status;
    head.content_type = layout::ContentType(type);
    head.minor_version = exchange.minor_version;
    head.own_date = own_date;
    head.fields = fields_.data();
    head.fields_length = fields_.size();
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

    // What follows the head where that lies.
    const std::uint32_t near_length = names_kept ? 0 : body_length;
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
        const std::uint32_t length = std::uint32_t(head_bytes) + chunk_bytes + near_length;
        const std::uint32_t offset = region_.offset_of(start);
        segments_.hold_range(offset, length);
        add_part(exchange, start, length, Hold{offset, length, HoldKind::segments}, stream_bytes);
    } else {
        if (!add_head(exchange, head, {chunk_line, chunk_bytes})) return answer_without_head(lane, exchange, last);
        if (near_length > 0) {
            segments_.hold_range(body, near_length);
            add_part(exchange, region_.at(body), near_length, Hold{body, near_length, HoldKind::segments},
                     stream_bytes);
        }
    }
    if (names_kept && body_length > 0) add_kept(exchange, kept);
    if (head.chunked && body_length > 0) add_part(exchange, "\r\n", 2, Hold{});
    exchange.answer_bytes = body_length;
    if (last) {
        exchange.complete = true;
        exchange.stage = Stage::ended;
        exchange.lane_holds = false;
        --lane.held;
    } else {
        exchange.streams = true;
        ++streams_;
    }
}

// A head that is longer than its headroom, and what is to stand `behind` it: in a block of its own, or where memory is
// in pieces, in several. False: there is no memory for it.
template <class K>
bool Reactor<K>::add_head(Exchange& exchange, const http::ResponseHead& head, std::string_view behind) {
    const std::size_t head_bytes = http::head_size(head);
    const std::size_t bytes = head_bytes + behind.size();
    if (bytes > memory::Arena::MAX_BLOCK) return false;
    const auto size = std::max(std::bit_ceil(std::uint32_t(bytes)), layout::GRANULE_BYTES);
    const std::uint32_t block = segments_.take_block(size);
    if (block != layout::NO_OFFSET) {
        char* at = region_.at(block);
        http::write_head(head, date_, at + head_bytes);
        std::memcpy(at + head_bytes, behind.data(), behind.size());
        add_part(exchange, at, std::uint32_t(bytes), Hold{block, size, HoldKind::block});
        return true;
    }
    head_.resize(head_bytes);
    http::write_head(head, date_, head_.data() + head_bytes);
    head_.append(behind);
    for (std::size_t at = 0; at < bytes; at += layout::SEGMENT_BYTES) {
        const std::uint32_t piece = segments_.take_block(layout::SEGMENT_BYTES);
        if (piece == layout::NO_OFFSET) {
            drop_parts(exchange.parts_first);
            exchange.parts_first = exchange.parts_last = NONE;
            return false;
        }
        const auto length = std::uint32_t(std::min<std::size_t>(bytes - at, layout::SEGMENT_BYTES));
        std::memcpy(region_.at(piece), head_.data() + at, length);
        add_part(exchange, region_.at(piece), length, Hold{piece, layout::SEGMENT_BYTES, HoldKind::block});
    }
    return true;
}

// There is no memory for its head, and nothing of it has left: the client gets a 503 in its place.
template <class K>
void Reactor<K>::answer_without_head(LaneEnd& lane, Exchange& exchange, bool last) {
    if (last) {
        exchange.lane_holds = false;
        --lane.held;
        exchange.stage = Stage::ended;
    } else {
        abandon(exchange, layout::AbortReason::client_gone);
    }
    ++counters_.refused;
    answer_in_texts(exchange, 503);
}

// A part lies in the lane's credits, with room for a chunk's size line before it and for its CRLF behind it.
template <class K>
bool Reactor<K>::claim_part(LaneEnd& lane, std::uint32_t offset, std::uint32_t length) {
    constexpr std::uint32_t BEFORE = 16;
    const bool possible =
        length > 0 && length < (1u << 20) && offset >= BEFORE && segments_.inside(offset - BEFORE, length + BEFORE + 2);
    return possible && claim_range(lane, offset - BEFORE, offset + length + 2);
}

template <class K>
void Reactor<K>::take_part(LaneEnd& lane, Exchange& exchange, const layout::Entry& entry) {
    const std::uint32_t offset = entry.argument;
    const std::uint32_t length = entry.argument2;
    if (!claim_part(lane, offset, length)) return break_lane(lane, "a part outside the memory that it was given");
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
void Reactor<K>::take_end(LaneEnd& lane, Exchange& exchange, const layout::Entry& entry) {
    const bool has_trailers = entry.argument2 > 0;
    if (has_trailers && !claim_part(lane, entry.argument, entry.argument2)) {
        return break_lane(lane, "trailers outside the memory that it was given");
    }
    if (exchange.stage != Stage::lane) return given_back(lane, exchange);
    if (!exchange.begun) return break_lane(lane, "the end of an answer that has not begun");
    if (has_trailers) {
        // A private copy is checked and used: the lane could change its own meanwhile.
        fields_.assign(region_.at(entry.argument), entry.argument2);
        if (!http::fields_valid(fields_.data(), fields_.size(), false)) {
            return break_lane(lane, "trailers that are not well-formed");
        }
    }
    if (exchange.answer_left > 0) return take_fail(lane, exchange);  // shorter than it said
    Connection& connection = connections_[exchange.connection];
    if (exchange.chunked_out) add_last_chunk(exchange, has_trailers ? entry.argument : layout::NO_OFFSET);
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

// RFC 9112 §7.1: the last chunk, the trailer fields (those in fields_, written where the lane had them), an empty line.
template <class K>
void Reactor<K>::add_last_chunk(Exchange& exchange, std::uint32_t offset) {
    constexpr std::string_view LAST_CHUNK = "0\r\n\r\n";
    if (offset == layout::NO_OFFSET) return add_part(exchange, LAST_CHUNK.data(), LAST_CHUNK.size(), Hold{});
    constexpr std::uint32_t LINE = 3;
    const std::uint32_t start = offset - LINE;
    const auto bytes = std::uint32_t(LAST_CHUNK.size() + fields_.size());
    std::memcpy(region_.at(start), LAST_CHUNK.data(), LINE);
    std::memcpy(http::write_fields(fields_.data(), fields_.size(), region_.at(offset)), "\r\n", 2);
    segments_.hold_range(start, bytes);
    add_part(exchange, region_.at(start), bytes, Hold{start, bytes, HoldKind::segments});
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

}  // namespace pinion::shard
