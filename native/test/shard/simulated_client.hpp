// A client of the simulation: sends requests that it knows the answers to, in pieces, and judges what comes back. It
// speaks over the simulated kernel, or over anything that has the same calls.
#pragma once

#include <cstdio>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "io/simulated_kernel.hpp"
#include "test/shard/answers.hpp"
#include "test/shard/clocked.hpp"

namespace pinion::test {

class Dice {
public:
    explicit Dice(std::uint64_t seed) : engine_(seed * 0x9e3779b97f4a7c15u + 0x1234567) {}
    // What a fuzzer has thought of, byte by byte; zeros behind its end.
    Dice(const std::uint8_t* bytes, std::size_t size) : bytes_(bytes), left_(size) {}

    std::uint32_t below(std::uint32_t bound) {
        if (bound == 0) return 0;
        if (bytes_ == nullptr) return std::uint32_t(engine_() % bound);
        std::uint32_t value = 0;
        for (std::uint32_t most = bound - 1; most != 0 && left_ != 0; most >>= 8, --left_) {
            value = value << 8 | *bytes_++;
        }
        return value % bound;
    }
    bool spent() const { return bytes_ != nullptr && left_ == 0; }
    bool chance(std::uint32_t of_hundred) { return below(100) < of_hundred; }
    std::uint32_t between(std::uint32_t low, std::uint32_t high) { return low + below(high - low + 1); }

private:
    std::mt19937_64 engine_;
    const std::uint8_t* bytes_ = nullptr;
    std::size_t left_ = 0;
};

// The bytes of body number `id`, the same for whoever asks.
inline std::string known_bytes(std::uint32_t id, std::size_t length) {
    std::string bytes(length, '\0');
    std::uint32_t state = id * 2654435761u + 12345;
    for (char& byte : bytes) {
        state = state * 1664525u + 1013904223u;
        byte = char('a' + (state >> 24) % 26);
    }
    return bytes;
}

// What a handler answers to request `id` with a body of `length` known bytes behind a first line.
inline std::string known_answer(std::uint32_t id, std::size_t length) {
    return "ok " + std::to_string(id) + " " + std::to_string(length) + "\n" + known_bytes(id + 1000000, length);
}

// A handler may answer one of a few pages instead, which many requests get, of any length.
inline std::uint32_t page_of(std::uint32_t id) { return 3000000000u + id % 5; }

inline bool is_known_answer(std::uint32_t id, const std::string& body) {
    std::uint32_t named = 0;
    std::size_t length = 0;
    int used = 0;
    if (std::sscanf(body.c_str(), "ok %u %zu\n%n", &named, &length, &used) != 2) return false;
    return (named == id || named == page_of(id)) && body == known_answer(named, length);
}

// The simulated kernel, with a clock that the simulation turns.
class ClockedKernel : public Clocked<io::SimulatedKernel> {
public:
    // From here on nothing goes wrong but what a test asks for.
    void be_calm() {
        simulation.short_transfer = simulation.stream_ends = simulation.no_segments = 0;
        simulation.accept_fails = simulation.cancel_late = 0;
        simulation.steps = 16;
    }
    bool closed_by_reset(ClientId client) const { return client_was_reset(client); }
};

// The trailer fields that request `id` may have behind a chunked body.
inline std::string known_trailers(std::uint32_t id) {
    return "X-Id: " + std::to_string(id) + "\r\nX-Known: " + known_bytes(id + 2000000, id % 7 == 0 ? 3000 : id % 50) +
           "\r\n";
}

struct ClientPlan {
    bool kind = false;        // nothing that could go wrong is tried: each request must be answered as wanted
    bool breaks_off = false;  // but its connection may end at any time
    std::uint32_t requests = 0;
    std::uint32_t body_max = 0;
    std::uint32_t fragment_max = 0;  // bytes sent at a time
    std::uint32_t read_max = 0;      // bytes read at a time
    std::uint32_t idle_chance = 0;   // of doing nothing in a step
    // Requests that a worker has had which may answer anything, as long as it is framed as HTTP.
    const std::set<std::uint32_t>* tainted = nullptr;
    std::uint16_t proxied_port = 0;  // the port that a PROXY protocol header names; 0: none is sent
    bool proxy_spoilt = false;       // what comes instead of the header is none: nothing is ever answered
};

template <class Network>
class ClientOf {
public:
    ClientOf(Network& kernel, int listener, Dice& dice, const ClientPlan& plan, std::uint32_t& next_id)
        : kernel_(kernel), dice_(dice), plan_(plan), next_id_(next_id), client_(kernel.connect(listener)) {
        introduce();
    }

    struct Request {
        std::uint32_t id;
        enum class Want { handler, fixed, large, missing, refused } want;
        bool head = false;
        bool close = false;  // asks for the end of the connection, or has to bring it
        bool old = false;    // HTTP/1.0
    };

