#include "base/mapping.hpp"

#include <sys/mman.h>

namespace pinion::base {

bool Mapping::map(std::size_t bytes) {
    unmap();
    void* start = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (start == MAP_FAILED) return false;
    start_ = static_cast<std::byte*>(start);
    bytes_ = bytes;
    return true;
}

void Mapping::unmap() {
    if (start_ != nullptr) ::munmap(start_, bytes_);
    start_ = nullptr;
    bytes_ = 0;
}

}  // namespace pinion::base
