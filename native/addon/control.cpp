// What the main thread does with shards.
#include <pthread.h>
#include <sched.h>
#include <unistd.h>
#include <ctime>

#include "addon/bindings.hpp"
#include "base/assert.hpp"
#include "http/router.hpp"
#include "io/probe.hpp"
#include "memory/resident.hpp"
#include "shard/line_writer.hpp"

namespace pinion::addon {

ShardHandle& handle_of(const Napi::CallbackInfo& info) {
    bool lossless = false;
    auto* handle = reinterpret_cast<ShardHandle*>(info[0].As<Napi::BigInt>().Uint64Value(&lossless));
    PINION_ASSERT(lossless && handle != nullptr && handle->magic == ShardHandle::MAGIC);
    return *handle;
}

Napi::Value probe(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    const io::ProbeReport report = io::probe();
    Napi::Object result = Napi::Object::New(env);
    result.Set("uring", report.uring);
    result.Set("why", report.why);
    Napi::Array features = Napi::Array::New(env);
    for (std::uint32_t i = 0; i < report.features.size(); ++i) {
        Napi::Object feature = Napi::Object::New(env);
        feature.Set("name", report.features[i].name);
        feature.Set("active", report.features[i].active);
        feature.Set("detail", report.features[i].detail);
        features.Set(i, feature);
    }
    result.Set("features", features);
    return result;
}

// mayRaisePriority(): boolean. What a stand-in will be told, asked in the same way, and undone.
Napi::Value may_raise_priority(const Napi::CallbackInfo& info) {
    int policy = SCHED_OTHER;
    sched_param before{};
    pthread_getschedparam(pthread_self(), &policy, &before);
    sched_param raised{};
    raised.sched_priority = 1;
    const bool may = pthread_setschedparam(pthread_self(), SCHED_FIFO, &raised) == 0;
    if (may) pthread_setschedparam(pthread_self(), policy, &before);
    return Napi::Boolean::New(info.Env(), may);
}

// checkPattern(pattern): { column, message } | null
Napi::Value check_pattern(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    http::Router router;
    http::PatternError error;
    if (router.add(info[0].As<Napi::String>().Utf8Value(), 1, 0, error)) return env.Null();
    Napi::Object result = Napi::Object::New(env);
    result.Set("column", error.column);
    result.Set("message", error.message);
    return result;
}

// Any thread, with the baton.
void tell_broken_lane(void* context) {
    auto& function = static_cast<ShardHandle*>(context)->broken_lane;
    if (function == nullptr) return;
    // It is not called again once it has said that it closes: that was the thread's last use of it.
    if (napi_call_threadsafe_function(function, nullptr, napi_tsfn_nonblocking) == napi_closing) function = nullptr;
}

// createShard(options: ShardOptions, onBrokenLane: () => void): ShardHandle
Napi::Value create_shard(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    const auto options = info[0].As<Napi::Object>();
    const std::string io = options.Get("io").As<Napi::String>().Utf8Value();
    const io::ProbeReport probed = io == "epoll" ? io::ProbeReport{} : io::probe();
    if (io == "uring" && !probed.uring) {
        Napi::Error::New(env, "io is uring, but would be " + probed.why + "; set io: auto or io: epoll")
            .ThrowAsJavaScriptException();
        return env.Undefined();
    }
    auto handle = std::make_unique<ShardHandle>();
    handle->shard = shard::make_shard(probed.uring ? shard::Io::uring : shard::Io::epoll, settings_from(options));
    napi_create_threadsafe_function(env, info[1], nullptr, Napi::String::New(env, "pinion.brokenLane"), 0, 1, nullptr,
                                    nullptr, nullptr, nullptr, &handle->broken_lane);
    napi_unref_threadsafe_function(env, handle->broken_lane);
    handle->shard->on_broken_lane(tell_broken_lane, handle.get());
    if (const std::string failed = handle->shard->start(); !failed.empty()) {
        napi_release_threadsafe_function(handle->broken_lane, napi_tsfn_abort);
        Napi::Error::New(env, failed).ThrowAsJavaScriptException();
        return env.Undefined();
    }
    // JavaScript keeps it until destroyShard. NOLINTNEXTLINE(clang-analyzer-cplusplus.NewDeleteLeaks)
    return Napi::BigInt::New(env, reinterpret_cast<std::uint64_t>(handle.release()));
}

Napi::Value status(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    ShardHandle& handle = handle_of(info);
    const shard::Status status = handle.shard->status();
    timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    const std::uint64_t now = std::uint64_t(time.tv_sec) * 1000 + std::uint64_t(time.tv_nsec) / 1000000;
    if (!status.away || status.epoch != handle.away_epoch) handle.away_since_ms = now;
    handle.away_epoch = status.epoch;

    Napi::Object result = Napi::Object::New(env);
    const auto set = [&](const char* name, double value) { result.Set(name, Napi::Number::New(env, value)); };
    result.Set("io", status.io == shard::Io::uring ? "uring" : "epoll");
    set("connections", status.connections);
    set("accepted", double(status.accepted));
    set("requests", double(status.requests));
    set("queued", status.queued);
    set("started", status.slots_used > status.queued ? status.slots_used - status.queued : 0);
    set("workerTurns", double(status.worker_turns));
    set("standInTurns", double(status.stand_in_turns));
    set("takeovers", double(status.takeovers));
    set("segmentsFree", status.segments_free);
    set("segmentsLent", status.segments_lent);
    set("segmentsTotal", status.segments_total);
    set("slotsFree", status.slots_total - status.slots_used);
    set("refused", double(status.refused));
    set("awayMs", double(now - handle.away_since_ms));
    result.Set("draining", status.draining);
    Napi::Array lanes = Napi::Array::New(env);
    Napi::Object broken = Napi::Object::New(env);
    for (std::uint32_t i = 0; i < 4; ++i) {
        lanes.Set(i, status.lanes[i]);
        if (status.why_broken[i] != nullptr) broken.Set(i, status.why_broken[i]);
    }
    result.Set("lanes", lanes);
    result.Set("brokenLanes", broken);
    return result;
}

Napi::Value reserve_lane(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), shard_of(info).reserve_lane());
}

