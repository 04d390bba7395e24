#include "http/pattern.hpp"

#include <string>
#include <string_view>
#include <vector>

#include "http/router.hpp"
#include "test/check.hpp"

namespace http = pinion::http;
using http::Method;

namespace {

struct Wrong {
    std::string_view pattern;
    std::uint32_t column;
    std::string_view says;  // part of the message
};

void check_wrong(http::Router& router, const Wrong& wrong, http::MethodSet methods = 1) {
    http::PatternError error;
    const bool added = router.add(wrong.pattern, methods, 0, error);
    if (added) FAIL(std::string(wrong.pattern) + " was taken");
    CHECK_EQ(error.column, wrong.column);
    if (error.message.find(wrong.says) == std::string::npos) {
        FAIL(std::string(wrong.pattern) + " says: " + error.message + "\n    expected " + std::string(wrong.says));
    }
}

}  // namespace

TEST("pattern: what is wrong is named, with its column and what to write instead") {
    http::Router router;
    const std::string many = [] {
        std::string text;
        for (int i = 0; i < 17; ++i) text += "/{p" + std::to_string(i) + "}";
        return text;
    }();
    const std::string long_one = "/" + std::string(1024, 'a');
    const std::vector<Wrong> cases{
        {"", 0, "begins with '/': write \"/\""},
        {"users", 0, "write \"/users\""},
        {"{id}", 0, "write \"/{id}\""},
        {"/a?b", 2, "query"},
        {"/a#b", 2, "%23"},
        {"/a b", 2, "%20"},
        {"/a\tb", 2, "escape"},
        {"/a%", 2, "%25"},
        {"/a%4", 2, "%25"},
        {"/a%zz", 2, "two hexadecimal digits"},
        {"/a%00", 2, "NUL"},
        {"/a\xff", 2, "UTF-8"},
        {"/a%c3/b", 2, "UTF-8"},
        {"/a}", 2, "%7D"},
        {"/}a", 1, "%7D"},
        {"/{", 1, "'{' without '}'"},
        {"/{id", 1, "'{' without '}'"},
        {"/{id/x}", 1, "'{' without '}'"},
        {"/{a{b}}", 1, "'{' without '}'"},
        {"/{}", 2, "needs a name"},
        {"/{:int}", 2, "needs a name"},
        {"/a{id}", 2, "write '/' before it"},
        {"/{a}{b}", 4, "write '/' after it"},
        {"/{a}.json", 4, "write '/' after it"},
        {"/{1a}", 2, "does not begin with a digit"},
        {"/{a-b}", 3, "letters, digits and '_'"},
        {"/{a b}", 3, "letters, digits and '_'"},
        {"/{ a}", 2, "letters, digits and '_'"},
        {"/{__proto__}", 2, "another name"},
        {"/{a}/{a}", 6, "two parameters named \"a\""},
        {"/{a}/x/{b}/{a:int}", 12, "two parameters named \"a\""},
        {"/{a:}", 4, "unknown type \"\": write string, int, float, uuid or path"},
        {"/{a:itn}", 4, "unknown type \"itn\": write int ("},
        {"/{a:Int}", 4, "write int ("},
        {"/{a:integer}", 4, "write int ("},
        {"/{a:number}", 4, "write int ("},
        {"/{a:flaot}", 4, "write float ("},
        {"/{a:double}", 4, "write float ("},
        {"/{a:sting}", 4, "write string ("},
        {"/{a:UUID}", 4, "write uuid ("},
        {"/{a:guid}", 4, "write uuid ("},
        {"/{a:paht}", 4, "write path ("},
        {"/{a:*}", 4, "write path ("},
        {"/{a:colour}", 4, "write string, int, float, uuid or path"},
        {"/{a:int:x}", 4, "unknown type \"int:x\""},
        {"/{a:path}/b", 1, "write it last"},
        {"/{a:path}/", 1, "write it last"},
        {"/:id", 1, "write {id}"},
        {"/u/:id.json/x", 3, "write {id}"},
        {"/files/*", 7, "write {rest:path}"},
        {"/*/x", 1, "write {rest:path}"},
        {many, std::uint32_t(many.rfind('{')), "at most 16 parameters"},
        {long_one, 1024, "at most 1024 bytes"},
    };
    for (const Wrong& wrong : cases) check_wrong(router, wrong);
    http::PatternError error;
    CHECK(!router.add("/a", 0, 0, error));
    CHECK(!router.add("/a", 1u << http::METHOD_COUNT, 0, error));
}

TEST("pattern: what is right") {
    for (const std::string_view text :
         {"/", "/{a}", "/{a:string}", "/{a:int}/{b:float}/{c:uuid}/{d:path}", "/%7Bid%7D", "/a:b", "/a*b", "/%3Aid",
          "/%2A", "/:", "/a//b/", "/{_x1}/", "/a/../b", "/%c3%a9", "/\xc3\xa9", "/~user/a+b;c=d,e@f!$&'()"}) {
        http::Router router;
        http::PatternError error;
        if (!router.add(text, 1, 0, error)) FAIL(std::string(text) + ": " + error.message);
        CHECK(true);
    }
}

TEST("pattern: its parts") {
    http::Pattern pattern;
    http::PatternError error;
    REQUIRE(http::parse_pattern("/a%20b%2Fc/{id:int}/x/{rest:path}", pattern, error));
    CHECK_EQ(pattern.literals, (std::vector<std::string>{std::string("/a b\0c/", 7), "/x/", ""}));
    CHECK_EQ(pattern.names, (std::vector<std::string>{"id", "rest"}));
    CHECK(pattern.kinds == std::vector{pinion::layout::ParameterKind::int_, pinion::layout::ParameterKind::path});
}

TEST("pattern: a clash names the earlier pattern and the methods") {
    http::Router router;
    http::PatternError error;
    const auto bit = [](Method method) { return http::MethodSet(1u << unsigned(method)); };
    REQUIRE(router.add("/users/{id:int}", http::MethodSet(bit(Method::GET) | bit(Method::POST)), 0, error));
    check_wrong(router, {"/users/{number:int}", 0, "\"/users/{id:int}\" with GET, POST"},
                http::MethodSet(bit(Method::POST) | bit(Method::GET) | bit(Method::PUT)));
    check_wrong(router, {"/%75sers/{id:int}", 0, "\"/users/{id:int}\" with POST"}, bit(Method::POST));
    CHECK(router.add("/users/{id:int}", bit(Method::PUT), 1, error));
    CHECK(router.add("/users/{id:int}", bit(Method::HEAD), 2, error));  // HEAD beside GET is no clash
    CHECK(router.add("/users/{id}", bit(Method::GET), 3, error));
    CHECK(router.add("/users/{id:int}/", bit(Method::GET), 4, error));
    CHECK(router.add("/{all:path}", bit(Method::GET), 5, error));
    check_wrong(router, {"/{rest:path}", 0, "\"/{all:path}\" with GET"}, bit(Method::GET));
}
