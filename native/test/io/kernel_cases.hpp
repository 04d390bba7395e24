// What both real kernels must do, on real loopback sockets: one set of cases, instantiated for each.
#pragma once

#include "test/io/kernel_cases_control.hpp"
#include "test/io/kernel_cases_threads.hpp"
#include "test/io/kernel_cases_transfer.hpp"

namespace pinion::test {

// X(function, name)
#define KERNEL_CASES(X)                                                         \
    X(accept_stream, "accept: a stream goes on until cancelled")                \
    X(accept_once, "accept: one at a time")                                     \
    X(accept_nonblocking_listener, "accept: on a non-blocking listener")        \
    X(accept_without_descriptors, "accept: EMFILE ends it, a re-arm goes on")   \
    X(receive_stream, "receive: a stream into segments, and its end")           \
    X(receive_once, "receive: one segment at a time")                           \
    X(receive_with_end, "receive: data and end at once")                        \
    X(receive_without_segments, "receive: ENOBUFS, re-arm, nothing lost")       \
    X(receive_many_segments, "receive: more than one go's share")               \
    X(receive_into_range, "receive_into: a large body")                         \
    X(receive_reset, "receive: a reset")                                        \
    X(send_short, "send: short ones are resumed")                               \
    X(send_waits_for_room, "send: waits for room")                              \
    X(sends_alone, "send_lone: what has room, with its completion")             \
    X(sends_now, "send_now: as much as there is room for")                      \
    X(send_vectored_in_order, "send_vectored: in order")                        \
    X(send_to_nobody, "send: EPIPE without a signal")                           \
    X(shutdown_write, "shutdown_write: half of the connection")                 \
    X(cancel_receive, "cancel: a receive, once")                                \
    X(cancel_races_with_data, "cancel: races with data")                        \
    X(cancel_send, "cancel: a send that waits")                                 \
    X(close_and_reuse, "close: the descriptor is used again")                   \
    X(closed_elsewhere, "close: behind the kernel's back")                      \
    X(close_by_reset, "reset_on_close: the client sees a reset")                \
    X(descriptor_tells, "descriptor: readable exactly when there is something") \
    X(small_queue_loses_nothing, "submit: a small queue loses nothing")         \
    X(completions_overflow, "harvest: more completions than the queue holds")   \
    X(remote_address, "remote_address: the client's")                           \
    X(close_all_lets_go, "close_all: no memory is the kernel's any more")       \
    X(wait_ends, "wait: ends by time, completion, doorbell")                    \
    X(doorbell_across_threads, "threads: no ring of the doorbell is lost")      \
    X(wait_beside_turns, "threads: one waits while another runs turns")         \
    X(armed_by_the_dead, "threads: operations of a dead thread")                \
    X(echo_under_pressure, "threads: echo with four segments and eight entries")

// Registers every case for one kernel, under names that begin with `prefix`.
#define REGISTER_KERNEL_CASE(prefix, kernel, function, text)                                                  \
    static ::pinion::test::Case function##_case{prefix text, __FILE__, __LINE__, &function<kernel>, nullptr}; \
    [[maybe_unused]] static const bool function##_added = ::pinion::test::add(function##_case);

}  // namespace pinion::test
