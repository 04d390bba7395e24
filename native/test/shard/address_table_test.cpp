#include "shard/address_table.hpp"

#include <arpa/inet.h>
#include <string>

#include "test/check.hpp"

using pinion::shard::AddressTable;

namespace {

AddressTable::Key key(const char* text) {
    sockaddr_in6 v6{};
    auto& v4 = reinterpret_cast<sockaddr_in&>(v6);
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
        v4.sin_family = AF_INET;
    } else {
        inet_pton(AF_INET6, text, &v6.sin6_addr);
        v6.sin6_family = AF_INET6;
    }
    return AddressTable::key_of(v6);
}

constexpr std::uint64_t SECOND_US = 1'000'000;

}  // namespace

TEST("address table: an IPv6 client is its /64, an IPv4 one its address however it came") {
    CHECK_EQ(key("2001:db8:1:2::1"), key("2001:db8:1:2:ffff::9"));
    CHECK(key("2001:db8:1:2::1") != key("2001:db8:1:3::1"));
    CHECK_EQ(key("192.0.2.1"), key("::ffff:192.0.2.1"));
    CHECK(key("192.0.2.1") != key("192.0.2.2"));
    CHECK(key("::") != 0);
    CHECK(key("0.0.0.0") != key("::"));
    sockaddr_in6 unix_socket{};
    unix_socket.sin6_family = AF_UNIX;
    CHECK_EQ(AddressTable::key_of(unix_socket), 0u);
}

TEST("address table: each client has its own share of connections, and gets it back") {
    AddressTable table;
    CHECK(!table.limits_connections());
    REQUIRE(table.open(100, 3, 0));
    CHECK(table.limits_connections() && !table.limits_requests());
    for (int n = 0; n < 3; ++n) CHECK(table.connect(key("192.0.2.1")));
    CHECK(!table.connect(key("192.0.2.1")));
    CHECK(table.connect(key("192.0.2.2")));
    table.disconnect(key("192.0.2.1"));
    CHECK(table.connect(key("192.0.2.1")));
    CHECK(!table.connect(key("192.0.2.1")));
}

TEST("address table: who is connected is never forgotten for others that come and go") {
    AddressTable table;
    REQUIRE(table.open(1000, 1, 10));
    for (unsigned n = 0; n < 1000; ++n) CHECK(table.connect(AddressTable::Key(n) << 8 | AddressTable::Key(1) << 63));
    for (unsigned n = 0; n < 200'000; ++n) table.request(AddressTable::Key(n) | AddressTable::Key(3) << 62, n);
    for (unsigned n = 0; n < 1000; ++n) CHECK(!table.connect(AddressTable::Key(n) << 8 | AddressTable::Key(1) << 63));
    for (unsigned n = 0; n < 1000; ++n) table.disconnect(AddressTable::Key(n) << 8 | AddressTable::Key(1) << 63);
}

TEST("address table: a client may be a second ahead of its rate, no further") {
    AddressTable table;
    REQUIRE(table.open(100, 0, 10));
    const AddressTable::Key client = key("192.0.2.1");
    std::uint64_t now = 5 * SECOND_US;
    for (int n = 0; n < 10; ++n) CHECK(table.request(client, now));
    CHECK(!table.request(client, now));
    CHECK(table.request(key("192.0.2.2"), now));
    now += SECOND_US / 10;
    CHECK(table.request(client, now));
    CHECK(!table.request(client, now));
    // What is refused costs nothing: the rate is kept however hard it is pressed.
    int taken = 0;
    for (int n = 0; n < 10'000; ++n) taken += table.request(client, now += SECOND_US / 1000);
    CHECK(taken >= 99 && taken <= 101);
}
