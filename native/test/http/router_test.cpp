#include "http/router.hpp"

#include <array>
#include <cstring>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "test/check.hpp"

namespace http = pinion::http;
namespace layout = pinion::layout;
using http::Method;

namespace {

constexpr http::MethodSet bit(Method method) { return http::MethodSet(1u << unsigned(method)); }
constexpr http::MethodSet GET = bit(Method::GET);
constexpr http::MethodSet POST = bit(Method::POST);
constexpr std::string_view KINDS[] = {"string", "int", "float", "uuid", "path"};

struct Route {
    std::string_view pattern;
    http::MethodSet methods = GET;
};

http::Router router_of(const std::vector<Route>& routes) {
    http::Router router;
    for (std::uint32_t i = 0; i < routes.size(); ++i) {
        http::PatternError error;
        if (!router.add(routes[i].pattern, routes[i].methods, i, error))
            FAIL(std::string(routes[i].pattern) + ": " + error.message);
    }
    return router;
}

// What a match says, as one line: "3 string=a%20b int=7 (7)", "404", "400", "405 GET HEAD".
std::string answer(const http::Router& router, Method method, std::string_view path) {
    // The path stands in the middle of a head, and ends where its memory ends.
    const std::string head = "GET " + std::string(path);
    const std::vector<char> exact(head.begin(), head.end());
    std::array<layout::Parameter, layout::MAX_PARAMETERS> parameters{};
    const std::string_view target(exact.data() + 4, path.size());
    const http::Match match = router.match(method, target, exact.data(), parameters.data());
    std::ostringstream out;
    switch (match.kind) {
        case http::Match::Kind::not_found: out << "404"; break;
        case http::Match::Kind::bad_parameter: out << "400"; break;
        case http::Match::Kind::method_not_allowed:
            out << "405";
            for (unsigned i = 0; i < http::METHOD_COUNT; ++i) {
                if ((match.allowed >> i & 1) != 0) out << ' ' << http::METHOD_NAMES[i];
            }
            break;
        case http::Match::Kind::found:
            out << match.route;
            for (unsigned i = 0; i < match.parameter_count; ++i) {
                const layout::Parameter& p = parameters[i];
                const std::string_view text(exact.data() + p.offset, p.length);
                out << ' ' << KINDS[p.kind] << '=' << text;
                if (p.kind == unsigned(layout::ParameterKind::int_) ||
                    p.kind == unsigned(layout::ParameterKind::float_)) {
                    out.precision(17);
                    out << " (" << p.value << ')';
                }
            }
    }
    return out.str();
}

struct Case {
    std::string_view path;
    std::string_view expected;
    Method method = Method::GET;
};

void check_all(const std::vector<Route>& routes, const std::vector<Case>& cases) {
    const http::Router router = router_of(routes);
    for (const Case& c : cases) {
        const std::string got = answer(router, c.method, c.path);
        if (got != c.expected) FAIL(std::string(c.path) + " is " + got + ", expected " + std::string(c.expected));
        CHECK(true);
    }
}

constexpr std::string_view UUID = "123e4567-E89b-12d3-a456-426614174000";

}  // namespace

TEST("router: literals") {
    check_all(
        {{"/"}, {"/users"}, {"/users/"}, {"/users/me"}, {"/use"}, {"/user"}, {"/a//b"}, {"/caf\xc3\xa9"}, {"/x%20y"}},
        {
            {"/", "0"},
            {"/users", "1"},
            {"/users/", "2"},  // a trailing slash counts
            {"/users/me", "3"},
            {"/use", "4"},
            {"/user", "5"},
            {"/us", "404"},
            {"/users/m", "404"},
            {"/users/mee", "404"},
            {"/users/me/", "404"},
            {"/Users", "404"},
            {"//", "404"},
            {"/a//b", "6"},
            {"/a/b", "404"},
            {"/caf%C3%A9", "7"},
            {"/caf%c3%a9", "7"},
            {"/caf\xc3\xa9", "7"},
            {"/x%20y", "8"},
            {"/x y", "8"},
            {"/%75s%65rs", "1"},
            {"/users%2Fme", "404"},  // an encoded slash is no slash
            {"%2Fusers", "404"},
            {"", "404"},
            {"*", "404"},
            {"users", "404"},
        });
}

