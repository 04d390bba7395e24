// As setuid(2) of a C library does it: each thread is sent a signal, whose handler makes the system calls.
//
// The signal is the C library's own, 33 (nptl(7)). Every other one may be blocked, and Node's thread that waits for
// SIGUSR1 blocks all that it can; pthread_sigmask(3) leaves this one out. sigaction(3) leaves it out, too, so the
// kernel is told directly. What the kernel wants to know beside the handler (a restorer, on some architectures) is
// taken from an action that the C library has set for another signal. Whatever was there before is put back.
#include "base/every_thread.hpp"

#include <dirent.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <vector>

namespace pinion::base {
namespace {

constexpr int NEVER_BLOCKED = 33;
constexpr std::size_t KERNEL_SIGNAL_SET_BYTES = 8;
// Larger than any architecture's kernel sigaction.
using KernelAction = std::byte[128];
constexpr long LOOK_NS = 1'000'000;
// Threads here sleep, or compile for some milliseconds; a machine may be stopped for long.
constexpr int LOOKS = 30'000;
// A list that is read while threads come and go may miss one.
constexpr int QUIET_LISTS = 2;
constexpr int LISTS_MAX = 1000;

// One thread at a time: who is asked, with what, and what it has answered. Globals, since a handler gets nothing else.
std::atomic<int (*)(void*)> asked_function{nullptr};
std::atomic<void*> asked_argument{nullptr};
std::atomic<pid_t> asked_thread{0};
std::atomic<int> answer{0};
std::atomic<std::uint32_t> answers{0};

pid_t thread_id() { return pid_t(syscall(SYS_gettid)); }

void handle(int /*signal*/) {
    const int before = errno;
    pid_t self = thread_id();
    // Once for each time it is asked, whoever else sends the signal.
    if (asked_thread.compare_exchange_strong(self, 0)) {
        answer.store(asked_function.load()(asked_argument.load()));
        answers.fetch_add(1);
        syscall(SYS_futex, &answers, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
    }
    errno = before;
}

long kernel_action(int signal, const KernelAction* action, KernelAction* before) {
    return syscall(SYS_rt_sigaction, signal, action, before, KERNEL_SIGNAL_SET_BYTES);
}

// Sets `handle` for the signal; 0 or an errno.
int take_signal(KernelAction& before) {
    struct sigaction ours {};
    struct sigaction lent {};
    ours.sa_handler = handle;
    ours.sa_flags = SA_RESTART;
    sigfillset(&ours.sa_mask);
    KernelAction action{};
    if (sigaction(SIGRTMAX, &ours, &lent) != 0) return errno;
    const bool read = kernel_action(SIGRTMAX, nullptr, &action) == 0;
    const int error = errno;
    sigaction(SIGRTMAX, &lent, nullptr);
    if (!read) return error;
    return kernel_action(NEVER_BLOCKED, &action, &before) == 0 ? 0 : errno;
}

// Empty if they cannot be listed.
std::vector<pid_t> list_threads() {
    std::vector<pid_t> threads;
    DIR* folder = opendir("/proc/self/task");
    if (folder == nullptr) return threads;
    while (const dirent* entry = readdir(folder)) {
        const long id = std::strtol(entry->d_name, nullptr, 10);
        if (id > 0) threads.push_back(pid_t(id));
    }
    closedir(folder);
    return threads;
}

enum class Asked { answered, gone, silent };

Asked ask(pid_t process, pid_t thread) {
    const std::uint32_t before = answers.load();
    asked_thread.store(thread);
    if (syscall(SYS_tgkill, process, thread, NEVER_BLOCKED) != 0) {
        asked_thread.store(0);
        return Asked::gone;
    }
    for (int look = 0; look < LOOKS; ++look) {
        if (answers.load() != before) return Asked::answered;
        const timespec time{0, LOOK_NS};
        syscall(SYS_futex, &answers, FUTEX_WAIT_PRIVATE, before, &time, nullptr, 0);
        if (answers.load() == before && syscall(SYS_tgkill, process, thread, 0) != 0) {
            asked_thread.store(0);
            return Asked::gone;
        }
    }
    // It may have begun at the last moment: then it is about to answer.
    pid_t expected = thread;
    if (asked_thread.compare_exchange_strong(expected, 0)) return Asked::silent;
    while (answers.load() == before) sched_yield();
    return Asked::answered;
}

}  // namespace

EveryThread on_every_thread(int (*function)(void*), void* argument) {
    EveryThread result;
    if (list_threads().empty()) {
        result.failed = "the threads cannot be listed: is /proc mounted?";
        return result;
    }
    if (const int error = function(argument); error != 0) {
        result.failed = std::strerror(error);
        return result;
    }
    const pid_t process = getpid();
    std::vector<pid_t> done{thread_id()};
    result.threads = 1;
    KernelAction before{};
    if (const int error = take_signal(before); error != 0) {
        result.failed = std::string("no signal can be sent to the other threads: ") + std::strerror(error);
        return result;
    }
    asked_function.store(function);
    asked_argument.store(argument);
    bool silent = false;
    int quiet = 0;
    for (int lists = 0; quiet < QUIET_LISTS && result.failed.empty(); ++lists) {
        ++quiet;
        if (lists == LISTS_MAX) result.failed = "there are new threads again and again";
        for (const pid_t thread : list_threads()) {
            if (std::find(done.begin(), done.end(), thread) != done.end()) continue;
            quiet = 0;
            const Asked asked = ask(process, thread);
            if (asked == Asked::gone) continue;
            done.push_back(thread);
            const int error = asked == Asked::silent ? ETIME : answer.load();
            if (error == 0) ++result.threads;
            if (error != 0) result.failed = "thread " + std::to_string(thread) + ": " + std::strerror(error);
            silent = silent || asked == Asked::silent;
            if (error != 0) break;
        }
    }
    // A signal that is still on its way has to find this handler, which does nothing then.
    if (!silent) kernel_action(NEVER_BLOCKED, &before, nullptr);
    return result;
}

}  // namespace pinion::base
