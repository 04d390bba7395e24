// The reactor: the state machine of one shard. It is not a thread: it advances by turns, run by whoever holds the
// baton. Nothing in here blocks, waits or locks.
//
// The members are declared here; their bodies stand in the order in which a request meets them:
//   reactor_turn.hpp        one turn
//   reactor_accept.hpp      listeners, new connections
//   reactor_connection.hpp  the life of a connection, its time-outs
//   reactor_receive.hpp     what has been received
//   reactor_waiting.hpp     who waits for a segment, a slot, room, the next turn
//   reactor_stalled.hpp     clients that take nothing, and what gives way
//   reactor_input.hpp       heads
//   reactor_body.hpp        bodies
//   reactor_admission.hpp   which requests are taken, and how much of the arena one may hold
//   reactor_request.hpp     routes
//   reactor_own_answers.hpp fixed answers, refusals
//   reactor_lanes.hpp       what crosses to the workers and back
//   reactor_answers.hpp     what the workers answer
//   reactor_kept.hpp        bodies that are kept for the workers' next answers
//   reactor_lane_life.hpp   lanes come and go
//   reactor_output.hpp      answers in order, sends
#pragma once

#include <array>
#include <deque>
#include <memory>
#include <string>
#include <string_view>

#include "base/cache_line.hpp"
#include "base/timer_wheel.hpp"
#include "http/encoder.hpp"
#include "http/head.hpp"
#include "http/router.hpp"
#include "io/kernel.hpp"
#include "shard/access_log.hpp"
#include "shard/address_table.hpp"
#include "shard/kept_dates.hpp"
#include "shard/lane.hpp"
#include "shard/records.hpp"
#include "shard/region.hpp"
#include "shard/segments.hpp"
#include "shard/settings.hpp"

namespace pinion::test {
template <class K>
class Audit;  // native/test/shard/audit.hpp: what a test checks of a reactor between its steps
}

namespace pinion::shard {

using layout::SlotState;

struct Counters {
    std::uint64_t accepted = 0;
    std::uint64_t requests = 0;
    std::uint64_t refused = 0;  // answered with a 4xx or 5xx of the reactor's own
    std::uint64_t turns[2] = {0, 0};
};

struct Clock {
    std::uint64_t now_ms = 0;  // monotonic
    double now_ns = 0;
};

// What is known of a queue: when it was last seen empty and when it last moved, and how many had been taken by then.
struct QueueWatch {
    std::uint64_t empty_ms = 0, moved_ms = 0;
    std::uint64_t longest_ms = 0;  // without a move, since it was empty
    std::uint32_t empty_taken = 0, taken = 0;
    bool overloaded = false;
    std::uint64_t overloaded_ms = 0;  // when it last was not
};

// When the oldest requests that wait for their handlers came, nanoseconds; 0: none waits.
struct Oldest {
    double proven_ns = 0, newcomer_ns = 0;
};

// What a turn may still do for connections that have not taken an answer yet.
struct NewcomersLeft {
    std::uint32_t first_words = 0, output_bytes = 0;
};

template <class K>
class Reactor {
public:
    Reactor(Settings&& settings, K& kernel) : settings_(std::move(settings)), kernel_(kernel) {}

    // Maps memory, compiles routes. Empty: done; else what failed.
    std::string open();
    // The kernel can be opened between open() and this: accepts from now on.
    void start();
    // One bounded pass over everything that is due. True: more is waiting.
    bool turn(io::Driver driver);
    // The second half of a turn: what the lanes have answered goes out.
    void flush(io::Driver driver);

    // Milliseconds until the next time-out; -1: none.
    std::int64_t next_timeout_ms() const;
    std::uint64_t next_deadline_ms() const;  // the same, as CLOCK_MONOTONIC milliseconds; UINT64_MAX: none
    bool has_responses() const;              // any thread
    // Requests wait for the next turn, and nothing else may bring it about.
    bool turn_owed() {
        return turnless_.first != NONE || unheard_.first != NONE || unsent_.first != NONE ||
               (unsent_streams_.first != NONE && lane_is_open_to_newcomers()) || slot_waiter_may_go();
    }
    bool idle() const { return exchanges_.used() == 0; }

