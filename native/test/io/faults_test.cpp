// The kernel classes and the probe once more, compiled into this file under other names, with system calls that fail
// now and then.
#define PINION_FAULTS scripted
#define EpollKernel FaultyEpollKernel
#define UringKernel FaultyUringKernel
#define probe faulty_probe
#include "io/epoll_kernel.cpp"
#include "io/probe.cpp"
#include "io/uring_kernel.cpp"
#include "test/io/kernel_cases.hpp"

namespace pinion::test::scripted {

namespace {

std::atomic<bool> interruptions{false};  // EINTR, and what else passes by itself, every third time
std::atomic<int> failing{-1};            // a Call that fails until further notice
std::atomic<int> failing_error{0};
std::atomic<unsigned> calls{0};
std::atomic<std::uint32_t> unknown_flags{0};  // of a ring's set-up
std::atomic<unsigned> setups{0};              // that were refused for them
std::atomic<int> unknown{-1};                 // a Call whose operation the ring does not know
std::atomic<std::uint64_t> refusal{0};        // the token of one that was refused for that

}  // namespace

bool fault(Call call, io::Token) {
    if (failing.load() == int(call)) {
        errno = failing_error.load();
        return true;
    }
    if (!interruptions.load() || call == Call::epoll_ctl || call > Call::send) return false;
    const unsigned count = calls.fetch_add(1);
    if (count % 3 != 0) return false;
    // A ring that is short of memory or has completions to be taken says so; the entries must not be lost.
    const int passing[] = {EINTR, EAGAIN, EBUSY};
    errno = call == Call::uring_enter ? passing[count / 3 % 3] : EINTR;
    return true;
}
bool refused(Call call, io::Token token) {
    if (unknown.load() != int(call)) return false;
    refusal.store(token.pack());
    return true;
}
bool setup_refused(std::uint32_t flags) {
    const bool refuses = (flags & unknown_flags.load()) != 0;
    if (refuses) ++setups;
    return refuses;
}
bool completed(io::Completion& completion) {
    if (refusal.load() == completion.token.pack()) completion.result = -EINVAL;
    return false;
}
std::size_t shortened(Call, io::Token, std::size_t length) { return length; }
const iovec* shortened(io::Token, const iovec* vectors, std::size_t&) { return vectors; }

}  // namespace pinion::test::scripted

