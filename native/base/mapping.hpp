// Private, zeroed, anonymous memory straight from the kernel: a page costs nothing until it is touched, and no
// JavaScript ever sees it.
#pragma once

#include <cstddef>
#include <utility>

namespace pinion::base {

class Mapping {
public:
    Mapping() = default;
    ~Mapping() { unmap(); }
    Mapping(Mapping&& other) noexcept
        : start_(std::exchange(other.start_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
    Mapping& operator=(Mapping&& other) noexcept {
        std::swap(start_, other.start_);
        std::swap(bytes_, other.bytes_);
        return *this;
    }

    // False when the kernel refuses (address space or memory limit). What was mapped before is unmapped.
    bool map(std::size_t bytes);
    void unmap();

    std::byte* start() const { return start_; }
    std::size_t bytes() const { return bytes_; }

private:
    std::byte* start_ = nullptr;
    std::size_t bytes_ = 0;
};

}  // namespace pinion::base