    // --- commands, with the baton ---
    std::int32_t reserve_lane();
    // `by_handler`: the methods that the worker's handlers answer, by Slot.handler; empty: it does not say.
    void go_live(std::uint32_t lane, const std::vector<http::MethodSet>& by_handler = {});
    // Its thread may still be writing: started requests get 502, queued ones wait for the next lane.
    void quarantine_lane(std::uint32_t lane);
    // Its thread has ended: everything that it held comes back.
    void release_lane(std::uint32_t lane);
    void drain();
    void reset_unfinished();
    bool drained() const { return draining_ && connections_.used() == 0; }
    // From the lane's own thread: sends what comes next of the body of a streamed answer of known length, from memory
    // that stays the lane's. Bytes that the socket took: 0 if it is full, NOT_NOW if something comes first.
    static constexpr std::int32_t NOT_NOW = -1;
    std::int32_t send_now(std::uint32_t lane, std::uint32_t slot, std::uint32_t generation, const void* data,
                          std::size_t length);
    int remote_address(std::uint32_t slot, std::uint32_t generation, sockaddr_storage* address);

    Region& region() { return region_; }
    LaneEnd& lane(std::uint32_t index) { return lanes_[index]; }
    std::uint32_t live_lane() const { return live_; }
    const Settings& settings() const { return settings_; }
    const Counters& counters() const { return counters_; }
    K& kernel() { return kernel_; }
    Segments& segments() { return segments_; }
    std::uint32_t lent_max() const { return lent_max_; }  // segments lent to the kernel at a time
    std::uint32_t connection_count() const { return connections_.used(); }
    std::uint32_t slots_used() const { return exchanges_.used(); }
    std::uint32_t parts_used() const { return parts_.used(); }
    std::uint32_t lane_segments() const;
    bool nobody_stalls() const { return stalled_.first == NONE && streams_ == 0 && breaking_off_ == 0; }
    std::uint32_t queued() const;
    bool draining() const { return draining_; }
    // A lane wrote something that cannot be: its worker has to be replaced.
    bool lane_broken(std::uint32_t lane) const { return broken_lanes_ & (1u << lane); }
    std::uint32_t broken_lanes() const { return broken_lanes_; }
    const char* why_broken(std::uint32_t lane) const { return why_broken_[lane]; }
    // Its workers end again and again: health says so.
    void set_crash_loop(bool stands) { crash_loop_ = stands; }

private:
    friend class test::Audit<K>;
    using Token = io::Token;
    using Operation = io::Operation;

    // --- reactor_turn.hpp ---
    void read_clock();
    void finish_turn();
    bool lane_is_crowded();
    void serve_waiting();
    bool send_lone();
    void settle_marked();
    void lend_segments();
    // Each holds 18 bytes of the arena at least, but for what stands between bodies, and for kept bodies, each behind a
    // head of its own; and an answer for which there is no memory has three, behind a 100. The table is touched as it
    // is used.
    std::uint32_t most_parts() const {
        return settings_.limits.arena_bytes / 16 + (settings_.limits.slots + settings_.limits.connections) * 4;
    }

    // --- reactor_accept.hpp ---
    void arm_accept(std::uint32_t listener);
    void accepted(const io::Completion& completion);
    bool begin_connection(io::Socket socket, std::uint32_t listener);
    void accept_waiting(std::uint32_t listener);
    void stop_accepting();
    void close_listener(std::uint32_t listener);
    int peer_address(Connection& connection);

