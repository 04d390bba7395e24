// Tests of which two must fail: ops/test runs this binary and expects so. A registry that cannot fail proves nothing.
#include "test/check.hpp"

TEST("passes") {
    CHECK(true);
    CHECK_EQ(3u, 3);
    CHECK_EQ(std::string("a\r"), "a\r");
    CHECK_EQ(pinion::test::escaped("\"\x01\r\n"), "\\\"\\x01\\r\\n");
}

TEST("fails") {
    CHECK_EQ(-1, 4294967295u);
    CHECK(false);
}

TEST("checks nothing") {}
