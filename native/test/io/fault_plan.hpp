// What goes wrong in a kernel class that is compiled with PINION_FAULTS=seeded: by a seed and what is asked for, not by
// when it is asked, so that the same seed goes wrong in the same places as far as real sockets allow. For the one file
// that includes this behind the kernel classes.
#pragma once

#include <cerrno>
#include <cstdint>
#include <iterator>
#include <map>
#include <utility>
#include <vector>

#include "io/faults.hpp"

namespace pinion::test::seeded {

// Chances are in 256, of each call.
struct FaultPlan {
    std::uint64_t seed = 0;
    unsigned chance[CALLS] = {};
    unsigned ends_streams = 0;   // a stream ends with an error behind what it has brought
    std::size_t most_bytes = 0;  // a send sends 1 to so many; 0: all
    unsigned short_receives = 0;
    std::size_t queue = 0;      // entries of the ring's queues; 0: as many as are asked for
    std::size_t next_send = 0;  // bytes of the next one, if it has more, then 0 again

    unsigned made[CALLS] = {};  // faults, so far
    unsigned cut = 0;           // sends that were made shorter
    unsigned streams_ended = 0;

    // --- what has been asked so far ---
    std::map<std::pair<Call, std::uint64_t>, std::uint32_t> asked = {};
    std::map<std::uint64_t, int> refusals = {};  // by token: the error that its operation ends with
    std::map<std::uint64_t, int> endings = {};   // the same, of streams that are being cancelled
    std::map<std::uint64_t, std::vector<iovec>> vectors = {};

    // splitmix64 of the seed, the call, the operation's token and how many of them there have been.
    std::uint64_t roll(Call call, io::Token token, std::uint64_t salt) {
        const std::uint32_t count = asked[{call, token.pack() + salt}]++;
        std::uint64_t z = (seed * 31 + unsigned(call)) * 0x9E3779B97F4A7C15u + token.pack() * 0xD1B54A32D192ED03u +
                          salt * 0x8CB92BA72F3D8DD7u + count * 0xABC98388FB8FAC03u;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        return z ^ (z >> 31);
    }
    // What a call fails with this time; 0: nothing.
    int error_of(Call call, io::Token token) {
        const std::uint64_t rolled = roll(call, token, 0);
        if (rolled % 256 >= chance[unsigned(call)]) return 0;
        ++made[unsigned(call)];
        return error(call, rolled >> 8);
    }
    static int error(Call call, std::uint64_t choice) {
        static constexpr int ACCEPT[] = {EMFILE, ENFILE, ENOMEM, ENOBUFS, ECONNABORTED, ECANCELED, EFAULT, EPERM};
        // Mostly what passes: the rest ends its connection.
        static constexpr int RECEIVE[] = {ENOBUFS, ECANCELED, EFAULT,    ENOBUFS, ECANCELED, EFAULT,
                                          EINTR,   ENOBUFS,   ECANCELED, EFAULT,  ENOBUFS,   ENOMEM};
        static constexpr int INTO[] = {ECANCELED, EFAULT, EINTR, ECANCELED, EFAULT, EINTR, ENOBUFS, ENOMEM};
        static constexpr int SEND[] = {ECANCELED, EFAULT,    ECANCELED, EFAULT, ECANCELED,
                                       EFAULT,    ECANCELED, EFAULT,    ENOMEM, ENOBUFS};
        static constexpr int CONTROL[] = {ENOSPC, ENOMEM};
        static constexpr int ENTER[] = {EINTR, EAGAIN, EBUSY};
        const auto pick = [choice](const auto& errors) { return errors[choice % std::size(errors)]; };
        switch (call) {
            case Call::accept: return pick(ACCEPT);
            case Call::receive: return pick(RECEIVE);
            case Call::receive_into: return pick(INTO);
            case Call::send: return pick(SEND);
            case Call::shutdown: return ENOTCONN;
            case Call::close: return EIO;
            case Call::uring_enter: return pick(ENTER);
            default: return pick(CONTROL);
        }
    }
    std::size_t bytes_of_send(io::Token token, std::size_t length) {
        std::size_t most = length;
        if (next_send != 0) {
            most = std::exchange(next_send, 0);
        } else if (most_bytes != 0) {
            most = 1 + roll(Call::send, token, 1) % most_bytes;
        }
        if (most >= length) return length;
        ++cut;
        return most;
    }
};

inline FaultPlan* plan = nullptr;

// On epoll the range of a large body is received by the same call, and fails as such.
inline bool fault(Call call, io::Token token) {
    if (plan == nullptr) return false;
    if (call == Call::receive && token.operation == io::Operation::receive_into) call = Call::receive_into;
    const int error = plan->error_of(call, token);
    if (error == 0) return false;
    errno = error;
    return true;
}

inline bool setup_refused(std::uint32_t) { return false; }

inline bool refused(Call call, io::Token token) {
    if (plan == nullptr) return false;
    const int error = plan->error_of(call, token);
    if (error != 0) plan->refusals[token.pack()] = error;
    return error != 0;
}

// True: the stream is to be cancelled. What it brings until then is kept; its end counts as an error.
inline bool completed(io::Completion& completion) {
    if (plan == nullptr) return false;
    const std::uint64_t token = completion.token.pack();
    if (const auto refusal = plan->refusals.find(token); refusal != plan->refusals.end()) {
        completion.result = -refusal->second;
        plan->refusals.erase(refusal);
        return false;
    }
    using io::Operation;
    if (completion.token.operation == Operation::close && plan->error_of(Call::close, completion.token) != 0) {
        completion.result = -EIO;
    }
    const bool accepts = completion.token.operation == Operation::accept;
    if (!accepts && completion.token.operation != Operation::receive) return false;
    const auto ending = plan->endings.find(token);
    if (!completion.more) {
        if (ending == plan->endings.end()) return false;
        if (completion.result == -ECANCELED) completion.result = -ending->second;
        plan->endings.erase(ending);
        return false;
    }
    const Call call = accepts ? Call::accept : Call::receive;
    const std::uint64_t rolled = plan->roll(call, completion.token, 2);
    if (ending != plan->endings.end() || rolled % 256 >= plan->ends_streams) return false;
    plan->endings[token] = FaultPlan::error(call, rolled >> 8);
    ++plan->streams_ended;
    return true;
}

inline std::size_t shortened(Call call, io::Token token, std::size_t length) {
    if (plan == nullptr) return length;
    if (call == Call::queue) return plan->queue != 0 ? plan->queue : length;
    if (call == Call::send) return plan->bytes_of_send(token, length);
    const std::uint64_t rolled = plan->roll(call, token, 1);
    return rolled % 256 < plan->short_receives ? 1 + (rolled >> 8) % length : length;
}

// The caller's array stays as it is: the kernel gets another one, which lives until the next send of the connection.
inline const iovec* shortened(io::Token token, const iovec* vectors, std::size_t& count) {
    if (plan == nullptr) return vectors;
    std::size_t length = 0;
    for (std::size_t n = 0; n < count; ++n) length += vectors[n].iov_len;
    std::size_t left = plan->bytes_of_send(token, length);
    if (left == length) return vectors;
    std::vector<iovec>& own = plan->vectors[token.pack()];
    own.clear();
    for (std::size_t n = 0; left > 0; left -= own.back().iov_len, ++n) {
        own.push_back({vectors[n].iov_base, std::min(left, vectors[n].iov_len)});
    }
    count = own.size();
    return own.data();
}

}  // namespace pinion::test::seeded
