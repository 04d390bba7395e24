// A first-in, first-out list of numbers (of connections, segments, …) whose links lie in the caller's own records: no
// allocation, and anything in the list can be taken out where it stands.
#pragma once

#include <cstdint>

#include "base/assert.hpp"

namespace pinion::base {

// The links of one number. Zero means "none" and links are number + 1, so that a record in zeroed memory is in no list.
struct IndexLinks {
    std::uint32_t next = 0;
    std::uint32_t previous = 0;
};

// links_of(index) gives the IndexLinks& of a number; the list does not keep it.
class IndexList {
public:
    static constexpr std::uint32_t NONE = 0xffffffff;

    bool empty() const { return first_ == 0; }
    std::uint32_t size() const { return size_; }
    std::uint32_t front() const { return first_ - 1; }  // NONE if empty

    template <typename LinksOf>
    void push_back(std::uint32_t index, LinksOf&& links_of) {
        IndexLinks& links = links_of(index);
        PINION_ASSERT(!linked(links) && index < END - 1);
        links = {END, last_ == 0 ? END : last_};
        if (last_ == 0) {
            first_ = index + 1;
        } else {
            links_of(last_ - 1).next = index + 1;
        }
        last_ = index + 1;
        ++size_;
    }

    // NONE if empty.
    template <typename LinksOf>
    std::uint32_t pop_front(LinksOf&& links_of) {
        if (first_ == 0) return NONE;
        const std::uint32_t index = first_ - 1;
        erase(index, links_of);
        return index;
    }

    // The number must be in this list.
    template <typename LinksOf>
    void erase(std::uint32_t index, LinksOf&& links_of) {
        IndexLinks& links = links_of(index);
        PINION_ASSERT(linked(links) && size_ != 0);
        const bool is_first = links.previous == END;
        const bool is_last = links.next == END;
        PINION_ASSERT(is_first == (first_ == index + 1) && is_last == (last_ == index + 1));
        if (is_first) {
            first_ = is_last ? 0 : links.next;
        } else {
            links_of(links.previous - 1).next = links.next;
        }
        if (is_last) {
            last_ = is_first ? 0 : links.previous;
        } else {
            links_of(links.next - 1).previous = links.previous;
        }
        links = {};
        --size_;
    }

    // In some list: which one is for the caller to know.
    static bool linked(const IndexLinks& links) { return links.next != 0; }

private:
    static constexpr std::uint32_t END = 0xffffffff;  // an end of the list: nothing beyond

    std::uint32_t first_ = 0;
    std::uint32_t last_ = 0;
    std::uint32_t size_ = 0;
};

}  // namespace pinion::base