TEST("router: an encoded slash is data") {
    check_all({{"/a%2Fb"}, {"/a/b"}, {"/s/{name}/end"}, {"/i/{id:int}"}}, {
                                                                              {"/a%2Fb", "0"},
                                                                              {"/a%2fb", "0"},
                                                                              {"/a/b", "1"},
                                                                              {"/s/x%2fy/end", "2 string=x%2fy"},
                                                                              {"/s/x/y/end", "404"},
                                                                              {"/i/1%2f2", "404"},
                                                                          });
}

TEST("router: precedence, and backtracking from what fails further down") {
    const std::string uuid = "/t/" + std::string(UUID);
    check_all({{"/t/{a:path}"},
               {"/t/{a}"},
               {"/t/{a:float}"},
               {"/t/{a:uuid}"},
               {"/t/{a:int}"},
               {"/t/7"},
               {"/t/7/only"},
               {"/t/{a:int}/int"},
               {"/t/{a:float}/float"},
               {"/t/{a}/string"},
               {"/t/{a:int}/{b:int}/{c}"},
               {"/t/{a}/{b}/{c:int}"}},
              {
                  {"/t/7", "5"},
                  {"/t/%37", "5"},
                  {"/t/8", "4 int=8 (8)"},
                  {"/t/-8", "4 int=-8 (-8)"},
                  {"/t/8.5", "2 float=8.5 (8.5)"},
                  {"/t/8e3", "2 float=8e3 (8000)"},
                  {uuid, "3 uuid=" + std::string(UUID)},
                  {"/t/x", "1 string=x"},
                  {"/t/x/y", "0 path=x/y"},
                  {"/t/7/only", "6"},
                  {"/t/7/int", "7 int=7 (7)"},
                  {"/t/7/float", "8 float=7 (7)"},
                  {"/t/7/string", "9 string=7"},
                  {"/t/7/other", "0 path=7/other"},
                  {"/t/1/2/3", "10 int=1 (1) int=2 (2) string=3"},
                  {"/t/1/x/3", "11 string=1 string=x int=3 (3)"},
                  {"/t/1/x/y", "0 path=1/x/y"},
                  {"/t/", "404"},
                  {"/t//", "0 path=/"},
                  {"/t", "404"},
              });
}

TEST("router: a parameter beside literals that share its first bytes") {
    check_all({{"/u/{name}"}, {"/u/me"}, {"/u/member/x"}, {"/u/{name}/posts/{id:int}"}, {"/{lang}/u"}},
              {
                  {"/u/me", "1"},
                  {"/u/mem", "0 string=mem"},
                  {"/u/member", "0 string=member"},
                  {"/u/member/x", "2"},
                  {"/u/member/posts/5", "3 string=member int=5 (5)"},
                  {"/u/me/posts/5", "3 string=me int=5 (5)"},
                  {"/u/me/posts/x", "404"},
                  {"/u/m%65", "1"},
                  {"/u/a%20b", "0 string=a%20b"},
                  {"/u/u", "0 string=u"},
                  {"/de/u", "4 string=de"},
                  {"//u", "404"},  // a parameter takes at least one byte
              });
}