    // --- reactor_connection.hpp ---
    Connection* find(Token token);
    Token token_of(const Connection& connection, Operation operation) const;
    std::uint32_t index_of(const Connection& connection) const { return std::uint32_t(&connection - &connections_[0]); }
    void mark(Connection& connection);
    void settle(Connection& connection);
    void linger(Connection& connection);
    void terminate(Connection& connection, bool reset);
    void close_when_quiet(Connection& connection);
    void closed(Connection& connection);
    bool client_is_slow(const Connection& connection) const;
    std::uint64_t write_look_ms(const Connection& connection) const;
    bool hears_nothing(const Connection& connection) const;
    bool look_at_peer(Connection& connection);
    void time_out_behind(Connection& connection);
    void time_out(Exchange& exchange);
    bool client_takes(Connection& connection);
    std::uint64_t deadline_of(const Connection& connection) const;
    void expired(std::uint32_t index);

    // --- reactor_receive.hpp ---
    void received(const io::Completion& completion);
    void received_into(Connection& connection, std::int32_t result);
    void stream_ended(Connection& connection);
    void tell_half_close(Connection& connection, std::uint32_t but);
    bool wants_input(const Connection& connection) const;
    void arm_receive(Connection& connection);
    bool receive_run(Connection& connection, std::uint32_t most_segments);
    bool receive_from_reserve(Connection& connection);
    void pause_receive(Connection& connection);
    void keep_run(Connection& connection, std::uint32_t run, std::uint32_t bytes, std::uint32_t length);
    void append_input(Connection& connection, std::uint32_t segment, std::uint32_t length);
    void drop_front(Connection& connection);
    void drop_input(Connection& connection);

    // --- reactor_waiting.hpp ---
    void append(WaitList& list, Connection& connection, std::uint32_t Connection::*link);
    WaitList& list_of(Wait what);
    void wait_on(Connection& connection, Wait what);
    void stop_waiting(Connection& connection);
    Connection& waited(std::uint32_t index);
    Connection& next_of(const WaitList& list);
    void wait_for_segment(Connection& connection);
    void serve_starved();
    void wait_for_slot(Connection& connection, Wait what);
    void serve_lane_waiter(std::uint32_t index);
    std::uint32_t slot_waiters() const { return laneless_.count + newcomers_.count + uploadless_.count; }
    double waiting_since_ns(const Connection& connection) const;
    bool slot_waiter_may_go();
    void slot_came_back();
    void wait_for_room(Connection& connection);
    void room_came_back();
    void turn_came();

    // --- reactor_newcomers.hpp ---
    void newcomers_turn();
    bool hear(Connection& connection);
    bool may_send(Connection& connection);
    bool newcomers_slot_is_free() const;
    bool lane_is_open_to_newcomers();
    void newcomer_enters(const LaneEnd& lane);
    bool has_new_slot();

    // --- reactor_stalled.hpp ---
    std::uint64_t stall_ms() const;
    std::uint64_t taken_bytes(const Connection& connection) const;
    void stall(Connection& connection);
    void unstall(Connection& connection);
    std::uint32_t slots_wanted() const;
    bool memory_short() const;
    void break_off_stalled();
    void break_off_slow_upload();
    std::uint64_t next_break_off_ms() const;

    // --- reactor_input.hpp ---
    void read_input(Connection& connection);
    bool read_proxy_header(Connection& connection, SegmentRecord& piece);
    bool read_head(Connection& connection, SegmentRecord& piece, std::uint32_t segment);
    bool read_head_block(Connection& connection, SegmentRecord& piece);
    bool save_partial_head(Connection& connection, const char* bytes, std::uint32_t length);
    void head_waits(Connection& connection, SegmentRecord& piece, std::uint32_t consumed, Wait what);
    bool take_up_head(Connection& connection, SegmentRecord& piece);
    enum class Sender : std::uint8_t { there, ended_early, gone };
    Sender sender_of(const Connection& connection, const http::Head& head) const;
    bool begin_from_block(Connection& connection, const http::Head& head, SegmentRecord& piece);
    Hold leave_head_block(Connection& connection);
    void drop_head_block(Connection& connection);
    http::HeadLimits head_limits() const;

