// The reactors that most tests run are compiled once, in reactors.cpp, not in each file again: methods_test.cpp takes
// 5.5 s so, and took 14 (ASan, g++ 12).
#pragma once

#include "io/epoll_kernel.hpp"
#include "shard/reactor.hpp"
#include "test/shard/clocked.hpp"
#if PINION_WITH_URING
#include "io/uring_kernel.hpp"
#endif

// With PINION_FAULTS a file has kernels of its own by these names, and so reactors of its own.
#ifndef PINION_FAULTS
namespace pinion::shard {

extern template class Reactor<io::EpollKernel>;
extern template class Reactor<test::Clocked<io::EpollKernel>>;
#if PINION_WITH_URING
extern template class Reactor<io::UringKernel>;
extern template class Reactor<test::Clocked<io::UringKernel>>;
#endif

}  // namespace pinion::shard
#endif
