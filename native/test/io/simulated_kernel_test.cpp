// The simulated kernel itself: it is deterministic, nasty within the contract, and notices who breaks the contract.
#include "io/simulated_kernel.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "test/check.hpp"

namespace pinion::test {
namespace {

using io::Completion;
using io::Operation;
using io::SimulatedKernel;
using io::Token;

constexpr int LISTENER = 3;
constexpr std::uint32_t SEGMENT = 4096;

Token token(Operation operation, std::uint32_t index = 0) {
    Token made;
    made.index = index;
    made.generation = 1;
    made.operation = operation;
    return made;
}

struct World {
    explicit World(io::Simulation simulation = {}) : arena(SEGMENT * 16) {
        kernel.simulation = simulation;
        io::KernelOptions options{};
        options.arena = arena.data();
        options.segment_count = 16;
        options.segment_bytes = SEGMENT;
        options.lent_max = 8;
        options.connections = 16;
        options.queue_depth = 16;
        CHECK_EQ(kernel.open(options), "");
    }

    // Until nothing is to come any more.
    std::vector<Completion> settle() {
        std::vector<Completion> taken;
        kernel.submit();
        do {
            Completion batch[4];
            const unsigned got = kernel.harvest(batch, 4);
            taken.insert(taken.end(), batch, batch + got);
        } while (kernel.pending());
        return taken;
    }

    int accepted(SimulatedKernel::ClientId& client) {
        client = kernel.connect(LISTENER);
        for (;;) {
            kernel.accept(LISTENER, token(Operation::accept), false);
            const std::vector<Completion> got = settle();
            if (!got.empty() && got[0].result >= 0) return got[0].result;
        }
    }

    bool violated(std::string_view what) const {
        const auto& all = kernel.violations();
        return std::any_of(all.begin(), all.end(), [&](const std::string& each) { return each.find(what) == 0; });
    }

    std::vector<std::byte> arena;
    SimulatedKernel kernel;
};

io::Simulation gentle() {
    io::Simulation simulation;
    simulation.short_transfer = simulation.stream_ends = simulation.no_segments = simulation.accept_fails = 0;
    simulation.cancel_late = 0;
    return simulation;
}

// A server as the contract wants it, small: it echoes until the client's end, then closes.
class Echo {
public:
    explicit Echo(World& world) : world_(world) {
        for (std::uint32_t n = 0; n < 16; ++n) free_.push_back(n);
        turn();
        accept();
    }

    void turn() {
        Completion out[5];
        const unsigned got = world_.kernel.harvest(out, 5);
        for (unsigned n = 0; n < got; ++n) {
            trace.push_back(out[n].token.pack() ^ std::uint64_t(std::uint32_t(out[n].result)) << 20);
            take(out[n]);
        }
        while (world_.kernel.lent() < 8 && !free_.empty()) {
            world_.kernel.lend(free_.back());
            free_.pop_back();
        }
        for (std::uint32_t n = 0; n < connections_.size() && world_.kernel.lent() > 0; ++n)
            if (connections_[n].starved) arm(n);
        world_.kernel.submit();
    }

    bool quiet() const { return open_ == 0; }
    std::size_t segments() const { return free_.size() + world_.kernel.lent(); }

    std::vector<std::uint64_t> trace;
    bool unexpected = false;

private:
    struct Connection {
        int socket;
        std::vector<Completion> queue;
        std::size_t sent = 0;
        bool sending = false;
        bool starved = false;
        bool ended = false;
        bool failed = false;
        bool closing = false;
    };

    void accept() { world_.kernel.accept(LISTENER, token(Operation::accept), true); }
    void arm(std::uint32_t n) {
        connections_[n].starved = false;
        world_.kernel.receive(connections_[n].socket, token(Operation::receive, n), n % 2 == 0);
    }

    void take(const Completion& each) {
        if (each.token.operation == Operation::accept) {
            if (each.result >= 0) {
                connections_.push_back({each.result, {}});
                ++open_;
                arm(std::uint32_t(connections_.size() - 1));
            }
            if (!each.more) accept();
            return;
        }
        Connection& connection = connections_[each.token.index];
        if (each.token.operation == Operation::receive) {
            received(connection, each);
        } else if (each.token.operation == Operation::send) {
            sent(connection, each.result);
        } else if (each.token.operation == Operation::close) {
            --open_;
            return;
        }
        go_on(connection, each.token.index);
    }

    void received(Connection& connection, const Completion& each) {
        if (each.result > 0) connection.queue.push_back(each);
        if (each.result == 0 || each.result == -ECONNRESET) {
            connection.ended = true;
        } else if (!each.more) {
            connection.starved = true;  // ENOBUFS, ECANCELED, EFAULT, or a stream that ended: armed again in this turn
        }
        if (each.result < 0 && each.result != -ENOBUFS && each.result != -ECANCELED && each.result != -EFAULT &&
            each.result != -ECONNRESET)
            unexpected = true;
    }

