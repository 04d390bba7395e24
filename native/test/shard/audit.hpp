// An audit of a reactor between two of its steps: everything that it knows is walked, and must add up. Each segment has
// the users that are found, and all bytes of the arena are free, lent or held; each request stands in one order, each
// slot has an owner, each connection that waits is on the one list that it names; and what the reactor takes to be in
// flight is what the (simulated) kernel owes it.
#pragma once

#include <set>
#include <string>
#include <type_traits>
#include <vector>

#include "shard/reactor.hpp"

namespace pinion::test {

template <class Container>
constexpr bool has_own_lines =
    std::is_same_v<typename Container::allocator_type, base::OwnLines<typename Container::value_type>>;

template <class K>
class Audit {
    // Shards share no cache line, so neither do the blocks of a reactor's containers.
    static_assert(has_own_lines<decltype(shard::Reactor<K>::backlog_)>);
    static_assert(has_own_lines<decltype(shard::Reactor<K>::fields_)>);
    static_assert(has_own_lines<decltype(shard::Reactor<K>::head_)>);
    static_assert(has_own_lines<decltype(shard::Reactor<K>::accept_armed_)>);
    static_assert(has_own_lines<decltype(shard::LaneEnd::deferred)>);
    static_assert(has_own_lines<decltype(shard::LaneEnd::runs)>);

public:
    // `slots_kept`: no worker writes into slots what cannot be.
    Audit(shard::Reactor<K>& reactor, bool slots_kept) : reactor_(reactor), slots_kept_(slots_kept) {}

    // The first thing that is wrong; empty: none.
    std::string run() {
        users_.assign(reactor_.segments_.count(), 0);
        linked_.assign(reactor_.exchanges_.capacity(), 0);
        backlogged_.assign(reactor_.exchanges_.capacity(), 0);
        walk_backlog();
        walk_connections();
        walk_exchanges();
        walk_lanes();
        walk_lists();
        check_memory();
        if constexpr (requires { reactor_.kernel_.owed(); }) check_in_flight();
        return problem_;
    }

    // For tests of the audit itself, which spoil what they find here.
    static auto& connections(shard::Reactor<K>& reactor) { return reactor.connections_; }
    static auto& exchanges(shard::Reactor<K>& reactor) { return reactor.exchanges_; }
    static auto& parts(shard::Reactor<K>& reactor) { return reactor.parts_; }
    static auto& uploads(shard::Reactor<K>& reactor) { return reactor.uploads_; }
    static auto& laneless(shard::Reactor<K>& reactor) { return reactor.laneless_; }

private:
    using Connection = shard::Connection;
    using Exchange = shard::Exchange;
    using Operation = io::Operation;
    using Stage = shard::Stage;
    using State = shard::ConnectionState;
    using Wait = shard::Wait;
    static constexpr std::uint32_t NONE = shard::NONE;
    static constexpr std::uint32_t SEGMENT = layout::SEGMENT_BYTES;

    void wrong(const std::string& what) {
        if (problem_.empty()) problem_ = "audit: " + what;
    }
    void expect(bool holds, const char* what, std::uint32_t index) {
        if (!holds && problem_.empty()) wrong(std::string(what) + " (" + std::to_string(index) + ")");
    }
    void expect_equal(std::uint64_t is, std::uint64_t found, const char* what) {
        if (is == found || !problem_.empty()) return;
        wrong(std::string(what) + ": " + std::to_string(is) + " are counted, " + std::to_string(found) + " found");
    }

    // --- memory ---
    void use_range(std::uint32_t offset, std::uint32_t length, const char* whose) {
        if (length == 0 || !reactor_.segments_.inside(offset, length)) {
            return wrong(std::string("memory outside the arena: ") + whose);
        }
        const std::uint32_t last = reactor_.segments_.segment_of(offset + length - 1);
        for (std::uint32_t s = reactor_.segments_.segment_of(offset); s <= last; ++s) ++users_[s];
    }
    void use(const shard::Hold& hold, const char* whose) {
        if (hold.kind == shard::HoldKind::segments) use_range(hold.offset, hold.length, whose);
        if (hold.kind == shard::HoldKind::block) blocks_ += hold.length;
        if (hold.kind == shard::HoldKind::date) ++dates_;
    }
    // Returns the last part.
    std::uint32_t walk_parts(std::uint32_t first) {
        std::uint32_t last = NONE;
        for (std::uint32_t i = first; i != NONE; i = reactor_.parts_[i].next) {
            if (i >= reactor_.parts_.capacity() || ++parts_ > reactor_.parts_.used()) {
                wrong("a part of an answer that is in two chains, or in a circle");
                return last;
            }
            use(reactor_.parts_[i].hold, "a part's");
            last = i;
        }
        return last;
    }

