#include "io/sockets.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <algorithm>
#include <cerrno>

namespace pinion::io {

int accept_waiting(int listener) {
    const int flags = fcntl(listener, F_GETFL);
    if (flags < 0 || fcntl(listener, F_SETFL, flags | O_NONBLOCK) < 0) return -errno;
    int accepted = -1;
    do accepted = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    while (accepted < 0 && errno == EINTR);
    return accepted < 0 ? -errno : accepted;
}

std::int32_t send_now(int socket, const void* from, std::size_t length) {
    constexpr std::size_t MOST = 1u << 30;  // the count fits
    ssize_t sent;
    do sent = ::send(socket, from, std::min(length, MOST), MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : std::int32_t(sent);
}

PeerState peer_state(int socket) {
    pollfd one{socket, POLLRDHUP, 0};
    if (poll(&one, 1, 0) <= 0) return {};
    int unread = 0;
    if (ioctl(socket, FIONREAD, &unread) != 0 || unread < 0) unread = 0;
    return {(one.revents & (POLLERR | POLLHUP)) != 0, (one.revents & POLLRDHUP) != 0, std::uint32_t(unread)};
}

}  // namespace pinion::io
