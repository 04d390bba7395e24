// Reactor: received segments become the unread input of their connection.
#pragma once

#include <algorithm>

#include "shard/reactor.hpp"

namespace pinion::shard {

template <class K>
void Reactor<K>::received(const io::Completion& completion) {
    Connection& connection = *find(completion.token);
    if (!completion.more) connection.receive_armed = connection.receive_stream = connection.receive_cancelled = false;
    mark(connection);
    if (completion.result > 0) {
        const std::uint32_t segment = completion.segment;
        if (connection.state != ConnectionState::open || connection.close_after) {
            segments_.give(segment);
            connection.drained += std::uint32_t(completion.result);
            if (connection.state == ConnectionState::lingering && connection.drained > LINGER_BYTES) {
                terminate(connection, true);
            }
            return;
        }
        segments_[segment].users = 1;
        append_input(connection, segment, std::uint32_t(completion.result));
        read_input(connection);
        // A stream that fills its allowance stops; what the kernel has under way still arrives and is owned.
        if (connection.receive_armed && input_full(connection)) {
            pause_receive(connection);
        }
        return;
    }
    if (completion.segment != io::NO_SEGMENT) segments_.give(completion.segment);
    if (completion.result == -ENOBUFS) {
        lent_target_ = std::min(lent_target_ * 2, lent_max_);
        if (connection.state == ConnectionState::closing || connection.wait != Wait::nothing) return;
        return wait_for_segment(connection);
    }
    // ECANCELED and EFAULT: we stopped it, or the thread that armed it has died, the data still in the socket.
    if (completion.result == -ECANCELED || completion.result == -EFAULT || completion.result == -EINTR) return;
    if (completion.result == 0) return stream_ended(connection);
    terminate(connection, false);
}

template <class K>
void Reactor<K>::received_into(Connection& connection, std::int32_t result) {
    connection.receive_armed = connection.receive_into = connection.receive_cancelled = false;
    mark(connection);
    const std::uint32_t run = connection.block;
    const std::uint32_t bytes = connection.block_segments * layout::SEGMENT_BYTES;
    connection.block = NONE;
    if (result > 0 && connection.body != NONE && connection.state == ConnectionState::open) {
        if (exchanges_[connection.body].framing == http::Framing::chunked) {  // the next request may be behind its end
            keep_run(connection, run, bytes, std::uint32_t(result));
            return read_input(connection);
        }
        std::uint32_t consumed = 0;
        // The run is as long as the body's rest at most: all of it is taken, or nothing.
        read_body(connection, region_.at(run), std::uint32_t(result), consumed);
        if (consumed == 0 && connection.body != NONE && connection.state == ConnectionState::open) {
            return keep_run(connection, run, bytes, std::uint32_t(result));
        }
    } else if (result == 0) {
        stream_ended(connection);
    } else if (result < 0 && result != -ECANCELED && result != -EFAULT && result != -EINTR) {
        terminate(connection, false);
    }
    segments_.drop_range(run, bytes);  // what became a body part has a user of its own
}

// A run that nobody takes now becomes unread input, segment by segment.
template <class K>
void Reactor<K>::keep_run(Connection& connection, std::uint32_t run, std::uint32_t bytes, std::uint32_t length) {
    const std::uint32_t first = segments_.segment_of(run);
    for (std::uint32_t n = 0; n < bytes / layout::SEGMENT_BYTES; ++n) {
        const std::uint32_t kept = std::min(length, layout::SEGMENT_BYTES);
        if (kept == 0) {
            segments_.drop(first + n);
        } else {
            append_input(connection, first + n, kept);
        }
        length -= kept;
    }
}

template <class K>
void Reactor<K>::append_input(Connection& connection, std::uint32_t segment, std::uint32_t length) {
    SegmentRecord& piece = segments_[segment];
    piece.begin = 0;
    piece.end = std::uint16_t(length);
    piece.next = NONE;
    (connection.input_first == NONE ? connection.input_first : segments_[connection.input_last].next) = segment;
    connection.input_last = segment;
    connection.input_bytes += length;
    ++connection.input_segments;
}

template <class K>
void Reactor<K>::stream_ended(Connection& connection) {
    connection.peer_closed = true;
    if (connection.state == ConnectionState::lingering) return terminate(connection, false);
    if (connection.state != ConnectionState::open) return;
    if (!settings_.half_open && connection.first != NONE && connection.body == NONE) {
        return terminate(connection, false);
    }
    // What has been received and not been read may be the rest of a body.
    const std::uint32_t broken = connection.input_first == NONE ? connection.body : NONE;
    tell_half_close(connection, broken);
    if (broken != NONE) return body_broke_off(connection);
    // A head that will never be whole; its rest may be among what has been received and not been read.
    if (connection.head_length > 0 && !connection.has_input() && connection.first == NONE &&
        connection.output_first == NONE) {
        return terminate(connection, false);
    }
}

// Mostly the client is gone. Handlers may stop; what they answer is sent all the same.
template <class K>
void Reactor<K>::tell_half_close(Connection& connection, std::uint32_t but) {
    for (std::uint32_t i = connection.first; i != NONE; i = exchanges_[i].next) {
        Exchange& exchange = exchanges_[i];
        if (exchange.stage != Stage::lane || exchange.half_close_told || i == but) continue;
        exchange.half_close_told = true;
        push(exchange.lane, EntryType::abort, exchange, std::uint32_t(layout::AbortReason::half_closed));
    }
}

template <class K>
bool Reactor<K>::wants_input(const Connection& connection) const {
    if (connection.receive_armed || connection.peer_closed) return false;
    if (connection.waits_for_segment() || connection.wait == Wait::first_word) return false;
    if (connection.state == ConnectionState::lingering) return true;
    if (connection.state != ConnectionState::open || connection.close_after) {
        return false;
    }
    // Nothing that came now could be read.
    if (input_full(connection) || connection.wait != Wait::nothing) return false;
    if (connection.body != NONE) {
        const Exchange& body = exchanges_[connection.body];
        // Single-shot receives of a large body wait until the handler reads.
        return body.body_discard || !body_full(body);
    }
    return true;
}

template <class K>
void Reactor<K>::arm_receive(Connection& connection) {
    if (!wants_input(connection)) return;
    if (!connection.heard && !hear(connection)) return;
    connection.receive_armed = true;
    // One receive of a stream may take dozens of segments before it can be stopped: only while there are plenty.
    const bool plenty = starved_heads_.first == NONE && segments_.free_count() > segments_.count() / 2;
    // And a stream takes a whole body piece by piece before it is seen: who sent a large one gets one piece, then runs.
    bool stream =
        driver_ == io::Driver::worker && plenty && connection.streams && connection.state == ConnectionState::open;
    if (connection.body != NONE && connection.state == ConnectionState::open) {
        const Exchange& body = exchanges_[connection.body];
        if (body.framing == http::Framing::length && body.body_remaining >= LARGE_BODY_BYTES / 4 &&
            connection.input_first == NONE && plenty) {
            // Until it is full a run is lost to everybody else: half of the arena is not for clients that may be slow.
            if (receive_run(connection, run_segments_)) return;
        }
        if (body.framing == http::Framing::chunked || body.body_remaining >= LARGE_BODY_BYTES) stream = false;
    }
    connection.receive_stream = stream;
    kernel_.receive(connection.socket, token_of(connection, Operation::receive), stream);
}

// One receive of a body into memory of its own. False: there is none.
template <class K>
bool Reactor<K>::receive_run(Connection& connection, std::uint32_t most_segments) {
    std::uint32_t count = 0;
    const std::uint32_t run = segments_.take_run(most_segments, count);
    if (run == layout::NO_OFFSET) return false;
    const Exchange& body = exchanges_[connection.body];
    std::uint64_t bytes = std::uint64_t(count) * layout::SEGMENT_BYTES;
    if (body.framing == http::Framing::length) bytes = std::min(bytes, body.body_remaining);
    connection.block = run;
    connection.block_segments = count;
    connection.receive_into = connection.receive_armed = true;
    kernel_.receive_into(connection.socket, token_of(connection, Operation::receive_into), region_.at(run),
                         std::size_t(bytes));
    return true;
}

// A body goes on from half of the reserve: those who hold the other segments may wait for its slot.
template <class K>
bool Reactor<K>::receive_from_reserve(Connection& connection) {
    if (connection.body == NONE || connection.state != ConnectionState::open) return false;
    if (connection.input_first != NONE || segments_.free_count() <= input_reserve_ / 2) return false;
    return wants_input(connection) && receive_run(connection, 1);
}

template <class K>
void Reactor<K>::pause_receive(Connection& connection) {
    if (!connection.receive_armed || connection.receive_cancelled) return;
    connection.receive_cancelled = true;
    kernel_.cancel(token_of(connection, connection.receive_into ? Operation::receive_into : Operation::receive));
}

template <class K>
void Reactor<K>::drop_front(Connection& connection) {
    const std::uint32_t segment = connection.input_first;
    connection.input_first = segments_[segment].next;
    if (connection.input_first == NONE) connection.input_last = NONE;
    --connection.input_segments;
    segments_.drop(segment);
}

template <class K>
void Reactor<K>::drop_input(Connection& connection) {
    while (connection.input_first != NONE) drop_front(connection);
    connection.input_bytes = 0;
}

}  // namespace pinion::shard