Napi::Value quarantine_lane(const Napi::CallbackInfo& info) {
    shard_of(info).quarantine_lane(uint_of(info, 1));
    return info.Env().Undefined();
}

Napi::Value release_lane(const Napi::CallbackInfo& info) {
    shard_of(info).release_lane(uint_of(info, 1));
    return info.Env().Undefined();
}

Napi::Value drain(const Napi::CallbackInfo& info) {
    shard_of(info).drain();
    return info.Env().Undefined();
}

Napi::Value set_crash_loop(const Napi::CallbackInfo& info) {
    shard_of(info).set_crash_loop(info[1].As<Napi::Boolean>().Value());
    return info.Env().Undefined();
}

Napi::Value drained(const Napi::CallbackInfo& info) {
    return Napi::Boolean::New(info.Env(), shard_of(info).status().drained);
}

// The main thread has seen every worker of the shard exit.
Napi::Value destroy_shard(const Napi::CallbackInfo& info) {
    ShardHandle& handle = handle_of(info);
    shard::LineWriter::end_within(uint_of(info, 1));
    handle.shard->stop();
    if (handle.broken_lane != nullptr) napi_release_threadsafe_function(handle.broken_lane, napi_tsfn_abort);
    handle.magic = 0;
    delete &handle;
    return info.Env().Undefined();
}

Napi::Value drop_startup_code(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), double(memory::drop_startup_code()));
}

Napi::Value end_process(const Napi::CallbackInfo& info) { _exit(int(uint_of(info, 0))); }

}  // namespace pinion::addon
