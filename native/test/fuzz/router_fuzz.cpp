// The router against the naive one. See compare_routers.hpp for what the input looks like.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "test/http/compare_routers.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string difference = pinion::test::compare_routers({reinterpret_cast<const char*>(data), size});
    if (!difference.empty()) {
        std::fprintf(stderr, "%s\n", difference.c_str());
        std::abort();
    }
    return 0;
}
