#include "io/uring_errors.hpp"

#include <sys/resource.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace pinion::io::uring {

namespace {

// Content of /proc/sys/kernel/io_uring_disabled; -1 before Linux 6.6.
int disabled_by_sysctl() {
    int value = -1;
    if (std::FILE* file = std::fopen("/proc/sys/kernel/io_uring_disabled", "re")) {
        if (std::fscanf(file, "%d", &value) != 1) value = -1;
        std::fclose(file);
    }
    return value;
}

std::string limit(int resource) {
    rlimit current{};
    if (getrlimit(resource, &current) != 0) return "?";
    return current.rlim_cur == RLIM_INFINITY ? "unlimited" : std::to_string(current.rlim_cur);
}

std::string cause(int error) {
    switch (error) {
        case ENOSYS: return "this kernel has no io_uring, or a seccomp profile hides it";
        case EPERM:
        case EACCES:
            switch (disabled_by_sysctl()) {
                case 2: return "forbidden by the sysctl kernel.io_uring_disabled=2; set it to 0 to allow io_uring";
                case 1:
                    return "forbidden by the sysctl kernel.io_uring_disabled=1; set it to 0, or put this user into "
                           "the group named by kernel.io_uring_group";
                default:
                    return "forbidden, most likely by a seccomp profile, as Docker's default one does; allow "
                           "io_uring_setup, io_uring_enter and io_uring_register in it";
            }
        case ENOMEM:
            return "out of memory: the cgroup's memory limit, or RLIMIT_MEMLOCK (now " + limit(RLIMIT_MEMLOCK) +
                   " bytes), which older kernels charge rings to";
        case EMFILE: return "too many open files; raise RLIMIT_NOFILE (now " + limit(RLIMIT_NOFILE) + ")";
        case ENFILE: return "the system's table of open files is full (sysctl fs.file-max)";
        case EINVAL: return "this kernel does not know what is asked for; 6.1 or newer is needed";
        default: return "unexpected";
    }
}

}  // namespace

std::string explain(const char* call, int error) {
    return std::string("io_uring: ") + call + " failed with " + std::strerror(error) + ": " + cause(error);
}

}  // namespace pinion::io::uring