namespace pinion::test {

using scripted::Call;
using scripted::failing;
using scripted::failing_error;
using scripted::interruptions;

namespace {

template <void (*RUN)()>
void interrupted() {
    interruptions.store(true);
    RUN();
    interruptions.store(false);
}

class Failing {
public:
    Failing(Call call, int error) {
        failing_error.store(error);
        failing.store(int(call));
    }
    ~Failing() { failing.store(-1); }
};

namespace epoll {
#define X(function, text) constexpr auto* function = &interrupted<&test::function<io::EpollKernel>>;
KERNEL_CASES(X)
#undef X
#define X(function, text)                                                                         \
    Case function##_case{"io: epoll, interrupted: " text, __FILE__, __LINE__, function, nullptr}; \
    [[maybe_unused]] const bool function##_added = add(function##_case);
KERNEL_CASES(X)
#undef X
}  // namespace epoll

TEST("io: epoll, failing: what a socket refuses ends the operation with its error") {
    Rig<io::EpollKernel> rig;
    auto [client, socket] = rig.connected();
    rig.lend(0, 1);
    {
        const Failing refused(Call::send, ENOMEM);
        rig.kernel.send(socket, token(Operation::send), "x", 1);
        const std::vector<Completion> done = rig.take_rest();
        REQUIRE_EQ(done.size(), 1u);
        CHECK_EQ(done[0].result, -ENOMEM);
    }
    client.write("x");
    rig.kernel.receive(socket, token(Operation::receive), true);
    {
        const Failing refused(Call::receive, ENOMEM);
        const std::vector<Completion> done = rig.take_rest();
        REQUIRE_EQ(done.size(), 1u);
        CHECK_EQ(done[0].result, -ENOMEM);
        CHECK(!done[0].more);
        CHECK_EQ(rig.kernel.lent(), 1u);
    }
    rig.kernel.receive(socket, token(Operation::receive), true);
    CHECK_EQ(rig.take_rest().size(), 1u);  // the byte is still there
    const Client second = rig.connect();
    rig.kernel.accept(rig.listener, token(Operation::accept), true);
    {
        const Failing refused(Call::accept, ECONNABORTED);
        const std::vector<Completion> done = rig.take_rest();
        REQUIRE_EQ(done.size(), 1u);
        CHECK_EQ(done[0].result, -ECONNABORTED);
        CHECK(!done[0].more);
    }
    rig.kernel.accept(rig.listener, token(Operation::accept), false);
    const std::vector<Completion> accepted = rig.take_rest();
    REQUIRE_EQ(accepted.size(), 1u);
    REQUIRE(accepted[0].result >= 0);
    rig.sockets.push_back(accepted[0].result);
    const Failing refused(Call::epoll_ctl, ENOSPC);
    rig.kernel.receive(accepted[0].result, token(Operation::receive, 2), true);
    const std::vector<Completion> done = rig.take_rest();
    REQUIRE_EQ(done.size(), 1u);
    CHECK_EQ(done[0].result, -ENOSPC);
}

#if PINION_WITH_URING

namespace uring {
#define X(function, text) constexpr auto* function = &interrupted<&test::function<io::UringKernel>>;
KERNEL_CASES(X)
#undef X
#define X(function, text)                                                                         \
    Case function##_case{"io: uring, interrupted: " text, __FILE__, __LINE__, function, nullptr}; \
    [[maybe_unused]] const bool function##_added = add(function##_case);
KERNEL_CASES(X)
#undef X
}  // namespace uring

// While it lives the kernel is one that knows only older flags.
class Unknown {
public:
    explicit Unknown(std::uint32_t flags) {
        scripted::setups.store(0);
        scripted::unknown_flags.store(flags);
    }
    ~Unknown() { scripted::unknown_flags.store(0); }
};

constexpr std::uint32_t SINCE_5_19 = io::uring::SETUP_COOP_TASKRUN | io::uring::SETUP_TASKRUN_FLAG;
constexpr std::uint32_t SINCE_5_18 = SINCE_5_19 | io::uring::SETUP_SUBMIT_ALL;

template <void (*RUN)()>
void without_optional_flags() {
    const Unknown unknown(SINCE_5_18);
    RUN();
}

namespace uring_of_old {
#define X(function, text) constexpr auto* function = &without_optional_flags<&test::function<io::UringKernel>>;
KERNEL_CASES(X)
#undef X
#define X(function, text)                                                                                    \
    Case function##_case{"io: uring, without optional flags: " text, __FILE__, __LINE__, function, nullptr}; \
    [[maybe_unused]] const bool function##_added = add(function##_case);
KERNEL_CASES(X)
#undef X
}  // namespace uring_of_old

TEST("io: uring, set-up: each older kernel gets the optional flags that it knows") {
    for (const auto& [unknown, kept] :
         {std::pair{0u, SINCE_5_18}, std::pair{SINCE_5_19, io::uring::SETUP_SUBMIT_ALL}, std::pair{SINCE_5_18, 0u}}) {
        const Unknown flags(unknown);
        const Rig<io::UringKernel> rig;
        OPENED(rig);
        CHECK_EQ(rig.kernel.setup_flags() & SINCE_5_18, kept);
    }
    {
        const Unknown flags(io::uring::SETUP_DISABLED);
        const Rig<io::UringKernel> rig;
        OPENED(rig);
        CHECK_EQ(rig.kernel.setup_flags() & SINCE_5_18, SINCE_5_18);
        CHECK(rig.kernel.unrestricted_because().find("io_uring_setup") != std::string::npos);
    }
    const Unknown flags(IORING_SETUP_CLAMP);
    const Rig<io::UringKernel> rig;
    CHECK(rig.failure.find("io_uring_setup") != std::string::npos);
    CHECK_EQ(scripted::setups.load(), 6u);
}

// The three that it needs, of a kernel that has buffer rings and not this one.
TEST("io: uring, probe: without an operation in use epoll serves, and the report says which") {
    if (!io::probe().uring) return CHECK(!io::probe().why.empty());
    for (const auto& [call, name] :
         {std::pair{Call::accept, "multishot accept"}, std::pair{Call::receive, "multishot receive"},
          std::pair{Call::send, "vectored send"}}) {
        scripted::unknown.store(int(call));
        const io::ProbeReport report = io::probe();
        scripted::unknown.store(-1);
        scripted::refusal.store(0);
        CHECK(!report.uring);
        CHECK_EQ(report.why.find(std::string("epoll, because io_uring's ") + name + " fails: Invalid argument"), 0u);
        const auto failed = std::find_if(report.features.begin(), report.features.end(),
                                         [name = name](const auto& each) { return each.name == name; });
        REQUIRE(failed != report.features.end());
        CHECK(!failed->active);
        CHECK_EQ(failed->detail.find("Invalid argument; needed"), 0u);
    }
}

// The kernel takes nothing for a while, and more is queued than the ring has entries for: all goes out, in order.
TEST("io: uring, failing: entries beyond the queue wait for the kernel") {
    Rig<io::UringKernel> rig{{.depth = 8, .connections = 64}};
    REQUIRE_EQ(rig.failure, "");
    std::vector<Client> clients;
    std::vector<int> sockets;
    for (int n = 0; n < 40; ++n) {
        auto [client, socket] = rig.connected();
        clients.push_back(std::move(client));
        sockets.push_back(socket);
    }
    std::vector<std::string> words;
    std::vector<iovec> vectors;
    words.reserve(40);
    vectors.reserve(40);
    for (const int error : {EAGAIN, EBUSY}) {
        words.clear();
        vectors.clear();
        {
            const Failing refused(Call::uring_enter, error);
            for (std::uint32_t n = 0; n < 40; ++n) {
                words.push_back("word " + std::to_string(100 + n));
                vectors.push_back({words[n].data(), words[n].size()});
                if (n % 2 == 0) {
                    rig.kernel.send(sockets[n], token(Operation::send, n), words[n].data(), words[n].size());
                } else {
                    rig.kernel.send_vectored(sockets[n], token(Operation::send, n), &vectors[n], 1);
                }
            }
            rig.kernel.submit();
            Completion none[4];
            CHECK_EQ(rig.kernel.harvest(none, 4), 0u);
            CHECK(rig.kernel.unsubmitted());
        }
        const std::vector<Completion> done = rig.take(40);
        REQUIRE_EQ(done.size(), 40u);
        CHECK(!rig.kernel.unsubmitted());
        for (std::uint32_t n = 0; n < 40; ++n) {
            CHECK_EQ(done[n].token.index, n);
            CHECK_EQ(done[n].result, 8);
            CHECK_EQ(clients[n].read(8), words[n]);
        }
        CHECK(rig.take_rest().empty());
    }
}

#endif  // PINION_WITH_URING

}  // namespace
}  // namespace pinion::test
