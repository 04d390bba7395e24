// The worker's side: hooks the shard's turns into the event loop of a worker_thread.
//
//   prepare   a turn; if it brought requests, the dispatcher, then the flush of what that answered
//   (poll)    libuv waits: the ring's descriptor is one of its polls
//   check     the worker is awake again, callbacks follow
//   idle      active while there is more to do, so that libuv does not wait
//   timer     the reactor's next time-out
//   async     another thread asks for a turn
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>
#include <uv.h>
#include <algorithm>
#include <ctime>
#include <vector>

#include "addon/bindings.hpp"

namespace pinion::addon {
namespace {

class WorkerHost {
public:
    WorkerHost(Napi::Env env, shard::Shard& shard, std::uint32_t lane, Napi::Function dispatch)
        : env_(env), shard_(shard), lane_(lane), dispatch_(Napi::Persistent(dispatch)) {
        receiver_ = Napi::Persistent(Napi::Object::New(env));
        napi_async_init(env, nullptr, Napi::String::New(env, "pinion.dispatch"), &context_);
    }

    // The time that went unseen (see woken()), in milliseconds, for the runtime to read. Outlives this host's handles.
    void count_unseen_sleep(Napi::Float64Array into) {
        unseen_ = Napi::Persistent(into);
        unseen_ms_ = into.Data();
    }

    void start() {
        uv_loop_t* loop = nullptr;
        napi_get_uv_event_loop(env_, &loop);
        uv_prepare_init(loop, &prepare_);
        uv_check_init(loop, &check_);
        uv_idle_init(loop, &idle_);
        uv_timer_init(loop, &timer_);
        uv_poll_init(loop, &poll_, shard_.descriptor());
        uv_async_init(loop, &async_, [](uv_async_t* self) { static_cast<WorkerHost*>(self->data)->woken(); });
        uv_handle_t* const handles[] = {handle(prepare_), handle(check_), handle(idle_),
                                        handle(timer_),   handle(poll_),  handle(async_)};
        for (uv_handle_t* each : handles) {
            each->data = this;
            // The poll alone keeps the worker's loop alive.
            if (each != handle(poll_)) uv_unref(each);
        }
        uv_prepare_start(&prepare_, [](uv_prepare_t* self) { static_cast<WorkerHost*>(self->data)->prepare(); });
        uv_check_start(&check_, [](uv_check_t* self) {
            auto* host = static_cast<WorkerHost*>(self->data);
            host->shard_.worker_awake(host->lane_);
        });
        uv_poll_start(&poll_, UV_READABLE,
                      [](uv_poll_t* self, int, int) { static_cast<WorkerHost*>(self->data)->woken(); });
        shard_.attach(
            lane_, [](void* host) { uv_async_send(&static_cast<WorkerHost*>(host)->async_); }, this);
        napi_add_async_cleanup_hook(env_, &WorkerHost::clean_up, this, &hook_);
    }

    void turn_between() {
        if (!stopping_) shard_.worker_flush(lane_);
    }

private:
    template <class Handle>
    static uv_handle_t* handle(Handle& of) {
        return reinterpret_cast<uv_handle_t*>(&of);
    }

    void prepare() {
        if (stopping_) return;
        shard::Next next = shard_.worker_turn(lane_);
        if (next == shard::Next::dispatch || shard_.lane_ready(lane_)) {
            dispatch();
            if (stopping_) return;
            next = shard_.worker_flush(lane_);
        }
        const bool more = next != shard::Next::sleep;
        if (more != idle_active_) {
            idle_active_ = more;
            if (more) {
                uv_idle_start(&idle_, [](uv_idle_t*) {});
            } else {
                uv_idle_stop(&idle_);
            }
        }
        slept_from_ = 0;
        if (more) return;
        arm_timer(shard_.next_deadline_ms());
        slept_from_ = uv_hrtime();
        idle_before_ = uv_metrics_idle_time(prepare_.loop);
    }

