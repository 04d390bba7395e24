// What the handlers of a live worker answer: other methods are refused without it, also after it has died.
#include "test/shard/on_both_kernels.hpp"

namespace pinion::test {
namespace {

constexpr http::MethodSet GET = 1u << unsigned(http::Method::GET);
constexpr http::MethodSet POST = 1u << unsigned(http::Method::POST);

std::string request(std::string_view method, std::string_view path) {
    return std::string(method) + " " + std::string(path) + " HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
}

shard::Settings two_handlers() {
    shard::Settings settings = small_settings();
    settings.routes.push_back(handler_route("/other"));
    settings.routes.back().handler = 1;
    settings.routes.back().methods = GET | POST;
    return settings;
}

template <class K>
std::uint32_t live_with(ReactorRig<K>& rig, const std::vector<http::MethodSet>& by_handler) {
    const auto lane = std::uint32_t(rig.reactor->reserve_lane());
    rig.worker.attach(rig.reactor->region().base(), rig.reactor->region().lane_offset(lane));
    rig.reactor->go_live(lane, by_handler);
    rig.reactor->flush(rig.driver);
    return lane;
}

// One client's requests, one after the other.
template <class K>
struct Asker {
    ReactorRig<K>& rig;
    std::unique_ptr<Peer> peer = rig.connect();
    std::size_t asked = 0;

    void refused(std::string_view method, std::string_view path, std::string_view allow) {
        const auto& answers = rig.talk(*peer, request(method, path), ++asked);
        REQUIRE_EQ(answers.size(), asked);
        CHECK_EQ(answers.back().status, 405u);
        CHECK(answers.back().has("Allow: " + std::string(allow)));
        CHECK_EQ(rig.worker.unread(), 0u);
    }
    void handled(std::string_view method, std::string_view path) {
        peer->write(request(method, path));
        const Started started = next_request(rig);
        REQUIRE(started.slot != layout::NO_OFFSET);
        rig.worker.answer(started.slot, started.generation, {.body = "handled"});
        ++asked;
        REQUIRE(rig.until([&] { return peer->in.answers.size() == asked; }));
        CHECK_EQ(peer->in.answers.back().status, 200u);
    }
};

REACTOR_TEST(Methods, "reactor: methods that no handler answers are 405 without a worker, once one has said so") {
    ReactorRig<K> rig(two_handlers());
    REQUIRE_EQ(rig.failure, "");
    Asker<K> client{rig};
    // One that says nothing gets them all.
    std::uint32_t lane = live_with(rig, {});
    client.handled("DELETE", "/h/a");
    rig.reactor->release_lane(lane);

    lane = live_with(rig, {GET, POST});
    client.handled("GET", "/h/a");
    client.refused("POST", "/h/a", "GET, HEAD");
    client.refused("GET", "/other", "POST");
    // Native routes have their own.
    client.refused("POST", "/fixed", "GET, HEAD");
    // Nobody has to live for it.
    rig.reactor->release_lane(lane);
    client.refused("POST", "/h/a", "GET, HEAD");

    // A lane that is not live has no say.
    const auto warming = std::uint32_t(rig.reactor->reserve_lane());
    lane = live_with(rig, {GET, POST});
    rig.reactor->quarantine_lane(warming);
    rig.reactor->go_live(warming, {POST, POST});
    client.refused("POST", "/h/a", "GET, HEAD");
    // The newest that lives has: while the one before it drains, and when it has gone.
    lane = live_with(rig, {POST, 0});
    client.handled("POST", "/h/a");
    client.refused("GET", "/h/a", "POST");
    client.refused("POST", "/other", "");
    rig.check_all_returned();
}

}  // namespace
}  // namespace pinion::test