    // --- reactor_body.hpp ---
    bool read_body(Connection& connection, char* bytes, std::uint32_t length, std::uint32_t& consumed);
    void body_complete(Exchange& exchange);
    void close_body(Exchange& exchange);
    void body_broke_off(Connection& connection);
    void stop_reading(Connection& connection, Exchange& exchange);
    void break_body_off(Connection& connection, Exchange& exchange);
    void body_too_slow(Connection& connection);
    void not_the_client(Exchange& exchange);
    bool body_room(const Exchange& exchange);
    void push_body(Exchange& exchange, EntryType type, std::uint32_t offset, std::uint32_t length);
    void push_body_end(Exchange& exchange, bool broken);
    void take_consumed(LaneEnd& lane, const layout::Entry& entry);
    void count_body_part(std::uint32_t offset, std::uint32_t length, std::uint32_t lane, int change);
    bool has_body_part(std::uint32_t lane, std::uint32_t offset, std::uint32_t length);

    // --- reactor_admission.hpp ---
    void observe_queues();
    void observe(QueueWatch& queue, double oldest_ns, bool moves, std::uint32_t taken, std::uint32_t waiting);
    Oldest oldest_waiting();
    bool too_long(const QueueWatch& queue, std::uint32_t waiting, std::uint32_t quarters) const;
    bool overloaded_for(const Connection& connection) const;
    bool slots_move() const;
    void shed(LaneEnd& lane);
    void shed_newcomers();
    Wait slot_for(const Connection& connection, const http::Head& head, const char* base, std::uint32_t slot,
                  std::uint32_t behind);
    std::uint32_t native_slots() const;
    bool has_lane_slot() const;
    bool has_slot_for(const Connection& connection);
    bool has_upload_slot() const;
    bool upload_slot_wanted() const;
    bool admit_address(Connection& connection);
    bool admit_rate(Connection& connection);
    std::uint32_t share() const { return share(reserve_); }
    std::uint32_t share(std::uint32_t kept) const;
    bool input_full(const Connection& connection) const;
    bool output_full(const Connection& connection) const;
    bool body_full(const Exchange& exchange) const;
    bool room_behind() const;
    bool may_grow(const Connection& connection, std::uint32_t length) const;

    // --- reactor_request.hpp ---
    std::uint32_t begin_exchange(Connection& connection);
    Exchange& unlink_first(Connection& connection);
    void end_with(Exchange& exchange);
    void begin_request(Connection& connection, std::uint32_t index, const http::Head& head, char* base, Hold hold,
                       SegmentRecord& piece);
    void begin_body(Connection& connection, std::uint32_t index, const http::Head& head, char* base, Hold hold,
                    SegmentRecord& piece);
    void answer_without_route(Exchange& exchange, const http::Match& match, const http::Head& head,
                              std::string_view path);
    void fill_slot(std::uint32_t index, const http::Head& head, const char* base, const http::Match& match);
    std::uint32_t handler_timeout(const Exchange& exchange) const;
    void release(Exchange& exchange);
    std::uint32_t index_of(const Exchange& exchange) const { return std::uint32_t(&exchange - &exchanges_[0]); }

    // --- reactor_own_answers.hpp ---
    void answer_natively(Exchange& exchange, std::uint16_t status, std::string_view fields, std::string_view body,
                         layout::ContentType type = layout::ContentType::text_plain);
    bool write_natively(Exchange& exchange, std::uint16_t status, std::string_view fields, std::string_view body,
                        layout::ContentType type);
    void answer_status(Exchange& exchange, std::uint16_t status, bool close = false);
    struct Text {
        std::string_view bytes;
        Hold hold;
    };
    std::array<Text, 3> texts_of(std::uint16_t status);
    void answer_in_texts(Exchange& exchange, std::uint16_t status);
    void refuse(Connection& connection, std::uint16_t status);
    void refuse_without_slot(Connection& connection, std::uint16_t status);