    std::string problem;      // the first thing that was wrong
    std::uint32_t good = 0;   // answers as wanted
    std::uint64_t moved = 0;  // bytes sent and read
    std::vector<std::uint32_t> ids() const {
        std::vector<std::uint32_t> ids;
        for (const Request& request : requests_) ids.push_back(request.id);
        return ids;
    }
    std::uint16_t proxied_port() const { return plan_.proxied_port; }

    typename Network::ClientId id() const { return client_; }
    bool over() const { return gone_ || ended_; }
    // Nothing is owed to it any more.
    bool satisfied() const {
        return (made_ == plan_.requests || silent_) && (unsent_.empty() || ended_) &&
               reader_.answers.size() == requests_.size();
    }
    std::string state() const {
        return std::to_string(reader_.answers.size()) + " of " + std::to_string(requests_.size()) + " answered, " +
               std::to_string(unsent_.size()) + " bytes unsent" + (ended_ ? ", ended" : "") + (gone_ ? ", gone" : "");
    }

    void step() {
        if (gone_ || !problem.empty() || dice_.chance(plan_.idle_chance)) return;
        if (ended_) return leave(false);
        if (!silent_ && made_ < plan_.requests && unsent_.size() < 4096 && dice_.chance(60)) make_request();
        if (!unsent_.empty()) {
            const std::size_t length = std::min<std::size_t>(unsent_.size(), dice_.between(1, plan_.fragment_max));
            kernel_.client_send(client_, std::string_view(unsent_).substr(0, length));
            moved += length;
            unsent_.erase(0, length);
        } else if (!shut_ && !plan_.kind && dice_.chance(1)) {
            shut_ = silent_ = true;
            kernel_.client_shutdown(client_);
        }
        if (!plan_.kind && dice_.below(400) == 0) return leave(dice_.chance(50));
        read(dice_.between(1, plan_.read_max));
    }

    void read(std::size_t most) {
        if (gone_ || !problem.empty()) return;
        const std::size_t before = reader_.answers.size();
        const std::string bytes = kernel_.client_read(client_, most);
        moved += bytes.size();
        reader_.feed(bytes);
        if (reader_.malformed) return wrong("not HTTP: " + reader_.rest().substr(0, 200));
        for (std::size_t i = before; i < reader_.answers.size() && problem.empty(); ++i) judge(i);
        if (!ended_ && kernel_.client_at_end(client_)) {
            ended_ = true;
            const std::size_t known = reader_.answers.size();
            const bool whole = reader_.ended();
            // A body without a length ends with the connection: whole if the server has not reset it.
            if (reader_.answers.size() > known && !kernel_.closed_by_reset(client_)) judge(known);
            if (plan_.breaks_off) return;
            if (plan_.kind && (!whole || kernel_.closed_by_reset(client_))) wrong("the connection broke off");
            if (plan_.kind && !closing_seen_) wrong("the connection was closed although nobody asked for it");
        }
    }

    void leave(bool reset) {
        if (gone_) return;
        gone_ = true;
        reset ? kernel_.client_reset(client_) : kernel_.client_close(client_);
    }

private:
    void wrong(std::string what) {
        if (problem.empty()) problem = std::move(what);
    }

    // The PROXY protocol's header, in either version.
    void introduce() {
        if (plan_.proxy_spoilt) {
            silent_ = true;
            unsent_ = dice_.chance(50) ? "GET /fixed HTTP/1.1\r\nHost: sim\r\n\r\n" : "PROXY TCP4 1.2.3.4 5 6 7\r\n";
        } else if (plan_.proxied_port != 0 && dice_.chance(50)) {
            unsent_ = "PROXY TCP4 10.1.2.3 10.0.0.1 " + std::to_string(plan_.proxied_port) + " 80\r\n";
        } else if (plan_.proxied_port != 0) {
            unsent_ = std::string("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x0a\1\2\3\x0a\0\0\1", 24);
            unsent_ += char(plan_.proxied_port >> 8);
            unsent_ += char(plan_.proxied_port & 0xff);
            unsent_ += std::string("\0\x50", 2);
        }
    }

