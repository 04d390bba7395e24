// A seam for tests: strace and the like cannot make what happens inside a ring fail, and few calls on a socket.
// All of it is nothing and costs nothing, but in a test that compiles a kernel class into itself with PINION_FAULTS
// defined as a namespace of its own, where it says what goes wrong (native/test/io/faults_test.cpp by script,
// native/test/shard/faulty_kernels_test.cpp by seed).
//   PINION_FAULT(call, token)          true: the call is not made, errno is set, and it counts as failed
//   PINION_REFUSED(call, token)        for the ring: the operation is not made; it completes with an error
//   PINION_SETUP_REFUSED(flags)        for the ring: the kernel does not know one of these, and says EINVAL
//   PINION_COMPLETED(completion)       for the ring: what has come out of it may be changed, and a stream ended early
//   PINION_SHORTENED(call, token, n)   bytes that are asked for, of n
//   PINION_SHORTENED_VECTORS(token, vectors, count)   the same; sets count
#pragma once

#ifdef PINION_FAULTS

#include "io/kernel.hpp"

namespace pinion::test::PINION_FAULTS {

enum class Call {
    uring_enter,
    epoll_ctl,
    accept,
    receive,
    receive_into,
    send,
    shutdown,
    close,
    queue,  // entries of the ring's two queues
};
inline constexpr unsigned CALLS = unsigned(Call::queue) + 1;

bool fault(Call call, io::Token token = {});
bool refused(Call call, io::Token token);
bool setup_refused(std::uint32_t flags);
bool completed(io::Completion& completion);
std::size_t shortened(Call call, io::Token token, std::size_t length);
const iovec* shortened(io::Token token, const iovec* vectors, std::size_t& count);

}  // namespace pinion::test::PINION_FAULTS

#define PINION_FAULTS_OF(name) ::pinion::test::PINION_FAULTS::name
#define PINION_FAULT(call, ...) (PINION_FAULTS_OF(fault)(PINION_FAULTS_OF(Call)::call __VA_OPT__(, ) __VA_ARGS__))
#define PINION_REFUSED(call, token)                                     \
    if (PINION_FAULTS_OF(refused)(PINION_FAULTS_OF(Call)::call, token)) \
    return (void)next_entry(IORING_OP_NOP, -1, token)
#define PINION_SETUP_REFUSED(flags) (PINION_FAULTS_OF(setup_refused)(flags))
#define PINION_COMPLETED(completion) \
    if (PINION_FAULTS_OF(completed)(completion)) cancel((completion).token)
#define PINION_SHORTENED(call, token, length) (PINION_FAULTS_OF(shortened)(PINION_FAULTS_OF(Call)::call, token, length))
#define PINION_SHORTENED_VECTORS(token, vectors, count) (PINION_FAULTS_OF(shortened)(token, vectors, count))

#else

#define PINION_FAULT(...) false
#define PINION_REFUSED(call, token) static_cast<void>(0)
#define PINION_SETUP_REFUSED(flags) false
#define PINION_COMPLETED(completion) static_cast<void>(0)
#define PINION_SHORTENED(call, token, length) (length)
#define PINION_SHORTENED_VECTORS(token, vectors, count) (vectors)

#endif
