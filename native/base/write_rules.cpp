#include "base/write_rules.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/descriptor.hpp"
#include "base/every_thread.hpp"
#include "base/landlock.hpp"

namespace pinion::base {
namespace {

std::string explain(const char* call, int error) {
    const char* cause = "unexpected";
    if (error == ENOSYS) cause = "this kernel has no Landlock (it came with 5.13), or a seccomp profile hides it";
    if (error == EOPNOTSUPP) cause = "Landlock is switched off at boot; add landlock to the kernel's parameter lsm=";
    if (error == EPERM)
        cause =
            "forbidden, most likely by a seccomp profile; allow landlock_create_ruleset, "
            "landlock_add_rule and landlock_restrict_self in it";
    if (error == E2BIG) cause = "the process is in as many Landlock domains as can be, one within the other";
    return std::string(call) + " failed with " + std::strerror(error) + ": " + cause;
}

// 0 or an errno. A file is allowed what is about files.
int allow(int ruleset, int parent, std::uint64_t rights) {
    struct stat status {};
    if (fstat(parent, &status) != 0) return errno;
    if (!S_ISDIR(status.st_mode)) rights &= landlock::OF_FILES;
    return landlock::add(ruleset, {rights, parent}) == 0 ? 0 : errno;
}

// Empty, or what is wrong.
std::string allow(int ruleset, const std::string& path, std::uint64_t rights) {
    const Descriptor parent(open(path.c_str(), O_PATH | O_CLOEXEC));
    const int error = parent.get() < 0 ? errno : allow(ruleset, parent.get(), rights);
    return error == 0 ? "" : path + ": " + std::strerror(error);
}

std::string allow_all(int ruleset, const WriteRules& rules, std::uint64_t rights) {
    for (const std::string& path : rules.write) {
        if (std::string failed = allow(ruleset, path, rights); !failed.empty()) return failed;
    }
    for (const std::string& path : rules.remove) {
        if (std::string failed = allow(ruleset, path, landlock::REMOVE_FILE); !failed.empty()) return failed;
    }
    // EBADFD: a pipe or a socket, which are not restricted.
    for (const int fd : rules.open) allow(ruleset, fd, rights & landlock::OF_FILES);
    return {};
}

// In a signal's handler: system calls only.
int restrict_this_thread(void* ruleset) {
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno;
    return landlock::restrict_self(*static_cast<int*>(ruleset)) == 0 ? 0 : errno;
}

// Runs on a thread of its own, which may write nothing afterwards.
void* try_on_this_thread(void* argument) {
    auto& result = *static_cast<WriteRestriction*>(argument);
    const Descriptor ruleset(landlock::create({landlock::writing(result.abi)}));
    int fd = ruleset.get();
    if (fd < 0) {
        result.failed = explain("landlock_create_ruleset", errno);
        return nullptr;
    }
    if (const int error = restrict_this_thread(&fd); error != 0) {
        result.failed = explain("landlock_restrict_self", error);
        return nullptr;
    }
    const Descriptor written(open("/dev/null", O_WRONLY | O_CLOEXEC));
    if (written.get() >= 0 || errno != EACCES) result.failed = "the kernel lets a restricted thread write";
    return nullptr;
}

}  // namespace

WriteRestriction try_write_restriction() {
    WriteRestriction result;
    result.abi = landlock::version();
    if (result.abi < 1) {
        result.failed = explain("landlock_create_ruleset", errno);
        result.abi = 0;
        return result;
    }
    pthread_t thread{};
    if (const int error = pthread_create(&thread, nullptr, try_on_this_thread, &result); error != 0) {
        result.failed = std::string("no thread to try it on: ") + std::strerror(error);
        return result;
    }
    pthread_join(thread, nullptr);
    return result;
}

WriteRestriction restrict_writing(const WriteRules& rules) {
    // What cannot be is found out on a thread that nothing depends on, so that not half of the process is restricted.
    WriteRestriction result = try_write_restriction();
    if (!result.failed.empty()) return result;
    const std::uint64_t rights = landlock::writing(result.abi);
    const Descriptor ruleset(landlock::create({rights}));
    int fd = ruleset.get();
    if (fd < 0) {
        result.failed = explain("landlock_create_ruleset", errno);
        return result;
    }
    result.failed = allow_all(fd, rules, rights);
    if (!result.failed.empty()) return result;
    const EveryThread done = on_every_thread(restrict_this_thread, &fd);
    result.threads = done.threads;
    result.failed = done.failed;
    return result;
}

}  // namespace pinion::base