    void make_request() {
        using Want = typename Request::Want;
        ++made_;
        Request request{.id = next_id_++, .want = Want::handler};
        const std::uint32_t kind = dice_.below(100);
        std::string target;
        std::string method = "GET";
        std::string fields = "Host: sim\r\n";
        std::string body;
        const bool trailers = dice_.chance(30);  // if its body is chunked
        if (kind < 12) {
            request.want = Want::fixed;
            target = "/fixed";
        } else if (kind < 16) {
            request.want = Want::large;
            target = "/large";
        } else if (kind < 20) {
            request.want = Want::missing;
            target = "/nowhere";
        } else if (kind < 22 && !plan_.kind) {
            request.want = Want::refused;
            request.close = silent_ = true;
            unsent_ += dice_.chance(50)
                           ? "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
                           : "\x16\x03\x01 garbage\r\n\r\n";
            requests_.push_back(request);
            reader_.expect(false);
            return;
        } else {
            std::uint32_t length = 0;
            if (dice_.chance(50)) {
                method = "POST";
                length = dice_.chance(70) ? dice_.below(200) : dice_.below(plan_.body_max);
                body = known_bytes(request.id, length);
            }
            target = "/h/" + std::to_string(request.id) + "/" + std::to_string(length);
            if (dice_.chance(10)) {
                request.head = true;
                method = "HEAD";
                body.clear();
                target = "/h/" + std::to_string(request.id) + "/0";
            }
        }
        if (dice_.chance(5)) fields += "X-Long: " + std::string(dice_.below(1500), 'x') + "\r\n";
        if (dice_.chance(3)) {
            request.close = silent_ = true;
            fields += "Connection: close\r\n";
        }
        if (!plan_.kind && dice_.chance(3)) {
            request.old = request.close = silent_ = true;
        }
        if (method == "POST" && !request.old && dice_.chance(10)) fields += "Expect: 100-continue\r\n";
        const std::string version = request.old ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n";
        if (method == "POST" && !request.old && dice_.chance(50)) {
            fields += "Transfer-Encoding: chunked\r\n";
            if (trailers) target += "/trailers";
            unsent_ += method + " " + target + version + fields + "\r\n";
            for (std::size_t at = 0; at < body.size();) {
                const std::size_t length = std::min<std::size_t>(body.size() - at, dice_.between(1, 3000));
                char line[16];
                std::snprintf(line, sizeof line, "%zx\r\n", length);
                unsent_ += line + body.substr(at, length) + "\r\n";
                at += length;
            }
            unsent_ += "0\r\n" + (trailers ? known_trailers(request.id) : "") + "\r\n";
        } else {
            if (method == "POST") fields += "Content-Length: " + std::to_string(body.size()) + "\r\n";
            unsent_ += method + " " + target + version + fields + "\r\n" + body;
        }
        requests_.push_back(request);
        reader_.expect(request.head);
        // What is behind the last request must not be taken for one.
        if (!plan_.kind && request.close && dice_.chance(20)) unsent_ += "GET /h/0/0 HTTP/1.1\r\nHost: sim\r\n\r\n";
    }

    void judge(std::size_t index) {
        using Want = typename Request::Want;
        const Answer& answer = reader_.answers[index];
        if (index >= requests_.size()) return wrong("more answers than requests: " + answer.head.substr(0, 40));
        if (closing_seen_) return wrong("an answer behind the last one");
        const Request& request = requests_[index];
        if (answer.close) closing_seen_ = true;
        if (request.close && !answer.close) return wrong("an answer that does not announce the end");
        const bool tainted = plan_.tainted != nullptr && plan_.tainted->contains(request.id);
        if (!tainted && answer.head.find("\r\nDate: ") == std::string::npos) {
            return wrong("an answer without a Date");  // RFC 9110 §6.6.1
        }
        const auto as_wanted = [&] {
            switch (request.want) {
                case Want::handler:
                    return answer.status == 200 && (request.head || is_known_answer(request.id, answer.body));
                case Want::fixed: return answer.status == 200 && answer.body == "fixed\n";
                case Want::large: return answer.status == 200 && answer.body == std::string(20000, 'L');
                case Want::missing: return answer.status == 404;
                case Want::refused: return answer.status == 400 || answer.status == 501;
            }
            return false;
        };
        if (as_wanted()) {
            ++good;
            return;
        }
        if (tainted) return;
        if (answer.status == 200 || plan_.kind) {
            return wrong("request " + std::to_string(request.id) + " (number " + std::to_string(index) + ") got " +
                         answer.head.substr(0, 40) + "... " + answer.body.substr(0, 60) + " (" +
                         std::to_string(answer.body.size()) + " bytes" + (request.old ? ", HTTP/1.0)" : ")"));
        }
        static constexpr unsigned EXCUSES[] = {400, 408, 413, 429, 431, 500, 502, 503, 504};
        for (const unsigned status : EXCUSES) {
            if (answer.status == status) return;
        }
        wrong("a status that nothing explains: " + std::to_string(answer.status));
    }

    Network& kernel_;
    Dice& dice_;
    ClientPlan plan_;
    std::uint32_t& next_id_;
    typename Network::ClientId client_;
    std::vector<Request> requests_;
    std::uint32_t made_ = 0;
    AnswerReader reader_;
    std::string unsent_;
    bool silent_ = false;  // makes no further request
    bool shut_ = false;
    bool gone_ = false;
    bool ended_ = false;
    bool closing_seen_ = false;
};

using SimulatedClient = ClientOf<ClockedKernel>;

}  // namespace pinion::test
