#include "shard/address_table.hpp"

#include <sys/random.h>
#include <algorithm>
#include <bit>
#include <cstring>

#include "base/assert.hpp"

namespace pinion::shard {

AddressTable::Key AddressTable::key_of(const sockaddr_in6& address) {
    // The top bit says that there is an address; IPv4 lies in ::ffff:0:0/96, also when a dual-stack socket took it.
    constexpr Key PRESENT = Key(1) << 63;
    constexpr Key V4 = Key(1) << 62;
    if (address.sin6_family == AF_INET) {
        const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
        return PRESENT | V4 | v4.sin_addr.s_addr;
    }
    if (address.sin6_family != AF_INET6) return 0;
    if (IN6_IS_ADDR_V4MAPPED(&address.sin6_addr)) {
        std::uint32_t v4;
        std::memcpy(&v4, address.sin6_addr.s6_addr + 12, sizeof v4);
        return PRESENT | V4 | v4;
    }
    Key prefix;
    std::memcpy(&prefix, address.sin6_addr.s6_addr, sizeof prefix);
    // Global addresses begin with 001, unique local and link-local ones with 11: the two top bits go, none meets V4's.
    return (__builtin_bswap64(prefix) & ~(PRESENT | V4)) | PRESENT;
}

bool AddressTable::open(std::uint32_t connections, std::uint32_t connections_each, std::uint32_t requests_per_second) {
    // Eight times as many as can be connected at once: no set is ever full of them (less than once in 10^9 runs).
    const std::uint32_t clients = std::bit_ceil(std::max(connections * 8, LEAST_CLIENTS));
    if (!memory_.map(sizeof(Client) * clients)) return false;
    clients_ = reinterpret_cast<Client*>(memory_.start());
    set_mask_ = clients / WAYS - 1;
    if (getrandom(secret_, sizeof secret_, 0) != ssize_t(sizeof secret_)) return false;
    connections_each_ = connections_each;
    interval_us_ = requests_per_second == 0 ? 0 : std::max<std::uint64_t>(1'000'000 / requests_per_second, 1);
    return true;
}

AddressTable::Client* AddressTable::find(Key key) {
    std::uint64_t hash = (key ^ secret_[0]) * (secret_[1] | 1);
    hash = (hash ^ hash >> 32) * 0x9e3779b97f4a7c15;
    hash ^= hash >> 32;
    Client* set = clients_ + (std::uint32_t(hash) & set_mask_) * WAYS;
    for (std::uint32_t way = 0; way < WAYS; ++way) {
        if (set[way].key == key) return &set[way];
    }
    // Not there: the one to replace has no connection, and the least to remember.
    Client* oldest = nullptr;
    for (std::uint32_t way = 0; way < WAYS; ++way) {
        if (set[way].connections == 0 && (oldest == nullptr || set[way].due_us < oldest->due_us)) oldest = &set[way];
    }
    return oldest;
}

AddressTable::Client* AddressTable::find_or_begin(Key key) {
    Client* client = find(key);
    if (client != nullptr && client->key != key) *client = {key, 0, 0};
    return client;
}

bool AddressTable::connect(Key key) {
    Client* client = find_or_begin(key);
    if (client == nullptr || client->connections >= connections_each_) return false;
    ++client->connections;
    return true;
}

void AddressTable::disconnect(Key key) {
    Client* client = find(key);
    PINION_ASSERT(client != nullptr && client->key == key && client->connections > 0);
    --client->connections;
}

bool AddressTable::request(Key key, std::uint64_t now_us) {
    Client* client = find_or_begin(key);
    if (client == nullptr) return true;
    const std::uint64_t due = std::max(client->due_us, now_us);
    if (due - now_us + interval_us_ > BURST_US) return false;
    client->due_us = due + interval_us_;
    return true;
}

}  // namespace pinion::shard
