// Wire cases through a reactor: a worker that answers with what it was given, and what each case has to be answered by
// the pure parser and decoder, which native/test/http/wire_test.cpp holds to the cases' result blocks.
#pragma once

#include <strings.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "http/chunked.hpp"
#include "http/router.hpp"
#include "test/http/wire_case.hpp"
#include "test/shard/on_both_kernels.hpp"

namespace pinion::test {

// An answer that a wire case must get, and whether only the client's end brings it.
struct Wanted {
    unsigned status = 0;
    std::string body = {};  // of a 200: see described()
    bool close = false;
    bool is_head = false;
    bool at_end = false;
};

inline std::string shown_wire_answer(unsigned status, const std::string& body, bool close) {
    return std::to_string(status) + (close ? " close " : " keep ") + (status == 200 ? escaped(body) : "");
}

// Method, target, field lines and body, short enough for a message and an answer of one segment.
inline std::string described(http::Method method, const char* head, http::Range target, const layout::FieldLine* fields,
                             unsigned field_count, std::string_view body) {
    std::string text(http::METHOD_NAMES[unsigned(method)]);
    text.append(" ").append(head + target.offset, target.length).append("\n");
    for (unsigned i = 0; i < field_count; ++i) {
        const layout::FieldLine& field = fields[i];
        text.append(head + field.name_offset, field.name_length).append(": ");
        text.append(head + field.value_offset, field.value_length).append("\n");
    }
    text.append("\n").append(body);
    if (text.size() <= 1024) return text;
    return std::to_string(text.size()) + " bytes, hash " + std::to_string(std::hash<std::string>{}(text));
}

inline std::vector<shard::Route> wire_routes() { return {handler_route("/"), handler_route("/{rest:path}")}; }

// What the requests of a case have to be answered, in order. The limits of chunked bodies are the reactor's.
inline std::vector<Wanted> wanted_answers(const WireCase& wire) {
    http::Router router;
    http::PatternError error;
    for (const shard::Route& route : wire_routes()) CHECK(router.add(route.pattern, route.methods, 0, error));
    std::vector<Wanted> wanted;
    for (std::string rest = wire.bytes; !rest.empty();) {
        http::Head head{};
        std::vector<layout::FieldLine> fields(wire.limits.fields);
        const http::HeadResult result = http::parse_head(rest.data(), rest.size(), 0, wire.limits, head, fields.data());
        if (result == http::HeadResult::partial) return wanted;
        if (result != http::HeadResult::complete) {
            wanted.push_back({.status = unsigned(result), .close = true});
            return wanted;
        }
        // RFC 9112 §3.2.2: the authority of an absolute-form target stands for what Host says.
        for (unsigned i = 0; head.absolute_form && i < head.field_count; ++i) {
            const std::string name = rest.substr(fields[i].name_offset, fields[i].name_length);
            if (name.size() != 4 || strncasecmp(name.data(), "host", 4) != 0) continue;
            fields[i].value_offset = head.host.offset;
            fields[i].value_length = head.host.length;
        }
        std::string body = rest.substr(head.length);
        std::size_t data = 0;
        std::size_t used = 0;
        auto decoded = http::ChunkedResult::complete;
        if (head.framing == http::Framing::chunked) {
            http::ChunkedDecoder decoder;
            http::ChunkedPiece piece{};
            decoded = body.empty() ? http::ChunkedResult::more
                                   : decoder.decode(body.data(), body.size(), {4096, 16384, 65536}, piece);
            data = piece.data;
            used = piece.consumed;
        } else if (head.framing == http::Framing::length) {
            data = used = std::size_t(std::min<std::uint64_t>(head.content_length, body.size()));
            if (data < head.content_length) decoded = http::ChunkedResult::more;
        }
        const std::string_view path(rest.data() + head.path.offset, head.path.length);
        layout::Parameter parameters[layout::MAX_PARAMETERS];
        const auto kind =
            path == "*" ? http::Match::Kind::not_found : router.match(head.method, path, rest.data(), parameters).kind;
        const bool is_head = head.method == http::Method::HEAD;
        Wanted next{.close = !head.keep_alive, .is_head = is_head};
        if (kind != http::Match::Kind::found) {
            next.status = path == "*" ? 204 : kind == http::Match::Kind::bad_parameter ? 400 : 404;
        } else if (decoded == http::ChunkedResult::more) {
            next = {.status = 400, .close = true, .is_head = is_head, .at_end = true};
        } else if (decoded != http::ChunkedResult::complete) {
            next = {.status = unsigned(decoded), .close = true, .is_head = is_head};
        } else {
            next.status = 200;
            if (!is_head)
                next.body = described(head.method, rest.data(), head.target, fields.data(), head.field_count,
                                      std::string_view(body.data(), data));
        }
        wanted.push_back(next);
        if (next.close || decoded == http::ChunkedResult::more) return wanted;
        rest = rest.substr(head.length + used);
    }
    return wanted;
}

// A worker that answers each request with its description, once its body is whole.
class DescribingWorker {
public:
    explicit DescribingWorker(ScriptedLane& lane) : lane_(lane) {}

