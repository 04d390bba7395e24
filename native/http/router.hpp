// Routes: path patterns compiled into a radix tree, matched without allocation.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/layout.generated.hpp"
#include "http/method.hpp"
#include "http/pattern.hpp"

namespace pinion::http {

using MethodSet = std::uint16_t;  // bit (1 << Method)
struct GrowingNode;
struct PackedTree;

struct Match {
    enum class Kind : std::uint8_t { found, not_found, method_not_allowed, bad_parameter } kind;
    std::uint32_t route = 0;            // found: what add() was given
    MethodSet allowed = 0;              // method_not_allowed: methods that the path has; HEAD wherever GET is
    std::uint16_t parameter_count = 0;  // found
};

// A pattern is "/" segments: literal text (percent-decoded before it is compared), or one parameter that fills the
// whole segment: {name}, {name:string}, {name:int}, {name:float}, {name:uuid}, or {name:path}, last, which takes
// the rest, slashes included. A literal beats int and uuid, these beat float, that beats string, that beats path; the
// search backtracks, so a more general pattern is found when a more specific one fails further down.
// int: -?[0-9]+ within ±2^53-1; float: decimal, optional exponent, finite. A segment that only typed parameters
// could take, and none does, is 404 (not_found).
//
// A parameter takes at least one byte. A trailing slash counts. Dot segments are not resolved: they match as they
// stand; but a {name:path} that has a ".." segment, however it is encoded, is bad_parameter. An encoded slash (%2F)
// is data: it never matches a '/' and never ends a segment. A route without the method does not end the search: a more
// general one that has it is found, and `allowed` is what all routes of the path have.
//
// A match costs the length of the path, whatever the number of routes; backtracking, at most one visit of each
// node of the tree (see router.cpp).
class Router {
public:
    Router();
    ~Router();
    Router(Router&&) noexcept;

    // Adds a pattern for the methods. False, and error filled, if it is malformed or clashes with one that is there.
    bool add(std::string_view pattern, MethodSet methods, std::uint32_t route, PatternError& error);

    // What those who answer the routes have said that they answer, by the numbers given to add(), to be called after
    // the last of these: of a route's own methods those are left that are among them. Of two calls the later one holds.
    void narrow(const std::vector<MethodSet>& answered);

    // path: as sent, beginning with "/", percent-encoding intact; base: what parameter offsets are relative to
    // (the head's first byte). HEAD finds GET's route unless HEAD has its own.
    // An invalid escape, an encoded NUL, or invalid UTF-8 after decoding is bad_parameter (400).
    // The first match after an add() packs the tree, which allocates; so one thread at a time.
    Match match(Method method, std::string_view path, const char* base, layout::Parameter* parameters) const;

private:
    PackedTree& packed() const;

    std::unique_ptr<GrowingNode> root_;
    mutable std::unique_ptr<PackedTree> packed_;
};

}  // namespace pinion::http
