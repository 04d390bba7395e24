// The router's tree in two forms: as it grows by add(), and packed into a few arrays for match(). Of ten thousand
// routes the grown tree takes megabytes in single allocations, the packed one a few hundred kilobytes, which
// stay in the cache.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/layout.generated.hpp"
#include "http/method.hpp"

namespace pinion::http {

using MethodSet = std::uint16_t;  // bit (1 << Method)

constexpr MethodSet method_bit(Method method) {
    return method == Method::unknown ? MethodSet(0) : MethodSet(1u << static_cast<unsigned>(method));
}

// Parameters that take one segment, in the order in which they are tried. No text is both an int and a uuid.
inline constexpr std::array SEGMENT_KINDS{layout::ParameterKind::int_, layout::ParameterKind::uuid,
                                          layout::ParameterKind::float_, layout::ParameterKind::string};

inline constexpr std::uint32_t NO_ROUTE = 0xffffffff;

// What is found where a pattern ends.
struct Endpoint {
    MethodSet methods = 0;
    std::array<std::uint32_t, METHOD_COUNT> routes;  // by method, also those that are not answered any more; NO_ROUTE

    Endpoint() { routes.fill(NO_ROUTE); }
};

// Reached by a literal: after `text`; by a parameter: after its segment, and `text` is empty. Parameters leave
// only nodes at which a segment begins.
struct GrowingNode {
    struct End : Endpoint {
        std::vector<std::pair<MethodSet, std::string>> patterns;  // as given, for the error of a clash
    };

    std::string text;
    std::string first_bytes;  // of the children's texts, in the same order
    std::vector<std::unique_ptr<GrowingNode>> children;
    std::array<std::unique_ptr<GrowingNode>, SEGMENT_KINDS.size()> parameters;
    std::unique_ptr<End> end;
    std::unique_ptr<End> rest;  // {name:path}
    bool branches = false;      // has parameters or rest

    // The node that the literal, or the parameter, leads to; made if there is none.
    GrowingNode* insert_literal(std::string_view literal);
    GrowingNode* insert_parameter(layout::ParameterKind kind);

private:
    void split(std::size_t length);
};

struct PackedTree {
    static constexpr std::uint32_t NONE = 0xffffffff;

    struct Node {
        std::uint32_t text;  // in `texts`; behind it the first bytes of the children's texts
        std::uint16_t text_length;
        std::uint16_t child_count;
        std::uint32_t children;  // the first one, the others follow it
        std::uint32_t branch;    // NONE: nothing but literals goes on from here
        std::uint32_t end;       // in `ends`, or NONE
    };
    struct Branch {
        std::array<std::uint32_t, SEGMENT_KINDS.size()> parameters;  // nodes or NONE; their text is yet to be read
        std::uint32_t rest;                                          // in `ends`, or NONE
    };

    explicit PackedTree(const GrowingNode& root);

    std::string_view text(const Node& node) const { return {texts.data() + node.text, node.text_length}; }
    const Node* child(const Node& node, char first) const {
        const char* const bytes = texts.data() + node.text + node.text_length;
        if (node.child_count < 8) {  // where a call to memchr would cost more
            for (std::uint32_t i = 0; i < node.child_count; ++i) {
                if (bytes[i] == first) return &nodes[node.children + i];
            }
            return nullptr;
        }
        const void* const found = std::memchr(bytes, first, node.child_count);
        if (found == nullptr) return nullptr;
        return &nodes[node.children + static_cast<std::size_t>(static_cast<const char*>(found) - bytes)];
    }

    std::vector<Node> nodes;  // the first one is the root; its text is yet to be read
    std::vector<Branch> branches;
    std::vector<Endpoint> ends;
    std::string texts;

private:
    std::uint32_t pack_entry(const GrowingNode* node);
    void pack(const GrowingNode& from, std::uint32_t to);
    std::uint32_t pack_end(const Endpoint* end);
};

}  // namespace pinion::http
