#include "io/sockets.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
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

PeerState peer_state(int socket) {
    pollfd one{socket, POLLRDHUP, 0};
    if (poll(&one, 1, 0) <= 0) return {};
    int unread = 0;
    if (ioctl(socket, FIONREAD, &unread) != 0 || unread < 0) unread = 0;
    return {(one.revents & (POLLERR | POLLHUP)) != 0, (one.revents & POLLRDHUP) != 0, std::uint32_t(unread)};
}

}  // namespace pinion::io
