// What the configuration says, as the shard needs it. Plain data, made once before the shard starts.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "http/router.hpp"

namespace pinion::shard {

struct Limits {
    std::uint32_t connections;
    std::uint32_t head_bytes;
    std::uint32_t target_bytes;
    std::uint16_t fields;
    std::uint64_t body_bytes;
    std::uint32_t slots;  // requests that are parsed and not yet answered
    std::uint32_t queue;  // requests whose handler has not been called: beyond it 503
    std::uint32_t arena_bytes;
    std::uint32_t connection_bytes;  // of the arena, held by one connection's input
    std::uint32_t pipeline;          // requests of one connection in flight
    // Of one client address (an IPv6 /64); 0: no limit.
    std::uint32_t address_connections;
    std::uint32_t address_rate;  // requests per second
};

// When requests for handlers are refused because those before them wait too long; see reactor_admission.hpp.
struct Admission {
    std::uint32_t target_ms;  // 0: never
    std::uint32_t interval_ms;
};

struct Timeouts {  // milliseconds
    std::uint32_t head;
    std::uint32_t body;
    std::uint32_t handler;
    std::uint32_t write;
    std::uint32_t keep_alive;
    std::uint32_t drain;
    std::uint32_t spin;
};

// A client that sends or takes less over a time-out is ended: 408 or a close.
inline constexpr std::uint64_t LEAST_BYTES_PER_SECOND = 512;

struct FixedAnswer {
    std::uint16_t status;
    std::string fields;  // encoded as in Slot.answerFields
    std::string body;
};

struct Route {
    enum class Kind : std::uint8_t { handler, fixed, live, ready } kind;
    std::string pattern;
    http::MethodSet methods;
    std::uint32_t handler;             // Kind::handler
    FixedAnswer fixed;                 // Kind::fixed
    std::uint32_t handler_timeout_ms;  // 0: the default
    std::int64_t body_limit;           // -1: the default
};

struct Listener {
    int fd;
    bool proxy_protocol;
};

struct Settings {
    int cpu = -1;  // -1: not pinned
    Limits limits{};
    Timeouts timeouts{};
    Admission admission{};
    std::vector<Route> routes;
    std::vector<Listener> listeners;
    bool half_open = true;  // a half-closed client still gets its answer
    int access_log = -1;    // descriptor that access-log lines are written to; -1: none
};

}  // namespace pinion::shard
