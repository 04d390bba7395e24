// The completion interface on epoll, for where io_uring is forbidden or too old.
//
// Every socket is registered once, edge-triggered, when it is first used. Operations are queued and tried at the next
// submit() or send_lone() (sends) or harvest() (everything); one that would block waits for its socket's next edge.
// What completes goes into a queue of this class's own, from which harvest() takes. When submit() leaves something in
// it, it writes to an eventfd in the epoll set, so that descriptor() tells of these completions too.
#pragma once

#include <atomic>
#include <string>

#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "base/cache_line.hpp"
#include "io/kernel.hpp"
#include "io/sockets.hpp"

namespace pinion::io {

class EpollKernel {
public:
    EpollKernel() = default;
    EpollKernel(const EpollKernel&) = delete;
    EpollKernel& operator=(const EpollKernel&) = delete;
    ~EpollKernel() { close_all(); }

    std::string open(const KernelOptions& options);
    // Forgets every operation, without completions. Sockets stay open: they are the shard's.
    void close_all();

    void accept(int listener, Token token, bool stream);
    Socket accept_waiting(int listener);
    PeerState peer_state(Socket socket) const { return io::peer_state(socket); }
    std::int32_t send_now(Socket socket, const void* from, std::size_t length) {
        return io::send_now(socket, from, length);
    }
    void receive(Socket socket, Token token, bool stream) {
        arm_reader(socket, {token, stream ? Reading::stream : Reading::segment, nullptr, 0});
    }
    void receive_into(Socket socket, Token token, void* into, std::size_t length) {
        arm_reader(socket, {token, Reading::range, into, length});
    }
    void send(Socket socket, Token token, const void* from, std::size_t length) {
        arm_writer(socket, {token, from, nullptr, length});
    }
    void send_vectored(Socket socket, Token token, const iovec* vectors, unsigned count) {
        arm_writer(socket, {token, nullptr, vectors, count});
    }
    void shutdown_write(Socket socket, Token token);
    static void reset_on_close(Socket socket) {
        const linger at_once{1, 0};
        setsockopt(socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    }
    static std::uint32_t unacknowledged(Socket socket) {
        int bytes = 0;
        return ioctl(socket, SIOCOUTQ, &bytes) == 0 && bytes > 0 ? std::uint32_t(bytes) : 0;
    }

    void close(Socket socket, Token token);
    void cancel(Token target);

    void lend(std::uint32_t segment) { segments_.push_back(segment); }
    std::uint32_t lent() const { return std::uint32_t(segments_.size()); }

    unsigned harvest(Completion* out, unsigned max) {
        if (completed_.empty() || announced_) progress();
        const unsigned taken = take_completed(out, max);
        tell_work();
        return taken;
    }

    // By submit() it would be announced, for nothing but its completion.
    bool send_lone(Completion* out) {
        if (sending_.size() != 1 || !completed_.empty()) return false;
        run_sends();
        return take_completed(out, 1) == 1;
    }

    void submit() {
        if (!sending_.empty()) run_sends();
        tell_work();
        if (work_.load(std::memory_order_relaxed) && !announced_) announce();
    }

    void begin_wait() { submit(); }
    void wait(std::int64_t timeout_us);
    bool pending() const;
    int descriptor() const { return epoll_; }
    void ring_doorbell();
    int remote_address(Socket socket, sockaddr_storage* address) const;

private:
    enum class Reading : std::uint8_t { none, accept, accept_stream, segment, stream, range };

    struct Reader {
        Token token;
        Reading kind = Reading::none;
        void* into = nullptr;
        std::size_t length = 0;
    };

    // In flight exactly when length is not 0. vectors: length counts them, else bytes at `from`.
    struct Writer {
        Token token;
        const void* from = nullptr;
        const iovec* vectors = nullptr;
        std::size_t length = 0;
    };

    struct Descriptor {
        Reader reader;
        Writer writer;
        bool registered : 1 = false;
        bool watched_writable : 1 = false;
        bool readable : 1 = false;      // the last read did not find the socket empty, or an edge has come since
        bool writable : 1 = true;       // the last send was not refused, or an edge has come since
        bool ending : 1 = false;        // an edge told of the end of the stream: read until it shows
        bool read_queued : 1 = false;   // is in readable_
        bool write_queued : 1 = false;  // is in sending_
    };

    // Which descriptors a connection's (or a listener's) operations were armed on, for cancel().
    struct Armed {
        int accept = -1;
        int read = -1;
        int write = -1;
    };

    Descriptor& descriptor_of(int fd);
    Armed& armed_of(Token token);
    void forget(int fd);
    int watch(int fd, Descriptor& descriptor);
    void watch_writable(int fd, Descriptor& descriptor);
    void arm_reader(int fd, const Reader& reader);
    void arm_writer(int fd, const Writer& writer);
    void queue_read(int fd, Descriptor& descriptor);
    void complete(Token token, std::int32_t result, std::uint32_t segment = NO_SEGMENT, bool more = false) {
        completed_.push_back({token, result, segment, more});
    }
    void cancel_reader(int fd, Descriptor& descriptor);
    void finish_reader(Descriptor& descriptor, std::int32_t result, std::uint32_t segment = NO_SEGMENT);

    unsigned take_completed(Completion* out, unsigned max) {
        unsigned taken = 0;
        while (taken < max && !completed_.empty()) {
            out[taken++] = completed_.front();
            completed_.pop_front();
        }
        return taken;
    }
    void progress();
    void announce();
    void poll_events();
    void run_sends();
    void run_reads();
    void read_some(int fd);
    void accept_some(int fd);
    bool receive_one(int fd);
    void try_send(int fd);

    // What pending() may look at without the baton.
    void tell_work() {
        const bool work = !completed_.empty() || !sending_.empty() || !readable_.empty();
        if (work != work_.load(std::memory_order_relaxed)) work_.store(work, std::memory_order_release);
    }

    int epoll_ = -1;
    int doorbell_ = -1;
    std::byte* arena_ = nullptr;
    std::uint32_t segment_bytes_ = 0;
    int announcement_ = -1;   // an eventfd, edge-triggered: nobody reads it, a look at epoll takes the edge
    bool announced_ = false;  // true exactly when that edge waits in epoll
    base::OwnVector<Descriptor> descriptors_;  // by number
    base::OwnVector<Armed> armed_;             // by Token.index
    base::OwnVector<std::uint32_t> segments_;  // lent
    base::OwnDeque<Completion> completed_;
    base::OwnVector<int> sending_;
    base::OwnVector<int> readable_;
    base::OwnVector<int> batch_;
    std::atomic<bool> work_ = false;
    std::atomic<bool> doorbell_rung_ = false;
};

static_assert(Kernel<EpollKernel>);

}  // namespace pinion::io
