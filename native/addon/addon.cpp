// The addon's table of contents. Nothing here is global to the process: the main thread and each worker load it for
// themselves, and shards are named by handles.
#include "addon/bindings.hpp"

namespace pinion::addon {
namespace {

Napi::Object init(Napi::Env env, Napi::Object exports) {
    const auto add = [&](const char* name, Napi::Value (*function)(const Napi::CallbackInfo&)) {
        exports.Set(name, Napi::Function::New(env, function, name));
    };
    // main thread
    add("probe", probe);
    add("mayRaisePriority", may_raise_priority);
    add("restrictWriting", restrict_writing);
    add("tryWriteRestriction", try_write_restriction);
    add("bind", bind_listener);
    add("checkPattern", check_pattern);
    add("createShard", create_shard);
    add("status", status);
    add("reserveLane", reserve_lane);
    add("quarantineLane", quarantine_lane);
    add("releaseLane", release_lane);
    add("drain", drain);
    add("drained", drained);
    add("setCrashLoop", set_crash_loop);
    add("destroyShard", destroy_shard);
    add("dropStartupCode", drop_startup_code);
    add("endProcess", end_process);
    // worker
    add("enter", enter);
    add("live", live);
    add("ringStandIn", ring_stand_in);
    add("turn", turn);
    add("sendNow", send_now);
    add("remoteAddress", remote_address);
    return exports;
}

}  // namespace

NODE_API_MODULE(pinion, init)

}  // namespace pinion::addon
