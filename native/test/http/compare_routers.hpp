// Runs one text of routes and paths through the router and the naive one, and says where they differ.
//
// The text: a line for each route, "METHODS pattern", METHODS being a decimal number of method bits; an empty line;
// a line for each request, "METHOD path", METHOD being a method's number; "!METHODS METHODS …" narrows the routes from
// there on, those that it does not name to none.
#pragma once

#include <array>
#include <cmath>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "http/router.hpp"
#include "test/http/naive_router.hpp"

namespace pinion::test {

inline std::string describe(const http::Match& match, const layout::Parameter* parameters, std::size_t before) {
    constexpr std::array NAMES{"string", "int", "float", "uuid", "path"};
    constexpr int STATUS[] = {200, 404, 405, 400};
    std::ostringstream out;
    out.precision(17);
    out << STATUS[unsigned(match.kind)];
    if (match.kind == http::Match::Kind::method_not_allowed) out << ' ' << match.allowed;
    if (match.kind != http::Match::Kind::found) return out.str();
    out << ' ' << match.route;
    for (unsigned i = 0; i < match.parameter_count; ++i) {
        const layout::Parameter& p = parameters[i];
        out << ' ' << NAMES.at(p.kind) << '@' << p.offset - before << '+' << p.length << '=' << p.value;
    }
    return out.str();
}

inline std::string describe(const NaiveRouter::Answer& answer) {
    std::ostringstream out;
    out.precision(17);
    out << answer.status;
    if (answer.status == 405) out << ' ' << answer.allowed;
    if (answer.status != 200) return out.str();
    out << ' ' << answer.route;
    for (const auto& p : answer.parameters)
        out << ' ' << p.type << '@' << p.offset << '+' << p.length << '=' << p.value;
    return out.str();
}

// A number at the start of the line, and what follows it after a space.
inline unsigned take_number(std::string& line) {
    unsigned number = 0;
    std::size_t at = 0;
    for (; at < line.size() && line[at] >= '0' && line[at] <= '9'; ++at)
        number = (number * 10 + unsigned(line[at] - '0')) % 1024;
    if (at < line.size() && line[at] == ' ') ++at;
    line.erase(0, at);
    return number;
}

// Empty if the routers agree.
inline std::string compare_routers(std::string_view text) {
    http::Router router;
    NaiveRouter naive;
    std::istringstream lines{std::string(text)};
    std::string line;
    for (std::uint32_t route = 0; std::getline(lines, line) && !line.empty() && route < 64; ++route) {
        const unsigned methods = take_number(line) % 512;
        http::PatternError error;
        const bool added = router.add(line, http::MethodSet(methods), route, error);
        const bool expected = methods != 0 && naive.add(line, methods, route);
        if (added != expected) return line + (added ? ": was taken" : ": was refused: " + error.message);
        if (!added && (error.message.empty() || error.column > line.size()))
            return line + ": an error without a place or a text";
    }
    for (int requests = 0; std::getline(lines, line) && requests < 64; ++requests) {
        if (line.starts_with('!')) {
            line.erase(0, 1);
            std::vector<http::MethodSet> answered(64);
            for (http::MethodSet& methods : answered) methods = http::MethodSet(take_number(line) % 512);
            router.narrow(answered);
            naive.narrow(answered);
            continue;
        }
        const unsigned method = take_number(line) % 10;
        if (line.size() > 60000) continue;
        // The path lies behind something else of the head and ends where memory ends.
        const std::string before = "GET ";
        const std::string head = before + line;
        const std::vector<char> exact(head.begin(), head.end());
        std::array<layout::Parameter, layout::MAX_PARAMETERS> parameters;
        const std::string_view path(exact.data() + before.size(), line.size());
        const http::Match match = router.match(http::Method(method), path, exact.data(), parameters.data());
        const std::string got = describe(match, parameters.data(), before.size());
        const std::string expected = describe(naive.match(method, line));
        if (got != expected)
            return line + " with method " + std::to_string(method) + " is " + got + ", expected " + expected;
    }
    return {};
}

}  // namespace pinion::test
