// The kernels' shared cases: accept, receive, send, shutdown.
#pragma once

#include <sys/resource.h>

#include <set>
#include <thread>

#include "test/io/kernel_rig.hpp"

namespace pinion::test {

template <class K>
void accept_stream() {
    Rig<K> rig;
    OPENED(rig);
    rig.kernel.accept(rig.listener, token(Operation::accept, 7, 3), true);
    rig.kernel.submit();
    std::vector<Client> clients;
    for (int n = 0; n < 20; ++n) clients.push_back(rig.connect());
    const std::vector<Completion> accepted = rig.take(20);
    REQUIRE_EQ(accepted.size(), 20u);
    std::set<int> distinct;
    for (const Completion& each : accepted) {
        CHECK_EQ(each.token.pack(), token(Operation::accept, 7, 3).pack());
        CHECK(each.result >= 0);
        CHECK(each.more);
        CHECK_EQ(each.segment, NO_SEGMENT);
        distinct.insert(each.result);
        rig.sockets.push_back(each.result);
    }
    CHECK_EQ(distinct.size(), 20u);
    rig.kernel.cancel(token(Operation::accept, 7, 3));
    const std::vector<Completion> ended = rig.take_rest();
    REQUIRE_EQ(ended.size(), 1u);
    CHECK_EQ(ended[0].result, -ECANCELED);
    CHECK(!ended[0].more);
    clients.push_back(rig.connect());
    CHECK(rig.take_rest().empty());
    // Armed again, it finds what has waited in the backlog.
    rig.kernel.accept(rig.listener, token(Operation::accept, 7, 4), true);
    const std::vector<Completion> again = rig.take(1);
    REQUIRE_EQ(again.size(), 1u);
    CHECK(again[0].result >= 0);
    if (again[0].result >= 0) rig.sockets.push_back(again[0].result);
}

template <class K>
void accept_once() {
    Rig<K> rig;
    OPENED(rig);
    const Client first = rig.connect();
    const Client second = rig.connect();
    for (int n = 0; n < 2; ++n) {
        rig.kernel.accept(rig.listener, token(Operation::accept), false);
        const std::vector<Completion> accepted = rig.take_rest();
        REQUIRE_EQ(accepted.size(), 1u);
        CHECK(accepted[0].result >= 0);
        CHECK(!accepted[0].more);
        rig.sockets.push_back(accepted[0].result);
    }
}

template <class K>
void accept_nonblocking_listener() {
    Rig<K> rig;
    OPENED(rig);
    fcntl(rig.listener, F_SETFL, O_NONBLOCK);
    rig.kernel.accept(rig.listener, token(Operation::accept), true);
    CHECK(rig.take_rest().empty());
    const Client client = rig.connect();
    const std::vector<Completion> accepted = rig.take(1);
    REQUIRE_EQ(accepted.size(), 1u);
    CHECK(accepted[0].result >= 0);
    if (accepted[0].result >= 0) rig.sockets.push_back(accepted[0].result);
}

template <class K>
void accept_without_descriptors() {
    Rig<K> rig;
    OPENED(rig);
    const Client client = rig.connect();
    rlimit before{};
    getrlimit(RLIMIT_NOFILE, &before);
    const int next = dup(0);
    ::close(next);
    rlimit tight = before;
    tight.rlim_cur = rlim_t(next);
    setrlimit(RLIMIT_NOFILE, &tight);
    rig.kernel.accept(rig.listener, token(Operation::accept), true);
    const std::vector<Completion> refused = rig.take(1);
    setrlimit(RLIMIT_NOFILE, &before);
    REQUIRE_EQ(refused.size(), 1u);
    CHECK_EQ(refused[0].result, -EMFILE);
    CHECK(!refused[0].more);
    rig.kernel.accept(rig.listener, token(Operation::accept), true);
    const std::vector<Completion> accepted = rig.take(1);
    REQUIRE_EQ(accepted.size(), 1u);
    CHECK(accepted[0].result >= 0);
    if (accepted[0].result >= 0) rig.sockets.push_back(accepted[0].result);
}

template <class K>
void receive_stream() {
    Rig<K> rig;
    OPENED(rig);
    auto [client, socket] = rig.connected();
    rig.lend(0, 16);
    CHECK_EQ(rig.kernel.lent(), 16u);
    rig.kernel.receive(socket, token(Operation::receive, 5, 9), true);
    CHECK(rig.take_rest().empty());
    std::set<std::uint32_t> used;
    for (int n = 0; n < 5; ++n) {
        const std::string sent = pattern(std::size_t(n) * 700 + 1, unsigned(n));
        client.write(sent);
        const std::vector<Completion> got = rig.take(1);
        REQUIRE_EQ(got.size(), 1u);
        CHECK_EQ(got[0].token.pack(), token(Operation::receive, 5, 9).pack());
        CHECK(got[0].more);
        REQUIRE(got[0].segment < 16);
        CHECK(rig.bytes(got[0]) == sent);
        CHECK(used.insert(got[0].segment).second);
        CHECK_EQ(rig.kernel.lent(), 16u - std::uint32_t(n) - 1);
    }
    client.shutdown_write();
    const std::vector<Completion> end = rig.take_rest();
    REQUIRE_EQ(end.size(), 1u);
    CHECK_EQ(end[0].result, 0);
    CHECK_EQ(end[0].segment, NO_SEGMENT);
    CHECK(!end[0].more);
    CHECK_EQ(rig.kernel.lent(), 11u);
}

template <class K>
void receive_once() {
    Rig<K> rig;
    OPENED(rig);
    auto [client, socket] = rig.connected();
    rig.lend(3, 2);
    client.write(pattern(5000));
    usleep(10'000);
    std::string whole;
    for (int n = 0; n < 2; ++n) {
        rig.kernel.receive(socket, token(Operation::receive), false);
        const std::vector<Completion> got = rig.take_rest();
        REQUIRE_EQ(got.size(), 1u);
        CHECK(!got[0].more);
        REQUIRE(got[0].segment == 3 || got[0].segment == 4);
        whole += rig.bytes(got[0]);
    }
    CHECK(whole == pattern(5000));
    CHECK_EQ(rig.kernel.lent(), 0u);
}

// Data and the end of the stream come in one go: both are seen, without another event.
template <class K>
void receive_with_end() {
    Rig<K> rig;
    OPENED(rig);
    for (const bool stream : {true, false}) {
        auto [client, socket] = rig.connected();
        rig.lend(0, 1);
        client.write("last words");
        client.shutdown_write();
        usleep(10'000);
        rig.kernel.receive(socket, token(Operation::receive), stream);
        std::vector<Completion> got = rig.take_rest();
        REQUIRE(!got.empty());
        CHECK(rig.bytes(got[0]) == "last words");
        CHECK_EQ(got[0].more, stream);
        if (!stream || got.size() < 2 || got[1].result == -ENOBUFS) {
            // Out of segments with only the end left: some kernels say so, some see the end. Both go on after a re-arm.
            rig.lend(1, 1);
            rig.kernel.receive(socket, token(Operation::receive), false);
            got = rig.take_rest();
            REQUIRE_EQ(got.size(), 1u);
            CHECK_EQ(got[0].result, 0);
            CHECK(!got[0].more);
        } else {
            CHECK_EQ(got.back().result, 0);
        }
        CHECK(rig.take_rest().empty());
        // Whatever is still lent is taken up, for the second round.
        while (rig.kernel.lent() > 0) {
            client = rig.connect();
            rig.kernel.accept(rig.listener, token(Operation::accept), false);
            const std::vector<Completion> accepted = rig.take(1);
            REQUIRE_EQ(accepted.size(), 1u);
            rig.sockets.push_back(accepted[0].result);
            client.write("x");
            rig.kernel.receive(accepted[0].result, token(Operation::receive), false);
            REQUIRE_EQ(rig.take(1).size(), 1u);
        }
    }
}

template <class K>
void receive_without_segments() {
    Rig<K> rig;
    OPENED(rig);
    auto [client, socket] = rig.connected();
    rig.lend(0, 2);
    rig.kernel.receive(socket, token(Operation::receive), true);
    rig.kernel.submit();
    const std::string sent = pattern(6 * 4096 - 11);
    client.write(sent);
    std::string whole;
    std::vector<Completion> got = rig.take(3);
    REQUIRE_EQ(got.size(), 3u);
    CHECK_EQ(got[0].result, 4096);
    CHECK_EQ(got[1].result, 4096);
    CHECK_EQ(got[2].result, -ENOBUFS);
    CHECK(got[0].more && got[1].more && !got[2].more);
    whole.append(rig.bytes(got[0])).append(rig.bytes(got[1]));
    CHECK_EQ(rig.kernel.lent(), 0u);
    CHECK(rig.take_rest().empty());
    // One segment for each re-arm, then enough.
    for (std::uint32_t n = 0; n < 2; ++n) {
        rig.lend(2 + n, 1);
        rig.kernel.receive(socket, token(Operation::receive), true);
        got = rig.take(2);
        REQUIRE_EQ(got.size(), 2u);
        whole += rig.bytes(got[0]);
        CHECK_EQ(got[1].result, -ENOBUFS);
    }
    rig.lend(8, 8);
    rig.kernel.receive(socket, token(Operation::receive), true);
    for (const Completion& each : rig.take_rest()) {
        REQUIRE(each.result > 0);
        CHECK(each.more);
        whole += rig.bytes(each);
    }
    CHECK(whole == sent);
}

// More at once than a kernel takes from one socket in one go; no further event comes to remind it.
template <class K>
void receive_many_segments() {
    Rig<K> rig{{.segments = 64, .lent = 64}};
    OPENED(rig);
    auto [client, socket] = rig.connected();
    const int room = 400'000;
    setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    const std::string sent = pattern(40 * 4096 + 5);
    client.write(sent);
    usleep(20'000);
    rig.lend(0, 64);
    rig.kernel.receive(socket, token(Operation::receive), true);
    std::string whole;
    for (const Completion& each : rig.take_rest()) {
        REQUIRE(each.result > 0);
        CHECK(each.more);
        whole += rig.bytes(each);
    }
    CHECK(whole == sent);
}

template <class K>
void receive_into_range() {
    Rig<K> rig{{.segments = 512}};
    OPENED(rig);
    auto [client, socket] = rig.connected();
    const std::string sent = pattern(1'500'000);
    std::thread writer([&, &from = client] { from.write(sent); });
    std::size_t length = 0;
    unsigned receives = 0;
    while (length < sent.size()) {
        rig.kernel.receive_into(socket, token(Operation::receive_into), rig.arena() + length, sent.size() - length);
        const std::vector<Completion> got = rig.take(1);
        if (got.size() != 1 || got[0].result <= 0 || got[0].more || got[0].segment != NO_SEGMENT) break;
        length += std::size_t(got[0].result);
        ++receives;
    }
    writer.join();
    CHECK_EQ(length, sent.size());
    CHECK(receives < 1500);  // large ones: a receive takes what is there, not a segment
    CHECK(std::memcmp(rig.arena(), sent.data(), sent.size()) == 0);
}

template <class K>
void send_short() {
    Rig<K> rig;
    OPENED(rig);
    auto [client, socket] = rig.connected();
    const int small = 4096;
    setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    const std::string bytes = pattern(4'000'000);
    std::string seen;
    std::thread reader([&, &to = client] { seen = to.read(bytes.size()); });
    std::size_t sent = 0;
    unsigned sends = 0;
    while (sent < bytes.size()) {
        rig.kernel.send(socket, token(Operation::send), bytes.data() + sent, bytes.size() - sent);
        const std::vector<Completion> done = rig.take(1);
        if (done.size() != 1 || done[0].result <= 0 || done[0].more) break;
        sent += std::size_t(done[0].result);
        ++sends;
    }
    reader.join();
    CHECK_EQ(sent, bytes.size());
    CHECK(sends > 1);
    CHECK(seen == bytes);
}

// Fills what the socket takes; the next send waits. Returns how much went.
template <class K>
std::size_t fill(Rig<K>& rig, int socket, std::string_view bytes) {
    const int small = 4096;
    setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    std::size_t sent = 0;
    for (;;) {
        rig.kernel.send(socket, token(Operation::send), bytes.data() + sent, bytes.size() - sent);
        const std::vector<Completion> done = rig.take_rest();
        if (done.empty()) return sent;
        sent += std::size_t(done[0].result);
    }
}

template <class K>
void send_waits_for_room() {
    Rig<K> rig;
    OPENED(rig);
    auto [client, socket] = rig.connected();
    const std::string bytes = pattern(16'000'000);
    std::size_t sent = fill(rig, socket, bytes);
    REQUIRE(sent > 0 && sent < bytes.size());
    CHECK(client.read(sent) == bytes.substr(0, sent));
    const std::vector<Completion> done = rig.take(1);
    REQUIRE_EQ(done.size(), 1u);
    CHECK(done[0].result > 0);
    const std::size_t more = std::size_t(done[0].result);
    CHECK(client.read(more) == bytes.substr(sent, more));
}

template <class K>
void sends_alone() {
    Rig<K> rig;
    OPENED(rig);
    auto [client, socket] = rig.connected();
    Completion done;
    CHECK(!rig.kernel.send_lone(&done));
    rig.kernel.send(socket, token(Operation::send, 3, 7), "abc", 3);
    REQUIRE(rig.kernel.send_lone(&done));
    CHECK_EQ(done.token.pack(), token(Operation::send, 3, 7).pack());
    CHECK_EQ(done.result, 3);
    CHECK_EQ(done.segment, NO_SEGMENT);
    CHECK(!done.more);
    CHECK(client.read(3) == "abc");
    CHECK(rig.take_rest().empty());  // that was its one completion
    const iovec parts[] = {{const_cast<char*>("de"), 2}, {const_cast<char*>("f"), 1}};
    rig.kernel.send_vectored(socket, token(Operation::send), parts, 2);
    REQUIRE(rig.kernel.send_lone(&done));
    CHECK_EQ(done.result, 3);
    CHECK(client.read(3) == "def");
    // One of two is not alone.
    auto [second, other] = rig.connected();
    rig.kernel.send(socket, token(Operation::send, 3), "1", 1);
    rig.kernel.send(other, token(Operation::send, 4), "2", 1);
    CHECK(!rig.kernel.send_lone(&done));
    CHECK_EQ(rig.take(2).size(), 2u);
    CHECK(client.read(1) == "1" && second.read(1) == "2");
    // What would have to wait stays queued.
    const std::string bytes = pattern(16'000'000);
    const std::size_t sent = fill(rig, socket, bytes);
    REQUIRE(sent > 0 && sent < bytes.size());
    CHECK(!rig.kernel.send_lone(&done));
    rig.kernel.cancel(token(Operation::send));
    REQUIRE_EQ(rig.take(1).size(), 1u);
    rig.kernel.send(socket, token(Operation::send), "x", 1);
    CHECK(!rig.kernel.send_lone(&done));
    CHECK(client.read(sent) == bytes.substr(0, sent));
    const std::vector<Completion> waited = rig.take(1);
    REQUIRE_EQ(waited.size(), 1u);
    CHECK_EQ(waited[0].result, 1);
    CHECK(client.read(1) == "x");
    client.reset();
    for (int n = 0; n < 2; ++n) {
        rig.kernel.send(socket, token(Operation::send), "abc", 3);
        REQUIRE(rig.kernel.send_lone(&done));
    }
    CHECK_EQ(done.result, -EPIPE);
}

template <class K>
void sends_now() {
    Rig<K> rig;
    OPENED(rig);
    auto [client, socket] = rig.connected();
    CHECK_EQ(rig.kernel.send_now(socket, "abc", 3), 3);
    CHECK(client.read(3) == "abc");
    // As much as there is room for.
    const std::string bytes = pattern(16'000'000);
    std::size_t sent = 0;
    std::int32_t now = 0;
    while ((now = rig.kernel.send_now(socket, bytes.data() + sent, bytes.size() - sent)) > 0) sent += std::size_t(now);
    CHECK_EQ(now, -EAGAIN);
    REQUIRE(sent > 0 && sent < bytes.size());
    CHECK(rig.take_rest().empty());
    // Behind it an ordinary send waits, once what is on its way to the client makes no more room.
    sent += fill(rig, socket, std::string_view(bytes).substr(sent));
    REQUIRE(sent < bytes.size());
    CHECK(client.read(sent) == bytes.substr(0, sent));
    const std::vector<Completion> waited = rig.take(1);
    REQUIRE_EQ(waited.size(), 1u);
    REQUIRE(waited[0].result > 0);
    const std::size_t more = std::size_t(waited[0].result);
    CHECK(client.read(more) == bytes.substr(sent, more));
    client.reset();
    for (int n = 0; n < 2; ++n) now = rig.kernel.send_now(socket, "abc", 3);
    CHECK_EQ(now, -EPIPE);
}

template <class K>
void send_vectored_in_order() {
    Rig<K> rig;
    OPENED(rig);
    auto [client, socket] = rig.connected();
    const std::string parts[] = {pattern(1, 1), pattern(300, 2), "", pattern(9000, 3), pattern(17, 4)};
    std::string whole;
    std::vector<iovec> vectors;
    for (const std::string& part : parts) {
        whole += part;
        vectors.push_back({const_cast<char*>(part.data()), part.size()});
    }
    for (int n = 0; n < 100; ++n) {
        rig.kernel.send_vectored(socket, token(Operation::send), vectors.data(), unsigned(vectors.size()));
        const std::vector<Completion> done = rig.take(1);
        REQUIRE_EQ(done.size(), 1u);
        REQUIRE_EQ(done[0].result, int(whole.size()));
        CHECK(client.read(whole.size()) == whole);
    }
}

template <class K>
void send_to_nobody() {
    Rig<K> rig;
    OPENED(rig);
    auto [client, socket] = rig.connected();
    client.reset();
    std::vector<Completion> done;
    for (int n = 0; n < 2; ++n) {  // no SIGPIPE: it would end this process
        rig.kernel.send(socket, token(Operation::send), "abc", 3);
        done = rig.take(1);
        REQUIRE_EQ(done.size(), 1u);
    }
    CHECK_EQ(done[0].result, -EPIPE);
    iovec part{const_cast<char*>("abc"), 3};
    rig.kernel.send_vectored(socket, token(Operation::send), &part, 1);
    done = rig.take(1);
    REQUIRE_EQ(done.size(), 1u);
    CHECK_EQ(done[0].result, -EPIPE);
}

template <class K>
void receive_reset() {
    Rig<K> rig;
    OPENED(rig);
    auto [client, socket] = rig.connected();
    rig.lend(0, 4);
    rig.kernel.receive(socket, token(Operation::receive), true);
    rig.kernel.submit();
    client.reset();
    const std::vector<Completion> got = rig.take_rest();
    REQUIRE_EQ(got.size(), 1u);
    CHECK_EQ(got[0].result, -ECONNRESET);
    CHECK(!got[0].more);
    CHECK_EQ(got[0].segment, NO_SEGMENT);
    CHECK_EQ(rig.kernel.lent(), 4u);
}

template <class K>
void shutdown_write() {
    Rig<K> rig;
    OPENED(rig);
    auto [client, socket] = rig.connected();
    rig.lend(0, 4);
    rig.kernel.receive(socket, token(Operation::receive), true);
    rig.kernel.shutdown_write(socket, token(Operation::shutdown, 3, 4));
    std::vector<Completion> done = rig.take(1);
    REQUIRE_EQ(done.size(), 1u);
    CHECK_EQ(done[0].token.pack(), token(Operation::shutdown, 3, 4).pack());
    CHECK_EQ(done[0].result, 0);
    CHECK(client.ended());
    client.write("still here");  // the other direction is open
    done = rig.take(1);
    REQUIRE_EQ(done.size(), 1u);
    CHECK(rig.bytes(done[0]) == "still here");
    rig.sockets.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));  // connected to nobody
    rig.kernel.shutdown_write(rig.sockets.back(), token(Operation::shutdown, 3, 5));
    done = rig.take_rest();
    REQUIRE_EQ(done.size(), 1u);
    CHECK_EQ(done[0].result, -ENOTCONN);
}

}  // namespace pinion::test
