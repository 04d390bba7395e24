// Where a thread is held up, and who has to come first there: the table that hand_over_points_test.cpp goes through.
#pragma once

#include <cstdint>

#include "base/hand_over_point.hpp"

#ifdef PINION_HAND_OVER_POINTS

namespace pinion::test {

using Point = base::HandOverPoint;

inline constexpr const char* POINT_NAMES[] = {
#define PINION_POINT(point, holds, where) #point,
    PINION_HAND_OVER_POINT_LIST(PINION_POINT)
#undef PINION_POINT
};
inline constexpr unsigned POINT_COUNT = sizeof POINT_NAMES / sizeof POINT_NAMES[0];

enum class Holds : std::uint8_t { no, yes, maybe };
inline constexpr Holds POINT_HOLDS[] = {
#define PINION_POINT(point, holds, where) Holds::holds,
    PINION_HAND_OVER_POINT_LIST(PINION_POINT)
#undef PINION_POINT
};

enum class Role : std::uint8_t { stand_in, worker, commander };
inline constexpr unsigned ROLES = 3;
inline constexpr const char* ROLE_NAMES[ROLES] = {"stand-in", "worker", "commander"};

// Sets of roles: who has to come.
inline constexpr unsigned S = 1u << unsigned(Role::stand_in);
inline constexpr unsigned W = 1u << unsigned(Role::worker);
inline constexpr unsigned C = 1u << unsigned(Role::commander);

// What has to happen for a point to be reached at all.
enum class Need : std::uint8_t {
    traffic,
    reload,  // another worker goes live
    quiet,   // no requests, until the stand-in has parked
    drain,   // once, at the end
    death,   // a worker is quarantined, or ended
    broken,  // a worker breaks the rules of shared memory
};

// The thread `who` at `at` waits until one of `comers` has come: without the baton, until it has taken it; with it,
// until it has been refused it or waits for it, and then it has to be the next that takes it. `after`: first, the same
// thread is held up there in the same way, which brings about the state that is wanted.
struct Stop {
    Point at;
    Role who;
    unsigned comers;
    Need need = Need::traffic;
    Point after = Point::baton_tried;
    bool has_after = false;
    bool after_given = false;        // ... until the comer has given the baton again, too
    bool against_commander = false;  // who has the baton, and keeps it until `who` has been refused it
    Holds holds = Holds::maybe;      // where the point's own entry says "maybe"

