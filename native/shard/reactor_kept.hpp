// Reactor: bodies that are written once and sent many times. A lane has them kept under numbers, and its answers name
// one instead of bringing it; each part that sends one holds its segments, as the table does.
#pragma once

#include "shard/reactor.hpp"

namespace pinion::shard {

template <class K>
void Reactor<K>::take_keep(LaneEnd& lane, const layout::Entry& entry) {
    const std::uint32_t number = entry.head >> 8;
    const std::uint32_t offset = entry.argument;
    const std::uint32_t length = entry.argument2;
    if (number >= layout::KEPT_BODIES) return break_lane(lane, "a number that no kept body can have");
    KeptBody& kept = lane.kept[number];
    drop_kept(lane, kept);
    if (length == 0) return;
    if (!segments_.inside(offset, length) || !claim_range(lane, offset, offset + length)) {
        return break_lane(lane, "a body to keep outside the memory that it was given");
    }
    const std::uint32_t bytes = segments_.spanned(offset, length);
    if (lane.kept_bytes + bytes > kept_bytes_max_) return break_lane(lane, "more to keep than it may");
    segments_.hold_range(offset, length);
    lane.kept_bytes += bytes;
    kept = {offset, length};
}

// Parts on their way out have holds of their own.
template <class K>
void Reactor<K>::drop_kept(LaneEnd& lane, KeptBody& kept) {
    if (kept.length == 0) return;
    lane.kept_bytes -= segments_.spanned(kept.offset, kept.length);
    segments_.drop_range(kept.offset, kept.length);
    kept = {};
}

template <class K>
void Reactor<K>::add_kept(Exchange& exchange, const KeptBody& kept) {
    segments_.hold_range(kept.offset, kept.length);
    add_part(exchange, region_.at(kept.offset), kept.length, Hold{kept.offset, kept.length, HoldKind::segments});
}

}  // namespace pinion::shard
