// A kernel interface with a clock that the test turns: the reactor asks it for the time.
#pragma once

#include <cstdint>
#include <ctime>

namespace pinion::test {

template <class K>
class Clocked : public K {
public:
    std::uint64_t now_ms = 100000;

    timespec monotonic() const { return {time_t(now_ms / 1000), long(now_ms % 1000) * 1000000}; }
};

}  // namespace pinion::test