    void check_memory() {
        std::uint64_t held = 0;
        for (std::uint32_t s = 0; s < users_.size(); ++s) {
            const std::uint32_t users = reactor_.segments_[s].users;
            if (users != users_[s]) {
                wrong("segment " + std::to_string(s) + " counts " + std::to_string(users) + " users, there are " +
                      std::to_string(users_[s]));
            }
            held += users > 0;
        }
        expect_equal(reactor_.parts_.used(), parts_, "parts of answers");
        expect_equal(reactor_.vectors_.used(), vectors_, "arrays of vectored sends");
        expect_equal(reactor_.kept_dates_.users(), dates_, "users of kept dates");
        const memory::Arena& arena = reactor_.segments_.arena();
        const std::uint64_t lent = reactor_.kernel_.lent();
        expect_equal(arena.total_bytes(), arena.free_bytes() + (lent + held) * SEGMENT + blocks_,
                     "bytes of the arena (free, lent, in segments and in blocks)");
    }

    // --- connections and their order ---
    void walk_connections() {
        std::uint32_t used = 0;
        std::set<io::Socket> sockets;
        for (std::uint32_t i = 0; i < reactor_.connections_.reached(); ++i) {
            Connection& connection = reactor_.connections_[i];
            if (connection.state == State::free) continue;
            ++used;
            check_life(connection, i);
            walk_input(connection, i);
            walk_order(connection, i);
            expect(walk_parts(connection.output_first) == connection.output_last, "the end of an output", i);
            if (connection.head_block != NONE) blocks_ += connection.head_block_bytes;
            expect(connection.receive_into == (connection.block != NONE), "a run without its receive", i);
            if (connection.block != NONE) use_range(connection.block, connection.block_segments * SEGMENT, "a run's");
            vectors_ += connection.vector != NONE;
            expect(connection.send_armed || connection.vector == NONE, "an array without its send", i);
            expect(sockets.insert(connection.socket).second || connection.close_armed, "a socket of two", i);
            waiting_ += connection.wait != Wait::nothing;
            stalled_ += connection.stalled;
            dirty_ += connection.in_dirty;
            behind_ += connection.exchanges > 1 ? connection.exchanges - 1 : 0;
        }
        expect_equal(reactor_.connections_.used(), used, "connections");
    }
    // Who ends waits for the kernel alone, and who takes no further request for no slot: neither may ever come.
    void check_life(const Connection& connection, std::uint32_t index) {
        const bool in_flight = connection.receive_armed || connection.send_armed || connection.shutdown_armed ||
                               connection.close_armed || connection.in_dirty;
        expect(connection.state != State::closing || in_flight, "a connection that nothing will close", index);
        const bool takes = connection.state == State::open && !connection.close_after;
        expect(takes || !connection.waits_for_slot(), "who waits for a slot and will not take it", index);
    }
    void walk_input(const Connection& connection, std::uint32_t index) {
        std::uint32_t count = 0;
        std::uint32_t bytes = 0;
        std::uint32_t last = NONE;
        for (std::uint32_t s = connection.input_first; s != NONE; s = reactor_.segments_[s].next) {
            if (s >= users_.size() || ++count > users_.size()) return wrong("unread input in a circle");
            ++users_[s];
            bytes += std::uint32_t(reactor_.segments_[s].end - reactor_.segments_[s].begin);
            last = s;
        }
        expect(last == connection.input_last || last == NONE, "the end of unread input", index);
        expect(count == connection.input_segments && bytes == connection.input_bytes, "the unread input's size", index);
    }
    void walk_order(const Connection& connection, std::uint32_t index) {
        std::uint32_t count = 0;
        std::uint32_t last = NONE;
        for (std::uint32_t i = connection.first; i != NONE; i = reactor_.exchanges_[i].next) {
            if (i >= linked_.size() || ++count > linked_.size()) return wrong("an order in a circle");
            expect(++linked_[i] == 1, "a request in two orders", i);
            expect(reactor_.exchanges_[i].connection == index, "a request in another's order", i);
            last = i;
        }
        expect(last == connection.last, "the end of an order", index);
        expect(count == connection.exchanges, "the length of an order", index);
        if (connection.body == NONE) return;
        const Exchange& body = reactor_.exchanges_[connection.body];
        expect(body.body_open && body.connection == index, "a body that is not its connection's", index);
    }

