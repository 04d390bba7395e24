// What can be asked of a socket at once, without an operation on it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pinion::io {

// A connection that waits to be accepted, or -errno: -EAGAIN if there is none. Makes the listener non-blocking
// (accept4(2) has no flag for that).
int accept_waiting(int listener);

// Sends as much as the socket has room for: bytes, -EAGAIN if it has none, or another -errno.
std::int32_t send_now(int socket, const void* from, std::size_t length);

struct PeerState {
    bool reset;            // the peer has reset the connection, or it has broken
    bool ended;            // the peer sends no more
    std::uint32_t unread;  // bytes that it has sent before and that nobody has read; counted if it has ended
};
PeerState peer_state(int socket);

}  // namespace pinion::io