    // --- reactor_lanes.hpp ---
    LaneEnd* live();
    void push(std::uint32_t lane, EntryType type, const Exchange& exchange, std::uint32_t argument = 0);
    void push_deferred(LaneEnd& lane);
    void enqueue(Exchange& exchange, std::uint32_t index);
    void serve_backlog();
    bool abandon(Exchange& exchange, layout::AbortReason reason);
    void read_lanes();
    void read_entry(LaneEnd& lane, const layout::Entry& entry);
    void given_back(LaneEnd& lane, Exchange& exchange);
    bool claim_range(LaneEnd& lane, std::uint32_t begin, std::uint32_t end);
    void drop_run(CreditRun& run, std::uint32_t until_segment);
    void break_lane(LaneEnd& lane, const char* what);
    void grant_credits(LaneEnd& lane);

    // --- reactor_answers.hpp ---
    void take_fields(LaneEnd& lane, const Exchange& exchange, const layout::Entry& entry);
    bool copy_fields(LaneEnd& lane, const Exchange& exchange, bool before, std::uint32_t offset, std::uint32_t length);
    void take_answer(LaneEnd& lane, Exchange& exchange, const layout::Entry& entry);
    bool add_head(Exchange& exchange, const http::ResponseHead& head, std::string_view behind);
    void answer_without_head(LaneEnd& lane, Exchange& exchange, bool last);
    void take_part(LaneEnd& lane, Exchange& exchange, const layout::Entry& entry);
    bool claim_part(LaneEnd& lane, std::uint32_t offset, std::uint32_t length);
    void take_end(LaneEnd& lane, Exchange& exchange, const layout::Entry& entry);
    void add_last_chunk(Exchange& exchange, std::uint32_t offset);
    void take_fail(LaneEnd& lane, Exchange& exchange);
    void break_off(LaneEnd& lane, Exchange& exchange, bool last);

    // --- reactor_kept.hpp ---
    void take_keep(LaneEnd& lane, const layout::Entry& entry);
    void drop_kept(LaneEnd& lane, KeptBody& kept);
    void add_kept(Exchange& exchange, const KeptBody& kept);

    // --- reactor_lane_life.hpp ---
    void narrow_routes(const std::vector<http::MethodSet>& by_handler);
    void requeue(LaneEnd& lane);

    // --- reactor_output.hpp ---
    void add_part(Exchange& exchange, const char* data, std::uint32_t length, Hold hold,
                  std::uint32_t stream_bytes = 0);
    void advance_order(Connection& connection);
    void drop_later(Connection& connection);
    void send_output(Connection& connection);
    void sent(Connection& connection, std::int32_t result);
    void stream_left(const Part& part);
    void drop_part(std::uint32_t index);
    void drop_parts(std::uint32_t first);
    void give_hold(Hold hold);
    void log_access(Connection& connection, const Exchange& exchange, bool aborted);

