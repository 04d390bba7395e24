// A worker of the simulation: takes requests off its lane and answers them now, later, in any order, in pieces, broken,
// or never; reads bodies at its own pace, and knows what must be in them.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "test/shard/scripted_lane.hpp"
#include "test/shard/simulated_client.hpp"

namespace pinion::test {

struct WorkerPlan {
    bool kind = false;       // answers every request, whole
    std::uint32_t pace = 4;  // entries and requests that it works on at a time
    std::uint32_t answer_max = 0;
    std::uint32_t part_max = 0;
    bool answers_all = false;  // whole answers to whole requests; but aborts may come
    // Requests that another worker had before, which may have spoilt what it was given of their bodies.
    const std::set<std::uint32_t>* tainted = nullptr;
};

class SimulatedWorker {
public:
    SimulatedWorker(Dice& dice, const WorkerPlan& plan) : dice_(dice), plan_(plan) {}

    ScriptedLane lane;
    std::string problem;
    // Reactor::send_now.
    std::function<std::int32_t(std::uint32_t slot, std::uint32_t generation, std::string_view bytes)> send_now;
    // Looks at a request that starts; what it returns is wrong.
    std::function<std::string(std::uint32_t slot, std::uint32_t generation, std::uint32_t id)> on_start;
    bool idle() const { return !busy() && lane.unread() == 0; }
    // With what it has taken off its lane.
    bool busy() const { return !works_.empty() || !parts_.empty() || !lane.all_pushed(); }
    std::uint32_t started = 0;
    std::uint64_t sent_now = 0;  // bytes
    std::uint64_t moved = 0;     // bytes of parts: an answer to HEAD has some, too
    std::size_t body_parts() const { return parts_.size(); }

    std::string state() const {
        std::string all = std::to_string(parts_.size()) + " body parts";
        for (const auto& [key, work] : works_) {
            all += ", request " + std::to_string(work.id) + " (way " + std::to_string(unsigned(work.way)) + ", body " +
                   std::to_string(work.body.size()) + " of " + std::to_string(work.body_length) +
                   (work.body_complete ? " complete" : "") + ", sent " + std::to_string(work.sent) + " of " +
                   std::to_string(work.answer.size()) + ", left " + std::to_string(work.left) + ")";
        }
        return all;
    }

    void step() {
        layout::Entry entry;
        for (std::uint32_t n = dice_.below(plan_.pace + 1); n > 0 && lane.pop(entry); --n) take(entry);
        for (std::uint32_t n = dice_.below(plan_.pace + 1); n > 0 && !works_.empty(); --n) {
            auto at = works_.begin();
            std::advance(at, dice_.below(std::uint32_t(works_.size())));
            if (progress(at->first, at->second)) works_.erase(at);
        }
        for (std::uint32_t n = dice_.below(plan_.pace + 1); n > 0 && !parts_.empty(); --n) consume();
        lane.flush();
    }

    // A thread that is being ended may write until it is gone, wherever it was allowed to.
    void scribble() {
        for (auto& [key, work] : works_) {
            const layout::Slot& slot = lane.slot(std::uint32_t(key >> 32));
            if (work.streaming || slot.answer_end <= slot.answer_offset || slot.answer_end > region_size) continue;
            std::memset(lane.at(slot.answer_offset), 'Z', slot.answer_end - slot.answer_offset);
        }
    }
    std::uint32_t region_size = 0;

private:
    enum class Way { answer, page, stream, fail, give_back, never };

    struct Work {
        std::uint32_t id = 0;
        std::uint32_t body_length = 0;
        Way way = Way::answer;
        bool needs_body = true;
        bool body_complete = false;
        bool body_broken = false;
        bool discarded = false;
        bool asked = false;
        bool streaming = false;
        bool chunked = false;
        std::string body = {};
        std::string trailers = {};
        bool has_trailers = false;
        std::string answer = {};
        std::size_t sent = 0;
        std::uint64_t left = 0;
        std::string fields = {};
        std::size_t fields_sent = 0;  // of those that come before their answer
    };
    using Key = std::uint64_t;

