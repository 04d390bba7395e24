// A test registry in one header: TEST("name") { CHECK(expression); CHECK_EQ(actual, expected); }
// CHECK goes on after a failure; REQUIRE ends the test, for what the rest of it depends on.
#pragma once

#include <atomic>
#include <concepts>
#include <cstddef>
#include <sstream>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace pinion::test {

struct Case {
    const char* name;
    const char* file;
    int line;
    void (*run)();
    Case* next;
};

// Threads that a test starts may check too.
struct Tally {
    std::atomic<unsigned long> checks{0};
    std::atomic<unsigned long> failures{0};
};

Tally& tally();
bool add(Case& test);
// Counts a check; a failed one is printed with its place. Returns `passed`.
bool record(bool passed, const char* file, int line, const std::string& what);

// A value as a failure shows it: bytes outside printable ASCII escaped, one-byte integers as numbers.
std::string escaped(std::string_view text);

template <class T>
std::string shown(const T& value) {
    std::ostringstream out;
    if constexpr (std::is_enum_v<T>) {
        out << +static_cast<std::underlying_type_t<T>>(value);
    } else if constexpr (std::is_same_v<T, bool>) {
        out << (value ? "true" : "false");
    } else if constexpr (std::is_integral_v<T>) {
        out << +value;
    } else if constexpr (std::is_null_pointer_v<T>) {
        out << "nullptr";
    } else if constexpr (std::is_convertible_v<const T&, std::string_view>) {
        out << '"' << escaped(value) << '"';
    } else if constexpr (requires { out << value; }) {
        out << value;
    } else {
        out << "(value of " << sizeof(T) << " bytes)";
    }
    return out.str();
}

template <class T>
concept PlainInteger = std::integral<T> && !std::same_as<T, bool> && !std::same_as<T, char>;

// Integers of different signedness compare by value, without the warning that == would give.
template <class A, class B>
bool equal(const A& actual, const B& expected) {
    if constexpr (PlainInteger<A> && PlainInteger<B>) {
        return std::cmp_equal(actual, expected);
    } else if constexpr (std::is_convertible_v<const A&, std::string_view> &&
                         std::is_convertible_v<const B&, std::string_view>) {
        return std::string_view(actual) == std::string_view(expected);
    } else {
        return actual == expected;
    }
}

template <class A, class B>
bool record_equal(const A& actual, const B& expected, const char* file, int line, const char* what) {
    if (equal(actual, expected)) return record(true, file, line, {});
    return record(false, file, line,
                  std::string(what) + "\n    is       " + shown(actual) + "\n    expected " + shown(expected));
}

}  // namespace pinion::test

#define PINION_JOIN_(a, b) a##b
#define PINION_JOIN(a, b) PINION_JOIN_(a, b)

#define TEST(name) PINION_TEST(name, PINION_JOIN(pinion_test_, __LINE__))
#define PINION_TEST(test_name, id)                                                                            \
    static void id();                                                                                         \
    static ::pinion::test::Case PINION_JOIN(id, _case){test_name, __FILE__, __LINE__, &id, nullptr};          \
    [[maybe_unused]] static const bool PINION_JOIN(id, _added) = ::pinion::test::add(PINION_JOIN(id, _case)); \
    static void id()

#define PINION_CHECK(...) ::pinion::test::record(static_cast<bool>(__VA_ARGS__), __FILE__, __LINE__, #__VA_ARGS__)
#define PINION_CHECK_EQ(actual, expected) \
    ::pinion::test::record_equal((actual), (expected), __FILE__, __LINE__, #actual " == " #expected)

#define CHECK(...) ((void)PINION_CHECK(__VA_ARGS__))
#define CHECK_EQ(actual, expected) ((void)PINION_CHECK_EQ(actual, expected))
#define REQUIRE(...)                            \
    do {                                        \
        if (!PINION_CHECK(__VA_ARGS__)) return; \
    } while (false)
#define REQUIRE_EQ(actual, expected)                    \
    do {                                                \
        if (!PINION_CHECK_EQ(actual, expected)) return; \
    } while (false)
#define FAIL(message) ((void)::pinion::test::record(false, __FILE__, __LINE__, (message)))
