// A shard as the addon sees it: reactor, stand-in, baton and presence, bound to one kernel when it is made. The calls
// below are per batch or rarer; inside, everything is bound at compile time.
#pragma once

#include <sys/socket.h>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "shard/settings.hpp"

namespace pinion::shard {

enum class Io : std::uint8_t { uring, epoll };

struct Status {
    Io io;
    std::uint32_t connections, slots_used, slots_total, queued;
    std::uint64_t accepted, requests, refused, worker_turns, stand_in_turns, takeovers;
    std::uint32_t segments_free, segments_total;
    std::uint32_t segments_lent;  // to the kernel for input, to lanes for answers, with what is kept for these
    std::uint32_t lanes[4];
    std::uint32_t broken_lanes;
    const char* why_broken[4];  // of these
    bool away;                  // the live worker is neither in a turn nor asleep
    std::uint64_t epoch;        // changes whenever it moves
    bool draining, drained;
};

// What the worker's thread does next.
enum class Next : std::uint8_t {
    sleep,     // nothing to do: libuv may wait
    dispatch,  // requests or credits are there: call the dispatcher, then come back
    again,     // the turn was cut short: do not sleep
};

class Shard {
public:
    virtual ~Shard() = default;

    // Before start(): what to call, with the baton and on any thread, when a lane has broken.
    virtual void on_broken_lane(void (*tell)(void* context), void* context) = 0;
    // Empty: the shard runs, its stand-in serves. Else what failed.
    virtual std::string start() = 0;
    virtual void stop() = 0;

    // --- the live worker's thread ---
    // Takes the baton, runs a turn, gives it back; the worker counts as away (dispatch, again) or asleep afterwards.
    virtual Next worker_turn(std::uint32_t lane) = 0;
    // After the dispatcher: what it answered goes out. Ends away.
    virtual Next worker_flush(std::uint32_t lane) = 0;
    // The thread's event loop is about to run callbacks.
    virtual void worker_awake(std::uint32_t lane) = 0;
    // CLOCK_MONOTONIC milliseconds at which the next turn is due, as of the last one; UINT64_MAX: none.
    virtual std::uint64_t next_deadline_ms() const = 0;
    // The lane has entries or credits for its dispatcher: asked by a draining lane, which runs no turns.
    virtual bool lane_ready(std::uint32_t lane) = 0;
    // Takes the baton. See Reactor::send_now.
    virtual std::int32_t send_now(std::uint32_t lane, std::uint32_t slot, std::uint32_t generation, const void* data,
                                  std::size_t length) = 0;

    // --- any thread, each takes the baton ---
    using Wake = void (*)(void* context);
    virtual std::int32_t reserve_lane() = 0;
    virtual void attach(std::uint32_t lane, Wake wake, void* context) = 0;
    // On the worker's thread. See Reactor::go_live.
    virtual void go_live(std::uint32_t lane, const std::vector<http::MethodSet>& by_handler) = 0;
    virtual void detach(std::uint32_t lane) = 0;  // no wake after this returns; the lane is quarantined
    virtual void quarantine_lane(std::uint32_t lane) = 0;
    virtual void release_lane(std::uint32_t lane) = 0;
    virtual void drain() = 0;
    // While it stands, health says that workers end again and again.
    virtual void set_crash_loop(bool stands) = 0;
    virtual Status status() = 0;
    virtual int remote_address(std::uint32_t slot, std::uint32_t generation, sockaddr_storage* address) = 0;

    virtual void ring_stand_in() = 0;
    // Has whoever drives look at the reactor at once.
    virtual void wake_driver() = 0;
    virtual std::byte* region_base() = 0;
    virtual std::size_t region_size() = 0;
    virtual std::uint32_t lane_offset(std::uint32_t lane) = 0;
    virtual int descriptor() = 0;
    virtual const Settings& settings() const = 0;
};

std::unique_ptr<Shard> make_shard(Io io, Settings&& settings);

}  // namespace pinion::shard