    struct BodyPart {
        std::uint32_t slot, generation, offset, length;
        std::string bytes;
    };

    static Key key_of(std::uint32_t slot, std::uint32_t generation) { return Key(slot) << 32 | generation; }

    bool tainted(const Work& work) const { return plan_.tainted != nullptr && plan_.tainted->contains(work.id); }
    bool good() const { return plan_.kind || plan_.answers_all; }

    void wrong(std::string what) {
        if (problem.empty()) problem = std::move(what);
    }

    void take(const layout::Entry& entry) {
        const std::uint32_t slot = entry.head >> 8;
        const std::uint32_t generation = entry.generation;
        const auto found = works_.find(key_of(slot, generation));
        switch (EntryType(entry.head & 0xff)) {
            case EntryType::request: return begin(slot, generation);
            case EntryType::trailers: {
                BodyPart part{slot, generation, entry.argument, entry.argument2, {}};
                if (found != works_.end()) {
                    part.bytes.assign(lane.at(entry.argument), entry.argument2);
                    Work& work = found->second;
                    work.trailers += part.bytes;
                    const std::string known = work.has_trailers ? known_trailers(work.id) : "";
                    const bool behind = work.body.size() == work.body_length && !work.body_complete;
                    if (!tainted(work) && (!behind || !known.starts_with(work.trailers))) {
                        wrong("trailers that are not what was sent, request " + std::to_string(work.id));
                    }
                }
                parts_.push_back(std::move(part));
                return;
            }
            case EntryType::body: {
                BodyPart part{slot, generation, entry.argument, entry.argument2, {}};
                // A part for a request that it has not started may be another lane's by now.
                if (found != works_.end()) {
                    part.bytes.assign(lane.at(entry.argument), entry.argument2);
                    Work& work = found->second;
                    if (work.body_complete && !tainted(work)) wrong("a body part behind the end of its body");
                    work.body += part.bytes;
                    if (tainted(work)) {
                        // Nothing is known.
                    } else if (work.body != known_bytes(work.id, work.body_length).substr(0, work.body.size()) ||
                               work.body.size() > work.body_length) {
                        wrong("a body part that is not what was sent, request " + std::to_string(work.id));
                    }
                }
                parts_.push_back(std::move(part));
                return;
            }
            case EntryType::body_end:
                if (found == works_.end()) return;
                if (tainted(found->second)) {
                    found->second.body_complete = true;
                    return;
                }
                if (found->second.body_complete || found->second.body_broken) wrong("a second end of a body");
                if (entry.argument == 0 && found->second.body.size() != found->second.body_length) {
                    wrong("the end of a body that is not whole, request " + std::to_string(found->second.id));
                }
                if (entry.argument == 0 && found->second.has_trailers &&
                    found->second.trailers != known_trailers(found->second.id)) {
                    wrong("the end of trailers that are not whole, request " + std::to_string(found->second.id));
                }
                (entry.argument == 0 ? found->second.body_complete : found->second.body_broken) = true;
                return;
            case EntryType::abort:
                if (found == works_.end()) return;
                if (plan_.kind) wrong("an abort that nothing explains");
                lane.give_back(slot, generation);
                works_.erase(found);
                return;
            case EntryType::writable:
                if (found == works_.end()) return;
                found->second.left += entry.argument;
                if (found->second.left > found->second.sent) wrong("more has left than was sent");
                return;
            default: return wrong("an entry that is not for a worker");
        }
    }

