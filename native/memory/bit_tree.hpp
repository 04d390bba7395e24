// A set of small numbers that finds its least member in a few steps: a bit for each number, above it a bit for each
// word that is not empty, and so on up to one word.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace pinion::memory {

class BitTree {
public:
    static constexpr std::uint32_t NONE = 0xffffffff;

    // Words of zeroed storage that a set of numbers below `count` needs.
    static std::size_t words(std::uint32_t count) {
        std::size_t total = 0;
        do {
            count = words_of_level(count);
            total += count;
        } while (count > 1);
        return total;
    }

    // storage: words(count) zeroed words, outliving the set.
    void init(std::uint64_t* storage, std::uint32_t count) {
        depth_ = 0;
        do {
            levels_[depth_++] = storage;
            count = words_of_level(count);
            storage += count;
        } while (count > 1);
    }

    bool contains(std::uint32_t number) const { return (levels_[0][number / 64] >> (number % 64) & 1) != 0; }
    bool empty() const { return levels_[depth_ - 1][0] == 0; }

    void insert(std::uint32_t number) {
        for (std::uint32_t level = 0; level < depth_; ++level) {
            std::uint64_t& word = levels_[level][number / 64];
            const bool was_empty = word == 0;
            word |= std::uint64_t(1) << (number % 64);
            if (!was_empty) return;  // the levels above have it already
            number /= 64;
        }
    }

    void erase(std::uint32_t number) {
        for (std::uint32_t level = 0; level < depth_; ++level) {
            std::uint64_t& word = levels_[level][number / 64];
            word &= ~(std::uint64_t(1) << (number % 64));
            if (word != 0) return;
            number /= 64;
        }
    }

    // The least member, or NONE.
    std::uint32_t first() const {
        if (empty()) return NONE;
        std::uint32_t number = 0;
        for (std::uint32_t level = depth_; level-- > 0;)
            number = number * 64 + std::uint32_t(std::countr_zero(levels_[level][number]));
        return number;
    }

private:
    static constexpr std::uint32_t MAX_DEPTH = 6;  // 64^6 is beyond any u32

    static std::uint32_t words_of_level(std::uint32_t count) { return count <= 64 ? 1 : (count - 1) / 64 + 1; }

    std::uint64_t* levels_[MAX_DEPTH] = {};
    std::uint32_t depth_ = 0;
};

}  // namespace pinion::memory
