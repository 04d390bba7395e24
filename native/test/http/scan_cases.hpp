// The searches against loops that cannot be wrong; included once for the processor's blocks and once for the plain
// ones.
#include <string>

#include "http/scan.hpp"
#include "test/check.hpp"
#include "test/http/guarded.hpp"

namespace pinion::test::inline PINION_BLOCKS {

inline bool is_control(unsigned char byte) { return byte < 0x20 || byte == 0x7f; }
inline bool ends_name(unsigned char byte) {
    return !((byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '-');
}

template <typename Search, typename Wanted>
void check_search(const Search& search, const Wanted& wanted, char harmless) {
    GuardedBytes memory(256);
    for (std::size_t length = 0; length <= 70; ++length) {
        const std::string bytes(length, harmless);
        char* const begin = memory.place(bytes);
        for (std::size_t from = 0; from <= length; ++from) {
            CHECK(search(begin, begin + from, begin + length) == begin + length);
        }
        for (std::size_t at = 0; at < length; ++at) {
            for (unsigned byte = 0; byte < 256; byte += (length % 8 == 3 ? 1 : 51)) {
                begin[at] = static_cast<char>(byte);
                const bool found = wanted(static_cast<unsigned char>(byte));
                bool fine = search(begin, begin, begin + length) == begin + (found ? at : length);
                fine = fine && search(begin, begin + at, begin + length) == begin + (found ? at : length);
                fine = fine && search(begin, begin + at + 1, begin + length) == begin + length;
                CHECK(fine);
            }
            begin[at] = harmless;
        }
    }
}

// Every lane is exact, the one behind a match too: a carry must not make a neighbour match.
inline void check_lanes() {
    for (unsigned first = 0; first < 256; ++first) {
        for (unsigned second = 0; second < 256; ++second) {
            char bytes[http::Lanes::WIDTH];
            for (std::size_t i = 0; i < sizeof bytes; ++i) bytes[i] = static_cast<char>(i % 2 == 0 ? first : second);
            const http::ByteBlock block = http::ByteBlock::load(bytes);
            const auto exact = [&](http::Lanes lanes, const auto& wanted) {
                const http::LaneMask mask = lanes.mask();
                for (std::size_t i = 0; i < sizeof bytes; ++i) {
                    const auto lane = static_cast<http::LaneMask>(mask >> (i * http::Lanes::BITS));
                    const bool set = lane != 0 && http::first_lane(lane) == 0;
                    if (set != wanted(static_cast<unsigned char>(bytes[i]))) return false;
                }
                return true;
            };
            const bool fine =
                exact(block.equal(':'), [](unsigned char byte) { return byte == ':'; }) &&
                exact(block.below(0x20), [](unsigned char byte) { return byte < 0x20; }) &&
                exact(block.not_ascii(), [](unsigned char byte) { return byte >= 0x80; }) &&
                exact(block.letters(), [](unsigned char byte) { return byte != '-' && !ends_name(byte); });
            if (!fine) FAIL("bytes " + std::to_string(first) + " and " + std::to_string(second));
        }
    }
    CHECK(true);
}

TEST(PINION_SCAN_KIND "controls") { check_search(http::find_control, is_control, 'a'); }
TEST(PINION_SCAN_KIND "ends of names") { check_search(http::find_name_end, ends_name, '-'); }
TEST(PINION_SCAN_KIND "lanes") { check_lanes(); }

}  // namespace pinion::test::inline PINION_BLOCKS