    void begin(std::uint32_t slot, std::uint32_t generation) {
        if (!lane.start(slot, generation)) return;
        ++started;
        const layout::Slot& record = lane.slot(slot);
        Work work;
        const std::string path(lane.path(slot));
        if (std::sscanf(path.c_str(), "/h/%u/%u", &work.id, &work.body_length) != 2) {
            wrong("a path that nobody sent: " + path);
        }
        work.has_trailers = path.ends_with("/trailers");
        if (work.id == 0) wrong("a request behind the last one of its connection");
        if (on_start) {
            if (std::string found = on_start(slot, generation, work.id); !found.empty()) wrong(std::move(found));
        }
        work.chunked = (record.request_flags & layout::request_flag::CHUNKED) != 0;
        if (record.request_flags & layout::request_flag::BODY_COMPLETE) {
            work.body_complete = true;
            work.body = lane.inline_body(slot);
            if (work.body != known_bytes(work.id, work.body_length)) wrong("an inline body that is not what was sent");
        }
        const std::uint32_t kind = dice_.below(100);
        if (kind < 30) {
            work.way = Way::stream;
        } else if (kind >= 80 && lane.lane().kept_bytes > 0) {
            work.way = Way::page;
        } else if (!good() && kind < 33) {
            work.way = Way::fail;
        } else if (!good() && kind < 35) {
            work.way = Way::give_back;
        } else if (!good() && kind < 37) {
            work.way = Way::never;
        }
        work.needs_body = good() || dice_.chance(70);
        const std::uint32_t size = dice_.below(10);
        work.answer = known_answer(work.id, size < 5   ? dice_.below(100)
                                            : size < 9 ? dice_.below(3000)
                                                       : dice_.below(plan_.answer_max));
        if (dice_.chance(30)) work.fields = encoded_field("X-Id", std::to_string(work.id));
        if (dice_.chance(5)) work.fields += encoded_field("X-Long", std::string(dice_.below(1000), 'f'));
        if (dice_.chance(5)) {
            const std::uint32_t most = lane.lane().fields_bytes - std::uint32_t(work.fields.size());
            work.fields += encoded_field("X-Longer", std::string(dice_.below(most - 20), 'f'));
        }
        works_.insert_or_assign(key_of(slot, generation), std::move(work));
    }

    // True: the slot is no longer the lane's.
    bool progress(Key key, Work& work) {
        const std::uint32_t slot = std::uint32_t(key >> 32);
        const std::uint32_t generation = std::uint32_t(key);
        if (!work.body_complete && !work.body_broken) {
            const bool waits = (lane.slot(slot).request_flags & layout::request_flag::EXPECT_CONTINUE) != 0;
            if (waits && !work.asked && dice_.chance(50)) {
                work.asked = true;
                lane.push(EntryType::continue_, slot, generation);
            }
            if (!plan_.kind && !work.discarded && !work.needs_body && dice_.chance(20)) {
                work.discarded = true;
                lane.push(EntryType::body_discard, slot, generation);
            }
            if (work.needs_body) return false;
        }
        if (dice_.chance(40)) return false;
        using Outcome = ScriptedLane::Outcome;
        switch (work.way) {
            case Way::never: return false;
            case Way::give_back:
                lane.finish(slot, generation);
                lane.give_back(slot, generation);
                return true;
            case Way::answer: {
                if (work.answer.size() + work.fields.size() > 2500) {
                    work.way = Way::stream;
                    return false;
                }
                const auto outcome =
                    lane.answer(slot, generation, {.body = work.answer, .fields = work.fields}, dice_.chance(20));
                return outcome != Outcome::starved;
            }
            case Way::page: {
                // It lies under one of few numbers, is kept first where it does not, and anew now and then.
                const std::uint32_t page = page_of(work.id);
                const std::uint32_t number = page % std::size(pages_);
                if (work.fields.size() > 2500) {
                    work.way = Way::stream;
                    return false;
                }
                if (dice_.chance(10)) drop(number);
                if (pages_[number] != page && !keep(number, page)) return false;
                const auto outcome =
                    lane.answer(slot, generation, {.fields = work.fields, .kept = int(number)}, dice_.chance(20));
                return outcome != Outcome::starved;
            }
            case Way::stream:
            case Way::fail: return stream(slot, generation, work);
        }
        return false;
    }

    void drop(std::uint32_t number) {
        if (pages_[number] != 0) lane.drop_kept(number);
        pages_[number] = 0;
    }
    // False: it has to wait for credits.
    bool keep(std::uint32_t number, std::uint32_t page) {
        // Wherever it lies, all of them together are within the lane's bound.
        const std::uint32_t segments = lane.lane().kept_bytes / layout::SEGMENT_BYTES / std::size(pages_);
        const std::uint32_t most = std::min((segments - 1) * 4000, std::max(lane.available(), 3800u) - 50);
        const auto outcome = lane.keep(number, known_answer(page, dice_.below(most)));
        if (outcome != ScriptedLane::Outcome::done) return false;
        pages_[number] = page;
        return true;
    }