    void step() {
        layout::Entry entry;
        while (lane_.pop(entry)) take(entry);
        for (auto at = ready_.begin(); at != ready_.end();) at = answer(*at) ? ready_.erase(at) : std::next(at);
        lane_.flush();
    }

private:
    struct Ready {
        std::uint32_t slot, generation;
        std::string text;
    };

    void take(const layout::Entry& entry) {
        const std::uint32_t slot = entry.head >> 8;
        switch (EntryType(entry.head & 0xff)) {
            case EntryType::request:
                if (!lane_.start(slot, entry.generation)) return;
                bodies_[slot] = "";
                if (lane_.slot(slot).request_flags & layout::request_flag::BODY_COMPLETE) {
                    complete(slot, entry.generation, lane_.inline_body(slot));
                }
                return;
            case EntryType::body: bodies_[slot].append(lane_.at(entry.argument), entry.argument2); [[fallthrough]];
            case EntryType::trailers:
                return lane_.push(EntryType::consumed, slot, entry.generation, entry.argument, entry.argument2);
            case EntryType::body_end:
                if (entry.argument == 0) complete(slot, entry.generation, bodies_[slot]);
                return;
            case EntryType::abort:
                if (layout::AbortReason(entry.argument) == layout::AbortReason::half_closed) return;
                return lane_.give_back(slot, entry.generation);
            default: return;
        }
    }
    void complete(std::uint32_t index, std::uint32_t generation, std::string_view body) {
        const layout::Slot& slot = lane_.slot(index);
        const http::Range target{slot.target_offset, slot.target_length};
        ready_.push_back({index, generation,
                          described(http::Method(slot.method), lane_.at(slot.head_offset), target, slot.fields,
                                    slot.field_count, body)});
    }
    bool answer(const Ready& ready) {
        return lane_.answer(ready.slot, ready.generation, {.body = ready.text}) != ScriptedLane::Outcome::starved;
    }

    ScriptedLane& lane_;
    std::map<std::uint32_t, std::string> bodies_;
    std::vector<Ready> ready_;
};

// A case on a connection of its own, in pieces.
struct WireTalk {
    const WireCase* wire;
    const std::vector<Wanted>* wanted;
    std::vector<std::size_t> cuts;  // ascending: the pieces' ends, but for the last
    std::unique_ptr<Peer> peer = nullptr;
    std::size_t sent = 0;