TEST("router: int") {
    check_all({{"/{n:int}"}}, {
                                  {"/0", "0 int=0 (0)"},
                                  {"/007", "0 int=007 (7)"},
                                  {"/-0", "0 int=-0 (0)"},
                                  {"/9007199254740991", "0 int=9007199254740991 (9007199254740991)"},
                                  {"/-9007199254740991", "0 int=-9007199254740991 (-9007199254740991)"},
                                  {"/9007199254740992", "404"},
                                  {"/-9007199254740992", "404"},
                                  {"/99999999999999999999999999", "404"},
                                  {"/%31%32", "0 int=%31%32 (12)"},
                                  {"/%2d5", "0 int=%2d5 (-5)"},
                                  {"/", "404"},
                                  {"/-", "404"},
                                  {"/+1", "404"},
                                  {"/1.0", "404"},
                                  {"/1e3", "404"},
                                  {"/0x10", "404"},
                                  {"/1%20", "404"},
                                  {"/--1", "404"},
                                  {"/1-", "404"},
                                  {"/%D9%A1", "404"},  // an Arabic digit
                                  {"/" + std::string(511, '0') + "1", "0 int=" + std::string(511, '0') + "1 (1)"},
                                  {"/" + std::string(512, '0') + "1", "404"},
                                  {"/%30" + std::string(510, '0') + "1", "0 int=%30" + std::string(510, '0') + "1 (1)"},
                                  {"/%30" + std::string(511, '0') + "1", "404"},
                              });
}

TEST("router: float") {
    const std::string zeros(400, '0');
    check_all({{"/{x:float}"}},
              {
                  {"/1", "0 float=1 (1)"},
                  {"/-1.5", "0 float=-1.5 (-1.5)"},
                  {"/1E+2", "0 float=1E+2 (100)"},
                  {"/25e-1", "0 float=25e-1 (2.5)"},
                  {"/1.7976931348623157e308", "0 float=1.7976931348623157e308 (1.7976931348623157e+308)"},
                  {"/1.8e308", "404"},
                  {"/-1e999", "404"},
                  {"/1e99999999999999999999", "404"},
                  {"/1e-999", "0 float=1e-999 (0)"},
                  {"/0e999", "0 float=0e999 (0)"},
                  {"/1e-99999999999999999999", "0 float=1e-99999999999999999999 (0)"},
                  {"/1" + zeros, "404"},
                  {"/0." + zeros + "1", "0 float=0." + zeros + "1 (0)"},
                  {"/1" + zeros + "e-400", "0 float=1" + zeros + "e-400 (1)"},
                  {"/0." + zeros + "1e401", "0 float=0." + zeros + "1e401 (1)"},
                  {"/1" + zeros + "e-1", "404"},
                  {"/1%2E5", "0 float=1%2E5 (1.5)"},
                  {"/.5", "404"},
                  {"/5.", "404"},
                  {"/1e", "404"},
                  {"/1e+", "404"},
                  {"/e5", "404"},
                  {"/-", "404"},
                  {"/-.5", "404"},
                  {"/+1", "404"},
                  {"/inf", "404"},
                  {"/nan", "404"},
                  {"/-Infinity", "404"},
                  {"/0x1p3", "404"},
                  {"/1_000", "404"},
                  {"/1,5", "404"},
                  {"/1.2.3", "404"},
                  {"/1e5.5", "404"},
              });
}

TEST("router: uuid") {
    const std::string good(UUID);
    std::vector<std::string> paths;
    for (std::size_t i = 0; i < good.size(); ++i) {
        std::string bad = good;
        bad[i] = bad[i] == '-' ? '0' : 'g';
        paths.push_back("/" + bad);
    }
    paths.push_back("/" + good + "0");
    paths.push_back("/" + good.substr(1));
    paths.push_back("/{" + good + "}");
    std::vector<Case> cases;
    for (const std::string& path : paths) cases.push_back({path, "404"});
    const std::string found = "0 uuid=" + good;
    const std::string path = "/" + good;
    cases.push_back({path, found});
    const std::string escaped = "/%31" + good.substr(1);
    const std::string found_escaped = "0 uuid=%31" + good.substr(1);
    cases.push_back({escaped, found_escaped});
    check_all({{"/{id:uuid}"}}, cases);
}

