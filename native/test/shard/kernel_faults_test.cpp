// What a kernel may do to a shard one operation at a time, each at every place where it can happen: short sends,
// threads that died, descriptors and memory that ran out. The simulation has the same by seed.
#include <cerrno>
#include <set>

#include "test/check.hpp"
#include "test/shard/reactor_rig.hpp"
#include "test/shard/simulated_client.hpp"

namespace pinion::test {
namespace {

// A reactor on a simulated kernel where nothing goes wrong but what a test asks for, and a worker that answers.
class FaultRig : public ReactorRig<ClockedKernel> {
public:
    FaultRig() {
        kernel.be_calm();
        go_live();
        on_turn = [this] { answer_all(); };
    }

    using ClientId = io::SimulatedKernel::ClientId;
    ClientId client() { return kernel.connect(reactor->settings().listeners[0].fd); }

    // One step after the other, with a clock that goes on, until `count` answers have been read.
    std::vector<Answer> answers(ClientId from, std::size_t count, unsigned steps = 200) {
        AnswerReader reader;
        for (; steps > 0 && reader.answers.size() < count && !kernel.client_at_end(from); --steps) {
            turn();
            received += reader_feed(reader, from);
        }
        CHECK(!reader.malformed);
        return reader.answers;
    }
    void turn() {
        kernel.now_ms += 1;
        reactor->turn(driver);
        on_turn();
        reactor->flush(driver);
        CHECK_EQ(kernel.violations().size(), 0u);
    }
    // The server has let go of one client, and serves the other.
    void check_only_one_ended(ClientId ended, ClientId other) {
        for (int n = 0; n < 20; ++n) turn();
        CHECK(kernel.closed_by_server(ended));
        kernel.client_send(other, get("/h/streamed"));
        CHECK_EQ(answers(other, 1).size(), 1u);
    }
    std::size_t received = 0;
    // Connections with such an operation in flight.
    std::size_t armed(Operation operation) const {
        std::size_t count = 0;
        for (std::uint32_t index = 0; index < 4; ++index) {
            for (std::uint32_t generation = 0; generation < 64; ++generation) {
                count += kernel.owed(token(operation, index, generation));
            }
        }
        return count;
    }

private:
    std::size_t reader_feed(AnswerReader& reader, ClientId from) {
        const std::string bytes = kernel.client_read(from);
        reader.feed(bytes);
        return bytes.size();
    }
    void answer_all() {
        layout::Entry entry;
        while (worker.pop(entry)) {
            const std::uint32_t slot = entry.head >> 8;
            const std::uint64_t request = std::uint64_t{slot} << 32 | entry.generation;
            if (EntryType(entry.head & 0xff) == EntryType::body) {
                worker.push(EntryType::consumed, slot, entry.generation, entry.argument, entry.argument2);
            }
            if (request == reading_) {
                const auto type = EntryType(entry.head & 0xff);
                if (type == EntryType::body_end) worker.answer(slot, entry.generation, {.body = "all of it"});
                if (type == EntryType::abort) worker.give_back(slot, entry.generation);
            }
            if (EntryType(entry.head & 0xff) != EntryType::request) continue;
            if (!worker.start(slot, entry.generation)) continue;
            if (worker.path(slot) == "/h/body") {  // answered at its end
                reading_ = request;
                continue;
            }
            // Three parts and their chunks' lines, or one in place.
            const bool streamed = worker.path(slot) == "/h/streamed";
            const std::string body = known_bytes(7, 120);
            if (!streamed) {
                worker.answer(slot, entry.generation, {.body = body});
                continue;
            }
            worker.answer(slot, entry.generation, {.body = std::string_view(body).substr(0, 50), .flags = 0});
            worker.part(slot, entry.generation, std::string_view(body).substr(50, 30));
            worker.part(slot, entry.generation, std::string_view(body).substr(80));
            worker.end(slot, entry.generation);
        }
    }