    void sent(Connection& connection, std::int32_t result) {
        connection.sending = false;
        if (result == -ECANCELED || result == -EFAULT) return;
        if (result < 0) {
            connection.failed = true;
            return;
        }
        connection.sent += std::size_t(result);
        if (connection.sent < std::size_t(connection.queue.front().result)) return;
        free_.push_back(connection.queue.front().segment);
        connection.queue.erase(connection.queue.begin());
        connection.sent = 0;
    }

    void go_on(Connection& connection, std::uint32_t index) {
        if (connection.failed) {
            for (const Completion& each : connection.queue) free_.push_back(each.segment);
            connection.queue.clear();
        }
        if (!connection.sending && !connection.queue.empty()) {
            const Completion& first = connection.queue.front();
            const std::byte* begin = world_.arena.data() + std::size_t{first.segment} * SEGMENT + connection.sent;
            world_.kernel.send(connection.socket, token(Operation::send, index), begin,
                               std::size_t(first.result) - connection.sent);
            connection.sending = true;
        }
        if (connection.ended && !connection.sending && connection.queue.empty() && !connection.closing) {
            connection.closing = true;
            connection.starved = false;
            world_.kernel.close(connection.socket, token(Operation::close, index));
        }
    }

    World& world_;
    std::vector<Connection> connections_;
    std::vector<std::uint32_t> free_;
    unsigned open_ = 0;
};

std::string bytes_of(std::uint32_t client, std::size_t length) {
    std::string bytes(length, '\0');
    for (std::size_t n = 0; n < length; ++n) bytes[n] = char((n * 131 + client * 17 + n / 251) & 0xff);
    return bytes;
}

struct Outcome {
    std::vector<std::uint64_t> trace;
    bool right = true;
};

Outcome run_echo(std::uint64_t seed, bool deaths) {
    io::Simulation simulation;
    simulation.seed = seed;
    simulation.send_room = 1 + seed % 9000;
    World world(simulation);
    Echo echo(world);
    constexpr std::uint32_t CLIENTS = 5;
    std::string sent[CLIENTS];
    std::string seen[CLIENTS];
    SimulatedKernel::ClientId clients[CLIENTS];
    for (std::uint32_t n = 0; n < CLIENTS; ++n) {
        clients[n] = world.kernel.connect(LISTENER);
        sent[n] = bytes_of(n, 3000 * n + seed % 100);
    }
    std::size_t given[CLIENTS] = {};
    Outcome outcome;
    bool done = false;
    for (unsigned turn = 0; turn < 200'000 && !done; ++turn) {
        done = echo.quiet() && turn > 100;
        for (std::uint32_t n = 0; n < CLIENTS; ++n) {
            if (turn % 3 == n % 3 && given[n] <= sent[n].size()) {
                world.kernel.client_send(clients[n], std::string_view(sent[n]).substr(given[n], 997));
                given[n] += 997;
                if (given[n] > sent[n].size()) world.kernel.client_shutdown(clients[n]);
            }
            seen[n] += world.kernel.client_read(clients[n], 1 + turn % 5000);
            if (!world.kernel.client_at_end(clients[n]) || !world.kernel.closed_by_server(clients[n])) done = false;
        }
        if (deaths && turn % 500 == 499) world.kernel.driver_dies();
        echo.turn();
    }
    for (std::uint32_t n = 0; n < CLIENTS; ++n) outcome.right = outcome.right && seen[n] == sent[n];
    outcome.right = outcome.right && done && !echo.unexpected && world.kernel.violations().empty() &&
                    world.kernel.open_sockets() == 0 && echo.segments() == 16;
    for (const std::string& each : world.kernel.violations()) FAIL(each);
    outcome.trace = std::move(echo.trace);
    return outcome;
}

TEST("io: simulation: the same seed gives the same run, another seed another") {
    const Outcome first = run_echo(7, true);
    CHECK(first.trace.size() > 20);
    CHECK(first.trace == run_echo(7, true).trace);
    CHECK(first.trace != run_echo(8, true).trace);
}

TEST("io: simulation: a server that keeps the contract loses nothing under any seed") {
    for (std::uint64_t seed = 1; seed <= 150; ++seed)
        if (!run_echo(seed, seed % 2 == 0).right) FAIL("seed " + std::to_string(seed));
    CHECK(true);
}

TEST("io: simulation: sends and receives are short at every length") {
    bool lengths[2][9] = {};
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        io::Simulation simulation = gentle();
        simulation.short_transfer = 200;
        simulation.seed = seed;
        World world(simulation);
        SimulatedKernel::ClientId client;
        const int socket = world.accepted(client);
        world.kernel.lend(0);
        world.kernel.client_send(client, "12345678");
        world.kernel.receive(socket, token(Operation::receive), false);
        world.kernel.send(socket, token(Operation::send), "12345678", 8);
        for (const Completion& each : world.settle()) {
            REQUIRE(each.result >= 1 && each.result <= 8);
            lengths[each.token.operation == Operation::send][each.result] = true;
        }
        CHECK(world.kernel.violations().empty());
    }
    for (int n = 1; n <= 8; ++n) CHECK(lengths[0][n] && lengths[1][n]);
}

TEST("io: simulation: cancelled operations end once, late or not") {
    unsigned cancelled = 0;
    unsigned first = 0;
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
        io::Simulation simulation = gentle();
        simulation.seed = seed;
        simulation.cancel_late = 128;
        World world(simulation);
        SimulatedKernel::ClientId client;
        const int socket = world.accepted(client);
        world.kernel.lend(0);
        world.kernel.client_send(client, "x");
        world.kernel.receive(socket, token(Operation::receive), false);
        world.kernel.cancel(token(Operation::receive));
        world.kernel.cancel(token(Operation::send));
        const std::vector<Completion> got = world.settle();
        REQUIRE_EQ(got.size(), 1u);
        if (got[0].result == -ECANCELED) {
            ++cancelled;
        } else if (got[0].result == 1) {
            ++first;
        }
    }
    CHECK(cancelled > 10 && first > 10);
    CHECK_EQ(cancelled + first, 100u);
}

