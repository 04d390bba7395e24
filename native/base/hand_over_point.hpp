// A seam for tests: the places in the code where the baton may change hands, or where who has it and who wants it pass
// each other. A test's hook is called at each, on the thread that is there, and may hold it up until another thread
// has come first (native/test/shard/hand_over_points_test.cpp).
//
// PINION_HAND_OVER(point) is nothing at all, but in builds with a sanitizer (PINION_HAND_OVER_POINTS,
// build-kinds.cmake). The macro is one for the whole build, not for a test: baton.hpp and the like are inline, and the
// linker keeps one of their copies.
#pragma once

#ifdef PINION_HAND_OVER_POINTS

#if defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define PINION_SANITIZED 1
#endif
#elif defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define PINION_SANITIZED 1
#endif
#ifndef PINION_SANITIZED
#error "hand-over points are for builds with a sanitizer: never for what is served"
#endif

#include <atomic>

// X(point, holds, where): holds says whether the thread has the baton there: yes, no, or maybe.
#define PINION_HAND_OVER_POINT_LIST(X)                                                                  \
    X(baton_tried, no, "Baton: before the compare-and-swap")                                            \
    X(baton_refused, no, "Baton: after a compare-and-swap that failed")                                 \
    X(baton_waits, no, "Baton::take: between the exchange and the futex wait")                          \
    X(baton_woken, no, "Baton::take: between the futex wait and the next exchange")                     \
    X(baton_taken, yes, "Baton: taken")                                                                 \
    X(baton_given_soon, yes, "Baton::give: before the exchange")                                        \
    X(baton_wakes, no, "Baton::give: between the exchange and the futex wake")                          \
    X(baton_given, no, "Baton::give: done")                                                             \
    X(worker_turning, yes, "worker: between presence turning and its turn")                             \
    X(worker_turned, yes, "worker: after its turn or flush")                                            \
    X(worker_away, yes, "worker: between presence away and giving")                                     \
    X(worker_asleep, yes, "worker: between presence asleep and giving")                                 \
    X(worker_looks_again, no, "worker: between giving, asleep, and its look at the ring")               \
    X(worker_stays_awake, no, "worker: that look found something; before presence away")                \
    X(worker_sleeps, no, "worker: between that look and libuv's wait")                                  \
    X(worker_awakes, no, "worker: awake; between reading the presence and moving it")                   \
    X(worker_of_others, no, "a lane that is not live: between giving and ringing")                      \
    X(worker_broken, no, "worker: its lane broke in its turn; between giving and ringing")              \
    X(lane_publishes, yes, "lane: between filling the request ring and its tail")                       \
    X(lane_published, yes, "lane: between the tail and the look at who sleeps")                         \
    X(lane_pushed, no, "lane: between the response ring's tail and stand_in_asleep")                    \
    X(lane_rings, no, "lane: between stand_in_asleep, read, and the doorbell")                          \
    X(doorbell_flagged, maybe, "kernel: between the doorbell's flag and its descriptor")                \
    X(kernel_waits, no, "kernel: between the look at the doorbell and the wait")                        \
    X(kernel_waited, no, "kernel: between the wait and taking the doorbell's flag back")                \
    X(stand_in_read, no, "stand-in: after reading the presence")                                        \
    X(stand_in_drives, no, "stand-in: the worker is overdue, or there is none")                         \
    X(stand_in_gives_back, yes, "stand-in: taken, but the absence is over")                             \
    X(stand_in_takes_over, yes, "stand-in: taken, the absence is the same; before the turn")            \
    X(stand_in_turned, yes, "stand-in: between its turn and waking workers")                            \
    X(stand_in_found_broken, yes, "stand-in: the live lane broke; between presence nowhere and giving") \
    X(stand_in_lies_down, yes, "stand-in: before it says that it sleeps")                               \
    X(stand_in_said_asleep, yes, "stand-in: between that and its look at the rings")                    \
    X(stand_in_looked, yes, "stand-in: between that look and begin_wait")                               \
    X(stand_in_stays_awake, yes, "stand-in: that look found something")                                 \
    X(stand_in_begun_wait, yes, "stand-in: between begin_wait and giving")                              \
    X(stand_in_waits, no, "stand-in: between giving and the wait")                                      \
    X(stand_in_waited, no, "stand-in: between the wait and saying that it is awake")                    \
    X(stand_in_awake, no, "stand-in: after saying that it is awake")                                    \
    X(stand_in_parking, yes, "stand-in: parks; between taking and giving, for the time-out")            \
    X(stand_in_parks, no, "stand-in: parks; before the wait")                                           \
    X(stand_in_rung, maybe, "stand-in's bell: between its event and the kernel's doorbell")             \
    X(attaching, yes, "attach: taken, the waker is set")                                                \
    X(going_live, yes, "go_live: between the lane and the presence")                                    \
    X(went_live, yes, "go_live: between the presence and giving")                                       \
    X(detaching, yes, "detach: between the waker and the lane")                                         \
    X(detached, yes, "detach: between the lane and giving")                                             \
    X(quarantined, yes, "quarantine: between the lane and giving")                                      \
    X(quarantine_given, no, "quarantine: between giving and waking the driver")                         \
    X(releasing, yes, "release: between quarantine and the lane's end")                                 \
    X(released, no, "release: between giving and waking the driver")                                    \
    X(draining, yes, "drain: between draining and giving")                                              \
    X(drain_given, no, "drain: between giving and waking the driver")                                   \
    X(waking_driver, yes, "wake_driver: between the worker's and the stand-in's bell")

namespace pinion::base {

enum class HandOverPoint : unsigned {
#define PINION_POINT(point, holds, where) point,
    PINION_HAND_OVER_POINT_LIST(PINION_POINT)
#undef PINION_POINT
};

// Set while no thread runs that could be at a point.
inline std::atomic<void (*)(HandOverPoint)> hand_over_hook{nullptr};

inline void reach(HandOverPoint point) {
    // Relaxed, here and in hooks: a point that ordered anything would hide a race from TSan.
    if (auto* hook = hand_over_hook.load(std::memory_order_relaxed); hook != nullptr) hook(point);
}

}  // namespace pinion::base

#define PINION_HAND_OVER(point) ::pinion::base::reach(::pinion::base::HandOverPoint::point)
#else
#define PINION_HAND_OVER(point) static_cast<void>(0)
#endif
