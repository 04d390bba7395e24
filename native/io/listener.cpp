#include "io/listener.hpp"

#include <fcntl.h>
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

}  // namespace pinion::io