TEST("router: path") {
    check_all({{"/files/{rest:path}"}, {"/files/{id:int}/x"}, {"/files/read/me"}, {"/p/{rest:path}", POST}},
              {
                  {"/files/a", "0 path=a"},
                  {"/files/a/b/c", "0 path=a/b/c"},
                  {"/files/a/", "0 path=a/"},
                  {"/files//a", "0 path=/a"},
                  {"/files/a%2Fb", "0 path=a%2Fb"},
                  {"/files/", "404"},
                  {"/files", "404"},
                  {"/files/5/x", "1 int=5 (5)"},
                  {"/files/5/y", "0 path=5/y"},
                  {"/files/read/me", "2"},
                  {"/files/read/m", "0 path=read/m"},
                  {"/files/.", "0 path=."},
                  {"/files/...", "0 path=..."},
                  {"/files/a..", "0 path=a.."},
                  {"/files/..a/.../.b", "0 path=..a/.../.b"},
                  {"/files/%2e%2e%2e", "0 path=%2e%2e%2e"},
                  {"/files/..", "400"},
                  {"/files/../", "400"},
                  {"/files/a/..", "400"},
                  {"/files/a/../b", "400"},
                  {"/files/%2e%2E", "400"},
                  {"/files/.%2e/etc", "400"},
                  {"/files/a%2f..%2fb", "400"},  // decoded later, this is ".." too
                  {"/files/a/..%2f", "400"},
                  {"/files/%252e%252e", "0 path=%252e%252e"},  // decodes to %2e%2e, once
                  {"/p/..", "400"},                            // before the method is looked at
                  {"/p/a", "405 POST"},
              });
}

TEST("router: dot segments match as they stand") {
    check_all({{"/a/../b"}, {"/a/{x}/c"}, {"/b"}}, {{"/a/../b", "0"},
                                                    {"/a/%2e%2e/b", "0"},
                                                    {"/a/../c", "1 string=.."},
                                                    {"/a/./c", "1 string=."},
                                                    {"/./b", "404"}});
}

TEST("router: a path that is no text is 400, wherever it leads") {
    check_all({{"/{x}"}, {"/{x:path}"}}, {
                                             {"/%", "400"},
                                             {"/%4", "400"},
                                             {"/%4g", "400"},
                                             {"/%g4", "400"},
                                             {"/a%", "400"},
                                             {"/%%41", "400"},
                                             {"/%00", "400"},
                                             {"/a/%00/b", "400"},
                                             {std::string_view("/\0", 2), "400"},
                                             {"/%c3", "400"},
                                             {"/%c3/%a9", "400"},
                                             {"/%a9", "400"},
                                             {"/%c0%af", "400"},  // over-long '/'
                                             {"/%e0%80%af", "400"},
                                             {"/%f0%80%80%af", "400"},
                                             {"/%ed%a0%80", "400"},  // a surrogate
                                             {"/%f4%90%80%80", "400"},
                                             {"/%f5%80%80%80", "400"},
                                             {"/%ff", "400"},
                                             {"/\xff", "400"},
                                             {"/\xc3", "400"},
                                             {"/%e2%82", "400"},
                                             {"nowhere%", "400"},
                                             {"/%e2%82%ac", "0 string=%e2%82%ac"},
                                             {"/%f0%9f%98%80", "0 string=%f0%9f%98%80"},
                                             {"/%f4%8f%bf%bf", "0 string=%f4%8f%bf%bf"},
                                             {"/\xc3%a9", "0 string=\xc3%a9"},
                                             {"/%0a", "0 string=%0a"},
                                         });
}

