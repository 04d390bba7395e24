// Clients on loopback that never block, with the calls that clients of the simulation make (simulated_client.hpp).
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "test/shard/reactor_rig.hpp"

namespace pinion::test {

class LoopbackClients {
public:
    using ClientId = std::uint32_t;

    explicit LoopbackClients(const sockaddr_in& address) : address_(address) {}
    LoopbackClients(const LoopbackClients&) = delete;
    LoopbackClients& operator=(const LoopbackClients&) = delete;
    ~LoopbackClients() {
        for (const Client& client : clients_) {
            if (client.fd >= 0) ::close(client.fd);
        }
    }

    ClientId connect(int) {
        Client client;
        client.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        PINION_ASSERT(::connect(client.fd, reinterpret_cast<const sockaddr*>(&address_), sizeof address_) == 0);
        const int on = 1;
        setsockopt(client.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        clients_.push_back(std::move(client));
        return ClientId(clients_.size() - 1);
    }
    void client_send(ClientId id, std::string_view bytes) {
        clients_[id].unsent += bytes;
        write(clients_[id]);
    }
    void client_shutdown(ClientId id) {
        clients_[id].shut = true;
        write(clients_[id]);
    }
    void client_close(ClientId id) { end(clients_[id]); }
    void client_reset(ClientId id) {
        const linger hard{1, 0};
        if (clients_[id].fd >= 0) setsockopt(clients_[id].fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
        end(clients_[id]);
    }
    std::string client_read(ClientId id, std::size_t most = 65536) {
        Client& client = clients_[id];
        write(client);
        std::string bytes(std::min<std::size_t>(most, 65536), '\0');
        const ssize_t got = client.fd < 0 ? 0 : ::recv(client.fd, bytes.data(), bytes.size(), MSG_DONTWAIT);
        const bool later = got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
        client.ended = client.ended || (got <= 0 && !later);
        client.broken = client.broken || (got < 0 && !later);
        bytes.resize(got > 0 ? std::size_t(got) : 0);
        return bytes;
    }
    bool client_at_end(ClientId id) const { return clients_[id].ended; }
    bool closed_by_reset(ClientId id) const { return clients_[id].broken; }

private:
    struct Client {
        int fd = -1;
        std::string unsent = {};
        bool shut = false;    // its end follows what is unsent
        bool ended = false;   // the server's end has been read
        bool broken = false;  // by a reset
    };

    static void write(Client& client) {
        if (client.fd < 0) return;
        const ssize_t sent = client.unsent.empty() ? 0
                                                   : ::send(client.fd, client.unsent.data(), client.unsent.size(),
                                                            MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0) client.unsent.erase(0, std::size_t(sent));
        if (client.shut && client.unsent.empty()) ::shutdown(client.fd, SHUT_WR);
    }
    static void end(Client& client) {
        if (client.fd >= 0) ::close(client.fd);
        client.fd = -1;
    }

    sockaddr_in address_;
    std::vector<Client> clients_;
};

}  // namespace pinion::test
