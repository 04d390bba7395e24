// Runs a program where io_uring is forbidden, as a seccomp profile does it:
//   without_uring_tool ERRNO PROGRAM [ARGUMENT]...
// io_uring_setup then fails with ERRNO (a number: EPERM as in Docker's default profile, ENOSYS as in others);
// seccomp(2).
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>

namespace {
constexpr int NO_FILTER = 125;
constexpr int NOT_RUN = 127;
}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) {
        std::fputs("usage: without_uring_tool ERRNO PROGRAM [ARGUMENT]...\n", stderr);
        return NO_FILTER;
    }
    const unsigned error = unsigned(std::strtoul(argv[1], nullptr, 10));
    sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (error & SECCOMP_RET_DATA)),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const sock_fprog program{sizeof filter / sizeof filter[0], filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
        std::perror("without_uring_tool: seccomp");
        return NO_FILTER;
    }
    execvp(argv[2], argv + 2);
    std::perror(argv[2]);
    return NOT_RUN;
}
