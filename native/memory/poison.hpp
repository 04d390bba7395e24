// Under AddressSanitizer, free memory of the arena is poisoned, so that a use after give() is reported where it
// happens. Without it, nothing is left of these calls.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__SANITIZE_ADDRESS__)
#define PINION_POISON 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PINION_POISON 1
#endif
#endif

#ifdef PINION_POISON
#include <sanitizer/asan_interface.h>
#endif

namespace pinion::memory {

inline void poison([[maybe_unused]] std::byte* base, [[maybe_unused]] std::uint32_t offset,
                   [[maybe_unused]] std::uint32_t bytes) {
#ifdef PINION_POISON
    if (base != nullptr) __asan_poison_memory_region(base + offset, bytes);
#endif
}

inline void unpoison([[maybe_unused]] std::byte* base, [[maybe_unused]] std::uint32_t offset,
                     [[maybe_unused]] std::uint32_t bytes) {
#ifdef PINION_POISON
    if (base != nullptr) __asan_unpoison_memory_region(base + offset, bytes);
#endif
}

}  // namespace pinion::memory
