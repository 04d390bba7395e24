// Runs a program where a call of Landlock's is forbidden, as a seccomp profile does it:
//   without_landlock_tool CALL ERRNO PROGRAM [ARGUMENT]...
// The system call of that number (444: landlock_create_ruleset, 446: landlock_restrict_self) then fails with ERRNO;
// seccomp(2).
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>

namespace {
constexpr int NO_FILTER = 125;
constexpr int NOT_RUN = 127;
}  // namespace

int main(int argc, char** argv) {
    if (argc < 4) {
        std::fputs("usage: without_landlock_tool CALL ERRNO PROGRAM [ARGUMENT]...\n", stderr);
        return NO_FILTER;
    }
    const unsigned call = unsigned(std::strtoul(argv[1], nullptr, 10));
    const unsigned error = unsigned(std::strtoul(argv[2], nullptr, 10));
    sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (error & SECCOMP_RET_DATA)),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const sock_fprog program{sizeof filter / sizeof filter[0], filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
        std::perror("without_landlock_tool: seccomp");
        return NO_FILTER;
    }
    execvp(argv[3], argv + 3);
    std::perror(argv[3]);
    return NOT_RUN;
}
