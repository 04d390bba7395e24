// Shards share no cache line: what one writes would be taken from the other one's core.
#pragma once

#include <cstddef>
#include <deque>
#include <new>
#include <string>
#include <vector>

namespace pinion::base {

inline constexpr std::size_t CACHE_LINE_BYTES = 64;

// For containers that a shard writes to: each of their blocks has its lines to itself.
template <class T>
struct OwnLines {
    using value_type = T;

    OwnLines() = default;
    template <class U>
    OwnLines(const OwnLines<U>&) {}  // not explicit: containers convert it

    T* allocate(std::size_t count) {
        // NOLINTNEXTLINE(bugprone-sizeof-expression): T may be a pointer, a deque keeps some.
        const std::size_t bytes = (count * sizeof(T) + CACHE_LINE_BYTES - 1) / CACHE_LINE_BYTES * CACHE_LINE_BYTES;
        return static_cast<T*>(::operator new (bytes, std::align_val_t{CACHE_LINE_BYTES}));
    }
    void deallocate(T* block, std::size_t) { ::operator delete (block, std::align_val_t{CACHE_LINE_BYTES}); }
    template <class U>
    bool operator==(const OwnLines<U>&) const {
        return true;
    }
};

template <class T>
using OwnVector = std::vector<T, OwnLines<T>>;
template <class T>
using OwnDeque = std::deque<T, OwnLines<T>>;
using OwnString = std::basic_string<char, std::char_traits<char>, OwnLines<char>>;

}  // namespace pinion::base
