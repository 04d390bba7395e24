// Reactor: bodies that are written once and sent many times. A lane has them kept under numbers, and its answers name
// one instead of bringing it; each part that sends one holds its segments, as the table does.
#pragma once

#include <algorithm>
#include <vector>

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

// Segments that lanes hold for answers, by their credits or by what is kept for them.
template <class K>
std::uint32_t Reactor<K>::lane_segments() const {
    std::vector<std::uint32_t> held;
    const auto add = [&](std::uint32_t segment, std::uint32_t end) {
        for (; segment < end; ++segment) held.push_back(segment);
    };
    for (const LaneEnd& lane : lanes_) {
        for (const CreditRun& run : lane.runs) add(run.dropped, run.end / layout::SEGMENT_BYTES);
        for (const KeptBody& kept : lane.kept) {
            if (kept.length == 0) continue;
            add(kept.offset / layout::SEGMENT_BYTES, (kept.offset + kept.length - 1) / layout::SEGMENT_BYTES + 1);
        }
    }
    std::sort(held.begin(), held.end());
    return std::uint32_t(std::unique(held.begin(), held.end()) - held.begin());
}

}  // namespace pinion::shard