TEST("io: simulation: ends of a connection") {
    World world(gentle());
    SimulatedKernel::ClientId client;
    int socket = world.accepted(client);
    world.kernel.client_shutdown(client);
    world.kernel.receive(socket, token(Operation::receive), true);
    std::vector<Completion> got = world.settle();
    REQUIRE_EQ(got.size(), 1u);
    CHECK_EQ(got[0].result, 0);
    CHECK(!got[0].more);
    world.kernel.send(socket, token(Operation::send), "bye", 3);
    CHECK_EQ(world.settle().size(), 1u);
    world.kernel.shutdown_write(socket, token(Operation::shutdown));
    CHECK_EQ(world.settle().size(), 1u);
    CHECK(!world.kernel.client_at_end(client));
    CHECK_EQ(world.kernel.client_read(client), "bye");
    CHECK(world.kernel.client_at_end(client));
    world.kernel.send(socket, token(Operation::send), "x", 1);
    CHECK_EQ(world.settle()[0].result, -EPIPE);
    world.kernel.close(socket, token(Operation::close));
    CHECK_EQ(world.settle().size(), 1u);
    CHECK(world.kernel.closed_by_server(client));
    // The number is used again, for another connection.
    const int again = world.accepted(client);
    CHECK_EQ(again, socket);
    world.kernel.client_reset(client);
    world.kernel.receive(again, token(Operation::receive), true);
    got = world.settle();
    CHECK_EQ(got[0].result, -ECONNRESET);
    world.kernel.send(again, token(Operation::send), "x", 1);
    CHECK_EQ(world.settle()[0].result, -EPIPE);
    const int third = world.accepted(client);
    CHECK(!world.kernel.client_was_reset(client));
    world.kernel.reset_on_close(third);
    world.kernel.close(third, token(Operation::close));
    world.settle();
    CHECK(world.kernel.client_was_reset(client));
    CHECK(world.kernel.violations().empty());
}

TEST("io: simulation: tells its descriptor and pending() of what is to come") {
    World world(gentle());
    SimulatedKernel::ClientId client;
    const int socket = world.accepted(client);
    world.kernel.lend(0);
    world.kernel.receive(socket, token(Operation::receive), false);
    CHECK(world.settle().empty());
    CHECK(!world.kernel.pending());
    world.kernel.client_send(client, "x");
    CHECK(world.kernel.pending());
    CHECK_EQ(world.settle().size(), 1u);
    CHECK(!world.kernel.pending());
}

