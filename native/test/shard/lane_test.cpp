// Rings of a lane: both ends, wrap-around, full, and counts that a broken worker wrote.
#include "shard/lane.hpp"

#include "test/check.hpp"
#include "test/shard/scripted_lane.hpp"

namespace pinion::test {
namespace {

using shard::LaneEnd;

struct Ends {
    explicit Ends(std::uint32_t slots = 2) {
        CHECK(region.map(slots, 64 * layout::SEGMENT_BYTES));
        native.open(region, 1);
        worker.attach(region.base(), region.lane_offset(1));
    }
    shard::Region region;
    LaneEnd native;
    ScriptedLane worker;
};

// Counts go round 2^32 as well.
void start_at(Ends& ends, std::uint32_t count) {
    for (std::uint32_t n = 0; n != count; ++n) {
        ends.native.push(EntryType::writable, 0, 0);
        ends.native.publish();
        layout::Entry entry;
        ends.worker.pop(entry);
        ends.native.request_space();
    }
}

TEST("lane: requests arrive in order, many times round the ring") {
    Ends ends;
    std::uint32_t pushed = 0;
    std::uint32_t popped = 0;
    for (unsigned round = 0; round < 1000; ++round) {
        const std::uint32_t room = ends.native.request_space();
        for (std::uint32_t n = 0; n < 1 + round % 16 && n < room; ++n, ++pushed) {
            ends.native.push(EntryType::request, pushed & 0xffff, pushed, pushed + 1, pushed + 2);
        }
        ends.native.publish();
        CHECK_EQ(ends.worker.unread(), pushed - popped);
        layout::Entry entry;
        for (unsigned n = 0; n < 1 + (round * 7) % 16 && ends.worker.pop(entry); ++n, ++popped) {
            CHECK_EQ(entry.head, std::uint32_t(EntryType::request) | (popped & 0xffff) << 8);
            CHECK_EQ(entry.generation, popped);
            CHECK_EQ(entry.argument, popped + 1);
            CHECK_EQ(entry.argument2, popped + 2);
        }
    }
    CHECK(popped > 3000);
}

TEST("lane: nothing is seen before it is published") {
    Ends ends;
    ends.native.push(EntryType::request, 1, 1);
    CHECK_EQ(ends.worker.unread(), 0);
    CHECK_EQ(ends.native.unread(), 0);
    ends.native.publish();
    CHECK_EQ(ends.worker.unread(), 1);
    CHECK_EQ(ends.native.unread(), 1);
}

TEST("lane: a full request ring has no room, and gets it back entry by entry") {
    Ends ends;
    const std::uint32_t capacity = ends.region.ring_entries();
    for (std::uint32_t n = 0; n < capacity; ++n) ends.native.push(EntryType::request, n, n);
    ends.native.publish();
    CHECK_EQ(ends.native.request_space(), 0);
    CHECK_EQ(ends.native.waiting(), capacity);
    layout::Entry entry;
    for (std::uint32_t n = 1; n <= capacity; ++n) {
        CHECK(ends.worker.pop(entry));
        CHECK_EQ(entry.generation, n - 1);
        CHECK_EQ(ends.native.request_space(), n);
        CHECK_EQ(ends.native.waiting(), capacity - n);
    }
    CHECK(!ends.worker.pop(entry));
}

TEST("lane: waiting() counts requests only") {
    Ends ends;
    start_at(ends, 13);
    ends.native.push(EntryType::request, 1, 1);
    ends.native.push(EntryType::body, 1, 1, 4096, 10);
    ends.native.push(EntryType::body_end, 1, 1);
    ends.native.push(EntryType::request, 2, 2);
    ends.native.publish();
    CHECK_EQ(ends.native.waiting(), 2);
    layout::Entry entry;
    ends.worker.pop(entry);
    ends.worker.pop(entry);
    ends.native.request_space();
    CHECK_EQ(ends.native.waiting(), 1);
}

TEST("lane: answers go round the ring; a full one holds the worker back until it is acknowledged") {
    Ends ends;
    const std::uint32_t capacity = ends.region.ring_entries();
    layout::Entry entry;
    for (unsigned round = 0; round < 50; ++round) {
        for (std::uint32_t n = 0; n < capacity + 3; ++n) ends.worker.push(EntryType::answer, n, round, n);
        CHECK(!ends.worker.all_pushed());
        CHECK(ends.native.has_responses());
        for (std::uint32_t n = 0; n < capacity; ++n) {
            CHECK(ends.native.pop(entry));
            CHECK_EQ(entry.argument, n);
        }
        CHECK(!ends.native.pop(entry));
        ends.native.acknowledge();
        ends.worker.flush();
        CHECK(ends.worker.all_pushed());
        for (std::uint32_t n = capacity; n < capacity + 3; ++n) {
            CHECK(ends.native.pop(entry));
            CHECK_EQ(entry.argument, n);
        }
        ends.native.acknowledge();
        CHECK(!ends.native.has_responses());
    }
}

TEST("lane: an answer rings a stand-in that sleeps, and only one") {
    Ends ends;
    unsigned rings = 0;
    ends.worker.ring_stand_in = [&rings] { ++rings; };
    ends.worker.push(EntryType::answer, 1, 1);
    CHECK_EQ(rings, 0u);
    ends.native.shared().stand_in_asleep = 1;
    ends.worker.push(EntryType::answer, 1, 1);
    CHECK_EQ(rings, 1u);
}

TEST("lane: credits arrive in order; who finds none says so") {
    Ends ends;
    const std::uint32_t arena = ends.region.arena_offset();
    CHECK_EQ(ends.worker.take(100), layout::NO_OFFSET);
    CHECK(ends.native.starved());
    ends.native.grant(arena, 2 * layout::SEGMENT_BYTES);
    CHECK(ends.native.relieved());
    CHECK_EQ(ends.worker.take(100), arena);
    CHECK(!ends.native.starved());
    CHECK(!ends.native.credits_unread());
    CHECK_EQ(ends.worker.take(8000), arena + 100);
    CHECK_EQ(ends.worker.take(100), layout::NO_OFFSET);
    for (std::uint32_t n = 0; n < ends.region.credit_entries(); ++n) ends.native.grant(arena + n * 4096, 4096);
    CHECK_EQ(ends.native.credit_space(), 0);
    CHECK_EQ(ends.worker.take(4096), arena);
    CHECK_EQ(ends.worker.take(4096), arena + 4096);
    CHECK_EQ(ends.native.credit_space(), 2);
}

TEST("lane: counts that cannot be are noticed, and nothing is overwritten") {
    for (const std::uint32_t wrong : {1u, 17u, 0x7fffffffu}) {
        {
            Ends ends;
            CHECK(ends.native.counts_possible());
            shard::store_release(ends.native.shared().request_head, wrong);
            CHECK(!ends.native.counts_possible());
            CHECK_EQ(ends.native.request_space(), 0);
        }
        {
            Ends ends;
            shard::store_release(ends.native.shared().credit_head, wrong);
            CHECK(!ends.native.counts_possible());
            CHECK_EQ(ends.native.credit_space(), 0);
        }
        if (wrong > 16) {
            Ends ends;
            shard::store_release(ends.native.shared().response_tail, wrong);
            CHECK(!ends.native.counts_possible());
        }
    }
}

TEST("lane: opened again it is empty, but for who sleeps") {
    Ends ends;
    ends.native.push(EntryType::request, 1, 1);
    ends.native.publish();
    ends.native.grant(ends.region.arena_offset(), 4096);
    ends.worker.push(EntryType::answer, 1, 1);
    shard::store_release(ends.native.shared().stand_in_asleep, 1);
    ends.native.open(ends.region, 1);
    CHECK_EQ(ends.native.unread(), 0);
    CHECK(!ends.native.has_responses());
    CHECK(!ends.native.credits_unread());
    CHECK(ends.native.runs.empty());
    CHECK_EQ(shard::load_acquire(ends.native.shared().stand_in_asleep), 1);
    CHECK_EQ(ends.native.request_space(), ends.region.ring_entries());
}

TEST("lane: the region's parts do not overlap") {
    for (const std::uint32_t slots : {1u, 2u, 3u, 100u, 1024u}) {
        shard::Region region;
        CHECK(region.map(slots, 16 * layout::SEGMENT_BYTES));
        CHECK(region.lane_offset(0) >= slots * sizeof(layout::Slot));
        for (std::uint32_t i = 0; i < layout::MAX_LANES; ++i) {
            LaneEnd lane;
            lane.open(region, i);
            const layout::Lane& shared = lane.shared();
            CHECK(shared.request_ring >= region.lane_offset(i) + sizeof(layout::Lane));
            CHECK(shared.response_ring >= shared.request_ring + shared.request_capacity * sizeof(layout::Entry));
            CHECK(shared.credit_ring >= shared.response_ring + shared.response_capacity * sizeof(layout::Entry));
            const std::uint32_t end =
                shared.credit_ring + shared.credit_capacity * std::uint32_t(sizeof(layout::Credit));
            CHECK(end <= (i + 1 < layout::MAX_LANES ? region.lane_offset(i + 1) : region.arena_offset()));
            CHECK_EQ(shared.request_capacity & (shared.request_capacity - 1), 0);
        }
    }
}

}  // namespace
}  // namespace pinion::test
