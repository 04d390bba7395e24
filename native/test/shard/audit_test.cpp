// The audit of a reactor finds nothing in one that is well, and each thing that is spoilt.
#include "test/shard/audit.hpp"

#include <functional>
#include <string>

#include "test/check.hpp"
#include "test/shard/reactor_rig.hpp"
#include "test/shard/simulated_client.hpp"

namespace pinion::test {
namespace {

using TheReactor = shard::Reactor<ClockedKernel>;
using Inside = Audit<ClockedKernel>;
using State = shard::ConnectionState;

// Two clients: one whose request a worker has, another one behind it, and the beginning of a third; and one that is
// idle.
class SpoiltRig : public ReactorRig<ClockedKernel> {
public:
    SpoiltRig() {
        kernel.be_calm();
        go_live();
        const int listener = reactor->settings().listeners[0].fd;
        busy = kernel.connect(listener);
        turns(10);
        idle = kernel.connect(listener);
        turns(10);
        kernel.client_send(busy, get("/h/1") + get("/h/2") + "GET /h/3");
        turns(10);
        layout::Entry entry;
        while (worker.pop(entry)) CHECK(worker.start(entry.head >> 8, entry.generation));
        turns(10);
    }

    void turns(unsigned count) {
        for (; count > 0; --count) {
            kernel.now_ms += 1;
            reactor->turn(driver);
        }
    }
    io::SimulatedKernel::ClientId busy = 0, idle = 0;
};

struct Spoilt {
    const char* what;  // is in what the audit says
    std::function<void(TheReactor&)> spoil, mend;
};

TEST("audit: finds nothing in a reactor that is well, and each thing that is spoilt in it") {
    SpoiltRig rig;
    OPENED(rig);
    TheReactor& reactor = *rig.reactor;
    REQUIRE_EQ(audit(reactor), "");
    auto& connections = Inside::connections(reactor);
    auto& exchanges = Inside::exchanges(reactor);
    REQUIRE_EQ(connections.used(), 2u);
    REQUIRE_EQ(exchanges.used(), 2u);
    shard::Connection& busy = connections[0];
    shard::Connection& idle = connections[1];
    REQUIRE_EQ(busy.exchanges, 2u);
    REQUIRE(busy.head_block != shard::NONE);
    const std::uint32_t first = busy.first;
    const std::uint32_t second = busy.last;
    shard::Exchange& begun = exchanges[first];
    const std::uint32_t segment = reactor.segments().segment_of(begun.hold.offset);
    layout::Slot& slot = reactor.region().slot(first);
    const std::uint32_t word = slot.state;
    std::uint32_t taken = 0;
    const io::Socket socket = idle.socket;
    const Spoilt cases[] = {
        {"bytes of the arena", [&](auto& each) { taken = each.segments().take(); },
         [&](auto& each) { each.segments().give(taken); }},
        {"bytes of the arena", [&](auto& each) { taken = each.segments().take_block(256); },
         [&](auto& each) { each.segments().give_block(taken, 256); }},
        {"users, there are", [&](auto& each) { each.segments().hold(segment); },
         [&](auto& each) { each.segments().drop(segment); }},
        {"users, there are", [&](auto& each) { ++each.segments()[segment].body_parts[0]; },
         [&](auto& each) { --each.segments()[segment].body_parts[0]; }},
        {"users, there are", [&](auto&) { begun.hold.kind = shard::HoldKind::none; },
         [&](auto&) { begun.hold.kind = shard::HoldKind::segments; }},
        {"bytes of the arena", [&](auto&) { busy.head_block_bytes *= 2; }, [&](auto&) { busy.head_block_bytes /= 2; }},
        {"parts of answers", [&](auto& each) { taken = Inside::parts(each).take(); },
         [&](auto& each) { Inside::parts(each).give(taken); }},
        {"slots", [&](auto& each) { taken = Inside::exchanges(each).take(); },
         [&](auto& each) { Inside::exchanges(each).give(taken); }},
        {"connections", [&](auto& each) { taken = Inside::connections(each).take(); },
         [&](auto& each) { Inside::connections(each).give(taken); }},
        {"in two orders", [&](auto&) { exchanges[second].next = first; },
         [&](auto&) { exchanges[second].next = shard::NONE; }},
        {"in two orders", [&](auto&) { idle.first = idle.last = second; },
         [&](auto&) { idle.first = idle.last = shard::NONE; }},
        {"the length of an order", [&](auto&) { begun.next = shard::NONE, busy.last = first; },
         [&](auto&) { begun.next = second, busy.last = second; }},
        {"a request in another's order", [&](auto&) { begun.connection = 1; }, [&](auto&) { begun.connection = 0; }},
        {"a lane that does not have it", [&](auto&) { begun.lane_holds = false; },
         [&](auto&) { begun.lane_holds = true; }},
        {"slots that a lane holds", [&](auto& each) { ++each.lane(0).held; }, [&](auto& each) { --each.lane(0).held; }},
        {"of another generation", [&](auto&) { slot.state += 256; }, [&](auto&) { slot.state = word; }},
        {"that its owner does not know", [&](auto&) { slot.state = word & ~255u; }, [&](auto&) { slot.state = word; }},
        {"uploads", [&](auto& each) { ++Inside::uploads(each); }, [&](auto& each) { --Inside::uploads(each); }},
        {"that nothing will close", [&](auto&) { idle.state = State::closing, idle.receive_armed = false; },
         [&](auto&) { idle.state = State::open, idle.receive_armed = true; }},
        {"and will not take it", [&](auto&) { idle.state = State::finishing, idle.wait = shard::Wait::lane_slot; },
         [&](auto&) { idle.state = State::open, idle.wait = shard::Wait::nothing; }},
        {"connections that wait", [&](auto&) { idle.wait = shard::Wait::lane_slot; },
         [&](auto&) { idle.wait = shard::Wait::nothing; }},
        {"a list that it does not wait on",
         [&](auto& each) {
             Inside::laneless(each) = {1, 1, 1};
         },
         [&](auto& each) { Inside::laneless(each) = {}; }},
        {"connections that stall", [&](auto&) { idle.stalled = true; }, [&](auto&) { idle.stalled = false; }},
        {"connections to be settled", [&](auto&) { idle.in_dirty = true; }, [&](auto&) { idle.in_dirty = false; }},
        {"a receive", [&](auto&) { idle.receive_armed = false; }, [&](auto&) { idle.receive_armed = true; }},
        {"a send", [&](auto&) { idle.send_armed = true; }, [&](auto&) { idle.send_armed = false; }},
        {"a socket of two", [&](auto&) { idle.socket = busy.socket; }, [&](auto&) { idle.socket = socket; }},
        {"a closed socket", [&](auto&) { idle.socket = 5; }, [&](auto&) { idle.socket = socket; }},
    };
    for (const Spoilt& each : cases) {
        each.spoil(reactor);
        const std::string found = audit(reactor);
        if (found.find(each.what) == std::string::npos) FAIL(std::string(each.what) + ": " + found);
        each.mend(reactor);
        CHECK_EQ(audit(reactor), "");
    }
    rig.kernel.client_close(rig.busy);
    rig.kernel.client_close(rig.idle);
    rig.check_all_returned();
    CHECK_EQ(audit(reactor), "");
}

}  // namespace
}  // namespace pinion::test
