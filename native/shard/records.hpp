// The reactor's own records: connections, exchanges, parts of answers. They are touched only with the baton and lie
// outside every mapping that JavaScript sees.
#pragma once

#include <netinet/in.h>
#include <sys/uio.h>
#include <cstdint>

#include "http/chunked.hpp"
#include "http/head.hpp"
#include "io/kernel.hpp"
#include "shard/table.hpp"

namespace pinion::shard {

// What a range of memory is given back to.
enum class HoldKind : std::uint8_t { none, segments, block, date };

struct Hold {
    std::uint32_t offset = 0;  // region offset; of a date its number
    std::uint32_t length = 0;
    HoldKind kind = HoldKind::none;
};

// A contiguous piece of an answer on its way out, in order.
struct Part {
    const char* data;
    std::uint32_t length;
    std::uint32_t next;
    Hold hold;               // given back when the last byte has left
    std::uint32_t exchange;  // whose stream it belongs to, for `writable`; NONE: nobody asks
    std::uint32_t generation;
    std::uint32_t stream_bytes;
};

enum class ConnectionState : std::uint8_t {
    free,
    open,       // reads requests, answers them
    finishing,  // reads no further request; what has been asked is answered, then it lingers
    lingering,  // the write side is shut, what still arrives is dropped within a bound
    closing,    // its operations are being ended; the socket closes when none is in flight
};

// What a connection waits for: one thing at a time.
enum class Wait : std::uint8_t {
    nothing,
    segment,       // to receive into: it met ENOBUFS
    body_segment,  // the same, and a body is being read
    first_word,    // to be received from for the first time: this turn has listened to as many newcomers as it may
    slot,          // for its next request
    lane_slot,     // its next request is for a handler, and the slots that are left are kept for what needs none
    new_slot,      // the same, and it has not proven itself: a part of what is left is kept from it
    upload_slot,   // its next request's body still arrives, and as many others' do as may at a time
    room,          // for its body, on the way to the lane
    turn,          // its next request: this turn has begun as many pipelined ones as it may
};

// Connections that wait for the same, first in, first out; or that leave before their turn.
struct WaitList {
    std::uint32_t first = NONE;
    std::uint32_t last = NONE;
    std::uint32_t count = 0;
};

// Connections whose output waits for the client, the one that has stalled longest first. Any of them may leave: each
// knows both of its neighbours.
struct StalledList {
    std::uint32_t first = NONE;
    std::uint32_t last = NONE;
};

struct Connection {
    io::Socket socket;
    std::uint32_t next;  // free list
    std::uint32_t generation;
    ConnectionState state;

    // In flight, true exactly when the kernel owes us a completion of it.
    bool receive_armed : 1;
    bool receive_stream : 1;     // the armed receive is a stream
    bool heard : 1;              // it has been received from, or is about to be
    bool streams : 1;            // its next receive may be one: its last request had no large body
    bool receive_into : 1;       // the armed receive has the run `block`
    bool receive_cancelled : 1;  // its end has been asked for
    bool send_armed : 1;
    bool send_cancelled : 1;
    bool shutdown_armed : 1;
    bool close_armed : 1;

    bool peer_closed : 1;  // the end of the client's stream has been read
    bool in_dirty : 1;     // on the list of connections that the end of the turn looks at
    bool close_after : 1;  // lingers once the output is empty
    bool head_begun : 1;
    bool head_complete : 1;   // all of a head is in head_block; it waits for a slot
    bool proxy_expected : 1;  // a PROXY protocol header comes first
    bool has_address : 1;     // PeerAddress is known
    bool counted : 1;         // among its address's connections
    bool reset : 1;           // closes with a reset: the client must see that the answer broke off
    bool proven : 1;          // its client has taken an answer, and none has stalled since
    bool stalled : 1;         // on the list of those whose output waits for the client
    bool unsent : 1;          // on the list of those whose output waits for a turn
    bool unsent_stream : 1;   // on that of those whose stream does

    Wait wait;  // the list that it is on
    std::uint32_t next_dirty;
    std::uint32_t next_waiting, waiting_before;
    std::uint32_t next_unsent, next_unsent_stream;

    // Unread input, a chain of segments; and its bytes.
    std::uint32_t input_first, input_last, input_bytes, input_segments;
    // A head that has not ended yet, or waits for a slot: a contiguous block and the bytes in it.
    std::uint32_t head_block, head_block_bytes, head_length;
    // The run that receive_into writes to; or the array of a vectored send.
    std::uint32_t block, block_segments;
    std::uint32_t vector;

