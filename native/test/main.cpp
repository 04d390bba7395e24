// Runs the tests of this binary: native_tests [--list] [PART-OF-A-NAME]...
// A PART that begins with "-" leaves out what contains the rest of it. The last line counts; any failure is a
// non-zero exit, and so is a test that checked nothing.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "test/check.hpp"

namespace pinion::test {

namespace {
Case* first = nullptr;
Case** last = &first;
}  // namespace

Tally& tally() {
    static Tally instance;
    return instance;
}

bool add(Case& test) {
    *last = &test;
    last = &test.next;
    return true;
}

bool record(bool passed, const char* file, int line, const std::string& what) {
    tally().checks.fetch_add(1, std::memory_order_relaxed);
    if (!passed) {
        tally().failures.fetch_add(1, std::memory_order_relaxed);
        std::fprintf(stdout, "  %s:%d: failed: %s\n", file, line, what.c_str());
    }
    return passed;
}

std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte == '\\' || byte == '"') {
            out += '\\';
            out += c;
        } else if (byte >= 0x20 && byte < 0x7f) {
            out += c;
        } else {
            char code[8];
            std::snprintf(code, sizeof code, c == '\r' ? "\\r" : c == '\n' ? "\\n" : "\\x%02x", byte);
            out += code;
        }
    }
    return out;
}

namespace {

bool selected(std::string_view name, const std::vector<std::string_view>& filters) {
    bool wanted = true;
    for (const std::string_view filter : filters) {
        if (filter.front() != '-') wanted = false;
    }
    for (const std::string_view filter : filters) {
        if (filter.front() == '-') {
            if (name.find(filter.substr(1)) != std::string_view::npos) return false;
        } else if (name.find(filter) != std::string_view::npos) {
            wanted = true;
        }
    }
    return wanted;
}

bool run(const Case& test) {
    const unsigned long checks = tally().checks.load();
    const unsigned long failures = tally().failures.load();
    // Named before it runs: an assertion or a sanitizer that ends the process then says in which test.
    std::printf("%s ... ", test.name);
    std::fflush(stdout);
    const auto began = std::chrono::steady_clock::now();
    test.run();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    if (tally().checks.load() == checks) {
        std::fprintf(stdout, "  %s:%d: failed: the test has checked nothing\n", test.file, test.line);
        tally().failures.fetch_add(1);
    }
    const bool passed = tally().failures.load() == failures;
    std::printf("%s (%.1f s)\n", passed ? "ok" : "FAILED", took.count());
    return passed;
}

}  // namespace
}  // namespace pinion::test

int main(int argc, char** argv) {
    using namespace pinion::test;
    std::vector<std::string_view> filters;
    bool list = false;
    for (int i = 1; i < argc; i++) {
        if (std::strcmp(argv[i], "--list") == 0) {
            list = true;
        } else if (argv[i][0] != '\0') {
            filters.emplace_back(argv[i]);
        }
    }
    unsigned passed = 0;
    unsigned failed = 0;
    std::set<std::string_view> names;
    for (const Case* test = first; test != nullptr; test = test->next) {
        if (!names.insert(test->name).second) {
            std::fprintf(stdout, "%s:%d: failed: a test of this name exists already: %s\n", test->file, test->line,
                         test->name);
            failed++;
        }
        if (!selected(test->name, filters)) continue;
        if (list) {
            std::puts(test->name);
        } else {
            run(*test) ? passed++ : failed++;
        }
    }
    if (list) return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    std::fflush(stdout);
    std::printf("%u passed, %u failed\n", passed, failed);
    return failed == 0 && passed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