    std::uint64_t reading_ = 0;  // slot and generation of the request whose body is read
};

const char* const PATHS[] = {"/h/whole", "/h/streamed", "/fixed"};

std::string body_of(std::string_view path) { return path == "/fixed" ? "fixed\n" : known_bytes(7, 120); }

// Two answers of one connection, cut at every byte; and then, what a dead thread's operation ends with.
TEST("kernel faults: a send that is short at every length is resumed where it stopped") {
    for (const char* const path : PATHS) {
        FaultRig rig;
        OPENED(rig);
        const std::string requests = get(path) + get("/fixed");
        std::size_t total = 0;
        {
            const auto client = rig.client();
            rig.kernel.client_send(client, requests);
            REQUIRE_EQ(rig.answers(client, 2).size(), 2u);
            total = rig.received;
            rig.kernel.client_close(client);
        }
        REQUIRE(total > 200 || path == PATHS[2]);
        for (const int error : {0, ECANCELED, EFAULT, EINTR}) {
            for (std::size_t length = 1; length < total; ++length) {
                const auto client = rig.client();
                rig.kernel.client_send(client, requests);
                rig.kernel.simulation.next_send = length;
                // The worker has to answer first: all that there is leaves in one send.
                for (int n = 0; rig.kernel.simulation.next_send != 0 && n < 100; ++n) rig.turn();
                rig.kernel.simulation.next_send_error = error;
                const std::vector<Answer> answers = rig.answers(client, 2);
                rig.kernel.client_close(client);
                REQUIRE_EQ(answers.size(), 2u);
                if (answers[0].body == body_of(path) && answers[1].body == "fixed\n") continue;
                FAIL(std::string(path) + " cut at byte " + std::to_string(length));
                return;
            }
        }
        rig.check_all_returned();
    }
}

// What the worker and the native routes have said when a turn ends.
TEST("output: neighbouring answers of a connection leave in one send") {
    FaultRig rig;
    OPENED(rig);
    const auto client = rig.client();
    rig.kernel.client_send(client, get("/fixed"));  // so that it is no newcomer, whose sends are counted out
    REQUIRE_EQ(rig.answers(client, 1).size(), 1u);
    using Paths = std::vector<const char*>;
    for (const Paths& paths :
         {Paths{"/fixed", "/fixed"}, Paths{"/h/whole", "/h/whole"}, Paths{"/h/whole", "/none", "/h/streamed", "/fixed"},
          Paths{"/h/streamed", "/h/whole", "/h/streamed", "/h/streamed"}, Paths(8, "/fixed"), Paths(8, "/h/whole")}) {
        std::string requests;
        for (const char* const path : paths) requests += get(path);
        const std::uint64_t before = rig.kernel.sends();
        rig.kernel.client_send(client, requests);
        CHECK_EQ(rig.answers(client, paths.size()).size(), paths.size());
        CHECK_EQ(rig.kernel.sends() - before, 1u);
    }
    rig.kernel.client_close(client);
    rig.check_all_returned();
}

TEST("kernel faults: a receive that fails for want of segments, or with its thread, loses nothing") {
    FaultRig rig;
    OPENED(rig);
    const std::string request = "POST /h/whole HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n0123456789";
    for (const int error : {ENOBUFS, ECANCELED, EFAULT, EINTR}) {
        for (std::size_t at = 1; at < request.size(); ++at) {
            const auto client = rig.client();
            rig.kernel.client_send(client, std::string_view(request).substr(0, at));
            for (int n = 0; n < 4; ++n) rig.turn();
            rig.kernel.simulation.next_receive_error = error;
            rig.kernel.client_send(client, std::string_view(request).substr(at));
            for (int n = 0; rig.kernel.simulation.next_receive_error != 0 && n < 100; ++n) rig.turn();
            CHECK_EQ(rig.kernel.simulation.next_receive_error, 0);
            const std::vector<Answer> answers = rig.answers(client, 1);
            rig.kernel.client_close(client);
            REQUIRE_EQ(answers.size(), 1u);
            CHECK_EQ(answers[0].status, 200u);
        }
    }
    rig.check_all_returned();
}

TEST("kernel faults: a receive into a run that fails with its thread loses nothing, else it ends its connection only") {
    FaultRig rig;
    OPENED(rig);
    const std::string head = "POST /h/body HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n";
    const auto other = rig.client();
    for (const int error : {ENOBUFS, ENOMEM, ENOTCONN, ECANCELED, EFAULT, EINTR}) {
        const auto client = rig.client();
        rig.kernel.client_send(client, head + std::string(50000, 'b'));
        for (int n = 0; n < 30; ++n) rig.turn();
        // Its rest is received into runs.
        CHECK_EQ(rig.armed(Operation::receive_into), 1u);
        rig.kernel.simulation.next_receive_error = error;
        rig.kernel.client_send(client, std::string(150000, 'b'));
        const std::vector<Answer> answers = rig.answers(client, 1);
        CHECK_EQ(rig.kernel.simulation.next_receive_error, 0);
        const bool goes_on = error == ECANCELED || error == EFAULT || error == EINTR;
        CHECK_EQ(answers.size(), goes_on ? 1u : 0u);
        if (goes_on) rig.kernel.client_close(client);
        rig.check_only_one_ended(client, other);
    }
    rig.kernel.client_close(other);
    rig.check_all_returned();
}

TEST("kernel faults: a connection ends whatever its shutdown and its close come to") {
    FaultRig rig;
    OPENED(rig);
    for (const unsigned shutdown_fails : {0u, 256u}) {
        for (const unsigned close_fails : {0u, 256u}) {
            rig.kernel.simulation.shutdown_fails = shutdown_fails;
            rig.kernel.simulation.close_fails = close_fails;
            const auto client = rig.client();
            rig.kernel.client_send(client, get("/h/whole", "Connection: close\r\n"));
            const std::vector<Answer> answers = rig.answers(client, 1);
            REQUIRE_EQ(answers.size(), 1u);
            CHECK(answers[0].close);
            // The client does not close: that it is over is to be seen, by the write side's end or at the drain's
            // bound.
            for (int n = 0; n < 2500 && !rig.kernel.closed_by_server(client); ++n) rig.turn();
            for (int n = 0; n < 5; ++n) rig.turn();
            CHECK(rig.kernel.client_at_end(client));
            CHECK(rig.kernel.closed_by_server(client));
            CHECK_EQ(rig.reactor->connection_count(), 0u);
        }
    }
    rig.check_all_returned();
}

TEST("kernel faults: memory that runs out ends one connection, and no other") {
    FaultRig rig;
    OPENED(rig);
    for (const bool sending : {false, true}) {
        for (const int error : {ENOMEM, ENOTCONN}) {
            const auto other = rig.client();
            rig.kernel.client_send(other, get("/h/whole"));
            REQUIRE_EQ(rig.answers(other, 1).size(), 1u);
            const auto client = rig.client();
            rig.kernel.client_send(client, get("/h/streamed"));
            (sending ? rig.kernel.simulation.next_send_error : rig.kernel.simulation.next_receive_error) = error;
            CHECK(rig.answers(client, 1, 50).empty());
            rig.check_only_one_ended(client, other);
            rig.kernel.client_close(other);
        }
    }
    rig.check_all_returned();
}

TEST("kernel faults: whatever else keeps the shard from accepting, it waits a while and goes on") {
    FaultRig rig;
    OPENED(rig);
    rig.turn();
    // accept(2): these belong to a connection that is out of the queue then, or to a thread that has died.
    const std::set<int> passing = {ECONNABORTED, EPROTO,       ENOPROTOOPT, ENETDOWN, ENETUNREACH, ENONET,
                                   EHOSTDOWN,    EHOSTUNREACH, EINTR,       EAGAIN,   ECANCELED,   EFAULT};
    for (int error = 1; error < 134; ++error) {
        rig.kernel.simulation.next_accept_error = error;
        const auto client = rig.client();
        rig.kernel.client_send(client, get("/h/whole"));
        for (int n = 0; rig.kernel.simulation.next_accept_error != 0 && n < 50; ++n) rig.turn();
        CHECK_EQ(rig.kernel.simulation.next_accept_error, 0);
        const bool passes = passing.contains(error);
        // A listener that is armed again at once would spin on what does not pass by itself.
        rig.kernel.simulation.next_accept_error = passes ? 0 : error;
        for (int n = 0; n < 20; ++n) rig.turn();
        CHECK_EQ(rig.kernel.simulation.next_accept_error, passes ? 0 : error);
        // And one that passes is not waited for.
        if (passes) CHECK_EQ(rig.reactor->connection_count(), 1u);
        rig.kernel.simulation.next_accept_error = 0;
        CHECK_EQ(rig.answers(client, 1, 400).size(), 1u);
        rig.kernel.client_close(client);
        for (int n = 0; n < 20; ++n) rig.turn();
    }
    rig.check_all_returned();
}

}  // namespace
}  // namespace pinion::test