    // Requests in order: first is the one whose answer leaves next; body is the one whose body is being read.
    std::uint32_t first, last, body;
    std::uint32_t exchanges;
    std::uint32_t turn;  // the last one that has begun a request of it
    // Parts that are being sent, and those behind them.
    std::uint32_t output_first, output_last;
    std::uint32_t output_bytes;

    std::uint32_t drained;  // bytes dropped while lingering
    std::uint32_t listener;
    std::uint64_t deadline_ms;        // of the head, the idle time or the lingering: what `state` waits for
    std::uint64_t behind_ms;          // no request behind the first has to be answered before
    std::uint64_t look_ms;            // the next look at whether the client is there; 0: an operation would tell
    std::uint64_t write_deadline_ms;  // the next look at whether the client takes what is sent; 0: no output
    std::uint64_t sent_bytes;         // ever
    std::uint64_t received_bytes;     // of these, by the client, at the last look; UINT64_MAX: not looked yet

    // Its place among those who stall: since when, and what its client had received by then.
    std::uint32_t stalled_next, stalled_before;
    std::uint64_t stalled_ms, stalled_bytes;

    bool waits_for_segment() const { return wait == Wait::segment || wait == Wait::body_segment; }
    bool has_input() const { return input_first != NONE || head_complete; }
    bool waits_for_slot() const {
        return wait == Wait::slot || wait == Wait::lane_slot || wait == Wait::new_slot || wait == Wait::upload_slot;
    }
};

enum class Stage : std::uint8_t {
    free,
    native,   // the reactor answers it
    backlog,  // waits for a lane
    lane,     // pushed to a lane
    ended,    // its answer is on its way or dropped; the record stays for its body or its lane
};

// One request and its answer: the private twin of the slot with the same index.
struct Exchange {
    std::uint32_t next;  // of its connection, or free list
    std::uint32_t connection;
    std::uint32_t generation;  // of the slot, 24 bits
    std::uint32_t lane;
    Stage stage;

    bool lane_holds : 1;   // the lane has to give the slot back
    bool begun : 1;        // the head of its answer has been encoded
    bool complete : 1;     // the last part of its answer is there
    bool linked : 1;       // in its connection's order
    bool waited : 1;       // for a slot: it is not refused for having waited
    bool newcomer : 1;     // on the lane by the part that newcomers have of it
    bool keep_alive : 1;   // what the request asked for
    bool close_after : 1;  // the connection closes after its answer
    bool is_head : 1;
    bool chunked_out : 1;
    bool until_close : 1;      // an HTTP/1.0 answer without a length: the close ends it
    bool body_open : 1;        // its body has not been read to the end
    bool body_discard : 1;     // nobody wants the rest of it
    bool body_end_owed : 1;    // bodyEnd could not be pushed yet
    bool expect_continue : 1;  // the client waits for a 100
    bool routed : 1;           // `route` names its route
    bool want_continue : 1;    // the handler has asked for the body
    bool streams : 1;          // its answer comes in parts: counted in streams_
    bool broken_off : 1;       // its client stalled: counted in breaking_off_ until the slot is back
    bool half_close_told : 1;  // to its handler
    std::uint8_t minor_version;
    http::Framing framing;

    Hold hold;  // the memory that its head lies in
    std::uint32_t parts_first, parts_last;
    std::uint32_t answer_begin, answer_end;  // the range that the lane may use behind the request
    std::uint32_t target_offset;             // region offset; valid while `hold` is, for the access log
    std::uint16_t target_length;
    http::Method method;
    std::uint32_t body_held;   // bytes of segments with body parts that the lane has not consumed
    std::uint32_t backlogged;  // entries of its body in the backlog
    std::uint16_t status;
    std::uint16_t route;
    std::uint64_t answer_bytes;  // of the answer's body so far
    double received_ns;
    double begun_ns;               // when its answer began, if it has
    std::uint64_t answer_left;     // bytes that a length-delimited answer still owes
    std::uint64_t body_remaining;  // framing == length
    std::uint64_t body_received;
    std::uint64_t body_limit;
    std::uint64_t body_deadline_ms;
    std::uint64_t wanted_deadline_ms;  // the same, while other uploads wait to begin
    std::uint64_t body_moved_ms;       // when its last part came; or later: until then it was held back
    std::uint64_t deadline_ms;
    http::ChunkedDecoder decoder;
};

// Of connections whose address was asked for or came with a PROXY protocol header.
struct PeerAddress {
    std::uint32_t next;
    sockaddr_in6 address;  // or a sockaddr_in
};

inline constexpr unsigned VECTOR_PARTS = 32;

// The array of one vectored send: it lives until the completion.
struct Vector {
    std::uint32_t next;
    iovec parts[VECTOR_PARTS];
};

}  // namespace pinion::shard