    std::string name() const {
        if (cuts.empty()) return wire->name + ", whole";
        return wire->name + (byte_by_byte() ? ", byte by byte" : ", cut at " + std::to_string(cuts[0]));
    }
    bool byte_by_byte() const { return cuts.size() > 1; }
    // Who writes for long does not write to somebody who has hung up: beyond the linger that would end in a reset.
    bool all_sent() const { return sent > cuts.size() || (byte_by_byte() && peer->ended); }
    void send_next() {
        const std::size_t begin = sent == 0 ? 0 : cuts[sent - 1];
        const std::size_t end = sent == cuts.size() ? wire->bytes.size() : cuts[sent];
        peer->write(std::string_view(wire->bytes).substr(begin, end - begin));
        ++sent;
    }
    // What it gets without ending its side.
    std::size_t wanted_before_end() const {
        return std::size_t(std::count_if(wanted->begin(), wanted->end(), [](const Wanted& w) { return !w.at_end; }));
    }
    bool server_ends() const { return !wanted->empty() && wanted->back().close && !wanted->back().at_end; }
    // In pieces a head may be judged at the end of its line only, which the case may leave out.
    bool may_wait_for_line() const {
        return server_ends() && wire->expected.front() != "complete" &&
               (!cuts.empty() || wire->bytes.size() > layout::SEGMENT_BYTES);
    }
    bool arrived() const { return peer->ended || (!server_ends() && peer->in.answers.size() >= wanted_before_end()); }
};

// What has been written on loopback is there: without waits, of which the longest case has 65,536.
template <class K>
void take_in(ReactorRig<K>& rig) {
    for (bool more = true; more;) {
        more = rig.reactor->turn(rig.driver);
        rig.on_turn();
        rig.reactor->flush(rig.driver);
    }
}

// Plays all talks at once, a piece of each at a time, and checks their answers.
template <class K>
void play_wire_talks(ReactorRig<K>& rig, std::vector<WireTalk>& talks) {
    for (WireTalk& talk : talks) {
        talk.peer = rig.connect();
        for (const Wanted& wanted : *talk.wanted) talk.peer->in.expect(wanted.is_head);
    }
    REQUIRE(rig.until([&] { return rig.reactor->connection_count() == talks.size(); }));
    const bool by_bytes = std::any_of(talks.begin(), talks.end(), [](const auto& each) { return each.byte_by_byte(); });
    for (bool going = true; going;) {
        going = false;
        for (WireTalk& talk : talks) {
            if (talk.all_sent()) continue;
            talk.send_next();
            going = going || !talk.all_sent();
        }
        // Each piece is received on its own.
        if (!by_bytes) {
            rig.quiet(2);
            continue;
        }
        take_in(rig);
        for (WireTalk& talk : talks) {
            if (!talk.all_sent()) talk.peer->pump();
        }
    }
    for (WireTalk& talk : talks) {
        if (!talk.peer->ended && talk.may_wait_for_line()) talk.peer->write("\r\n\r\n");
    }
    const auto all = [&](auto&& holds) { return std::all_of(talks.begin(), talks.end(), holds); };
    rig.until([&] { return all([](const WireTalk& talk) { return talk.arrived(); }); });
    rig.quiet(2);
    for (WireTalk& talk : talks) {
        // Kept open, unless the last answer says otherwise.
        if (talk.peer->ended != talk.server_ends()) FAIL(talk.name() + ": closed, or not, as it should not be");
        if (!talk.peer->ended) talk.peer->shutdown_write();
    }
    rig.until([&] { return all([](const WireTalk& talk) { return talk.peer->ended; }); });
    for (WireTalk& talk : talks) {
        std::string is;
        std::string expected;
        if (!talk.peer->ended) is = "not ended ";
        if (talk.peer->reset_seen) is += "reset ";
        talk.peer->in.ended();
        for (const Answer& answer : talk.peer->in.answers) {
            is += shown_wire_answer(answer.status, answer.body, answer.close) + " ";
        }
        for (const Wanted& wanted : *talk.wanted) {
            expected += shown_wire_answer(wanted.status, wanted.body, wanted.close) + " ";
        }
        CHECK_EQ(talk.name() + ": " + is, talk.name() + ": " + expected);
        talk.peer->close(true);
    }
    rig.peers.clear();
    talks.clear();
    CHECK(rig.until([&] { return rig.reactor->connection_count() == 0; }));
}

}  // namespace pinion::test
