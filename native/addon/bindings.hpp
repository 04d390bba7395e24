// Every function that runtime/addon.ts declares, by file.
#pragma once

#include <napi.h>

#include <memory>

#include "shard/shard.hpp"

namespace pinion::addon {

// What a handle points to.
struct ShardHandle {
    static constexpr std::uint64_t MAGIC = 0x9e1707a9d5c3b2e1;
    std::uint64_t magic = MAGIC;
    std::unique_ptr<shard::Shard> shard;
    // Calls onBrokenLane. Used with the baton only; null once the main thread's environment has gone.
    napi_threadsafe_function broken_lane = nullptr;
    // For ShardStatus.awayMs: the absence that was seen last, and since when.
    std::uint64_t away_epoch = 0;
    std::uint64_t away_since_ms = 0;
};

// The shard that argument 0 names; TypeScript hands out no other handles.
ShardHandle& handle_of(const Napi::CallbackInfo& info);
inline shard::Shard& shard_of(const Napi::CallbackInfo& info) { return *handle_of(info).shard; }
inline std::uint32_t uint_of(const Napi::CallbackInfo& info, std::size_t index) {
    return info[index].As<Napi::Number>().Uint32Value();
}

// options.cpp
shard::Settings settings_from(Napi::Object options);

// listen.cpp
Napi::Value bind_listener(const Napi::CallbackInfo& info);

// sandbox.cpp
Napi::Value restrict_writing(const Napi::CallbackInfo& info);
Napi::Value try_write_restriction(const Napi::CallbackInfo& info);

// control.cpp
Napi::Value probe(const Napi::CallbackInfo& info);
Napi::Value may_raise_priority(const Napi::CallbackInfo& info);
Napi::Value check_pattern(const Napi::CallbackInfo& info);
Napi::Value create_shard(const Napi::CallbackInfo& info);
Napi::Value status(const Napi::CallbackInfo& info);
Napi::Value reserve_lane(const Napi::CallbackInfo& info);
Napi::Value quarantine_lane(const Napi::CallbackInfo& info);
Napi::Value release_lane(const Napi::CallbackInfo& info);
Napi::Value drain(const Napi::CallbackInfo& info);
Napi::Value drained(const Napi::CallbackInfo& info);
Napi::Value set_crash_loop(const Napi::CallbackInfo& info);
Napi::Value destroy_shard(const Napi::CallbackInfo& info);
Napi::Value drop_startup_code(const Napi::CallbackInfo& info);
Napi::Value end_process(const Napi::CallbackInfo& info);

// worker_host.cpp
Napi::Value enter(const Napi::CallbackInfo& info);
Napi::Value live(const Napi::CallbackInfo& info);
Napi::Value ring_stand_in(const Napi::CallbackInfo& info);
Napi::Value turn(const Napi::CallbackInfo& info);
Napi::Value send_now(const Napi::CallbackInfo& info);
Napi::Value remote_address(const Napi::CallbackInfo& info);

}  // namespace pinion::addon
