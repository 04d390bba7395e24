#include "shard/shard.hpp"

#include <algorithm>
#include <bit>

#include "base/cache_line.hpp"
#include "base/hand_over_point.hpp"
#include "io/epoll_kernel.hpp"
#include "io/uring_kernel.hpp"
#include "shard/reactor.hpp"
#include "shard/stand_in.hpp"

namespace pinion::shard {
namespace {

template <class K>
class alignas(base::CACHE_LINE_BYTES) ShardOn final : public Shard {
public:
    ShardOn(Io io, Settings&& settings)
        : io_(io), reactor_(std::move(settings), kernel_), stand_in_(reactor_, baton_, presence_) {}

    void on_broken_lane(void (*tell)(void* context), void* context) override { keeper_ = {tell, context}; }

    std::string start() override {
        if (std::string failed = reactor_.open(); !failed.empty()) return failed;
        const Settings& settings = reactor_.settings();
        io::KernelOptions options{};
        options.arena = reactor_.region().arena();
        options.segment_count = settings.limits.arena_bytes / layout::SEGMENT_BYTES;
        options.segment_bytes = layout::SEGMENT_BYTES;
        options.lent_max = std::bit_ceil(reactor_.lent_max());
        options.connections = settings.limits.connections;
        options.queue_depth = std::clamp(std::bit_ceil(settings.limits.connections), 8u, 1024u);
        if (std::string failed = kernel_.open(options); !failed.empty()) return failed;
        reactor_.start();
        if (!stand_in_.start(
                settings.cpu, [](void* self, bool live_too) { static_cast<ShardOn*>(self)->stood_in(live_too); },
                this)) {
            return "cannot start the stand-in thread";
        }
        return {};
    }

    void stop() override {
        stand_in_.stop();
        BatonHold hold(baton_);
        reactor_.reset_unfinished();
        kernel_.close_all();
        for (const Listener& listener : reactor_.settings().listeners) {
            if (listener.fd >= 0) ::close(listener.fd);
        }
    }

    Next worker_turn(std::uint32_t lane) override {
        baton_.take();
        if (reactor_.live_lane() != lane) return leave_to_others();
        presence_.move(Place::turning);
        PINION_HAND_OVER(worker_turning);
        const bool more = reactor_.turn(io::Driver::worker);
        PINION_HAND_OVER(worker_turned);
        return leave(lane, more);
    }

    Next worker_flush(std::uint32_t lane) override {
        baton_.take();
        if (reactor_.live_lane() != lane) return leave_to_others();
        presence_.move(Place::turning);
        PINION_HAND_OVER(worker_turning);
        reactor_.flush(io::Driver::worker);
        PINION_HAND_OVER(worker_turned);
        return leave(lane, kernel_.pending() || reactor_.turn_owed());
    }

    void worker_awake(std::uint32_t lane) override {
        const Presence::Reading now = presence_.read();
        if (now.place() == Place::asleep && live_hint_.load(std::memory_order_relaxed) == lane) {
            PINION_HAND_OVER(worker_awakes);
            presence_.move_from(now, Place::away);
        }
    }

    std::uint64_t next_deadline_ms() const override { return next_deadline_ms_.load(std::memory_order_relaxed); }

    bool lane_ready(std::uint32_t lane) override {
        LaneEnd& end = reactor_.lane(lane);
        if (load_acquire(end.shared().lane_state) == 0) return false;
        return end.unread() != 0 || end.relieved();
    }

    std::int32_t send_now(std::uint32_t lane, std::uint32_t slot, std::uint32_t generation, const void* data,
                          std::size_t length) override {
        BatonHold hold(baton_);
        if (reactor_.live_lane() != lane) return Reactor<K>::NOT_NOW;
        return reactor_.send_now(lane, slot, generation, data, length);
    }

    std::int32_t reserve_lane() override {
        BatonHold hold(baton_);
        const std::int32_t lane = reactor_.reserve_lane();
        told_broken_ &= reactor_.broken_lanes();
        return lane;
    }

    void attach(std::uint32_t lane, Wake wake, void* context) override {
        BatonHold hold(baton_);
        wakes_[lane] = {wake, context};
        PINION_HAND_OVER(attaching);
    }