    static constexpr std::uint32_t BATCH = 128;            // completions of a turn
    static constexpr std::uint32_t BATCH_CROWDED = 16;     // the same, while the lane is crowded
    static constexpr std::uint32_t PIPELINED_MAX = 1024;   // begun in a turn, beside the first of each connection
    static constexpr std::uint32_t NEWCOMERS = 8;          // whose first words are heard in a turn
    static constexpr std::uint32_t NEWCOMERS_WAITING = 4;  // on the lane: then their requests and streams wait
    static constexpr std::uint32_t NEWCOMERS_EVERY = 2;    // entries taken, one of theirs comes all the same
    static constexpr std::uint32_t NEWCOMERS_OUTPUT = 128 * 1024;  // bytes that a turn sends to them
    static constexpr std::uint32_t NEWCOMERS_SENDS = 8;            // or in so many sends
    static constexpr std::uint32_t EXPIRIES = 64;                  // of deadlines, in a turn
    static constexpr std::uint32_t EXPIRIES_CROWDED = 4;           // the same, while the lane is crowded
    static constexpr std::uint32_t LENT_START = 64;
    static constexpr std::uint32_t LENT_MAX = 1024;
    static constexpr std::uint32_t LARGE_BODY_BYTES = 64 * 1024;
    static constexpr std::uint32_t BODY_HELD_MAX = 128 * 1024;        // of one request, unread by its handler
    static constexpr std::uint32_t ENTRIES_WAITING = 32;              // on the lane: it is crowded
    static constexpr std::uint32_t DISCARD_MAX = 256 * 1024;          // of a body that nobody wants; beyond: close
    static constexpr std::uint32_t OUTPUT_HIGH_WATER = 256 * 1024;    // unsent: no further request is read
    static constexpr std::uint32_t STREAM_WINDOW_BYTES = 128 * 1024;  // unsent of one streamed answer
    static constexpr std::uint32_t BANDED_SEGMENTS = 256;             // arenas of fewer have one reserve for all
    static constexpr std::uint32_t KEPT_PART = 32;                    // of the arena: one lane's kept bodies
    static constexpr std::uint16_t STATUS_CLIENT_GONE = 499;  // in the access log only: there was nobody to answer
    static constexpr std::uint32_t SHARE = 16;                // one may hold that part of what is free
    static constexpr std::uint32_t BEHIND_SEGMENTS = 4;       // that an answer behind another may hold
    static constexpr std::uint32_t NATIVE_SLOTS = 16;         // that part of the slots is kept from handlers
    static constexpr std::uint32_t PROVEN_SLOTS = 8;          // and that part from those who have not proven themselves
    static constexpr std::uint32_t UPLOAD_SLOTS = 2;      // that part of the slots is for requests that still arrive
    static constexpr std::uint32_t YOUNG_QUEUE_MS = 100;  // and fewer taken: its pace says nothing yet
    static constexpr std::uint32_t YOUNG_QUEUE_TAKEN = 16;
    static constexpr std::uint32_t OLDEST_LOOKS = 16;     // at entries on the lane, for the oldest of both kinds
    static constexpr std::uint32_t ACCEPT_MARGIN = 1024;  // nearer to the limit, connections are accepted one by one
    static constexpr std::uint32_t LINGER_BYTES = 256 * 1024;
    static constexpr std::uint32_t LINGER_MS = 2000;
    static constexpr std::uint32_t STALL_PART = 30;     // of timeouts.write: output that waits so long has stalled
    static constexpr std::uint32_t STALLED_LOOKS = 16;  // at such, in a turn
    static constexpr std::uint32_t WANTED_BYTES_PER_SECOND = 16 * 1024;  // of an upload while others wait to begin
    static constexpr std::uint32_t WANTED_PAUSE_MS = 5000;
    static constexpr std::uint32_t WANTED_DEBT_MS = 20000;  // for what it brought too little before, at the most
    static constexpr std::uint32_t UPLOAD_LOOK_MS = 50;
    static constexpr std::uint32_t LOOK_MS = 1000;  // between looks at a client of whom no operation would tell
    static constexpr std::uint32_t ACCEPT_RETRY_MS = 100;
    static constexpr std::uint32_t SUBMIT_RETRY_MS = 10;
    static constexpr std::uint32_t DRAIN_IDLE_MS = 1000;  // an idle client's chance to send what is on its way