    bool stream(std::uint32_t slot, std::uint32_t generation, Work& work) {
        using Outcome = ScriptedLane::Outcome;
        const std::string_view rest = std::string_view(work.answer).substr(work.sent);
        // A run of credits is one segment at least.
        const std::uint32_t most = std::max(lane.available(), 3800u) - 20;
        const std::string_view piece = rest.substr(0, dice_.between(1, std::min(plan_.part_max, most)));
        if (!work.streaming) {
            const bool before = work.fields.size() > 2000;
            if (before && !send_fields(slot, generation, work)) return false;
            const bool known = dice_.chance(30);
            const auto flags = std::uint8_t((known ? layout::answer_flag::LENGTH_KNOWN : 0) |
                                            (before ? layout::answer_flag::FIELDS_BEFORE : 0));
            const std::string_view first = dice_.chance(50) ? piece.substr(0, 2000) : std::string_view{};
            const auto outcome = lane.answer(slot, generation,
                                             {.body = first,
                                              .fields = before ? std::string_view{} : work.fields,
                                              .flags = flags,
                                              .length = known ? double(work.answer.size()) : -1});
            if (outcome == Outcome::starved) return false;
            if (before) gathering_ = ~Key{0};
            if (outcome == Outcome::abandoned) return true;
            work.streaming = true;
            work.sent = first.size();
            return false;
        }
        if (work.way == Way::fail && dice_.chance(30)) {
            lane.end(slot, generation, EntryType::fail);
            return true;
        }
        if (rest.empty()) {
            lane.end(slot, generation);
            return true;
        }
        // Backpressure, as a stream's high-water mark has it.
        if (work.sent - work.left > 8192 && !(lane.slot(slot).request_flags & layout::request_flag::HEAD)) return false;
        // Whatever its connection and the answer's framing are; but in order.
        if (send_now && work.sent == work.left && lane.all_pushed() && dice_.chance(30)) {
            const std::int32_t now = send_now(slot, generation, rest.substr(0, dice_.between(1, plan_.part_max)));
            if (now > 0) {
                work.sent += std::size_t(now);
                work.left += std::size_t(now);
                sent_now += std::size_t(now);
            }
            if (now >= 0) return false;
        }
        if (lane.part(slot, generation, piece) != Outcome::done) return false;
        work.sent += piece.size();
        moved += piece.size();
        return false;
    }

    // Those of one answer at a time. False: they wait for another's, or for credits.
    bool send_fields(std::uint32_t slot, std::uint32_t generation, Work& work) {
        const Key key = key_of(slot, generation);
        if (gathering_ != key && works_.contains(gathering_)) return false;
        gathering_ = key;
        while (work.fields_sent < work.fields.size()) {
            const std::uint32_t most = std::max(lane.available(), 4000u);
            const auto piece = std::string_view(work.fields).substr(work.fields_sent, dice_.between(1, most));
            if (lane.fields(slot, generation, piece) != ScriptedLane::Outcome::done) return false;
            work.fields_sent += piece.size();
            if (dice_.chance(20)) return false;
        }
        return true;
    }

    void consume() {
        const std::size_t at = dice_.below(std::uint32_t(parts_.size()));
        const BodyPart& part = parts_[at];
        if (!part.bytes.empty() && std::string_view(lane.at(part.offset), part.length) != part.bytes) {
            wrong("a body part that changed while the lane had it");
        }
        lane.push(EntryType::consumed, part.slot, part.generation, part.offset, part.length);
        parts_.erase(parts_.begin() + std::ptrdiff_t(at));
    }

    Dice& dice_;
    WorkerPlan plan_;
    std::map<Key, Work> works_;
    std::vector<BodyPart> parts_;
    std::uint32_t pages_[3] = {};  // which is kept under which number; 0: none
    Key gathering_ = ~Key{0};      // whose fields are coming before their answer
};

}  // namespace pinion::test