    void go_live(std::uint32_t lane, const std::vector<http::MethodSet>& by_handler) override {
        {
            BatonHold hold(baton_);
            reactor_.go_live(lane, by_handler);
            stand_in_.set_worker(gettid());
            live_hint_.store(lane, std::memory_order_relaxed);
            PINION_HAND_OVER(going_live);
            presence_.move(Place::away);
            PINION_HAND_OVER(went_live);
        }
        stand_in_.ring();  // from its drive without a worker
    }

    void detach(std::uint32_t lane) override {
        {
            BatonHold hold(baton_);
            wakes_[lane] = {};
            PINION_HAND_OVER(detaching);
            leave_lane(lane);
            PINION_HAND_OVER(detached);
        }
        stand_in_.ring();
    }

    void quarantine_lane(std::uint32_t lane) override {
        {
            BatonHold hold(baton_);
            leave_lane(lane);
            PINION_HAND_OVER(quarantined);
        }
        PINION_HAND_OVER(quarantine_given);
        wake_driver();
    }

    void release_lane(std::uint32_t lane) override {
        {
            BatonHold hold(baton_);
            wakes_[lane] = {};
            leave_lane(lane);
            PINION_HAND_OVER(releasing);
            reactor_.release_lane(lane);
        }
        PINION_HAND_OVER(released);
        wake_driver();
    }

    void drain() override {
        {
            BatonHold hold(baton_);
            reactor_.drain();
            PINION_HAND_OVER(draining);
        }
        PINION_HAND_OVER(drain_given);
        wake_driver();
    }

    void set_crash_loop(bool stands) override {
        BatonHold hold(baton_);
        reactor_.set_crash_loop(stands);
    }

    Status status() override {
        BatonHold hold(baton_);
        const Counters& counters = reactor_.counters();
        const Presence::Reading presence = presence_.read();
        Status status{};
        status.io = io_;
        status.connections = reactor_.connection_count();
        status.slots_used = reactor_.slots_used();
        status.slots_total = reactor_.settings().limits.slots;
        status.queued = reactor_.queued();
        status.accepted = counters.accepted;
        status.requests = counters.requests;
        status.refused = counters.refused;
        status.worker_turns = counters.turns[unsigned(io::Driver::worker)];
        status.stand_in_turns = counters.turns[unsigned(io::Driver::stand_in)];
        status.takeovers = stand_in_.takeovers();
        status.segments_free = reactor_.segments().free_count();
        status.segments_total = reactor_.segments().count();
        status.segments_lent = kernel_.lent() + reactor_.lane_segments();
        for (std::uint32_t i = 0; i < layout::MAX_LANES; ++i) {
            status.lanes[i] = std::uint32_t(reactor_.lane(i).state());
            if (!reactor_.lane_broken(i)) continue;
            status.broken_lanes |= 1u << i;
            status.why_broken[i] = reactor_.why_broken(i);
        }
        status.away = presence.place() == Place::away;
        status.epoch = presence.word;
        status.draining = reactor_.draining();
        status.drained = reactor_.drained();
        return status;
    }

    int remote_address(std::uint32_t slot, std::uint32_t generation, sockaddr_storage* address) override {
        BatonHold hold(baton_);
        return reactor_.remote_address(slot, generation, address);
    }

    void ring_stand_in() override { kernel_.ring_doorbell(); }

    void wake_driver() override {
        BatonHold hold(baton_);
        wake_worker();
        PINION_HAND_OVER(waking_driver);
        stand_in_.ring();
    }

    std::byte* region_base() override { return reactor_.region().base(); }
    std::size_t region_size() override { return reactor_.region().size(); }
    std::uint32_t lane_offset(std::uint32_t lane) override { return reactor_.region().lane_offset(lane); }
    int descriptor() override { return kernel_.descriptor(); }
    const Settings& settings() const override { return reactor_.settings(); }

private:
    struct Waker {
        Wake wake = nullptr;
        void* context = nullptr;
    };

