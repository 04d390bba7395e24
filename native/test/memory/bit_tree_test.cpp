#include "memory/bit_tree.hpp"

#include <random>
#include <set>
#include <vector>

#include "test/check.hpp"

using pinion::memory::BitTree;

TEST("bit tree: agrees with std::set") {
    for (const std::uint32_t count : {1u, 63u, 64u, 65u, 4096u, 4097u, 300000u}) {
        std::vector<std::uint64_t> storage(BitTree::words(count));
        BitTree tree;
        tree.init(storage.data(), count);
        CHECK_EQ(tree.first(), BitTree::NONE);
        std::set<std::uint32_t> model;
        std::mt19937 random(count);
        for (int step = 0; step < 3000; ++step) {
            const std::uint32_t number =
                random() % 3 == 0 && !model.empty() ? *model.begin() : std::uint32_t(random() % count);
            if (random() % 2 == 0) {
                tree.insert(number);
                model.insert(number);
            } else {
                tree.erase(number);
                model.erase(number);
            }
            CHECK_EQ(tree.contains(number), model.contains(number));
            CHECK_EQ(tree.empty(), model.empty());
            CHECK_EQ(tree.first(), model.empty() ? BitTree::NONE : *model.begin());
        }
    }
}