TEST("router: methods") {
    check_all({{"/a"},
               {"/a", POST},
               {"/b", bit(Method::HEAD)},
               {"/b", GET},
               {"/c/{x}", POST},
               {"/c/me"},
               {"/c/{x:path}", bit(Method::DELETE)},
               {"/d", POST | bit(Method::PUT)}},
              {
                  {"/a", "0"},
                  {"/a", "1", Method::POST},
                  {"/a", "0", Method::HEAD},
                  {"/a", "405 GET HEAD POST", Method::PUT},
                  {"/a", "405 GET HEAD POST", Method::unknown},
                  {"/a", "405 GET HEAD POST", Method::OPTIONS},
                  {"/b", "2", Method::HEAD},
                  {"/b", "3"},
                  // The more general pattern that has the method is found, and 405 names the methods of all.
                  {"/c/me", "5"},
                  {"/c/me", "4 string=me", Method::POST},
                  {"/c/me", "6 path=me", Method::DELETE},
                  {"/c/me", "405 GET HEAD POST DELETE", Method::PATCH},
                  {"/c/you", "405 POST DELETE", Method::GET},
                  {"/d", "405 POST PUT", Method::HEAD},
                  {"/nowhere", "404", Method::POST},
                  {"/nowhere", "404", Method::unknown},
              });
}

TEST("router: 16 parameters") {
    std::string pattern;
    std::string path;
    std::string expected = "0";
    for (int i = 0; i < 16; ++i) {
        pattern += "/{p" + std::to_string(i) + ":int}";
        path += "/" + std::to_string(i);
        expected += " int=" + std::to_string(i) + " (" + std::to_string(i) + ")";
    }
    check_all({{pattern}}, {{path, expected}, {path + "/16", "404"}});
}

TEST("router: offsets are relative to the head, up to its last byte") {
    const http::Router router = router_of({{"/{a}/{rest:path}"}});
    std::string head(65000, 'x');
    const std::string_view path = "/name/to/file";
    head.replace(head.size() - path.size(), path.size(), path);
    std::array<layout::Parameter, layout::MAX_PARAMETERS> parameters{};
    const auto match = router.match(Method::GET, std::string_view(head).substr(head.size() - path.size()), head.data(),
                                    parameters.data());
    REQUIRE(match.kind == http::Match::Kind::found);
    CHECK_EQ(match.parameter_count, 2);
    CHECK_EQ(parameters[0].offset, 65000 - 12);
    CHECK_EQ(head.substr(parameters[1].offset, parameters[1].length), "to/file");
}

TEST("router: ten thousand routes, each found, in whatever order they came") {
    http::Router router;
    http::PatternError error;
    constexpr std::uint32_t count = 10000;
    for (std::uint32_t i = 0; i < count; ++i) {
        const std::uint32_t n = i * 7919 % count;
        REQUIRE(router.add("/api/r" + std::to_string(n) +
                               (n % 3 == 0   ? ""
                                : n % 3 == 1 ? "/{id:int}"
                                             : "/{x}/tail"),
                           GET, n, error));
    }
    for (std::uint32_t n = 0; n < count; ++n) {
        const std::string path = "/api/r" + std::to_string(n) + (n % 3 == 0 ? "" : n % 3 == 1 ? "/5" : "/5/tail");
        const std::string tail = n % 3 == 0 ? "" : n % 3 == 1 ? " int=5 (5)" : " string=5";
        CHECK_EQ(answer(router, Method::GET, path), std::to_string(n) + tail);
        CHECK_EQ(answer(router, Method::GET, path + "x"), "404");
    }
}

