// What a reactor has its kernel go on with by itself (multishot, on io_uring), and what it asks for one by one.
#include "io/epoll_kernel.hpp"
#include "test/check.hpp"
#include "test/shard/reactor_rig.hpp"

namespace pinion::test {
namespace {

class CountingKernel : public io::EpollKernel {
public:
    struct Count {
        unsigned streams = 0, single = 0;
    };
    Count accepts, receives;

    void accept(int listener, Token token, bool stream) {
        ++(stream ? accepts.streams : accepts.single);
        EpollKernel::accept(listener, token, stream);
    }
    void receive(io::Socket socket, Token token, bool stream) {
        ++(stream ? receives.streams : receives.single);
        EpollKernel::receive(socket, token, stream);
    }
};

// A reactor that is driven by its worker, and has room for streams.
class StreamsRig : public ReactorRig<CountingKernel> {
public:
    StreamsRig() : ReactorRig<CountingKernel>(settings()) { driver = io::Driver::worker; }

    // Clients that ask, and are answered, three times.
    std::vector<std::unique_ptr<Peer>> ask(unsigned clients) {
        std::vector<std::unique_ptr<Peer>> peers;
        for (unsigned n = 0; n < clients; ++n) {
            peers.push_back(connect());
            for (unsigned i = 1; i <= 3; ++i) CHECK_EQ(talk(*peers.back(), get("/fixed"), i).size(), i);
        }
        return peers;
    }

private:
    static shard::Settings settings() {
        shard::Settings settings = small_settings();
        settings.limits.connections = 2000;
        settings.limits.arena_bytes = 1024 * layout::SEGMENT_BYTES;
        return settings;
    }
};

TEST("streams: a worker's accepts are one stream, and each connection's receives from its second on") {
    StreamsRig rig;
    REQUIRE_EQ(rig.failure, "");
    const auto peers = rig.ask(4);
    CHECK_EQ(rig.kernel.accepts.single, 1u);  // before anybody has driven it
    CHECK_EQ(rig.kernel.accepts.streams, 1u);
    CHECK_EQ(rig.kernel.receives.single, 4u);
    CHECK_EQ(rig.kernel.receives.streams, 4u);
    rig.check_all_returned();
}

TEST("streams: a stand-in, whose thread may end, has none") {
    StreamsRig rig;
    REQUIRE_EQ(rig.failure, "");
    rig.driver = io::Driver::stand_in;
    const auto peers = rig.ask(4);
    CHECK_EQ(rig.kernel.accepts.single, 5u);
    CHECK_EQ(rig.kernel.accepts.streams, 0u);
    CHECK_EQ(rig.kernel.receives.single, 16u);
    CHECK_EQ(rig.kernel.receives.streams, 0u);
    rig.check_all_returned();
}

TEST("streams: a chunked body ends its connection's stream, the request behind it begins another") {
    StreamsRig rig;
    REQUIRE_EQ(rig.failure, "");
    const auto peers = rig.ask(1);
    Peer& peer = *peers[0];
    peer.write("POST /none HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    CHECK(rig.until([&] { return rig.kernel.receives.single == 2; }));
    for (unsigned n = 3; n <= 5; ++n) {
        peer.write("1\r\nx\r\n");
        CHECK(rig.until([&] { return rig.kernel.receives.single == n; }));
    }
    CHECK_EQ(rig.kernel.receives.streams, 1u);
    CHECK_EQ(rig.talk(peer, "0\r\n\r\n" + get("/fixed"), 5).size(), 5u);
    CHECK_EQ(rig.talk(peer, get("/fixed"), 6).size(), 6u);
    CHECK_EQ(rig.kernel.receives.streams, 2u);
    rig.check_all_returned();
}

}  // namespace
}  // namespace pinion::test
