// A worker that is given up on in the midst of a long native call goes on writing: into memory that was its own, and is
// nobody else's until its thread has ended.
#include <cstring>
#include <string>
#include <vector>

#include "test/shard/on_both_kernels.hpp"
#include "test/shard/simulated_client.hpp"

namespace pinion::test {
namespace {

// What the lane may still write into, and what it reads there.
class LateWriter {
public:
    explicit LateWriter(const ScriptedLane& lane) : lane_(lane) {}

    void owns(std::uint32_t begin, std::uint32_t end) {
        if (begin < end) ranges_.push_back({begin, end});
    }
    // Of the lane's credits nothing has been handed out, or what has is not answered.
    void owns_credits() {
        const std::uint32_t tail = shard::load_acquire(lane_.lane().credit_tail);
        for (std::uint32_t n = 0; n != tail; ++n) {
            const layout::Credit& credit = lane_.credits()[n & (lane_.lane().credit_capacity - 1)];
            owns(credit.offset, credit.offset + credit.length);
        }
    }
    void reads(std::string_view bytes) { reads_.emplace_back(bytes, std::string(bytes)); }

    std::size_t bytes() const {
        std::size_t all = 0;
        for (const Range& range : ranges_) all += range.end - range.begin;
        return all;
    }
    // Nobody has written here since it did, nor where it reads; then it writes once more.
    bool undisturbed() {
        bool same = true;
        for (const Range& range : ranges_) {
            for (std::uint32_t at = range.begin; at < range.end; ++at) same &= *lane_.at(at) == letter_;
        }
        for (const auto& [seen, expected] : reads_) same &= seen == expected;
        write(letter_ == '!' ? '?' : '!');
        return same;
    }
    void write(char letter) {
        letter_ = letter;
        for (const Range& range : ranges_) std::memset(lane_.at(range.begin), letter, range.end - range.begin);
    }

private:
    struct Range {
        std::uint32_t begin, end;
    };
    ScriptedLane lane_;  // as it was when the worker was given up on
    std::vector<Range> ranges_;
    std::vector<std::pair<std::string_view, std::string>> reads_;
    char letter_ = '!';
};

// A request with a body, through the live worker, which answers with the same bytes, behind the request or in credits.
// True: they arrived there and here as they were.
template <class K>
bool echo(ReactorRig<K>& rig, Peer& peer, std::size_t& asked, std::size_t length, std::uint32_t seed) {
    const std::string body = known_bytes(seed, length);
    peer.write("POST /h/echo HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(length) + "\r\n\r\n" + body);
    std::string received;
    Started started{layout::NO_OFFSET, 0};
    bool whole = false;
    const auto arrived = [&] {
        layout::Entry entry;
        while (rig.worker.pop(entry)) {
            const EntryType type = EntryType(entry.head & 0xff);
            if (type == EntryType::request) {
                started = {entry.head >> 8, entry.generation};
                if (!rig.worker.start(started.slot, started.generation)) continue;
                const layout::Slot& slot = rig.worker.slot(started.slot);
                whole = (slot.request_flags & layout::request_flag::BODY_COMPLETE) != 0;
                received = rig.worker.inline_body(started.slot);
            } else if (type == EntryType::body) {
                received.append(rig.worker.at(entry.argument), entry.argument2);
                rig.worker.push(EntryType::consumed, entry.head >> 8, entry.generation, entry.argument,
                                entry.argument2);
            } else if (type == EntryType::body_end) {
                whole = true;
            }
        }
        return whole;
    };
    if (!rig.until(arrived) || received != body) return false;
    const auto answered = [&] {
        return rig.worker.answer(started.slot, started.generation, {.body = body}, seed % 2 == 0) ==
               ScriptedLane::Outcome::done;
    };
    if (!rig.until(answered)) return false;
    ++asked;
    if (!rig.until([&] { return peer.in.answers.size() == asked; })) return false;
    return peer.in.answers.back().status == 200 && peer.in.answers.back().body == body;
}

REACTOR_TEST(LateWrites,
             "a worker's death: what its thread still writes meets nobody else's bytes, until it has ended") {
    ReactorRig<K> rig;
    REQUIRE_EQ(rig.failure, "");
    const std::uint32_t lane = rig.go_live();
    // Three that it has started: one with the room behind it, one before another in the same segment, one with a body.
    auto alone = rig.connect();
    alone->write(get("/h/alone"));
    const Started first = next_request(rig);
    auto pair = rig.connect();
    pair->write(get("/h/one") + get("/h/two"));
    const Started one = next_request(rig);
    const Started two = next_request(rig);
    auto sender = rig.connect();
    const std::string sent = known_bytes(5, 300);
    sender->write("POST /h/body HTTP/1.1\r\nHost: a\r\nContent-Length: 300\r\n\r\n" + sent);
    const Started with_body = next_request(rig);

    LateWriter late(rig.worker);
    for (const Started& started : {first, one, two, with_body}) {
        const layout::Slot& slot = rig.worker.slot(started.slot);
        late.owns(slot.answer_offset, slot.answer_end);
        late.reads({rig.worker.at(slot.head_offset), slot.head_length});
    }
    late.owns_credits();
    late.reads(rig.worker.inline_body(with_body.slot));
    CHECK_EQ(rig.worker.inline_body(with_body.slot), sent);
    // Two tails at least, and a run of credits.
    CHECK(late.bytes() > 2 * 3000 + layout::SEGMENT_BYTES);
    late.write('!');

    rig.reactor->quarantine_lane(lane);
    REQUIRE(rig.until([&] {
        return alone->in.answers.size() == 1 && pair->in.answers.size() == 2 && sender->in.answers.size() == 1;
    }));
    CHECK(late.undisturbed());
    for (const Peer* each : {alone.get(), pair.get(), sender.get()}) {
        for (const Answer& answer : each->in.answers) CHECK_EQ(answer.status, 502u);
    }

    // Others use all the rest, the same connections among them, until the arena has gone round many times.
    rig.go_live();
    rig.on_turn = [&] { CHECK(late.undisturbed()); };
    auto other = rig.connect();
    std::size_t of_other = 0;
    std::size_t of_alone = 1;
    std::size_t of_pair = 2;
    for (std::uint32_t round = 0; round < 60; ++round) {
        REQUIRE(echo(rig, *other, of_other, 1 + round * 331 % 9000, round));
        REQUIRE(echo(rig, *alone, of_alone, 1 + round * 97 % 2500, round + 1));
        REQUIRE(echo(rig, *pair, of_pair, 7000 + round, round / 2));
        const auto& answers = rig.talk(*sender, get("/large"), 2 + round);
        REQUIRE_EQ(answers.size(), 2 + std::size_t(round));
        CHECK(answers.back().body == std::string(20000, 'L'));
    }
    rig.on_turn = nullptr;
    // While it may still write, its memory and its slots are out; then they come back.
    rig.quiet();
    const std::size_t free = rig.reactor->segments().arena().free_bytes();
    CHECK_EQ(rig.reactor->slots_used(), 4u);
    rig.reactor->release_lane(lane);
    rig.quiet();
    CHECK_EQ(rig.reactor->slots_used(), 0u);
    CHECK(rig.reactor->segments().arena().free_bytes() >= free + 3 * layout::SEGMENT_BYTES);
    rig.check_all_returned();
}

}  // namespace
}  // namespace pinion::test
