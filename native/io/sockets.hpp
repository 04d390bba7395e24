// What can be asked of a socket at once, without an operation on it.
#pragma once

#include <cstdint>

namespace pinion::io {

// A connection that waits to be accepted, or -errno: -EAGAIN if there is none. Makes the listener non-blocking
// (accept4(2) has no flag for that).
int accept_waiting(int listener);

struct PeerState {
    bool reset;            // the peer has reset the connection, or it has broken
    bool ended;            // the peer sends no more
    std::uint32_t unread;  // bytes that it has sent before and that nobody has read; counted if it has ended
};
PeerState peer_state(int socket);

}  // namespace pinion::io
