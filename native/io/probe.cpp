#include "io/probe.hpp"

#include "io/uring_kernel.hpp"

#if PINION_WITH_URING

#include <liburing.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "base/descriptor.hpp"
#include "io/uring_constants.hpp"
#include "io/uring_errors.hpp"

namespace pinion::io {

namespace {

using base::Descriptor;

constexpr std::uint32_t SEGMENT_BYTES = 4096;

// 0 or the error: a ring with these set-up flags.
int try_setup(std::uint32_t flags, io_uring_params* parameters) {
    *parameters = {};
    parameters->flags = flags;
    parameters->cq_entries = 16;
    const long ring = syscall(__NR_io_uring_setup, 8, parameters);
    if (ring < 0) return errno;
    ::close(int(ring));
    return 0;
}

void add(ProbeReport& report, const char* name, bool active, const std::string& what, const std::string& instead) {
    report.features.push_back({name, active, active ? what : instead});
}

// Waits for one completion, at most a second.
bool take(UringKernel& kernel, Completion* completion) {
    for (int n = 0; n < 2; ++n) {
        kernel.begin_wait();
        if (n > 0) kernel.wait(1'000'000);
        if (kernel.harvest(completion, 1) == 1) return true;
    }
    return false;
}

// A listener on loopback that a client has connected to; the client's descriptor, or -1.
int connect_to_self(int listener) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    if (bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) < 0 || listen(listener, 1) < 0) return -1;
    if (getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length) < 0) return -1;
    const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client >= 0 && connect(client, reinterpret_cast<sockaddr*>(&address), sizeof address) < 0) {
        ::close(client);
        return -1;
    }
    return client;
}

std::string outcome(const Completion& completion) {
    if (completion.result < 0) return std::strerror(-completion.result);
    return completion.more ? "works" : "the kernel ends it after one completion";
}

struct Streams {
    std::string accept;  // empty: works
    std::string receive;
    std::string send;
};

// Accepts, receives and sends with the class that will serve.
Streams try_streams(UringKernel& kernel) {
    const std::string untried = "could not be tried: no loopback connection";
    Streams streams{untried, untried, untried};
    const Descriptor listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const Descriptor client(listener.get() < 0 ? -1 : connect_to_self(listener.get()));
    if (client.get() < 0) return streams;
    Completion completion{};
    const Token accept{1, 1, Operation::accept};
    kernel.accept(listener.get(), accept, true);
    if (!take(kernel, &completion) || completion.result < 0 || !completion.more) {
        streams.accept = outcome(completion);
        return streams;
    }
    streams.accept.clear();
    const Descriptor server(completion.result);
    kernel.lend(0);
    kernel.receive(server.get(), Token{1, 1, Operation::receive}, true);
    const bool sent = send(client.get(), "probe", 5, MSG_NOSIGNAL) == 5;
    if (!sent || !take(kernel, &completion) || completion.result != 5 || !completion.more || completion.segment != 0) {
        streams.receive = outcome(completion);
        return streams;
    }
    streams.receive.clear();
    iovec vector{const_cast<char*>("reply"), 5};
    kernel.send_vectored(server.get(), Token{1, 1, Operation::send}, &vector, 1);
    streams.send = take(kernel, &completion) && completion.result == 5 ? "" : outcome(completion);
    return streams;
}

void probe_setup(ProbeReport& report) {
    io_uring_params parameters{};
    const std::uint32_t base = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
    const auto flag = [&](const char* name, std::uint32_t flags, const char* what, const char* instead) {
        const int error = try_setup(base | flags, &parameters);
        add(report, name, error == 0, what, std::string(std::strerror(error)) + ": " + instead);
    };
    flag("SUBMIT_ALL", uring::SETUP_SUBMIT_ALL, "an operation that is refused does not hold up those behind it",
         "operations behind a refused one go with the next submission");
    flag("COOP_TASKRUN", uring::SETUP_COOP_TASKRUN, "completions do not interrupt the thread that they belong to",
         "completions interrupt, which costs about half more CPU per request under load");
    flag("TASKRUN_FLAG", uring::SETUP_COOP_TASKRUN | uring::SETUP_TASKRUN_FLAG,
         "the ring says when completions wait for their thread", "completions are seen at the next system call");
    if (try_setup(base, &parameters) != 0) return;
    add(report, "CQE_SKIP", (parameters.features & uring::FEATURE_CQE_SKIP) != 0,
        "a cancellation that has worked makes no completion of its own",
        "its completion is dropped when it is harvested");
}

void probe_kernel(ProbeReport& report) {
    const std::string needed = "; needed, so epoll serves instead";
    void* memory = mmap(nullptr, SEGMENT_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        report.why = uring::explain("mmap", errno);
        return;
    }
    UringKernel kernel;
    KernelOptions options{};
    options.arena = static_cast<std::byte*>(memory);
    options.segment_count = options.lent_max = options.connections = 1;
    options.segment_bytes = SEGMENT_BYTES;
    options.queue_depth = 8;
    const std::string failure = kernel.open(options);
    // Why not: what has failed first.
    const auto need = [&](const char* name, const std::string& failed, const char* what) {
        add(report, name, failed.empty(), what, failed + needed);
        if (!failed.empty() && report.why.empty())
            report.why = std::string("epoll, because io_uring's ") + name + " fails: " + failed + needed;
    };
    need("buffer ring", failure, "the kernel picks the segment to receive into");
    if (failure.empty()) {
        const std::string& unrestricted = kernel.unrestricted_because();
        add(report, "restrictions", unrestricted.empty(), "the ring takes the operations in use, and nothing else",
            unrestricted + "; the ring takes every operation that the kernel knows");
        const Streams streams = try_streams(kernel);
        need("multishot accept", streams.accept, "one operation accepts all connections of a listener");
        need("multishot receive", streams.receive, "one operation receives all that a connection sends");
        need("vectored send", streams.send, "neighbouring answers of a connection leave in one send");
        report.uring = streams.accept.empty() && streams.receive.empty() && streams.send.empty();
    }
    kernel.close_all();
    munmap(memory, SEGMENT_BYTES);
    if (report.uring) report.why = "io_uring: all that is needed works";
}

}  // namespace

ProbeReport probe() {
    ProbeReport report{false, {}, {}};
    io_uring_params parameters{};
    const int error = try_setup(IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP, &parameters);
    if (error != 0) {
        report.why = "epoll, because of " + uring::explain("io_uring_setup", error);
        report.features.push_back({"io_uring", false, report.why});
        return report;
    }
    add(report, "io_uring", true, "completions instead of readiness: fewer system calls per request", "");
    probe_setup(report);
    probe_kernel(report);
    return report;
}

}  // namespace pinion::io

#else

namespace pinion::io {

ProbeReport probe() {
    const std::string why = "epoll, because io_uring is left out of this build; install liburing-dev and build again";
    return {false, why, {{"io_uring", false, why}}};
}

}  // namespace pinion::io

#endif
