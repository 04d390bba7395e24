// The completion interface without a kernel: a test plays the clients, a seed decides what comes when. Completions
// arrive in any order that a real kernel might choose, sends and receives are short at every length, streams end when
// they like, descriptors and segments run out. The same seed and the same calls give the same run.
//
// It checks the contract as it goes and lists what was broken in violations(): memory that is touched while it is lent,
// two operations of a kind on one socket, a close with something in flight, and the like.
//
// For one thread; only ring_doorbell() may be called from another.
#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "io/kernel.hpp"
#include "io/sockets.hpp"

namespace pinion::io {

// Chances are in 256.
struct Simulation {
    std::uint64_t seed = 1;
    unsigned lone_send = 0;        // a lone send is made by send_lone()
    unsigned short_transfer = 96;  // a send or receive moves less than it could
    unsigned stream_ends = 12;     // a stream ends with a completion although it could go on
    unsigned no_segments = 6;      // -ENOBUFS although segments are lent
    unsigned accept_fails = 6;     // -EMFILE, -ENOMEM and so on, although a connection waits
    unsigned cancel_late = 128;    // what is ready comes before the cancellation
    unsigned send_fails = 0;       // -ECANCELED or -EFAULT as if the sending thread had died
    unsigned out_of_memory = 0;    // a send or receive ends with -ENOMEM, or where it has its memory with -ENOBUFS
    unsigned shutdown_fails = 0;   // -ENOTCONN, and the write side stays open
    unsigned close_fails = 0;      // -EIO; the socket is closed all the same, as close(2) says of Linux
    bool arena_is_private = true;  // false: others write into it, so that its bytes are not looked at
    // Of the next one that could do something, then 0 again.
    std::size_t next_send = 0;  // bytes that it sends, if it has more
    int next_accept_error = 0;  // the error number that it ends with
    int next_receive_error = 0;
    int next_send_error = 0;
    unsigned steps = 6;             // most operations that advance in one harvest
    std::size_t send_room = 16384;  // bytes that a client's unread stream holds
};

class SimulatedKernel {
public:
    using ClientId = std::uint32_t;

    Simulation simulation;  // set it before open()

    SimulatedKernel() = default;
    SimulatedKernel(const SimulatedKernel&) = delete;
    SimulatedKernel& operator=(const SimulatedKernel&) = delete;
    ~SimulatedKernel() { close_all(); }

    // --- the clients' side ---
    ClientId connect(int listener);
    void client_send(ClientId client, std::string_view bytes);
    void client_shutdown(ClientId client);  // sends no more, still reads
    void client_close(ClientId client);     // sends no more, reads no more: later sends to it fail
    void client_reset(ClientId client);
    // Takes up to `most` bytes of what the server has sent; that makes room for more.
    std::string client_read(ClientId client, std::size_t most = ~std::size_t{0});
    // All has been read, and the server has shut down or closed.
    bool client_at_end(ClientId client) const;
    // The server's end was a reset, not an end of the stream.
    bool client_was_reset(ClientId client) const { return peers_[client].broken; }
    bool was_accepted(ClientId client) const { return peers_[client].socket >= 0; }
    // The server has let go of the socket.
    bool closed_by_server(ClientId client) const { return peers_[client].closed; }
    // The thread that armed what is now in flight has died.
    void driver_dies();

    // --- the checks' side ---
    const std::vector<std::string>& violations() const { return violations_; }
    std::size_t in_flight() const { return operations_.size() + queued_.size(); }
    std::size_t open_sockets() const;
    bool is_open(Socket socket) const { return peer_of(socket) != nullptr; }
    // Operations that have not completed yet, or whose completion has not been harvested. `of`: those of this token.
    std::size_t owed() const;
    std::size_t owed(Token of) const;
    std::uint64_t waits() const { return waits_; }
    std::uint64_t sends() const { return sends_; }  // that it was asked for

