// ShardOptions (runtime/addon.ts) to Settings. The configuration has been validated: nothing is checked twice.
#include "addon/bindings.hpp"

namespace pinion::addon {
namespace {

double number(Napi::Object object, const char* name) { return object.Get(name).As<Napi::Number>().DoubleValue(); }
std::uint32_t uint(Napi::Object object, const char* name) { return std::uint32_t(number(object, name)); }

void append_field(std::string& fields, const std::string& name, const std::string& value) {
    const std::uint16_t lengths[2] = {std::uint16_t(name.size()), std::uint16_t(value.size())};
    fields.append(reinterpret_cast<const char*>(lengths), sizeof lengths).append(name).append(value);
}

shard::FixedAnswer fixed_answer(Napi::Object respond) {
    shard::FixedAnswer answer;
    answer.status = std::uint16_t(number(respond, "status"));
    const auto fields = respond.Get("fields").As<Napi::Array>();
    for (std::uint32_t i = 0; i < fields.Length(); ++i) {
        const auto pair = fields.Get(i).As<Napi::Array>();
        append_field(answer.fields, pair.Get(0u).As<Napi::String>().Utf8Value(),
                     pair.Get(1u).As<Napi::String>().Utf8Value());
    }
    const auto body = respond.Get("body").As<Napi::Uint8Array>();
    answer.body.assign(reinterpret_cast<const char*>(body.Data()), body.ByteLength());
    return answer;
}

shard::Route route_from(Napi::Object object) {
    shard::Route route{};
    route.pattern = object.Get("pattern").As<Napi::String>().Utf8Value();
    route.methods = http::MethodSet(number(object, "methods"));
    route.handler_timeout_ms = uint(object, "handlerTimeoutMs");
    route.body_limit = std::int64_t(number(object, "bodyLimit"));
    const Napi::Value respond = object.Get("respond");
    if (respond.IsString()) {
        route.kind =
            respond.As<Napi::String>().Utf8Value() == "live" ? shard::Route::Kind::live : shard::Route::Kind::ready;
    } else if (respond.IsObject()) {
        route.kind = shard::Route::Kind::fixed;
        route.fixed = fixed_answer(respond.As<Napi::Object>());
    } else {
        route.kind = shard::Route::Kind::handler;
        route.handler = uint(object, "handler");
    }
    return route;
}

}  // namespace

shard::Settings settings_from(Napi::Object options) {
    shard::Settings settings;
    settings.cpu = int(number(options, "cpu"));
    settings.half_open = options.Get("halfOpen").ToBoolean();
    settings.access_log = options.Get("accessLogFd").As<Napi::Number>().Int32Value();

    const auto limits = options.Get("limits").As<Napi::Object>();
    settings.limits.connections = uint(limits, "connections");
    settings.limits.head_bytes = uint(limits, "headBytes");
    settings.limits.target_bytes = uint(limits, "targetBytes");
    settings.limits.fields = std::uint16_t(uint(limits, "fields"));
    settings.limits.body_bytes = std::uint64_t(number(limits, "bodyBytes"));
    settings.limits.slots = uint(limits, "slots");
    settings.limits.queue = uint(limits, "queue");
    settings.limits.arena_bytes = uint(limits, "arenaBytes") & ~4095u;
    settings.limits.connection_bytes = uint(limits, "connectionBytes");
    settings.limits.pipeline = uint(limits, "pipeline");
    settings.limits.address_connections = uint(limits, "addressConnections");
    settings.limits.address_rate = uint(limits, "addressRate");

    const auto admission = options.Get("admission").As<Napi::Object>();
    settings.admission.target_ms = uint(admission, "targetMs");
    settings.admission.interval_ms = uint(admission, "intervalMs");

    const auto timeouts = options.Get("timeouts").As<Napi::Object>();
    settings.timeouts.head = uint(timeouts, "headMs");
    settings.timeouts.body = uint(timeouts, "bodyMs");
    settings.timeouts.handler = uint(timeouts, "handlerMs");
    settings.timeouts.write = uint(timeouts, "writeMs");
    settings.timeouts.keep_alive = uint(timeouts, "keepAliveMs");
    settings.timeouts.drain = uint(timeouts, "drainMs");
    settings.timeouts.spin = uint(timeouts, "spinMs");

    const auto listeners = options.Get("listeners").As<Napi::Array>();
    for (std::uint32_t i = 0; i < listeners.Length(); ++i) {
        const auto listener = listeners.Get(i).As<Napi::Object>();
        settings.listeners.push_back({int(number(listener, "fd")), listener.Get("proxyProtocol").ToBoolean()});
    }
    const auto routes = options.Get("routes").As<Napi::Array>();
    for (std::uint32_t i = 0; i < routes.Length(); ++i) {
        settings.routes.push_back(route_from(routes.Get(i).As<Napi::Object>()));
    }
    return settings;
}

}  // namespace pinion::addon
