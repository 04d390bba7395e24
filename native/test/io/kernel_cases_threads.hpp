// The kernels' shared cases: two threads on one kernel, dead threads, many clients.
#pragma once

#include <atomic>
#include <thread>

#include "test/io/kernel_rig.hpp"

namespace pinion::test {

// One thread sleeps, another rings, again and again: no ring is lost.
template <class K>
void doorbell_across_threads() {
    Rig<K> rig;
    OPENED(rig);
    constexpr int ROUNDS = 2000;
    std::atomic<int> rung{0};
    std::atomic<int> heard{0};
    std::thread sleeper([&] {
        Completion out[4];
        while (heard.load() < ROUNDS) {
            rig.kernel.begin_wait();
            rig.kernel.wait(-1);
            if (rig.kernel.harvest(out, 4) != 0) break;
            heard.store(rung.load());
        }
    });
    for (int n = 1; n <= ROUNDS; ++n) {
        rung.store(n);
        rig.kernel.ring_doorbell();
        const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(5);
        while (heard.load() < n && std::chrono::steady_clock::now() < patience) std::this_thread::yield();
        if (heard.load() < n) {
            FAIL("a ring was lost");
            heard.store(ROUNDS);
            rig.kernel.ring_doorbell();
            break;
        }
    }
    sleeper.join();
    CHECK(rung.load() > 0);
}

// One thread sleeps in wait() while the other runs turns; the baton is a mutex here. All bytes arrive, in order.
template <class K>
void wait_beside_turns() {
    Rig<K> rig;
    OPENED(rig);
    auto [client, socket] = rig.connected();
    rig.lend(0, 16);
    const std::string sent = pattern(300'000);
    std::thread writer([&, &from = client] {
        for (std::size_t n = 0; n < sent.size(); n += 500) from.write(std::string_view(sent).substr(n, 500));
    });
    std::atomic<bool> baton{false};
    const auto take = [&] {
        while (baton.exchange(true, std::memory_order_acquire)) std::this_thread::yield();
    };
    const auto give = [&] { baton.store(false, std::memory_order_release); };
    std::string whole;
    std::atomic<bool> done{false};
    rig.kernel.receive(socket, token(Operation::receive), true);
    rig.kernel.submit();
    const auto turn = [&, socket = socket](bool stream) {  // with the baton
        Completion out[8];
        const unsigned got = rig.kernel.harvest(out, 8);
        for (unsigned n = 0; n < got; ++n) {
            if (out[n].result > 0) {
                whole += rig.bytes(out[n]);
                rig.kernel.lend(out[n].segment);
            }
            if (!out[n].more) rig.kernel.receive(socket, token(Operation::receive), stream);
        }
        rig.kernel.submit();
        if (whole.size() >= sent.size()) done.store(true);
        return got;
    };
    std::thread stand_in([&] {
        while (!done.load()) {
            take();
            if (turn(false) == 0) rig.kernel.begin_wait();
            give();
            rig.kernel.wait(500);
        }
    });
    const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!done.load() && std::chrono::steady_clock::now() < patience) {
        take();
        const unsigned got = turn(true);
        give();
        if (got == 0) {
            pollfd one{rig.kernel.descriptor(), POLLIN, 0};
            poll(&one, 1, 1);
        }
    }
    done.store(true);
    rig.kernel.ring_doorbell();
    stand_in.join();
    writer.join();
    CHECK(whole == sent);
}

// What a thread armed before it died ends, or goes on; after a re-arm nothing is lost.
template <class K>
void armed_by_the_dead() {
    Rig<K> rig;
    OPENED(rig);
    auto [client, socket] = rig.connected();
    auto [client2, socket2] = rig.connected();
    rig.lend(0, 16);
    std::thread([&, first = socket, second = socket2] {
        rig.kernel.accept(rig.listener, token(Operation::accept), true);
        rig.kernel.receive(first, token(Operation::receive, 1), true);
        rig.kernel.receive_into(second, token(Operation::receive_into, 2), rig.arena() + 40 * 4096, 100);
        rig.kernel.begin_wait();
        rig.kernel.wait(1000);
    }).join();
    usleep(1000);
    const Client newcomer = rig.connect();
    client.write("to the first");
    client2.write("to the second");
    std::string first;
    std::string second;
    int accepted = 0;
    for (int n = 0; n < 20 && (first.size() < 12 || second.size() < 13 || accepted == 0); ++n) {
        for (const Completion& each : rig.take(1)) {
            if (each.result < 0) {
                CHECK(each.result == -ECANCELED || each.result == -EFAULT);
                CHECK(!each.more);
            }
            switch (each.token.operation) {
                case Operation::accept:
                    if (each.result >= 0) rig.sockets.push_back(each.result), ++accepted;
                    if (!each.more) rig.kernel.accept(rig.listener, token(Operation::accept), true);
                    break;
                case Operation::receive:
                    if (each.result > 0) first += rig.bytes(each);
                    if (!each.more) rig.kernel.receive(socket, token(Operation::receive, 1), true);
                    break;
                default:
                    if (each.result > 0) {
                        second.append(reinterpret_cast<char*>(rig.arena() + 40 * 4096), std::size_t(each.result));
                    } else {
                        rig.kernel.receive_into(socket2, token(Operation::receive_into, 2), rig.arena() + 40 * 4096,
                                                100);
                    }
            }
        }
    }
    CHECK_EQ(first, "to the first");
    CHECK_EQ(second, "to the second");
    CHECK_EQ(accepted, 1);
    // The doorbell that the dead thread armed works for the next one.
    std::thread ringer([&] { rig.kernel.ring_doorbell(); });
    Completion out[4];
    rig.kernel.begin_wait();
    rig.kernel.wait(-1);
    CHECK_EQ(rig.kernel.harvest(out, 4), 0u);
    ringer.join();
}

// Echo for many clients at once, with segments and queue at their smallest.
template <class K>
void echo_under_pressure() {
    constexpr std::uint32_t CLIENTS = 24;
    constexpr std::size_t BYTES = 60'000;
    Rig<K> rig{{.segments = 8, .lent = 4, .depth = 8, .connections = CLIENTS}};
    OPENED(rig);
    std::atomic<unsigned> right{0};
    std::vector<std::thread> clients;
    for (std::uint32_t n = 0; n < CLIENTS; ++n) {
        clients.emplace_back([&, n] {
            const Client client = rig.connect();
            const std::string sent = pattern(BYTES, n);
            std::thread writer([&] { client.write(sent); });
            if (client.read(BYTES) == sent) right.fetch_add(1);
            writer.join();
        });
    }
    struct Echo {
        int socket = -1;
        std::vector<Completion> queue;  // segments to send, in order
        std::size_t sent = 0;
        bool sending = false;
        bool starved = false;
        bool ended = false;
        bool closing = false;
    };
    std::vector<Echo> echoes(CLIENTS);
    std::uint32_t open = 0;
    std::uint32_t closed = 0;
    rig.lend(0, 4);
    std::vector<std::uint32_t> free{4, 5, 6, 7};
    rig.kernel.accept(rig.listener, token(Operation::accept), true);
    const auto send_next = [&](std::uint32_t n) {
        Echo& echo = echoes[n];
        if (echo.sending || echo.queue.empty()) return;
        const std::string_view rest = rig.bytes(echo.queue.front()).substr(echo.sent);
        rig.kernel.send(echo.socket, token(Operation::send, n), rest.data(), rest.size());
        echo.sending = true;
    };
    const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (closed < CLIENTS && std::chrono::steady_clock::now() < patience) {
        Completion out[5];
        const unsigned got = rig.kernel.harvest(out, 5);
        for (unsigned i = 0; i < got; ++i) {
            const Completion& each = out[i];
            if (each.token.operation == Operation::accept) {
                if (each.result >= 0) {
                    const std::uint32_t n = open++;
                    echoes[n].socket = each.result;
                    rig.kernel.receive(each.result, token(Operation::receive, n), n % 2 == 0);
                }
                if (!each.more) rig.kernel.accept(rig.listener, token(Operation::accept), true);
                continue;
            }
            const std::uint32_t n = each.token.index;
            Echo& echo = echoes[n];
            if (each.token.operation == Operation::receive) {
                if (each.result > 0) echo.queue.push_back(each);
                if (each.result == -ENOBUFS) {
                    echo.starved = true;
                } else if (each.result > 0 && !each.more) {
                    rig.kernel.receive(echo.socket, token(Operation::receive, n), n % 2 == 0);
                } else if (each.result <= 0) {
                    echo.ended = true;
                }
            } else if (each.token.operation == Operation::send) {
                echo.sending = false;
                if (each.result < 0) {
                    FAIL("a send failed");
                    continue;
                }
                echo.sent += std::size_t(each.result);
                if (echo.sent == std::size_t(echo.queue.front().result)) {
                    free.push_back(echo.queue.front().segment);
                    echo.queue.erase(echo.queue.begin());
                    echo.sent = 0;
                }
            } else if (each.token.operation == Operation::close) {
                ++closed;
            }
            send_next(n);
            if (echo.ended && !echo.sending && echo.queue.empty() && !echo.closing) {
                echo.closing = true;
                rig.kernel.close(echo.socket, token(Operation::close, n));
            }
        }
        while (rig.kernel.lent() < 4 && !free.empty()) {
            rig.kernel.lend(free.back());
            free.pop_back();
        }
        for (std::uint32_t n = 0; n < open && rig.kernel.lent() > 0; ++n) {
            if (!echoes[n].starved) continue;
            echoes[n].starved = false;
            rig.kernel.receive(echoes[n].socket, token(Operation::receive, n), n % 2 == 0);
        }
        rig.kernel.submit();
        if (got == 0) {
            pollfd one{rig.kernel.descriptor(), POLLIN, 0};
            poll(&one, 1, 50);
        }
    }
    for (std::thread& each : clients) each.join();
    CHECK_EQ(right.load(), CLIENTS);
    CHECK_EQ(closed, CLIENTS);
    CHECK_EQ(free.size() + rig.kernel.lent(), 8u);
}

}  // namespace pinion::test
