// An assertion that stays on in production: a native invariant that does not hold ends the process, and systemd
// restarts it. Serving on with a broken owner table would hand one client's bytes to another.
#pragma once

namespace pinion::base {

[[noreturn]] void assertion_failed(const char* expression, const char* file, int line) noexcept;

}  // namespace pinion::base

#define PINION_ASSERT(expression)                       \
    (__builtin_expect(static_cast<bool>(expression), 1) \
         ? static_cast<void>(0)                         \
         : ::pinion::base::assertion_failed(#expression, __FILE__, __LINE__))