    // --- the shard's side, as kernel.hpp has it ---
    std::string open(const KernelOptions& options);
    void close_all();
    void accept(int listener, Token token, bool stream);
    Socket accept_waiting(int listener);
    PeerState peer_state(Socket socket);
    void receive(Socket socket, Token token, bool stream);
    void receive_into(Socket socket, Token token, void* into, std::size_t length);
    void send(Socket socket, Token token, const void* from, std::size_t length);
    void send_vectored(Socket socket, Token token, const iovec* vectors, unsigned count);
    std::int32_t send_now(Socket socket, const void* from, std::size_t length);
    void shutdown_write(Socket socket, Token token);
    void reset_on_close(Socket socket);
    std::uint32_t unacknowledged(Socket socket);
    void close(Socket socket, Token token);
    void cancel(Token target);
    void lend(std::uint32_t segment);
    std::uint32_t lent() const { return lent_; }
    unsigned harvest(Completion* out, unsigned max);
    bool send_lone(Completion* out);
    void submit();
    void begin_wait() { submit(); }
    void wait(std::int64_t timeout_us);
    bool pending() const;
    int descriptor() const { return descriptor_; }
    void ring_doorbell() { rung_.store(true, std::memory_order_seq_cst); }
    int remote_address(Socket socket, sockaddr_storage* address) const;

private:
    // One connection: what is on its way to the server, and what is on its way to the client.
    struct Peer {
        std::string inbound;
        std::string outbound;
        int socket = -1;
        bool inbound_ended = false;
        bool outbound_ended = false;
        bool gone = false;        // the client has closed
        bool reset = false;       // the client has reset
        bool reset_seen = false;  // the server has been told
        bool reset_on_close = false;
        bool closed = false;  // the server has closed
        bool broken = false;  // the client has been reset by the server
    };

    enum class Kind : std::uint8_t { accept, receive, receive_into, send, shutdown, close, cancel };

    struct InFlight {
        Kind kind;
        Token token;
        int socket = -1;
        bool stream = false;
        bool cancelled = false;
        bool orphaned = false;            // its thread has died
        std::vector<iovec> ranges;        // the memory that it has
        const iovec* vectors = nullptr;   // the caller's array, which must live too
        std::vector<std::uint64_t> sums;  // of a send's ranges
    };

    std::uint64_t random();
    std::size_t below(std::size_t bound) { return bound == 0 ? 0 : std::size_t(random() % bound); }
    bool chance(unsigned of_256) { return random() % 256 < of_256; }
    std::size_t portion(std::size_t most) { return chance(simulation.short_transfer) ? 1 + below(most) : most; }

    void violated(const char* what, Token token);
    void violated(const char* what, std::uint64_t detail);
    Peer* peer_of(int socket);
    const Peer* peer_of(int socket) const;
    void queue(InFlight&& operation);
    void check_memory(const InFlight& operation);
    void check_alone(const InFlight& operation);
    bool overlaps_lent(const iovec& range) const;
    bool in_arena(const iovec& range) const;

    bool ready(const InFlight& operation) const;
    void advance();
    // Each returns true when the operation has ended.
    bool step(InFlight& operation);
    Socket take_from_backlog(std::deque<ClientId>& backlog);
    bool step_accept(InFlight& operation);
    bool step_receive(InFlight& operation);
    bool step_receive_into(InFlight& operation);
    bool step_send(InFlight& operation);
    bool step_shutdown(const InFlight& operation);
    bool step_close(const InFlight& operation);
    void reset_by_server(Peer& peer);
    bool stream_goes_on(const InFlight& operation);
    bool complete(const InFlight& operation, std::int32_t result, std::uint32_t segment = NO_SEGMENT,
                  bool more = false);
    bool inbound_failed(Peer& peer, const InFlight& operation, int without_memory);
    std::uint32_t take_segment();
    void tell_descriptor();

    KernelOptions options_{};
    std::uint64_t state_ = 0;
    std::vector<Peer> peers_;
    std::vector<std::int64_t> sockets_;  // by number: client, or -1
    std::map<int, std::deque<ClientId>> backlogs_;
    std::vector<InFlight> queued_;      // not handed over yet
    std::vector<InFlight> operations_;  // handed over
    std::deque<Completion> completed_;
    std::vector<std::uint32_t> lending_;  // not published yet
    std::vector<std::uint32_t> published_;
    std::vector<bool> is_lent_;
    std::uint32_t lent_ = 0;
    std::uint64_t waits_ = 0;
    std::uint64_t sends_ = 0;
    std::vector<std::string> violations_;
    std::atomic<bool> rung_ = false;
    int descriptor_ = -1;
    bool told_ = false;
};

static_assert(Kernel<SimulatedKernel>);

}  // namespace pinion::io