    // Gives the baton back and says what comes next. A sleeper stores its place, then looks at the rings once more.
    Next leave(std::uint32_t lane, bool more) {
        next_deadline_ms_.store(reactor_.next_deadline_ms(), std::memory_order_relaxed);
        turned(lane);
        if (reactor_.live_lane() != lane) {  // its lane broke: the stand-in drives from now on
            nobody_lives();
            baton_.give();
            PINION_HAND_OVER(worker_broken);
            stand_in_.ring();
            return Next::sleep;
        }
        LaneEnd& end = reactor_.lane(lane);
        if (end.unread() != 0 || end.relieved()) {
            presence_.move(Place::away);
            PINION_HAND_OVER(worker_away);
            baton_.give();
            return Next::dispatch;
        }
        if (more || reactor_.has_responses()) {
            presence_.move(Place::away);
            PINION_HAND_OVER(worker_away);
            baton_.give();
            return Next::again;
        }
        presence_.move(Place::asleep);
        const Presence::Reading asleep = presence_.read();
        PINION_HAND_OVER(worker_asleep);
        baton_.give();
        // Between giving the baton and sleeping, somebody else may have run a turn or a command.
        PINION_HAND_OVER(worker_looks_again);
        if (end.unread() != 0) {
            PINION_HAND_OVER(worker_stays_awake);
            if (presence_.move_from(asleep, Place::away)) return Next::dispatch;
        }
        PINION_HAND_OVER(worker_sleeps);
        return Next::sleep;
    }

    // A lane that is not live runs no turns: what it has answered is sent by whoever does.
    Next leave_to_others() {
        const bool answers = reactor_.has_responses();
        if (answers) wake_worker();
        baton_.give();
        PINION_HAND_OVER(worker_of_others);
        if (answers) stand_in_.ring();
        return Next::sleep;
    }

    // With the baton.
    void leave_lane(std::uint32_t lane) {
        reactor_.quarantine_lane(lane);
        if (reactor_.live_lane() == NONE) nobody_lives();
    }

    // With the baton.
    void nobody_lives() {
        live_hint_.store(NONE, std::memory_order_relaxed);
        if (presence_.read().place() != Place::nowhere) presence_.move(Place::nowhere);
    }

    // With the baton, after each turn.
    void turned(std::uint32_t lane) {
        wake_readers(lane);
        const std::uint32_t broken = reactor_.broken_lanes();
        if (broken == told_broken_) return;
        told_broken_ = broken;
        if (keeper_.wake != nullptr) keeper_.wake(keeper_.context);
    }

    // With the baton: workers with something on their rings come round, but for the one that is turning.
    void wake_readers(std::uint32_t turning) {
        for (std::uint32_t i = 0; i < layout::MAX_LANES; ++i) {
            const LaneEnd& lane = reactor_.lane(i);
            if (i == turning || wakes_[i].wake == nullptr) continue;
            if (lane.state() != LaneState::live && lane.state() != LaneState::draining) continue;
            if (lane.unread() != 0 || lane.relieved()) wakes_[i].wake(wakes_[i].context);
        }
    }

    // With the baton, after a turn of the stand-in.
    void stood_in(bool live_too) {
        if (live_too) wake_worker();
        turned(NONE);
    }

    // With the baton: the live worker's event loop comes round.
    void wake_worker() {
        const std::uint32_t lane = reactor_.live_lane();
        if (lane != NONE && wakes_[lane].wake != nullptr) wakes_[lane].wake(wakes_[lane].context);
    }

    Io io_;
    K kernel_;
    Baton baton_;
    Presence presence_;
    Reactor<K> reactor_;
    StandIn<K> stand_in_;
    Waker wakes_[layout::MAX_LANES];
    Waker keeper_;
    std::uint32_t told_broken_ = 0;  // lanes
    std::atomic<std::uint32_t> live_hint_{NONE};
    std::atomic<std::uint64_t> next_deadline_ms_{UINT64_MAX};  // as of the worker's last turn
};

// No line of one shard is also another one's: a size is a multiple of its alignment.
static_assert(alignof(ShardOn<io::UringKernel>) >= base::CACHE_LINE_BYTES);
static_assert(alignof(ShardOn<io::EpollKernel>) >= base::CACHE_LINE_BYTES);

}  // namespace

std::unique_ptr<Shard> make_shard(Io io, Settings&& settings) {
    if (io == Io::uring) return std::make_unique<ShardOn<io::UringKernel>>(io, std::move(settings));
    return std::make_unique<ShardOn<io::EpollKernel>>(io, std::move(settings));
}

}  // namespace pinion::shard
