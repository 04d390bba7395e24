// The kernels' shared cases: cancel, close, queues at their limits, waiting.
#pragma once

#include <algorithm>
#include <set>
#include <thread>

#include "test/io/kernel_cases_transfer.hpp"

namespace pinion::test {

template <class K>
void cancel_receive() {
    Rig<K> rig;
    OPENED(rig);
    auto [client, socket] = rig.connected();
    rig.lend(0, 8);
    for (const bool stream : {true, false}) {
        rig.kernel.receive(socket, token(Operation::receive, 1, 2), stream);
        CHECK(rig.take_rest().empty());
        rig.kernel.cancel(token(Operation::receive, 1, 3));  // another generation
        rig.kernel.cancel(token(Operation::send, 1, 2));     // another operation
        CHECK(rig.take_rest().empty());
        rig.kernel.cancel(token(Operation::receive, 1, 2));
        const std::vector<Completion> ended = rig.take_rest();
        REQUIRE_EQ(ended.size(), 1u);
        CHECK_EQ(ended[0].result, -ECANCELED);
        CHECK(!ended[0].more);
        rig.kernel.cancel(token(Operation::receive, 1, 2));  // has ended already
        CHECK(rig.take_rest().empty());
    }
    rig.kernel.receive_into(socket, token(Operation::receive_into, 1, 4), rig.arena(), 100);
    rig.kernel.cancel(token(Operation::receive_into, 1, 4));  // in the same submission
    const std::vector<Completion> ended = rig.take_rest();
    REQUIRE_EQ(ended.size(), 1u);
    CHECK_EQ(ended[0].result, -ECANCELED);
    CHECK_EQ(rig.kernel.lent(), 8u);
    client.write("for the next one");
    rig.kernel.receive(socket, token(Operation::receive, 1, 5), false);
    const std::vector<Completion> next = rig.take(1);
    REQUIRE_EQ(next.size(), 1u);
    CHECK(rig.bytes(next[0]) == "for the next one");
}

// Data and cancel race: each byte arrives, by the cancelled receive or by the next; each operation ends once.
template <class K>
void cancel_races_with_data() {
    Rig<K> rig;
    OPENED(rig);
    auto [client, socket] = rig.connected();
    const std::string sent = pattern(40'000);
    std::thread writer([&, &from = client] {
        for (std::size_t n = 0; n < sent.size(); n += 100) from.write(std::string_view(sent).substr(n, 100));
    });
    rig.lend(0, 16);
    std::string whole;
    bool wrong = false;  // -ENOBUFS is not: a writer that is quick enough fills all that is lent
    for (std::uint32_t generation = 1; whole.size() < sent.size() && !wrong && generation < 100'000; ++generation) {
        rig.kernel.receive(socket, token(Operation::receive, 0, generation), generation % 2 == 0);
        if (generation % 3 != 0) rig.kernel.submit();
        const bool late = generation % 8 >= 6;  // else the cancel might always be first
        if (!late) rig.kernel.cancel(token(Operation::receive, 0, generation));
        for (bool more = true; more && !wrong;) {
            const std::vector<Completion> got = rig.take(1);
            wrong = got.size() != 1 || got[0].token.generation != (generation & 0xffffff) ||
                    (got[0].result <= 0 && got[0].result != -ECANCELED && got[0].result != -ENOBUFS);
            if (wrong) break;
            more = got[0].more;
            if (more && late) rig.kernel.cancel(token(Operation::receive, 0, generation));
            if (got[0].result < 0) continue;
            whole += rig.bytes(got[0]);
            rig.kernel.lend(got[0].segment);
        }
    }
    writer.join();
    CHECK(!wrong);
    CHECK(whole == sent);
    CHECK(rig.take_rest().empty());
}

template <class K>
void cancel_send() {
    Rig<K> rig;
    OPENED(rig);
    auto [client, socket] = rig.connected();
    const std::string bytes = pattern(16'000'000);
    std::size_t sent = 0;
    bool cancelled = false;
    for (int n = 0; n < 10 && !cancelled; ++n) {
        sent += fill(rig, socket, std::string_view(bytes).substr(sent));
        rig.kernel.cancel(token(Operation::send));
        const std::vector<Completion> ended = rig.take_rest();
        REQUIRE_EQ(ended.size(), 1u);
        cancelled = ended[0].result == -ECANCELED;
        if (!cancelled) sent += std::size_t(ended[0].result);  // a late acknowledgement had made room
    }
    CHECK(cancelled);
    rig.kernel.close(socket, token(Operation::close));
    rig.forget(socket);
    CHECK_EQ(rig.take(1).size(), 1u);
    CHECK_EQ(client.read(bytes.size()).size(), sent);
}

template <class K>
void close_and_reuse() {
    Rig<K> rig;
    OPENED(rig);
    rig.lend(0, 8);
    for (std::uint32_t n = 0; n < 20; ++n) {
        auto [client, socket] = rig.connected();
        rig.kernel.receive(socket, token(Operation::receive, 0, n), true);
        client.write("hello");
        std::vector<Completion> got = rig.take(1);
        REQUIRE_EQ(got.size(), 1u);
        CHECK_EQ(got[0].token.generation, n);
        CHECK(rig.bytes(got[0]) == "hello");
        rig.kernel.lend(got[0].segment);
        rig.kernel.cancel(token(Operation::receive, 0, n));
        got = rig.take(1);
        REQUIRE_EQ(got.size(), 1u);
        CHECK_EQ(got[0].result, -ECANCELED);
        rig.kernel.close(socket, token(Operation::close, 0, n));
        rig.forget(socket);
        got = rig.take_rest();
        REQUIRE_EQ(got.size(), 1u);
        CHECK_EQ(got[0].token.pack(), token(Operation::close, 0, n).pack());
        CHECK_EQ(got[0].result, 0);
        CHECK(client.ended());
        CHECK_EQ(fcntl(socket, F_GETFD), -1);
    }
    rig.kernel.close(-1, token(Operation::close));
    const std::vector<Completion> refused = rig.take_rest();
    REQUIRE_EQ(refused.size(), 1u);
    CHECK_EQ(refused[0].result, -EBADF);
}

// A descriptor that was closed behind the kernel's back, as the shard does with its listeners, and its number again.
template <class K>
void closed_elsewhere() {
    Rig<K> rig;
    OPENED(rig);
    rig.lend(0, 8);
    int before = -1;
    for (int n = 0; n < 3; ++n) {
        auto [client, socket] = rig.connected();
        if (n > 0) CHECK_EQ(socket, before);
        before = socket;
        client.write("hello");
        rig.kernel.receive(socket, token(Operation::receive), false);
        const std::vector<Completion> got = rig.take(1);
        REQUIRE_EQ(got.size(), 1u);
        CHECK(rig.bytes(got[0]) == "hello");
        ::close(socket);
        rig.forget(socket);
    }
}

template <class K>
void close_by_reset() {
    Rig<K> rig;
    OPENED(rig);
    for (const bool reset : {false, true}) {
        auto [client, socket] = rig.connected();
        if (reset) rig.kernel.reset_on_close(socket);
        rig.kernel.close(socket, token(Operation::close));
        rig.forget(socket);
        CHECK_EQ(rig.take(1).size(), 1u);
        char byte;
        errno = 0;
        CHECK_EQ(recv(client.fd(), &byte, 1, 0), reset ? -1 : 0);
        CHECK_EQ(errno, reset ? ECONNRESET : 0);
    }
}

template <class K>
void descriptor_tells() {
    Rig<K> rig;
    OPENED(rig);
    auto [client, socket] = rig.connected();
    rig.lend(0, 4);
    rig.kernel.receive(socket, token(Operation::receive), true);
    CHECK(rig.take_rest().empty());
    CHECK(!rig.readable(0));
    CHECK(!rig.kernel.pending());
    client.write("x");
    CHECK(rig.readable(1000));
    CHECK(rig.kernel.pending());
    CHECK_EQ(rig.take_rest().size(), 1u);
    CHECK(!rig.readable(0));
    CHECK(!rig.kernel.pending());
    // Also for what completes at once.
    rig.kernel.send(socket, token(Operation::send), "y", 1);
    rig.kernel.shutdown_write(socket, token(Operation::shutdown));
    rig.kernel.submit();
    CHECK(rig.readable(1000));
    CHECK(rig.kernel.pending());
    CHECK_EQ(rig.take_rest().size(), 2u);
    CHECK(!rig.readable(0));
    CHECK(!rig.kernel.pending());
}

template <class K>
void small_queue_loses_nothing() {
    Rig<K> rig{{.segments = 128, .lent = 128, .depth = 8, .connections = 8}};
    OPENED(rig);
    rig.lend(0, 128);
    std::vector<Client> clients;
    std::vector<int> sockets;
    for (std::uint32_t n = 0; n < 100; ++n) {
        auto [client, socket] = rig.connected();
        clients.push_back(std::move(client));
        sockets.push_back(socket);
    }
    iovec part{const_cast<char*>("vectored"), 8};
    for (std::uint32_t n = 0; n < 100; ++n) {
        rig.kernel.receive(sockets[n], token(Operation::receive, n), true);
        if (n % 2 == 0) {
            rig.kernel.send(sockets[n], token(Operation::send, n), "straight", 8);
        } else {
            rig.kernel.send_vectored(sockets[n], token(Operation::send, n), &part, 1);
        }
    }
    std::vector<Completion> done = rig.take(100);
    REQUIRE_EQ(done.size(), 100u);
    std::set<std::uint32_t> senders;
    for (const Completion& each : done) {
        CHECK_EQ(each.result, 8);
        CHECK(senders.insert(each.token.index).second);
    }
    for (std::uint32_t n = 0; n < 100; ++n) {
        CHECK_EQ(clients[n].read(8), n % 2 == 0 ? "straight" : "vectored");
        clients[n].write("z");
    }
    done = rig.take(100);
    CHECK_EQ(done.size(), 100u);
}

// More completions than the completion queue holds, before the first is taken.
template <class K>
void completions_overflow() {
    Rig<K> rig{{.depth = 8, .connections = 8}};
    OPENED(rig);
    auto [client, socket] = rig.connected();
    constexpr std::uint32_t COUNT = 3000;
    for (std::uint32_t n = 0; n < COUNT; ++n) rig.kernel.shutdown_write(socket, token(Operation::shutdown, n));
    rig.kernel.submit();
    CHECK(rig.kernel.pending());
    CHECK(rig.readable(0));
    const std::vector<Completion> done = rig.take(COUNT);
    REQUIRE_EQ(done.size(), COUNT);
    std::set<std::uint32_t> distinct;
    for (const Completion& each : done) distinct.insert(each.token.index);
    CHECK_EQ(distinct.size(), COUNT);
    CHECK(rig.take_rest().empty());
    // And it works on.
    rig.lend(0, 2);
    rig.kernel.receive(socket, token(Operation::receive), true);
    client.write("after the flood");
    const std::vector<Completion> got = rig.take(1);
    REQUIRE_EQ(got.size(), 1u);
    CHECK(rig.bytes(got[0]) == "after the flood");
}

template <class K>
void remote_address() {
    Rig<K> rig;
    OPENED(rig);
    auto [client, socket] = rig.connected();
    sockaddr_in mine{};
    socklen_t length = sizeof mine;
    getsockname(client.fd(), reinterpret_cast<sockaddr*>(&mine), &length);
    sockaddr_storage seen{};
    REQUIRE_EQ(rig.kernel.remote_address(socket, &seen), 0);
    CHECK_EQ(seen.ss_family, AF_INET);
    CHECK_EQ(reinterpret_cast<sockaddr_in&>(seen).sin_port, mine.sin_port);
    CHECK_EQ(rig.kernel.remote_address(-1, &seen), -EBADF);
}

template <class K>
void close_all_lets_go() {
    Rig<K> rig;
    OPENED(rig);
    auto [client, socket] = rig.connected();
    auto [client2, socket2] = rig.connected();
    rig.lend(0, 16);
    rig.kernel.receive(socket, token(Operation::receive), true);
    rig.kernel.receive_into(socket2, token(Operation::receive_into), rig.arena() + 40 * 4096, 8192);
    rig.kernel.begin_wait();
    rig.kernel.close_all();
    client.write("nobody's");
    client2.write("nobody's");
    usleep(20'000);
    CHECK(std::all_of(rig.arena(), rig.arena() + rig.arena_bytes(), [](std::byte b) { return b == std::byte{0}; }));
    // It opens again.
    io::KernelOptions again{rig.arena(), 64, 4096, 16, 64, 64};
    CHECK_EQ(rig.kernel.open(again), "");
    CHECK_EQ(rig.kernel.lent(), 0u);
    rig.lend(5, 1);
    rig.kernel.receive(socket, token(Operation::receive), true);
    const std::vector<Completion> got = rig.take(1);
    REQUIRE_EQ(got.size(), 1u);
    CHECK(rig.bytes(got[0]) == "nobody's");
}

template <class K>
void wait_ends() {
    Rig<K> rig;
    OPENED(rig);
    auto [client, socket] = rig.connected();
    rig.lend(0, 4);
    Completion out[4];
    // By its time.
    rig.kernel.begin_wait();
    rig.kernel.wait(1000);
    CHECK_EQ(rig.kernel.harvest(out, 4), 0u);
    // By a completion, of what begin_wait() submitted.
    rig.kernel.receive(socket, token(Operation::receive), true);
    rig.kernel.begin_wait();
    client.write("x");
    rig.kernel.wait(-1);
    CHECK_EQ(rig.take(1).size(), 1u);
    // By a doorbell that rang before, twice over; the next one waits its time out.
    rig.kernel.ring_doorbell();
    rig.kernel.ring_doorbell();
    rig.kernel.begin_wait();
    rig.kernel.wait(-1);
    CHECK(rig.take_rest().empty());
    rig.kernel.begin_wait();
    rig.kernel.ring_doorbell();
    rig.kernel.wait(-1);
    CHECK(rig.take_rest().empty());
    // What completes in begin_wait() ends the wait.
    rig.kernel.send(socket, token(Operation::send), "y", 1);
    rig.kernel.begin_wait();
    rig.kernel.wait(-1);
    CHECK_EQ(rig.take(1).size(), 1u);
    // No wait is cut short for ever: after the rings above one waits again.
    for (int n = 0; n < 5; ++n) {
        rig.kernel.begin_wait();
        rig.kernel.wait(1000);
        CHECK_EQ(rig.kernel.harvest(out, 4), 0u);
    }
    const auto begin = std::chrono::steady_clock::now();
    rig.kernel.begin_wait();
    rig.kernel.wait(20'000);
    CHECK(std::chrono::steady_clock::now() - begin >= std::chrono::milliseconds(19));
}

}  // namespace pinion::test
