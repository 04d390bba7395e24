// Clients by address, in fixed memory: how many connections each has open, and how fast its requests come. An IPv6
// client is its /64: whoever has one address of it has them all.
#pragma once

#include <netinet/in.h>
#include <cstdint>

#include "base/mapping.hpp"

namespace pinion::shard {

class AddressTable {
public:
    // Names a client; 0: it has no address (a Unix socket), and no limits.
    using Key = std::uint64_t;
    static Key key_of(const sockaddr_in6& address);  // or a sockaddr_in

    // connections: the most that are ever open at once. False: the memory cannot be mapped.
    bool open(std::uint32_t connections, std::uint32_t connections_each, std::uint32_t requests_per_second);
    // False until it is open: nobody is limited.
    bool limits_connections() const { return connections_each_ != 0; }
    bool limits_requests() const { return interval_us_ != 0; }

    // One more connection of this client. False: it has its share already, and this one is not counted.
    bool connect(Key key);
    // One that was counted has closed.
    void disconnect(Key key);
    // One more request. False: it comes too early. A client may be a second ahead of its rate, no further (GCRA, as in
    // ITU-T I.371).
    bool request(Key key, std::uint64_t now_us);

private:
    struct Client {
        Key key;
        std::uint64_t due_us;  // when its next request would be right on time
        std::uint32_t connections;
    };
    static constexpr std::uint32_t WAYS = 16;
    static constexpr std::uint32_t LEAST_CLIENTS = 4096;
    static constexpr std::uint64_t BURST_US = 1'000'000;

    Client* find(Key key);
    Client* find_or_begin(Key key);

    base::Mapping memory_;
    Client* clients_ = nullptr;
    std::uint32_t set_mask_ = 0;
    std::uint64_t secret_[2]{};  // nobody outside can aim at one set
    std::uint32_t connections_each_ = 0;
    std::uint64_t interval_us_ = 0;
};

}  // namespace pinion::shard
