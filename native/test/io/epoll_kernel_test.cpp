#include "io/epoll_kernel.hpp"

#include "test/io/kernel_cases.hpp"

namespace pinion::test {
namespace {

#define X(function, text) REGISTER_KERNEL_CASE("io: epoll: ", io::EpollKernel, function, text)
KERNEL_CASES(X)
#undef X

}  // namespace
}  // namespace pinion::test
