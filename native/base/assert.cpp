#include "base/assert.hpp"

#include <cstdio>
#include <cstdlib>

namespace pinion::base {

void assertion_failed(const char* expression, const char* file, int line) noexcept {
    std::fprintf(stderr, "pinion: %s:%d: assertion failed: %s\n", file, line, expression);
    std::abort();
}

}  // namespace pinion::base