TEST("router: hostile paths against every combination of edges end quickly") {
    // Each segment may be a literal, an int, a float or a string, on five levels, and no pattern ends in "/stop".
    http::Router router;
    http::PatternError error;
    const std::string_view edges[] = {"1", "{%:int}", "{%:float}", "{%:string}"};
    for (std::uint32_t n = 0; n < 1024; ++n) {
        std::string pattern;
        for (std::uint32_t level = 0; level < 5; ++level) {
            std::string edge(edges[n >> 2 * level & 3]);
            if (const auto at = edge.find('%'); at != std::string::npos) edge[at] = char('a' + level);
            pattern += '/' + edge;
        }
        REQUIRE(router.add(pattern + "/end", GET, n, error));
    }
    CHECK_EQ(answer(router, Method::GET, "/1/1/1/1/1/end"), "0");
    CHECK_EQ(answer(router, Method::GET, "/1/1/1/1/1/stop"), "404");
    std::string longest;
    while (longest.size() < 65000) longest += "/1";
    CHECK_EQ(answer(router, Method::GET, longest), "404");
    CHECK_EQ(answer(router, Method::GET, std::string(65000, '/')), "404");
}

TEST("router: a route that is added after a match is found by the next one") {
    http::Router router = router_of({{"/a"}});
    CHECK_EQ(answer(router, Method::GET, "/ab"), "404");
    http::PatternError error;
    REQUIRE(router.add("/ab", GET, 7, error));
    CHECK_EQ(answer(router, Method::GET, "/ab"), "7");
    CHECK_EQ(answer(http::Router(), Method::GET, "/"), "404");
}

TEST("router: of a route's methods those are left that its handler answers, whatever it answered before") {
    constexpr http::MethodSet HEAD = bit(Method::HEAD);
    constexpr http::MethodSet PUT = bit(Method::PUT);
    http::Router router = router_of({{"/a", GET | HEAD | POST | PUT},
                                     {"/b", GET | POST},
                                     {"/b", PUT},
                                     {"/c/{id:int}", GET | POST},
                                     {"/c/{rest:path}", GET | POST}});
    const auto all = [](http::MethodSet methods) { return std::vector<http::MethodSet>(5, methods); };
    CHECK_EQ(answer(router, Method::PUT, "/a"), "0");
    router.narrow({GET | HEAD, GET | PUT, POST, GET, POST});
    CHECK_EQ(answer(router, Method::GET, "/a"), "0");
    CHECK_EQ(answer(router, Method::HEAD, "/a"), "0");
    CHECK_EQ(answer(router, Method::POST, "/a"), "405 GET HEAD");
    // What a route was not given it does not get, and its neighbour keeps its own.
    CHECK_EQ(answer(router, Method::HEAD, "/b"), "1");
    CHECK_EQ(answer(router, Method::PUT, "/b"), "405 GET HEAD");
    CHECK_EQ(answer(router, Method::DELETE, "/b"), "405 GET HEAD");
    // A more general route that has the method is found.
    CHECK_EQ(answer(router, Method::GET, "/c/5"), "3 int=5 (5)");
    CHECK_EQ(answer(router, Method::POST, "/c/5"), "4 path=5");
    CHECK_EQ(answer(router, Method::PUT, "/c/5"), "405 GET HEAD POST");
    // The last word holds, also for more.
    router.narrow(all(POST));
    CHECK_EQ(answer(router, Method::POST, "/a"), "0");
    CHECK_EQ(answer(router, Method::HEAD, "/a"), "405 POST");
    CHECK_EQ(answer(router, Method::PUT, "/b"), "405 POST");
    // A path that has no method left is still there.
    router.narrow(all(PUT));
    CHECK_EQ(answer(router, Method::PUT, "/b"), "2");
    CHECK_EQ(answer(router, Method::GET, "/c/5"), "405");
    CHECK_EQ(answer(router, Method::GET, "/d"), "404");
    router.narrow(all(http::MethodSet((1u << http::METHOD_COUNT) - 1)));
    CHECK_EQ(answer(router, Method::POST, "/b"), "1");
    CHECK_EQ(answer(router, Method::HEAD, "/c/x"), "4 path=x");
}

TEST("router: moves") {
    http::Router first = router_of({{"/a"}});
    const http::Router second(std::move(first));
    CHECK_EQ(answer(second, Method::GET, "/a"), "0");
}
