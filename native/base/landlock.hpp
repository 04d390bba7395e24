// Landlock as the kernel has it (include/uapi/linux/landlock.h, landlock(7)): the headers that we build against may be
// older. Names are our own, values the kernel's ABI; the version of Landlock's ABI, and the kernel, that introduced
// each stands beside it. The numbers of the system calls are the same on every architecture.
#pragma once

#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>

namespace pinion::base::landlock {

inline constexpr long SYS_CREATE_RULESET = 444;  // 1: 5.13
inline constexpr long SYS_ADD_RULE = 445;
inline constexpr long SYS_RESTRICT_SELF = 446;

inline constexpr std::uint32_t CREATE_RULESET_VERSION = 1u << 0;
inline constexpr int RULE_PATH_BENEATH = 1;

inline constexpr std::uint64_t WRITE_FILE = 1u << 1;
inline constexpr std::uint64_t REMOVE_DIRECTORY = 1u << 4;
inline constexpr std::uint64_t REMOVE_FILE = 1u << 5;
inline constexpr std::uint64_t MAKE_CHARACTER_DEVICE = 1u << 6;
inline constexpr std::uint64_t MAKE_DIRECTORY = 1u << 7;
inline constexpr std::uint64_t MAKE_REGULAR = 1u << 8;
inline constexpr std::uint64_t MAKE_SOCKET = 1u << 9;
inline constexpr std::uint64_t MAKE_FIFO = 1u << 10;
inline constexpr std::uint64_t MAKE_BLOCK_DEVICE = 1u << 11;
inline constexpr std::uint64_t MAKE_SYMBOLIC_LINK = 1u << 12;
inline constexpr std::uint64_t REFER = 1u << 13;     // 2: 5.19; before, nothing moves between folders (EXDEV)
inline constexpr std::uint64_t TRUNCATE = 1u << 14;  // 3: 6.2; before, not restricted
inline constexpr std::uint64_t DEVICE_INPUT_OUTPUT = 1u << 15;  // 5: 6.10; ioctl(2) on devices; before, not restricted

// The first field of struct landlock_ruleset_attr: a kernel takes a shorter one, and the rest as 0. Network (4) and
// scopes (6) are in the rest.
struct Ruleset {
    std::uint64_t handled;
};

// struct landlock_path_beneath_attr
struct [[gnu::packed]] PathBeneath {
    std::uint64_t allowed;
    std::int32_t parent;
};
static_assert(sizeof(PathBeneath) == 12);

// All that writes, of what this version of the ABI knows.
constexpr std::uint64_t writing(int abi) {
    std::uint64_t rights = WRITE_FILE | REMOVE_DIRECTORY | REMOVE_FILE | MAKE_CHARACTER_DEVICE | MAKE_DIRECTORY |
                           MAKE_REGULAR | MAKE_SOCKET | MAKE_FIFO | MAKE_BLOCK_DEVICE | MAKE_SYMBOLIC_LINK;
    if (abi >= 2) rights |= REFER;
    if (abi >= 3) rights |= TRUNCATE;
    if (abi >= 5) rights |= DEVICE_INPUT_OUTPUT;
    return rights;
}

// The rest is about folders, and refused for anything else.
inline constexpr std::uint64_t OF_FILES = WRITE_FILE | TRUNCATE | DEVICE_INPUT_OUTPUT;

// The version of the ABI, from 1 on; -1 with errno: ENOSYS, EOPNOTSUPP (switched off at boot), or what a filter says.
inline int version() { return int(syscall(SYS_CREATE_RULESET, nullptr, std::size_t{0}, CREATE_RULESET_VERSION)); }
inline int create(const Ruleset& ruleset) { return int(syscall(SYS_CREATE_RULESET, &ruleset, sizeof ruleset, 0u)); }
inline int add(int ruleset, const PathBeneath& rule) {
    return int(syscall(SYS_ADD_RULE, ruleset, RULE_PATH_BENEATH, &rule, 0u));
}
// The calling thread, and those that it starts from now on.
inline int restrict_self(int ruleset) { return int(syscall(SYS_RESTRICT_SELF, ruleset, 0u)); }

}  // namespace pinion::base::landlock
