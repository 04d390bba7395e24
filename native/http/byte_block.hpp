// A block of neighbouring bytes compared at once: AVX2 or SSE2, NEON, or a plain 64-bit word. Chosen at compile time:
// every x86-64 has SSE2, every arm64 has NEON; a build for newer processors (-mavx2) gets wider blocks.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(PINION_PLAIN_BLOCKS)
#define PINION_BLOCKS plain_blocks  // the portable version, so that tests can reach it on any processor
#elif defined(__AVX2__)
#include <immintrin.h>
#define PINION_BLOCKS_AVX2
#define PINION_BLOCKS avx2_blocks
#elif defined(__SSE2__)
#include <emmintrin.h>
#define PINION_BLOCKS_SSE2
#define PINION_BLOCKS sse2_blocks
#elif defined(__ARM_NEON) && defined(__aarch64__)
#include <arm_neon.h>
#define PINION_BLOCKS_NEON
#define PINION_BLOCKS neon_blocks
#else
#define PINION_BLOCKS plain_blocks
#endif

// A namespace of their own for each kind, so that two kinds can be in one program.
namespace pinion::http::inline PINION_BLOCKS {

static_assert(std::endian::native == std::endian::little, "lanes are counted from the lowest bits");

#if defined(PINION_BLOCKS_AVX2)

// Which bytes of a block matched: all ones in a lane that did.
struct Lanes {
    static constexpr std::size_t WIDTH = 32;
    static constexpr unsigned BITS = 1;  // of the mask, for each lane
    using Mask = std::uint32_t;
    __m256i vector;

    Lanes operator|(Lanes other) const { return {_mm256_or_si256(vector, other.vector)}; }
    Mask mask() const { return static_cast<Mask>(_mm256_movemask_epi8(vector)); }
    static constexpr Mask ALL = ~Mask{0};
};

struct ByteBlock {
    __m256i vector;

    static ByteBlock load(const char* from) { return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from))}; }
    Lanes equal(char byte) const { return {_mm256_cmpeq_epi8(vector, _mm256_set1_epi8(byte))}; }
    // Unsigned; bound from 1 to 0x80.
    Lanes below(unsigned bound) const {
        const __m256i highest = _mm256_set1_epi8(static_cast<char>(bound - 1));
        return {_mm256_cmpeq_epi8(_mm256_min_epu8(vector, highest), vector)};
    }
    Lanes not_ascii() const { return {vector}; }
    Lanes letters() const {
        const __m256i folded = _mm256_or_si256(vector, _mm256_set1_epi8(0x20));
        return ByteBlock{_mm256_sub_epi8(folded, _mm256_set1_epi8('a'))}.below(26);
    }
};

#elif defined(PINION_BLOCKS_SSE2)

struct Lanes {
    static constexpr std::size_t WIDTH = 16;
    static constexpr unsigned BITS = 1;
    using Mask = std::uint32_t;
    __m128i vector;

    Lanes operator|(Lanes other) const { return {_mm_or_si128(vector, other.vector)}; }
    Mask mask() const { return static_cast<Mask>(_mm_movemask_epi8(vector)); }
    static constexpr Mask ALL = 0xffff;
};

struct ByteBlock {
    __m128i vector;

    static ByteBlock load(const char* from) { return {_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))}; }
    Lanes equal(char byte) const { return {_mm_cmpeq_epi8(vector, _mm_set1_epi8(byte))}; }
    Lanes below(unsigned bound) const {
        const __m128i highest = _mm_set1_epi8(static_cast<char>(bound - 1));
        return {_mm_cmpeq_epi8(_mm_min_epu8(vector, highest), vector)};
    }
    Lanes not_ascii() const { return {vector}; }  // movemask takes the highest bit
    Lanes letters() const {
        const __m128i folded = _mm_or_si128(vector, _mm_set1_epi8(0x20));
        return ByteBlock{_mm_sub_epi8(folded, _mm_set1_epi8('a'))}.below(26);
    }
};

#elif defined(PINION_BLOCKS_NEON)

struct Lanes {
    static constexpr std::size_t WIDTH = 16;
    static constexpr unsigned BITS = 4;
    using Mask = std::uint64_t;
    uint8x16_t vector;

    Lanes operator|(Lanes other) const { return {vorrq_u8(vector, other.vector)}; }
    // NEON has no movemask: narrowing by four bits leaves one nibble for each lane.
    Mask mask() const { return vget_lane_u64(vreinterpret_u64_u8(vshrn_n_u16(vreinterpretq_u16_u8(vector), 4)), 0); }
    static constexpr Mask ALL = ~Mask{0};
};

struct ByteBlock {
    uint8x16_t vector;

    static ByteBlock load(const char* from) { return {vld1q_u8(reinterpret_cast<const std::uint8_t*>(from))}; }
    Lanes equal(char byte) const { return {vceqq_u8(vector, vdupq_n_u8(static_cast<std::uint8_t>(byte)))}; }
    Lanes below(unsigned bound) const { return {vcltq_u8(vector, vdupq_n_u8(static_cast<std::uint8_t>(bound)))}; }
    Lanes not_ascii() const { return {vcgeq_u8(vector, vdupq_n_u8(0x80))}; }
    Lanes letters() const {
        const uint8x16_t folded = vorrq_u8(vector, vdupq_n_u8(0x20));
        return ByteBlock{vsubq_u8(folded, vdupq_n_u8('a'))}.below(26);
    }
};

#else

struct Lanes {
    static constexpr std::size_t WIDTH = 8;
    static constexpr unsigned BITS = 8;
    using Mask = std::uint64_t;
    static constexpr Mask ALL = 0x8080808080808080;
    std::uint64_t vector;  // only the highest bit of each byte counts

    Lanes operator|(Lanes other) const { return {vector | other.vector}; }
    Mask mask() const { return vector & ALL; }
};

struct ByteBlock {
    std::uint64_t vector;

    static constexpr std::uint64_t repeat(unsigned byte) { return byte * std::uint64_t{0x0101010101010101}; }
    static ByteBlock load(const char* from) {
        ByteBlock block;
        std::memcpy(&block.vector, from, sizeof block.vector);
        return block;
    }
    // Sums of seven-bit numbers carry into the highest bit of their own byte and no further: exact in every lane.
    Lanes equal(char byte) const {
        const std::uint64_t difference = vector ^ repeat(static_cast<std::uint8_t>(byte));
        return {~(((difference & repeat(0x7f)) + repeat(0x7f)) | difference)};
    }
    Lanes below(unsigned bound) const { return {~(((vector & repeat(0x7f)) + repeat(0x80 - bound)) | vector)}; }
    Lanes not_ascii() const { return {vector}; }
    Lanes letters() const {
        const std::uint64_t folded = (vector & repeat(0x7f)) | repeat(0x20);
        return {(folded + repeat(0x80 - 'a')) & ~(folded + repeat(0x80 - ('z' + 1))) & ~vector};
    }
};

#endif

using LaneMask = Lanes::Mask;

// Index of the first lane that matched; the mask is not zero.
inline std::size_t first_lane(LaneMask mask) { return static_cast<std::size_t>(std::countr_zero(mask)) / Lanes::BITS; }

}  // namespace pinion::http::inline PINION_BLOCKS
