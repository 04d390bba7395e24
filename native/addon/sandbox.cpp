// What the process may write, from the main thread, before there are shards.
#include "addon/bindings.hpp"
#include "base/write_rules.hpp"

namespace pinion::addon {
namespace {

std::vector<std::string> texts(const Napi::Value& value) {
    const auto array = value.As<Napi::Array>();
    std::vector<std::string> result;
    for (std::uint32_t i = 0; i < array.Length(); ++i) {
        result.push_back(array.Get(i).As<Napi::String>().Utf8Value());
    }
    return result;
}

Napi::Value report(Napi::Env env, const base::WriteRestriction& restriction) {
    Napi::Object result = Napi::Object::New(env);
    result.Set("abi", restriction.abi);
    result.Set("threads", restriction.threads);
    result.Set("failed", restriction.failed);
    return result;
}

}  // namespace

// restrictWriting(write: string[], remove: string[]): WriteRestriction
Napi::Value restrict_writing(const Napi::CallbackInfo& info) {
    // Standard output and standard error: a program that a handler starts may open /dev/stderr.
    return report(info.Env(), base::restrict_writing({texts(info[0]), texts(info[1]), {1, 2}}));
}

// tryWriteRestriction(): WriteRestriction
Napi::Value try_write_restriction(const Napi::CallbackInfo& info) {
    return report(info.Env(), base::try_write_restriction());
}

}  // namespace pinion::addon
