#include "base/index_list.hpp"

#include <algorithm>
#include <array>
#include <deque>
#include <random>

#include "test/check.hpp"

using pinion::base::IndexLinks;
using pinion::base::IndexList;

TEST("index list: first in, first out, and out of the middle, as std::deque has it") {
    std::array<IndexLinks, 20> links{};
    const auto links_of = [&](std::uint32_t index) -> IndexLinks& { return links[index]; };
    IndexList lists[2];
    std::deque<std::uint32_t> models[2];
    std::mt19937 random(7);
    CHECK_EQ(lists[0].pop_front(links_of), IndexList::NONE);
    for (int step = 0; step < 20000; ++step) {
        const auto index = std::uint32_t(random() % links.size());
        const unsigned which = random() % 2;
        if (!IndexList::linked(links[index])) {
            lists[which].push_back(index, links_of);
            models[which].push_back(index);
        } else if (random() % 2 == 0) {
            const bool second = std::count(models[1].begin(), models[1].end(), index) != 0;
            lists[second].erase(index, links_of);
            std::erase(models[second], index);
        } else {
            const std::uint32_t expected = models[which].empty() ? IndexList::NONE : models[which].front();
            CHECK_EQ(lists[which].front(), expected);
            CHECK_EQ(lists[which].pop_front(links_of), expected);
            if (!models[which].empty()) models[which].pop_front();
        }
        for (unsigned i = 0; i < 2; ++i) {
            CHECK_EQ(lists[i].size(), models[i].size());
            CHECK_EQ(lists[i].empty(), models[i].empty());
        }
    }
}