    // Task work of the ring interrupts libuv's wait (EINTR), and libuv forgets how long that was: event-loop
    // utilization would count the sleep before each request as work. What it has not seen is counted here.
    void woken() {
        if (slept_from_ == 0) return;
        const std::uint64_t slept = uv_hrtime() - slept_from_;
        const std::uint64_t seen = uv_metrics_idle_time(prepare_.loop) - idle_before_;
        slept_from_ = 0;
        if (slept > seen) *unseen_ms_ += double(slept - seen) / 1e6;
    }

    // The dispatcher enters each request's own async context; this outer one is for the batch.
    void dispatch() {
        Napi::HandleScope scope(env_);
        napi_value result = nullptr;
        const napi_status status =
            napi_make_callback(env_, context_, receiver_.Value(), dispatch_.Value(), 0, nullptr, &result);
        if (status == napi_ok || stopping_) return;
        // The dispatcher handles what handlers throw: this is a fault of its own, or the thread is being ended.
        bool pending = false;
        if (napi_is_exception_pending(env_, &pending) != napi_ok || !pending) return;
        napi_value error = nullptr;
        if (napi_get_and_clear_last_exception(env_, &error) == napi_ok) napi_fatal_exception(env_, error);
    }

    void arm_timer(std::uint64_t deadline_ms) {
        if (deadline_ms == UINT64_MAX) return;
        timespec time;
        clock_gettime(CLOCK_MONOTONIC, &time);
        const std::uint64_t now = std::uint64_t(time.tv_sec) * 1000 + std::uint64_t(time.tv_nsec) / 1000000;
        // One that rings too early costs a turn; re-arming it for each request would cost more.
        if (uv_is_active(handle(timer_)) && armed_ms_ <= deadline_ms && armed_ms_ > now) return;
        armed_ms_ = deadline_ms;
        uv_update_time(timer_.loop);
        uv_timer_start(
            &timer_, [](uv_timer_t*) {}, deadline_ms > now ? deadline_ms - now : 0, 0);
    }

    // The end of a worker, in the order that ends nothing else: hooks become no-ops, handles close, references go,
    // the baton is taken and the stand-in drives.
    static void clean_up(napi_async_cleanup_hook_handle hook, void* self) {
        auto* host = static_cast<WorkerHost*>(self);
        host->hook_ = hook;
        host->stopping_ = true;
        host->shard_.detach(host->lane_);
        uv_prepare_stop(&host->prepare_);
        uv_check_stop(&host->check_);
        uv_idle_stop(&host->idle_);
        uv_timer_stop(&host->timer_);
        uv_poll_stop(&host->poll_);
        uv_handle_t* const handles[] = {handle(host->prepare_), handle(host->check_), handle(host->idle_),
                                        handle(host->timer_),   handle(host->poll_),  handle(host->async_)};
        host->closing_ = 6;
        for (uv_handle_t* each : handles) {
            uv_close(each, [](uv_handle_t* closed) {
                auto* owner = static_cast<WorkerHost*>(closed->data);
                if (--owner->closing_ > 0) return;
                napi_async_cleanup_hook_handle last = owner->hook_;
                delete owner;
                napi_remove_async_cleanup_hook(last);
            });
        }
        host->dispatch_.Reset();
        host->receiver_.Reset();
        host->slept_from_ = 0;
        host->unseen_.Reset();
        napi_async_destroy(host->env_, host->context_);
    }

