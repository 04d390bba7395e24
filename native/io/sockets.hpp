// What can be asked of a socket at once, without an operation on it.
#pragma once

namespace pinion::io {

// A connection that waits to be accepted, or -errno: -EAGAIN if there is none. Makes the listener non-blocking
// (accept4(2) has no flag for that).
int accept_waiting(int listener);

// The peer has reset the connection, or it has broken.
bool is_reset(int socket);

}  // namespace pinion::io