    constexpr bool held() const {
        const Holds of_point = POINT_HOLDS[unsigned(at)];
        return (of_point == Holds::maybe ? holds : of_point) == Holds::yes;
    }
};

inline constexpr Role STAND_IN = Role::stand_in, WORKER = Role::worker, COMMANDER = Role::commander;

inline constexpr Stop STOPS[] = {
    // The baton, each of whose steps each of the three takes. The stand-in never waits for it.
    {Point::baton_tried, WORKER, S},
    {Point::baton_tried, STAND_IN, W},
    {Point::baton_tried, COMMANDER, W | S},
    {Point::baton_refused, WORKER, S},
    {.at = Point::baton_refused, .who = STAND_IN, .comers = W, .against_commander = true},
    {Point::baton_refused, COMMANDER, W | S},
    {Point::baton_waits, WORKER, S},
    {.at = Point::baton_waits, .who = COMMANDER, .comers = W | S},
    {Point::baton_woken, WORKER, S},
    {Point::baton_woken, COMMANDER, W | S},
    {Point::baton_taken, WORKER, S | C},
    {Point::baton_taken, STAND_IN, W | C},
    {Point::baton_taken, COMMANDER, W | S},
    {Point::baton_given_soon, WORKER, S | C},
    {Point::baton_given_soon, STAND_IN, W | C},
    {Point::baton_given_soon, COMMANDER, W | S},
    {.at = Point::baton_wakes, .who = WORKER, .comers = S | C, .after = Point::worker_turning, .has_after = true},
    {.at = Point::baton_wakes, .who = STAND_IN, .comers = W | C, .after = Point::stand_in_turned, .has_after = true},
    {.at = Point::baton_wakes, .who = COMMANDER, .comers = W | S, .after = Point::baton_taken, .has_after = true},
    {Point::baton_given, WORKER, S},
    {Point::baton_given, STAND_IN, W},
    {Point::baton_given, COMMANDER, W | S},
    // The worker's turn, and what it does afterwards.
    {Point::worker_turning, WORKER, S | C},
    {Point::worker_turned, WORKER, S | C},
    {Point::worker_away, WORKER, S | C},
    {Point::worker_asleep, WORKER, S | C},
    {Point::worker_looks_again, WORKER, S},
    {.at = Point::worker_stays_awake,
     .who = WORKER,
     .comers = S,
     .after = Point::worker_looks_again,
     .has_after = true,
     .after_given = true},
    {Point::worker_sleeps, WORKER, S},
    {Point::worker_awakes, WORKER, S},
    {Point::worker_of_others, WORKER, S | W, Need::reload},
    {Point::worker_broken, WORKER, S, Need::broken},
    // The rings.
    {Point::lane_publishes, WORKER, S | C},
    {Point::lane_publishes, STAND_IN, W | C},
    {Point::lane_published, WORKER, S | C},
    {Point::lane_published, STAND_IN, W | C},
    {Point::lane_pushed, WORKER, S},
    {Point::lane_rings, WORKER, S},
    {.at = Point::doorbell_flagged, .who = WORKER, .comers = S, .holds = Holds::no},
    {.at = Point::doorbell_flagged, .who = COMMANDER, .comers = W | S, .holds = Holds::yes},
    {Point::kernel_waits, STAND_IN, W},
    {Point::kernel_waited, STAND_IN, W},
    // The stand-in.
    {Point::stand_in_read, STAND_IN, W},
    {Point::stand_in_drives, STAND_IN, W},
    {.at = Point::stand_in_gives_back,
     .who = STAND_IN,
     .comers = W | C,
     .after = Point::baton_tried,
     .has_after = true,
     .after_given = true},
    {Point::stand_in_takes_over, STAND_IN, W | C},
    {Point::stand_in_turned, STAND_IN, W | C},
    {Point::stand_in_found_broken, STAND_IN, W | C, Need::broken},
    {Point::stand_in_lies_down, STAND_IN, W | C},
    {Point::stand_in_said_asleep, STAND_IN, W | C},
    {Point::stand_in_looked, STAND_IN, W | C},
    {.at = Point::stand_in_stays_awake,
     .who = STAND_IN,
     .comers = W | C,
     .after = Point::stand_in_lies_down,
     .has_after = true},
    {Point::stand_in_begun_wait, STAND_IN, W | C},
    {Point::stand_in_waits, STAND_IN, W},
    {Point::stand_in_waited, STAND_IN, W},
    {Point::stand_in_awake, STAND_IN, W},
    {Point::stand_in_parking, STAND_IN, W | C, Need::quiet},
    {Point::stand_in_parks, STAND_IN, W, Need::quiet},
    {.at = Point::stand_in_rung, .who = WORKER, .comers = S | W | C, .need = Need::reload, .holds = Holds::no},
    {.at = Point::stand_in_rung, .who = COMMANDER, .comers = W | S, .holds = Holds::yes},
    // Commands, and the life of a lane.
    {Point::waking_driver, COMMANDER, W | S},
    {Point::attaching, WORKER, S | W | C, Need::reload},
    {Point::going_live, WORKER, S | W | C, Need::reload},
    {Point::went_live, WORKER, S | W | C, Need::reload},
    {Point::detaching, WORKER, S | W | C, Need::reload},
    {Point::detached, WORKER, S | W | C, Need::reload},
    {Point::quarantined, COMMANDER, W | S, Need::death},
    {Point::quarantine_given, COMMANDER, W | S, Need::death},
    {Point::releasing, COMMANDER, W | S, Need::death},
    {Point::released, COMMANDER, W | S, Need::death},
    {Point::draining, COMMANDER, W | S, Need::drain},
    {Point::drain_given, COMMANDER, W | S, Need::drain},
};
inline constexpr unsigned STOP_COUNT = sizeof STOPS / sizeof STOPS[0];

// Whether the stand-in has to drive for it.
constexpr bool takes_stand_in(const Stop& stop) { return stop.who == STAND_IN || (stop.comers & S) != 0; }

// A point that nobody stops at would be one that is not tested.
constexpr bool every_point_has_a_stop() {
    for (unsigned point = 0; point < POINT_COUNT; ++point) {
        bool found = false;
        for (const Stop& stop : STOPS) found = found || unsigned(stop.at) == point;
        if (!found) return false;
    }
    return true;
}
static_assert(every_point_has_a_stop());

}  // namespace pinion::test

#endif