    Napi::Env env_;
    shard::Shard& shard_;
    std::uint32_t lane_;
    Napi::FunctionReference dispatch_;
    Napi::ObjectReference receiver_;
    napi_async_context context_ = nullptr;
    napi_async_cleanup_hook_handle hook_ = nullptr;
    uv_prepare_t prepare_;
    uv_check_t check_;
    uv_idle_t idle_;
    uv_timer_t timer_;
    uv_poll_t poll_;
    uv_async_t async_;
    std::uint64_t armed_ms_ = 0;
    std::uint64_t slept_from_ = 0, idle_before_ = 0;  // nanoseconds; 0: libuv was not left to wait
    Napi::Reference<Napi::Float64Array> unseen_;
    double* unseen_ms_ = nullptr;
    int closing_ = 0;
    bool idle_active_ = false;
    bool stopping_ = false;
};

}  // namespace

// enter(shard, lane, dispatch): { region, laneOffset, unseenSleepMs }
Napi::Value enter(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    shard::Shard& shard = shard_of(info);
    const std::uint32_t lane = uint_of(info, 1);
    const int cpu = shard.settings().cpu;
    if (cpu >= 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(unsigned(cpu), &set);
        pthread_setaffinity_np(pthread_self(), sizeof set, &set);
    }
    auto* host = new WorkerHost(env, shard, lane, info[2].As<Napi::Function>());
    const Napi::Float64Array unseen = Napi::Float64Array::New(env, 1);
    host->count_unseen_sleep(unseen);
    host->start();
    Napi::Object result = Napi::Object::New(env);
    // The shard outlives its workers: nothing to free when the buffer goes.
    result.Set("region", Napi::ArrayBuffer::New(env, shard.region_base(), shard.region_size()));
    result.Set("laneOffset", shard.lane_offset(lane));
    result.Set("unseenSleepMs", unseen);
    return result;
}

// live(shard, lane, methods)
Napi::Value live(const Napi::CallbackInfo& info) {
    std::vector<http::MethodSet> by_handler;
    const auto methods = info[2].As<Napi::Array>();
    for (std::uint32_t i = 0; i < methods.Length(); ++i) {
        by_handler.push_back(http::MethodSet(methods.Get(i).As<Napi::Number>().Uint32Value()));
    }
    shard_of(info).go_live(uint_of(info, 1), by_handler);
    return info.Env().Undefined();
}

Napi::Value ring_stand_in(const Napi::CallbackInfo& info) {
    shard_of(info).ring_stand_in();
    return info.Env().Undefined();
}

Napi::Value turn(const Napi::CallbackInfo& info) {
    shard_of(info).worker_flush(uint_of(info, 1));
    return info.Env().Undefined();
}

// sendNow(shard, lane, slot, generation, bytes, start, end)
Napi::Value send_now(const Napi::CallbackInfo& info) {
    void* data = nullptr;
    std::size_t length = 0;  // 0 if the bytes have been detached
    napi_get_typedarray_info(info.Env(), info[4], nullptr, &length, &data, nullptr, nullptr);
    const std::size_t end = std::min<std::size_t>(length, std::size_t(info[6].As<Napi::Number>().Int64Value()));
    const std::size_t start = std::min<std::size_t>(end, std::size_t(info[5].As<Napi::Number>().Int64Value()));
    const std::int32_t sent = shard_of(info).send_now(uint_of(info, 1), uint_of(info, 2), uint_of(info, 3),
                                                      static_cast<const char*>(data) + start, end - start);
    return Napi::Number::New(info.Env(), sent);
}

// remoteAddress(shard, slot, generation): { address, port } | null
Napi::Value remote_address(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    sockaddr_storage address{};
    if (shard_of(info).remote_address(uint_of(info, 1), uint_of(info, 2), &address) != 0) return env.Null();
    char text[INET6_ADDRSTRLEN] = "";
    std::uint16_t port = 0;
    if (address.ss_family == AF_INET) {
        const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
        inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
        port = ntohs(v4.sin_port);
    } else if (address.ss_family == AF_INET6) {
        const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
        inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
        port = ntohs(v6.sin6_port);
    } else {
        return env.Null();  // a Unix socket's
    }
    Napi::Object result = Napi::Object::New(env);
    result.Set("address", text);
    result.Set("port", port);
    return result;
}

}  // namespace pinion::addon
