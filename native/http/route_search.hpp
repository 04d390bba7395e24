// One search of a path in the router's tree.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/layout.generated.hpp"
#include "http/parameter.hpp"
#include "http/path_text.hpp"
#include "http/route_tree.hpp"
#include "http/router.hpp"

namespace pinion::http {

// Every node is reached by one sequence of literals and segments only, so that a search visits a node at most once.
// Hostile paths cost at most one visit of each node of the tree, which the configuration bounds, and never a
// number that grows exponentially with the path. A visit looks at one segment; {name:path} at the rest of the path.
// The search nests once for each segment of a pattern at which there is a choice: at most 512 times.
template <bool ESCAPED>
class RouteSearch {
public:
    RouteSearch(const PackedTree& tree, Method method, std::string_view path, const char* base,
                layout::Parameter* parameters)
        : tree_(tree),
          base_(base),
          begin_(path.data()),
          end_(begin_ + path.size()),
          method_(method),
          parameters_(parameters) {}

    Match run() {
        const char* at = begin_;
        const PackedTree::Node& root = tree_.nodes[0];
        if (read(tree_.text(root), at)) descend(&root, at, 0);
        return match_;
    }

private:
    using Node = PackedTree::Node;

    // Goes on from a node, whose text has been read, at `at`. True: the search is over, match_ says how.
    bool descend(const Node* node, const char* at, unsigned count) {
        for (;;) {
            if (at >= end_) return node->end != PackedTree::NONE && accept(tree_.ends[node->end], count);
            const char* next = at;
            const Node* child = tree_.child(*node, next_byte<ESCAPED>(next));
            if (child != nullptr && !read(tree_.text(*child).substr(1), next)) child = nullptr;
            if (node->branch != PackedTree::NONE) {
                if (child != nullptr && descend(child, next, count)) return true;
                return try_parameters(tree_.branches[node->branch], at, count);
            }
            if (child == nullptr) return false;
            node = child;
            at = next;
        }
    }

    bool read(std::string_view literal, const char*& at) const {
        if constexpr (ESCAPED) {
            for (const char byte : literal) {
                if (at >= end_ || next_byte<ESCAPED>(at) != byte) return false;
            }
        } else {
            if (static_cast<std::size_t>(end_ - at) < literal.size()) return false;
            if (std::memcmp(at, literal.data(), literal.size()) != 0) return false;
            at += literal.size();
        }
        return true;
    }

    bool accept(const Endpoint& endpoint, unsigned count) {
        const MethodSet methods = endpoint.methods;
        Method found = method_;
        if (method_ == Method::HEAD && (methods & method_bit(Method::HEAD)) == 0) found = Method::GET;
        if ((methods & method_bit(found)) == 0) {
            const bool head = (methods & method_bit(Method::GET)) != 0;
            match_.allowed = MethodSet(match_.allowed | methods | (head ? method_bit(Method::HEAD) : 0));
            match_.kind = Match::Kind::method_not_allowed;  // though it may have none at all
            return false;
        }
        match_ = {Match::Kind::found, endpoint.routes[static_cast<unsigned>(found)], 0,
                  static_cast<std::uint16_t>(count)};
        return true;
    }

    void store(unsigned count, const char* from, const char* to, layout::ParameterKind kind, double value) const {
        layout::Parameter& parameter = parameters_[count];
        parameter.offset = static_cast<std::uint16_t>(from - base_);
        parameter.length = static_cast<std::uint16_t>(to - from);
        parameter.kind = static_cast<std::uint32_t>(kind);
        parameter.value = value;
    }

    bool try_parameters(const PackedTree::Branch& branch, const char* at, unsigned count) {
        const void* const slash = std::memchr(at, '/', static_cast<std::size_t>(end_ - at));
        const char* const segment_end = slash == nullptr ? end_ : static_cast<const char*>(slash);
        if (segment_end != at) {
            for (std::size_t i = 0; i < SEGMENT_KINDS.size(); ++i) {
                double value = 0;
                if (branch.parameters[i] == PackedTree::NONE || !convert(SEGMENT_KINDS[i], at, segment_end, value))
                    continue;
                const Node& next = tree_.nodes[branch.parameters[i]];
                const char* after = segment_end;
                if (!read(tree_.text(next), after)) continue;
                store(count, at, segment_end, SEGMENT_KINDS[i], value);
                if (descend(&next, after, count + 1)) return true;
            }
        }
        if (branch.rest == PackedTree::NONE) return false;
        if (has_parent_segment<ESCAPED>({at, static_cast<std::size_t>(end_ - at)})) {
            match_ = {Match::Kind::bad_parameter};
            return true;
        }
        store(count, at, end_, layout::ParameterKind::path, 0);
        return accept(tree_.ends[branch.rest], count + 1);
    }

    static bool convert(layout::ParameterKind kind, const char* from, const char* to, double& value) {
        if (kind == layout::ParameterKind::string) return true;
        const std::string_view text(from, static_cast<std::size_t>(to - from));
        if constexpr (ESCAPED) {
            if (text.find('%') != std::string_view::npos) return convert_escaped(kind, from, to, value);
        }
        return convert_plain(kind, text, value);
    }

    static bool convert_plain(layout::ParameterKind kind, std::string_view text, double& value) {
        if (kind == layout::ParameterKind::int_) return parse_int(text, value);
        if (kind == layout::ParameterKind::float_) return parse_float(text, value);
        return is_uuid(text);
    }

    static bool convert_escaped(layout::ParameterKind kind, const char* from, const char* to, double& value) {
        char decoded[NUMBER_BYTES];
        std::size_t length = 0;
        while (from < to) {
            if (length == NUMBER_BYTES) return false;
            decoded[length++] = next_byte<true>(from);
        }
        return convert_plain(kind, {decoded, length}, value);
    }

    const PackedTree& tree_;
    const char* const base_;
    const char* const begin_;
    const char* const end_;
    const Method method_;
    layout::Parameter* const parameters_;
    Match match_{Match::Kind::not_found};
};

}  // namespace pinion::http
