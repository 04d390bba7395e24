#include "http/router.hpp"

#include "http/path_text.hpp"
#include "http/pattern.hpp"
#include "http/route_search.hpp"
#include "http/route_tree.hpp"

namespace pinion::http {

namespace {

constexpr MethodSet ALL_METHODS = (1u << METHOD_COUNT) - 1;

std::string method_list(MethodSet methods) {
    std::string list;
    for (unsigned i = 0; i < METHOD_COUNT; ++i) {
        if ((methods >> i & 1) == 0) continue;
        if (!list.empty()) list += ", ";
        list += METHOD_NAMES[i];
    }
    return list;
}

}  // namespace

Router::Router() : root_(std::make_unique<GrowingNode>()) {}
Router::~Router() = default;
Router::Router(Router&&) noexcept = default;

bool Router::add(std::string_view text, MethodSet methods, std::uint32_t route, PatternError& error) {
    Pattern pattern;
    if (!parse_pattern(text, pattern, error)) return false;
    if (methods == 0 || (methods & ~ALL_METHODS) != 0) {
        error = {0, "a route needs methods: write methods: [GET]"};
        return false;
    }

    GrowingNode* node = root_->insert_literal(pattern.literals[0]);
    std::unique_ptr<GrowingNode::End>* place = nullptr;
    for (std::size_t i = 0; i < pattern.kinds.size(); ++i) {
        if (pattern.kinds[i] == layout::ParameterKind::path) {
            node->branches = true;
            place = &node->rest;
        } else {
            node = node->insert_parameter(pattern.kinds[i])->insert_literal(pattern.literals[i + 1]);
        }
    }
    if (place == nullptr) place = &node->end;
    if (*place == nullptr) *place = std::make_unique<GrowingNode::End>();

    GrowingNode::End& end = **place;
    for (const auto& [taken, earlier] : end.patterns) {
        if ((taken & methods) == 0) continue;
        error = {0, "the same paths as \"" + earlier + "\" with " + method_list(MethodSet(taken & methods)) +
                        ": remove one of the two, or give them different methods"};
        return false;
    }
    end.methods = MethodSet(end.methods | methods);
    end.patterns.emplace_back(methods, std::string(text));
    for (unsigned i = 0; i < METHOD_COUNT; ++i) {
        if ((methods >> i & 1) != 0) end.routes[i] = route;
    }
    packed_.reset();
    return true;
}

PackedTree& Router::packed() const {
    if (__builtin_expect(packed_ == nullptr, 0)) packed_ = std::make_unique<PackedTree>(*root_);
    return *packed_;
}

void Router::narrow(const std::vector<MethodSet>& answered) {
    for (Endpoint& end : packed().ends) {
        end.methods = 0;
        for (unsigned i = 0; i < METHOD_COUNT; ++i) {
            if (end.routes[i] == NO_ROUTE || (answered[end.routes[i]] >> i & 1) == 0) continue;
            end.methods = MethodSet(end.methods | 1u << i);
        }
    }
}

Match Router::match(Method method, std::string_view path, const char* base, layout::Parameter* parameters) const {
    const PackedTree& tree = packed();
    if (stands_for_itself(base, path)) return RouteSearch<false>(tree, method, path, base, parameters).run();
    std::size_t fault = 0;
    if (check_path_text(path, fault) != PathTextFault::none) return Match{Match::Kind::bad_parameter};
    return RouteSearch<true>(tree, method, path, base, parameters).run();
}

}  // namespace pinion::http
