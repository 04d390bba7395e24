#include "io/probe.hpp"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "io/uring_constants.hpp"
#include "io/uring_errors.hpp"
#include "io/uring_kernel.hpp"
#include "test/check.hpp"

namespace pinion::test {
namespace {

bool contains(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

TEST("io: probe: says of each feature what it is for, or what is used instead") {
    const io::ProbeReport report = io::probe();
    CHECK(!report.why.empty());
    REQUIRE(!report.features.empty());
    CHECK_EQ(report.features[0].name, "io_uring");
    for (const io::FeatureReport& each : report.features) {
        CHECK(!each.name.empty());
        CHECK(!each.detail.empty());
    }
}

TEST("io: probe: says yes exactly when the kernel class opens") {
    static std::byte arena[4096];
    io::UringKernel kernel;
    const std::string failure = kernel.open({arena, 1, 4096, 1, 1, 8});
    CHECK_EQ(io::probe().uring, failure.empty());
    if (!failure.empty()) CHECK(contains(failure, "io_uring"));
}

TEST("io: probe: without descriptors it says so, and leaks none") {
    const int before = dup(0);
    ::close(before);
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    for (int spare = 0; spare < 8; ++spare) {
        rlimit tight = limit;
        tight.rlim_cur = rlim_t(before) + rlim_t(spare);
        setrlimit(RLIMIT_NOFILE, &tight);
        const io::ProbeReport report = io::probe();
        setrlimit(RLIMIT_NOFILE, &limit);
        CHECK(!report.why.empty());
        if (spare == 0 && PINION_WITH_URING) {
            CHECK(!report.uring);
            CHECK(contains(report.why, "RLIMIT_NOFILE") || contains(report.why, "seccomp") ||
                  contains(report.why, "sysctl"));
        }
    }
    const int after = dup(0);
    ::close(after);
    CHECK_EQ(after, before);
}

TEST("io: probe: an error number becomes a cause") {
    CHECK(contains(io::uring::explain("io_uring_setup", ENOSYS), "no io_uring"));
    const std::string forbidden = io::uring::explain("io_uring_setup", EPERM);
    CHECK(contains(forbidden, "seccomp") || contains(forbidden, "kernel.io_uring_disabled"));
    CHECK(contains(io::uring::explain("io_uring_setup", ENOMEM), "RLIMIT_MEMLOCK"));
    CHECK(contains(io::uring::explain("io_uring_setup", EMFILE), "RLIMIT_NOFILE"));
}

#if PINION_WITH_URING

// In a process of its own, since a seccomp filter cannot be taken back.
bool probe_under_seccomp(unsigned error, unsigned call, const char* expected) {
    const pid_t child = fork();
    if (child == 0) {
        sock_filter filter[] = {
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        const sock_fprog program{4, filter};
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) _exit(2);
        if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) _exit(2);
        const io::ProbeReport report = io::probe();
        _exit(!report.uring && contains(report.why, expected) && contains(report.why, "epoll") ? 0 : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 2);
}

TEST("io: probe: names seccomp where a profile forbids io_uring") {
    CHECK(probe_under_seccomp(EPERM, __NR_io_uring_setup, "seccomp"));
    CHECK(probe_under_seccomp(ENOSYS, __NR_io_uring_setup, "no io_uring"));
    if (io::probe().uring) CHECK(probe_under_seccomp(EPERM, __NR_io_uring_register, "buffer ring"));
}

// Refuses one opcode of io_uring_register, as a narrow seccomp profile could. Exit status of `child`; 2: no filter.
template <class Child>
int without_register_opcode(unsigned opcode, unsigned error, Child&& child) {
    const pid_t process = fork();
    if (process == 0) {
        sock_filter filter[] = {
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_register, 0, 3),
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[1])),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, opcode, 0, 1),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        const sock_fprog program{6, filter};
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) _exit(2);
        if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) _exit(2);
        _exit(child() ? 0 : 1);
    }
    int status = 0;
    waitpid(process, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST("io: probe: a kernel without buffer rings is told from one that forbids them") {
    if (!io::probe().uring) return CHECK(!io::probe().why.empty());
    const auto is_too_old = [] {
        const io::ProbeReport report = io::probe();
        return !report.uring && contains(report.why, "buffer ring") && contains(report.why, "6.1 or newer");
    };
    const int status = without_register_opcode(io::uring::REGISTER_BUFFER_RING, EINVAL, is_too_old);
    CHECK(status == 0 || status == 2);
}

TEST("io: probe: a ring that cannot be restricted serves all the same, and says so") {
    if (!io::probe().uring) return CHECK(!io::probe().why.empty());
    const auto says_so = [] {
        const io::ProbeReport report = io::probe();
        for (const io::FeatureReport& each : report.features) {
            if (each.name != "restrictions") continue;
            return report.uring && !each.active && contains(each.detail, "seccomp") &&
                   contains(each.detail, "every operation");
        }
        return false;
    };
    for (const unsigned opcode : {io::uring::REGISTER_RESTRICTIONS, io::uring::REGISTER_ENABLE}) {
        const int status = without_register_opcode(opcode, EPERM, says_so);
        CHECK(status == 0 || status == 2);
    }
}

TEST("io: probe: options that io_uring cannot serve are refused with the reason") {
    static std::byte arena[4096];
    io::UringKernel kernel;
    CHECK(contains(kernel.open({arena, 70'000, 4096, 1, 1, 8}), "65,536"));
    CHECK(contains(kernel.open({arena, 1, 4096, 3, 1, 8}), "power of two"));
    CHECK(contains(kernel.open({arena, 1, 4096, 65'536, 1, 8}), "32,768"));
}

#endif  // PINION_WITH_URING

}  // namespace
}  // namespace pinion::test
