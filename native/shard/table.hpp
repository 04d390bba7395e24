// A fixed number of records in private, zeroed memory that is touched only as it is used, with a LIFO free list, so
// that the record used last, which is warm, is used next, and low indices come first.
#pragma once

#include <sys/mman.h>
#include <cstddef>
#include <cstdint>

#include "base/assert.hpp"

namespace pinion::shard {

inline constexpr std::uint32_t NONE = 0xffffffff;

// T has a member `next` (u32), which the free list uses while the record is free.
template <class T>
class Table {
public:
    Table() = default;
    Table(const Table&) = delete;
    Table& operator=(const Table&) = delete;
    ~Table() {
        if (records_ != nullptr) munmap(static_cast<void*>(records_), sizeof(T) * capacity_);
    }

    bool map(std::uint32_t capacity) {
        void* memory = mmap(nullptr, sizeof(T) * capacity, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED) return false;
        madvise(memory, sizeof(T) * capacity, MADV_NOHUGEPAGE);
        records_ = static_cast<T*>(memory);
        capacity_ = capacity;
        return true;
    }

    std::uint32_t take() {
        std::uint32_t index = free_;
        if (index != NONE) {
            free_ = records_[index].next;
        } else if (fresh_ < capacity_) {
            index = fresh_++;
        } else {
            return NONE;
        }
        ++used_;
        return index;
    }
    // What take() would return.
    std::uint32_t peek() const { return free_ != NONE ? free_ : fresh_ < capacity_ ? fresh_ : NONE; }
    void give(std::uint32_t index) {
        records_[index].next = free_;
        free_ = index;
        --used_;
    }

    T& operator[](std::uint32_t index) {
        PINION_ASSERT(index < capacity_);
        return records_[index];
    }
    const T& operator[](std::uint32_t index) const {
        PINION_ASSERT(index < capacity_);
        return records_[index];
    }
    std::uint32_t capacity() const { return capacity_; }
    std::uint32_t used() const { return used_; }
    // Every record that was ever used has an index below this.
    std::uint32_t reached() const { return fresh_; }

private:
    T* records_ = nullptr;
    std::uint32_t capacity_ = 0;
    std::uint32_t fresh_ = 0;
    std::uint32_t free_ = NONE;
    std::uint32_t used_ = 0;
};

}  // namespace pinion::shard
