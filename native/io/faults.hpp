// A seam for tests: strace and the like cannot make what happens inside a ring fail, and few calls on a socket.
// PINION_FAULT(call) is false and costs nothing, but in a test that defines PINION_FAULTS and compiles a kernel class
// into itself (native/test/io/faults_test.cpp): there the call is not made, errno is set, and it counts as failed.
#pragma once

#ifdef PINION_FAULTS
namespace pinion::test {
enum class Call { uring_enter, epoll_ctl, accept, receive, send };
bool fault(Call call);
}  // namespace pinion::test
#define PINION_FAULT(call) (::pinion::test::fault(::pinion::test::Call::call))
#else
#define PINION_FAULT(call) false
#endif