    // --- slots ---
    void walk_backlog() {
        for (const layout::Entry& entry : reactor_.backlog_) {
            const std::uint32_t index = entry.head >> 8;
            const auto type = layout::EntryType(entry.head & 0xff);
            if (shard::is_body_part(type)) use_range(entry.argument, entry.argument2, "a body part's in the backlog");
            if (index >= backlogged_.size()) return wrong("a slot that does not exist in the backlog");
            const Exchange& exchange = reactor_.exchanges_[index];
            if (exchange.generation != entry.generation) continue;
            if (type == layout::EntryType::request) {
                expect(!queued_.contains(index), "a request that waits twice", index);
                queued_.insert(index);
            } else {
                ++backlogged_[index];
            }
        }
    }
    void walk_exchanges() {
        std::uint32_t used = 0;
        std::uint32_t streams = 0;
        std::uint32_t breaking_off = 0;
        std::uint32_t uploads = 0;
        for (std::uint32_t i = 0; i < reactor_.exchanges_.reached(); ++i) {
            const Exchange& exchange = reactor_.exchanges_[i];
            expect((linked_[i] != 0) == (exchange.linked && exchange.stage != Stage::free), "a request out of order",
                   i);
            if (exchange.stage == Stage::free) continue;
            ++used;
            streams += exchange.streams;
            breaking_off += exchange.broken_off;
            uploads += exchange.body_open;
            use(exchange.hold, "a request's");
            walk_parts(exchange.parts_first);
            check_owner(exchange, i);
        }
        expect_equal(reactor_.exchanges_.used(), used, "slots");
        expect_equal(reactor_.streams_, streams, "streamed answers");
        expect_equal(reactor_.breaking_off_, breaking_off, "answers that are being broken off");
        expect_equal(reactor_.uploads_, uploads, "uploads");
        expect_equal(reactor_.behind_, behind_, "requests behind others");
    }
    // ARCHITECTURE.md's table: who has it, and what says so.
    void check_owner(const Exchange& exchange, std::uint32_t index) {
        const bool read = exchange.body_open && exchange.connection != NONE &&
                          reactor_.connections_[exchange.connection].body == index;
        expect(exchange.body_open == read, "a body that nobody reads", index);
        expect(exchange.linked || exchange.lane_holds || read, "a slot without an owner", index);
        expect(exchange.stage != Stage::backlog || queued_.contains(index), "a request that nobody queues", index);
        if (exchange.stage == Stage::backlog) {
            expect(!exchange.lane_holds, "a waiting request that a lane has, too", index);
            expect(exchange.backlogged == backlogged_[index], "body parts that wait with their request", index);
        }
        if (exchange.lane_holds) {
            if (exchange.lane >= layout::MAX_LANES) return wrong("a slot in a lane that does not exist");
            ++held_[exchange.lane];
        }
        if (exchange.stage != Stage::lane) return;
        expect(exchange.lane_holds && exchange.linked, "a request in a lane that does not have it", index);
        if (!slots_kept_) return;
        const std::uint32_t word = shard::load_acquire(reactor_.region_.slot(index).state);
        const auto state = shard::SlotState(word & 0xff);
        expect(word >> 8 == exchange.generation, "a slot of another generation", index);
        expect(state == shard::SlotState::queued || state == shard::SlotState::started ||
                   state == shard::SlotState::streaming || state == shard::SlotState::answered,
               "a slot's state that its owner does not know", index);
    }

    // --- lanes ---
    void walk_lanes() {
        for (std::uint32_t l = 0; l < layout::MAX_LANES; ++l) {
            const shard::LaneEnd& lane = reactor_.lanes_[l];
            for (std::uint32_t s = 0; s < users_.size(); ++s) users_[s] += reactor_.segments_[s].body_parts[l];
            for (const shard::CreditRun& run : lane.runs) {
                expect(run.begin <= run.cursor && run.cursor <= run.end, "a run's cursor", l);
                for (std::uint32_t s = run.dropped; s < run.end / SEGMENT; ++s) {
                    ++users_[reactor_.segments_.segment_of(s * SEGMENT)];
                }
            }
            std::uint32_t kept_bytes = 0;
            for (const shard::KeptBody& kept : lane.kept) {
                if (kept.length == 0) continue;
                use_range(kept.offset, kept.length, "a kept body's");
                kept_bytes += reactor_.segments_.spanned(kept.offset, kept.length);
            }
            expect_equal(lane.kept_bytes, kept_bytes, "bytes of kept bodies");
            const bool ended = lane.state() == shard::LaneState::empty;
            if (!ended) expect_equal(lane.held, held_[l], "slots that a lane holds");
            expect(!ended || (lane.runs.empty() && held_[l] == 0 && kept_bytes == 0), "what an ended lane had", l);
        }
    }

