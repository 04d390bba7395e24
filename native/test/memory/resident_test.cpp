#include "memory/resident.hpp"

#include "test/check.hpp"

TEST("resident: code that has been dropped runs again") {
    // This program runs from its own code: some of it is resident, again and again.
    CHECK(pinion::memory::drop_startup_code() > 0);
    CHECK(pinion::memory::drop_startup_code() > 0);
}
