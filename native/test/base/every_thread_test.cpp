#include "base/every_thread.hpp"

#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <set>
#include <thread>
#include <vector>

#include "test/check.hpp"

using pinion::base::EveryThread;
using pinion::base::on_every_thread;

namespace {

pid_t thread_id() { return pid_t(syscall(SYS_gettid)); }

// Who has run the function, how often: by thread id, as far as a signal's handler may note it.
struct Runs {
    std::atomic<unsigned> count{0};
    std::atomic<pid_t> threads[64] = {};
    std::atomic<pid_t> refuses{0};
};

int note(void* argument) {
    auto& runs = *static_cast<Runs*>(argument);
    runs.threads[runs.count.fetch_add(1) % 64].store(thread_id());
    return runs.refuses.load() == thread_id() ? EPERM : 0;
}

// A thread that sleeps, with all signals blocked that can be, until it is told to end.
class Sleeper {
public:
    explicit Sleeper(bool blocks_signals) : thread_([this, blocks_signals] { run(blocks_signals); }) {
        while (id.load() == 0) std::this_thread::yield();
    }
    ~Sleeper() {
        ends_.store(true);
        ends_.notify_all();
        thread_.join();
    }
    std::atomic<pid_t> id{0};

private:
    void run(bool blocks_signals) {
        if (blocks_signals) {
            sigset_t all;
            sigfillset(&all);
            pthread_sigmask(SIG_SETMASK, &all, nullptr);
        }
        id.store(thread_id());
        ends_.wait(false);
    }
    std::atomic<bool> ends_{false};
    std::thread thread_;
};

}  // namespace

TEST("every thread runs it once, those that block signals too") {
    Sleeper open(false);
    Sleeper closed(true);
    Runs runs;
    const EveryThread result = on_every_thread(note, &runs);
    CHECK_EQ(result.failed, "");
    CHECK_EQ(result.threads, runs.count.load());
    std::multiset<pid_t> threads;
    for (unsigned i = 0; i < runs.count.load(); ++i) threads.insert(runs.threads[i].load());
    for (const pid_t each : {thread_id(), open.id.load(), closed.id.load()}) CHECK_EQ(threads.count(each), 1u);
    CHECK_EQ(runs.threads[0].load(), thread_id());
}

TEST("every thread: again, and what another signal did is as before") {
    struct sigaction before {};
    struct sigaction after {};
    sigaction(SIGRTMAX, nullptr, &before);
    Sleeper sleeper(true);
    for (int round = 0; round < 3; ++round) {
        Runs runs;
        CHECK_EQ(on_every_thread(note, &runs).failed, "");
        CHECK(runs.count.load() >= 2);
    }
    sigaction(SIGRTMAX, nullptr, &after);
    CHECK(before.sa_handler == after.sa_handler);
}

TEST("every thread: what fails on one is said, and the others are asked all the same") {
    Sleeper first(false);
    Sleeper second(false);
    Runs runs;
    runs.refuses.store(first.id.load());
    const EveryThread result = on_every_thread(note, &runs);
    CHECK(result.failed.find(std::to_string(first.id.load())) != std::string::npos);
    CHECK(result.failed.find("not permitted") != std::string::npos);
    CHECK_EQ(result.threads + 1, runs.count.load());
}

TEST("every thread: what fails on the calling thread runs on no other") {
    Sleeper sleeper(false);
    Runs runs;
    runs.refuses.store(thread_id());
    const EveryThread result = on_every_thread(note, &runs);
    CHECK(!result.failed.empty());
    CHECK_EQ(result.threads, 0u);
    CHECK_EQ(runs.count.load(), 1u);
}

TEST("every thread, while threads come and go") {
    std::atomic<bool> ends{false};
    std::thread churn([&] {
        while (!ends.load()) std::thread([] {}).join();
    });
    for (int round = 0; round < 20; ++round) {
        Sleeper sleeper(true);
        Runs runs;
        const EveryThread result = on_every_thread(note, &runs);
        CHECK_EQ(result.failed, "");
        bool asked = false;
        for (const auto& each : runs.threads) asked = asked || each.load() == sleeper.id.load();
        CHECK(asked || runs.count.load() > 64);
    }
    ends.store(true);
    churn.join();
}
