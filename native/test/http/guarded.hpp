// Bytes that end where the readable memory ends: reading one byte too many faults.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace pinion::test {

class GuardedBytes {
public:
    explicit GuardedBytes(std::size_t capacity) {
        const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
        readable_ = (capacity + page - 1) / page * page;
        mapped_ = readable_ + page;
        void* const address = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (address == MAP_FAILED) std::abort();
        base_ = static_cast<char*>(address);
        if (mprotect(base_ + readable_, page, PROT_NONE) != 0) std::abort();
    }
    ~GuardedBytes() { munmap(base_, mapped_); }
    GuardedBytes(const GuardedBytes&) = delete;
    GuardedBytes& operator=(const GuardedBytes&) = delete;

    // A copy of the text whose last byte is the last one before the guard page.
    char* place(std::string_view text) {
        char* const at = base_ + readable_ - text.size();
        std::memcpy(at, text.data(), text.size());
        return at;
    }

private:
    char* base_;
    std::size_t readable_;
    std::size_t mapped_;
};

}  // namespace pinion::test
