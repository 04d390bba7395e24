#include "io/uring_kernel.hpp"

#if PINION_WITH_URING

#include "test/io/kernel_cases.hpp"

namespace pinion::test {
namespace {

#define X(function, text) REGISTER_KERNEL_CASE("io: uring: ", io::UringKernel, function, text)
KERNEL_CASES(X)
#undef X

}  // namespace
}  // namespace pinion::test

#endif  // PINION_WITH_URING