    // --- lists ---
    void walk_list(const shard::WaitList& list, Wait wait) {
        std::uint32_t count = 0;
        std::uint32_t last = NONE;
        for (std::uint32_t i = list.first; i != NONE; i = reactor_.connections_[i].next_waiting) {
            expect(reactor_.connections_[i].wait == wait, "a connection on a list that it does not wait on", i);
            expect(reactor_.connections_[i].waiting_before == last, "the neighbour of one that waits", i);
            if (++count > list.count) return wrong("a list of those who wait that is longer than it says");
            last = i;
        }
        expect(last == list.last && count == list.count, "a list's end, of those who wait for", std::uint32_t(wait));
        on_lists_ += count;
    }
    void walk_lists() {
        walk_list(reactor_.starved_heads_, Wait::segment);
        walk_list(reactor_.starved_bodies_, Wait::body_segment);
        walk_list(reactor_.slotless_, Wait::slot);
        walk_list(reactor_.laneless_, Wait::lane_slot);
        walk_list(reactor_.newcomers_, Wait::new_slot);
        walk_list(reactor_.uploadless_, Wait::upload_slot);
        walk_list(reactor_.roomless_, Wait::room);
        walk_list(reactor_.turnless_, Wait::turn);
        walk_list(reactor_.unheard_, Wait::first_word);
        expect_equal(on_lists_, waiting_, "connections that wait");
        std::uint32_t count = 0;
        std::uint32_t before = NONE;
        for (std::uint32_t i = reactor_.stalled_.first; i != NONE; i = reactor_.connections_[i].stalled_next) {
            expect(reactor_.connections_[i].stalled_before == before, "the neighbour of one that stalls", i);
            if (++count > stalled_) break;
            before = i;
        }
        expect(before == reactor_.stalled_.last, "the end of those who stall", before);
        expect_equal(count, stalled_, "connections that stall");
        const auto walk_unsent = [&](const shard::WaitList& list, auto knows, auto next) {
            count = 0;
            for (std::uint32_t i = list.first; i != NONE && count <= list.count; i = next(reactor_.connections_[i])) {
                expect(knows(reactor_.connections_[i]), "a connection that waits to be sent to and does not know", i);
                ++count;
            }
            expect_equal(count, list.count, "connections that wait to be sent to");
        };
        walk_unsent(
            reactor_.unsent_, [](const auto& each) { return each.unsent; },
            [](const auto& each) { return each.next_unsent; });
        walk_unsent(
            reactor_.unsent_streams_, [](const auto& each) { return each.unsent_stream; },
            [](const auto& each) { return each.next_unsent_stream; });
        count = 0;
        for (std::uint32_t i = reactor_.dirty_; i != NONE; i = reactor_.connections_[i].next_dirty) {
            expect(reactor_.connections_[i].in_dirty, "a connection that is to be settled and does not know", i);
            if (++count > dirty_) break;
        }
        expect_equal(count, dirty_, "connections to be settled");
    }

    // --- the kernel ---
    void check_in_flight() {
        std::size_t owed = 0;
        const auto armed = [&](bool is, io::Token token, const char* what) {
            const std::size_t found = reactor_.kernel_.owed(token);
            expect(found == std::size_t(is), what, token.index);
            owed += is;
        };
        for (std::uint32_t i = 0; i < reactor_.connections_.reached(); ++i) {
            const Connection& connection = reactor_.connections_[i];
            if (connection.state == State::free) continue;
            const bool into = connection.receive_into;
            const auto token = [&](Operation operation) { return reactor_.token_of(connection, operation); };
            armed(connection.receive_armed && !into, token(Operation::receive), "a receive");
            armed(connection.receive_armed && into, token(Operation::receive_into), "a receive into a run");
            armed(connection.send_armed, token(Operation::send), "a send");
            armed(connection.shutdown_armed, token(Operation::shutdown), "a shutdown");
            armed(connection.close_armed, token(Operation::close), "a close");
            if (!connection.close_armed) expect(reactor_.kernel_.is_open(connection.socket), "a closed socket", i);
        }
        for (std::uint32_t i = 0; i < reactor_.accept_armed_.size(); ++i) {
            armed(reactor_.accept_armed_[i] != 0, {.index = i, .generation = 0, .operation = Operation::accept},
                  "an accept");
        }
        // Those for whom there was no room are closed under no name.
        owed += reactor_.kernel_.owed(io::Token{.index = NONE, .generation = 0, .operation = Operation::none});
        expect_equal(owed, reactor_.kernel_.owed(), "operations in flight");
    }

    shard::Reactor<K>& reactor_;
    bool slots_kept_;
    std::string problem_;
    std::vector<std::uint32_t> users_;  // of each segment, as found
    std::vector<std::uint32_t> linked_, backlogged_;
    std::set<std::uint32_t> queued_;
    std::uint32_t held_[layout::MAX_LANES] = {};
    std::uint64_t blocks_ = 0;
    std::uint32_t parts_ = 0, dates_ = 0, vectors_ = 0, waiting_ = 0, on_lists_ = 0, stalled_ = 0, dirty_ = 0,
                  behind_ = 0;
};

// The first thing that does not add up in a reactor; empty: none.
template <class K>
std::string audit(shard::Reactor<K>& reactor, bool slots_kept = true) {
    return Audit<K>(reactor, slots_kept).run();
}

}  // namespace pinion::test
