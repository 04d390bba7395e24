#include "http/route_tree.hpp"

#include "base/assert.hpp"

namespace pinion::http {

// The first `length` bytes of the text stay here; the rest, and all that follows, moves to a new child.
void GrowingNode::split(std::size_t length) {
    auto lower = std::make_unique<GrowingNode>(std::move(*this));
    *this = GrowingNode();
    text = lower->text.substr(0, length);
    lower->text.erase(0, length);
    first_bytes.assign(1, lower->text[0]);
    children.push_back(std::move(lower));
}

GrowingNode* GrowingNode::insert_literal(std::string_view literal) {
    GrowingNode* node = this;
    while (!literal.empty()) {
        const std::size_t index = node->first_bytes.find(literal[0]);
        if (index == std::string::npos) {
            node->first_bytes += literal[0];
            node->children.push_back(std::make_unique<GrowingNode>());
            node = node->children.back().get();
            node->text = literal;
            return node;
        }
        GrowingNode* const next = node->children[index].get();
        std::size_t common = 1;
        while (common < literal.size() && common < next->text.size() && literal[common] == next->text[common]) ++common;
        if (common < next->text.size()) next->split(common);
        literal.remove_prefix(common);
        node = next;
    }
    return node;
}

GrowingNode* GrowingNode::insert_parameter(layout::ParameterKind kind) {
    branches = true;
    for (std::size_t i = 0; i < SEGMENT_KINDS.size(); ++i) {
        if (SEGMENT_KINDS[i] != kind) continue;
        if (parameters[i] == nullptr) parameters[i] = std::make_unique<GrowingNode>();
        return parameters[i].get();
    }
    PINION_ASSERT(kind != layout::ParameterKind::path);  // it has no node of its own
    return nullptr;
}

PackedTree::PackedTree(const GrowingNode& root) { pack_entry(&root); }

// A node that is entered before its text: where it only leads on to one literal, the two are one.
std::uint32_t PackedTree::pack_entry(const GrowingNode* node) {
    if (node == nullptr) return NONE;
    if (!node->branches && node->end == nullptr && node->children.size() == 1) node = node->children[0].get();
    const auto index = static_cast<std::uint32_t>(nodes.size());
    nodes.emplace_back();
    pack(*node, index);
    return index;
}

void PackedTree::pack(const GrowingNode& from, std::uint32_t to) {
    const auto children = static_cast<std::uint32_t>(nodes.size());
    const auto child_count = static_cast<std::uint16_t>(from.children.size());
    Node node{static_cast<std::uint32_t>(texts.size()),
              static_cast<std::uint16_t>(from.text.size()),
              child_count,
              children,
              NONE,
              pack_end(from.end.get())};
    texts += from.text + from.first_bytes;
    nodes.resize(nodes.size() + child_count);
    for (std::uint32_t i = 0; i < child_count; ++i) pack(*from.children[i], children + i);
    if (from.branches) {
        Branch branch;
        for (std::size_t i = 0; i < SEGMENT_KINDS.size(); ++i)
            branch.parameters[i] = pack_entry(from.parameters[i].get());
        branch.rest = pack_end(from.rest.get());
        node.branch = static_cast<std::uint32_t>(branches.size());
        branches.push_back(branch);
    }
    nodes[to] = node;
}

std::uint32_t PackedTree::pack_end(const Endpoint* end) {
    if (end == nullptr) return NONE;
    ends.push_back(*end);
    return static_cast<std::uint32_t>(ends.size() - 1);
}

}  // namespace pinion::http