TEST("io: simulation: says of a peer what its socket would, without an operation") {
    World world(gentle());
    CHECK_EQ(world.kernel.accept_waiting(LISTENER), -EAGAIN);
    const SimulatedKernel::ClientId client = world.kernel.connect(LISTENER);
    const int socket = world.kernel.accept_waiting(LISTENER);
    REQUIRE(socket >= 0);
    CHECK(world.kernel.was_accepted(client));
    world.kernel.client_send(client, "unread");
    CHECK_EQ(world.kernel.peer_state(socket).unread, 0u);  // counted if it has ended
    world.kernel.client_shutdown(client);
    io::PeerState peer = world.kernel.peer_state(socket);
    CHECK(peer.ended && !peer.reset);
    CHECK_EQ(peer.unread, 6u);
    const std::string bytes(world.kernel.simulation.send_room, 'x');
    CHECK_EQ(world.kernel.send_now(socket, bytes.data(), bytes.size()), int(bytes.size()));
    CHECK_EQ(world.kernel.unacknowledged(socket), bytes.size() / 2);
    world.kernel.client_read(client, bytes.size() / 4);
    CHECK_EQ(world.kernel.unacknowledged(socket), bytes.size() / 4);
    world.kernel.client_reset(client);
    peer = world.kernel.peer_state(socket);
    CHECK(peer.ended && peer.reset);
    CHECK_EQ(peer.unread, 0u);
    CHECK_EQ(world.kernel.unacknowledged(socket), 0u);
    CHECK(world.kernel.violations().empty());
    world.kernel.peer_state(socket + 1);
    CHECK(world.violated("peer_state of a socket that is not open"));
}

// --- who breaks the contract is told ---

struct Broken : World {
    Broken() : World(gentle()) { socket = accepted(client); }
    SimulatedKernel::ClientId client;
    int socket;
};

TEST("io: simulation: notices lent segments that are wrong or written to") {
    Broken world;
    world.kernel.lend(16);
    CHECK(world.violated("lend of a segment that does not exist"));
    world.kernel.lend(1);
    world.kernel.lend(1);
    CHECK(world.violated("lend of a segment that is lent already"));
    for (std::uint32_t n = 2; n < 11; ++n) world.kernel.lend(n);
    CHECK(world.violated("more segments lent than was said"));
    std::memset(world.arena.data(), 'x', world.arena.size());
    world.kernel.client_send(world.client, "data");
    world.kernel.receive(world.socket, token(Operation::receive), false);
    world.settle();
    CHECK(world.violated("a lent segment that was written to"));
}

TEST("io: simulation: notices memory that two have") {
    Broken world;
    std::byte* range = world.arena.data() + 4 * SEGMENT;
    world.kernel.lend(4);
    world.kernel.receive_into(world.socket, token(Operation::receive_into), range, 100);
    CHECK(world.violated("memory that is lent to the kernel"));
    Broken other;
    range = other.arena.data() + 4 * SEGMENT;
    other.kernel.receive_into(other.socket, token(Operation::receive_into), range, 5000);
    other.kernel.lend(5);
    CHECK(other.violated("lend of memory that an operation has"));
    other.kernel.send(other.socket, token(Operation::send), range + 10, 10);
    CHECK(other.violated("memory that another operation has"));
}

TEST("io: simulation: notices bytes that change under an operation") {
    Broken world;
    char bytes[] = "first";
    world.kernel.send(world.socket, token(Operation::send), bytes, 5);
    bytes[2] = 'x';
    world.settle();
    CHECK(world.violated("bytes that changed before their send completed"));
    iovec vector{bytes, 5};
    world.kernel.send_vectored(world.socket, token(Operation::send), &vector, 1);
    vector.iov_len = 4;
    world.settle();
    CHECK(world.violated("vectors that changed before their send completed"));
    world.kernel.receive_into(world.socket, token(Operation::receive_into), world.arena.data(), 10);
    world.arena[3] = std::byte{1};
    world.kernel.client_send(world.client, "x");
    world.settle();
    CHECK(world.violated("memory of a receive_into that was written to"));
}

TEST("io: simulation: notices operations that collide, and closed sockets") {
    Broken world;
    world.kernel.receive(world.socket, token(Operation::receive, 1), true);
    world.kernel.receive(world.socket, token(Operation::receive, 2), true);
    CHECK(world.violated("a second operation of its kind on one socket"));
    world.kernel.receive(world.socket, token(Operation::receive, 1), true);
    CHECK(world.violated("a token that is in flight already"));
    world.kernel.close(world.socket, token(Operation::close));
    CHECK(world.violated("close with an operation in flight"));
    world.kernel.send(world.socket, token(Operation::send), "x", 1);
    CHECK(world.violated("an operation behind a close"));
    world.kernel.shutdown_write(world.socket, token(Operation::shutdown));
    CHECK(world.violated("shutdown_write with a send in flight"));
    world.kernel.send(world.socket, token(Operation::send, 3), "x", 0);
    CHECK(world.violated("an empty send"));
    Broken closed;
    closed.kernel.close(closed.socket, token(Operation::close));
    closed.settle();
    CHECK(closed.kernel.violations().empty());
    closed.kernel.send(closed.socket, token(Operation::send), "x", 1);
    CHECK(closed.violated("an operation on a socket that is not open"));
}

}  // namespace
}  // namespace pinion::test