    Settings settings_;
    K& kernel_;
    Region region_;
    Segments segments_;
    Table<Connection> connections_;
    Table<Exchange> exchanges_;
    Table<Part> parts_;
    Table<Vector> vectors_;
    Table<PeerAddress> addresses_;  // by connection
    std::unique_ptr<AccessLog> log_;
    base::TimerWheel timers_;
    http::Router router_;
    http::DateLine date_;
    KeptDates kept_dates_;
    LaneEnd lanes_[layout::MAX_LANES];
    std::uint32_t live_ = NONE;
    std::uint32_t broken_lanes_ = 0;
    const char* why_broken_[layout::MAX_LANES] = {};
    base::OwnDeque<layout::Entry> backlog_;  // for the next live lane, in order
    base::OwnString fields_;                 // of the answer that is being taken
    base::OwnString head_;                   // of it, where memory is in pieces

    Clock clock_;
    Counters counters_;
    io::Driver driver_ = io::Driver::stand_in;
    std::uint32_t lent_target_ = LENT_START;
    std::uint32_t lent_max_ = LENT_MAX;
    std::uint32_t reserve_ = 1;        // segments that clients do not get to hold more than a little each
    std::uint32_t input_reserve_ = 1;  // of these, those that are never lent for input
    std::uint32_t run_segments_ = 1;
    std::uint32_t run_target_max_ = 2;
    std::uint32_t kept_bytes_max_ = 0;
    std::uint32_t dirty_ = NONE;
    WaitList starved_heads_, starved_bodies_, slotless_, laneless_, newcomers_, uploadless_, roomless_, turnless_;
    WaitList unheard_;
    WaitList unsent_, unsent_streams_;
    StalledList stalled_;
    std::uint32_t uploads_ = 0;       // requests in flight whose body has not been read to its end
    std::uint32_t streams_ = 0;       // answers that come in parts and have begun
    std::uint32_t breaking_off_ = 0;  // slots of stalled answers that the lanes have not given back yet
    std::uint32_t turn_ = 0;
    std::uint32_t pipelined_left_ = 0;     // of PIPELINED_MAX, in this turn
    NewcomersLeft newcomers_left_;         // in this turn
    std::uint32_t newcomer_next_ = 0;      // may enter the lane when so many have been taken
    std::uint32_t newcomers_entered_ = 0;  // with requests, ever
    std::uint32_t behind_ = 0;             // requests in flight that are not the first of their connection
    AddressTable clients_;
    QueueWatch queue_, newcomer_queue_;
    bool shedding_ = false;              // newcomers that have waited for too long
    std::uint64_t upload_look_ms_ = 0;   // the next look for a slow upload, if others wait
    std::uint64_t accept_retry_ms_ = 0;  // after EMFILE; 0: not waiting
    base::OwnVector<std::uint8_t> accept_armed_;
    bool draining_ = false;
    bool crash_loop_ = false;
    io::Completion completions_[BATCH];
};

}  // namespace pinion::shard

#include "shard/reactor_accept.hpp"       // IWYU pragma: export
#include "shard/reactor_admission.hpp"    // IWYU pragma: export
#include "shard/reactor_answers.hpp"      // IWYU pragma: export
#include "shard/reactor_body.hpp"         // IWYU pragma: export
#include "shard/reactor_connection.hpp"   // IWYU pragma: export
#include "shard/reactor_input.hpp"        // IWYU pragma: export
#include "shard/reactor_kept.hpp"         // IWYU pragma: export
#include "shard/reactor_lane_life.hpp"    // IWYU pragma: export
#include "shard/reactor_lanes.hpp"        // IWYU pragma: export
#include "shard/reactor_newcomers.hpp"    // IWYU pragma: export
#include "shard/reactor_output.hpp"       // IWYU pragma: export
#include "shard/reactor_own_answers.hpp"  // IWYU pragma: export
#include "shard/reactor_receive.hpp"      // IWYU pragma: export
#include "shard/reactor_request.hpp"      // IWYU pragma: export
#include "shard/reactor_stalled.hpp"      // IWYU pragma: export
#include "shard/reactor_turn.hpp"         // IWYU pragma: export
#include "shard/reactor_waiting.hpp"      // IWYU pragma: export
