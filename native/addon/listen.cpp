// Listening sockets. They are made on the main thread, before the shards that accept from them.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>

#include "addon/bindings.hpp"

namespace pinion::addon {
namespace {

constexpr int UNSENT_BYTES = 64 * 1024;
constexpr int SILENT_S = 120;

const char* code_of(int error) {
    switch (error) {
        case EADDRINUSE: return "EADDRINUSE";
        case EADDRNOTAVAIL: return "EADDRNOTAVAIL";
        case EACCES: return "EACCES";
        case EPERM: return "EPERM";
        case EMFILE: return "EMFILE";
        case EINVAL: return "EINVAL";
        case ENOENT: return "ENOENT";
        case ENAMETOOLONG: return "ENAMETOOLONG";
        case EBADF: return "EBADF";
        case ENOTSOCK: return "ENOTSOCK";
        case EAFNOSUPPORT: return "EAFNOSUPPORT";
        default: return "EUNKNOWN";
    }
}

Napi::Value fail(Napi::Env env, const char* call, int error, int fd) {
    if (fd >= 0) ::close(fd);
    Napi::Error thrown = Napi::Error::New(env, std::string(call) + ": " + std::strerror(error));
    thrown.Set("code", Napi::String::New(env, code_of(error)));
    thrown.Set("syscall", Napi::String::New(env, call));
    thrown.ThrowAsJavaScriptException();
    return env.Undefined();
}

// Where a socket is bound: address and port, or a Unix socket's path and 0. Empty if it has no name (unix(7)).
struct Bound {
    std::string address;
    std::uint16_t port = 0;

    explicit Bound(int fd) {
        sockaddr_storage name{};
        socklen_t length = sizeof name;
        if (getsockname(fd, reinterpret_cast<sockaddr*>(&name), &length) != 0) return;
        char text[INET6_ADDRSTRLEN] = "";
        if (name.ss_family == AF_INET) {
            const auto& v4 = reinterpret_cast<sockaddr_in&>(name);
            address = inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
            port = ntohs(v4.sin_port);
        } else if (name.ss_family == AF_INET6) {
            const auto& v6 = reinterpret_cast<sockaddr_in6&>(name);
            address = inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
            port = ntohs(v6.sin6_port);
        } else if (name.ss_family == AF_UNIX && length > offsetof(sockaddr_un, sun_path)) {
            const char* path = reinterpret_cast<sockaddr_un&>(name).sun_path;
            address.assign(path, strnlen(path, length - offsetof(sockaddr_un, sun_path)));
        }
    }
};

// What connections inherit from their listener (tcp(7)); on a Unix socket it does nothing.
void pass_on(int listener) {
    // Small answers leave at once.
    const int on = 1;
    setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    // What a slow reader has not taken waits in the arena, where it is bounded, not in megabytes of the kernel's.
    setsockopt(listener, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &UNSENT_BYTES, sizeof UNSENT_BYTES);
    // A stream that has nothing to say has no time-out: is its client still there? An idle connection ends before that.
    setsockopt(listener, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(listener, IPPROTO_TCP, TCP_KEEPIDLE, &SILENT_S, sizeof SILENT_S);
}

}  // namespace

// bind(listener: ListenerOptions, sharing: "alone" | "first" | "further"): { fd, address, port }
Napi::Value bind_listener(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    const auto listener = info[0].As<Napi::Object>();
    const std::string sharing = info[1].As<Napi::String>().Utf8Value();
    const std::string kind = listener.Get("kind").As<Napi::String>().Utf8Value();
    const int backlog = listener.Get("backlog").As<Napi::Number>().Int32Value();
    int fd = -1;
    if (kind == "fd") {
        // Every shard gets a descriptor of its own to close.
        fd = fcntl(listener.Get("fd").As<Napi::Number>().Int32Value(), F_DUPFD_CLOEXEC, 3);
        if (fd < 0) return fail(env, "dup", errno, fd);
        pass_on(fd);
        if (listen(fd, backlog) != 0) return fail(env, "listen", errno, fd);
    } else if (kind == "unix") {
        const std::string path = listener.Get("path").As<Napi::String>().Utf8Value();
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        if (path.size() >= sizeof address.sun_path) return fail(env, "bind", ENAMETOOLONG, fd);
        std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0) return fail(env, "socket", errno, fd);
        if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return fail(env, "bind", errno, fd);
        const Napi::Value mode = listener.Get("mode");
        if (mode.IsNumber() && chmod(path.c_str(), mode.As<Napi::Number>().Uint32Value()) != 0) {
            return fail(env, "chmod", errno, fd);
        }
        if (listen(fd, backlog) != 0) return fail(env, "listen", errno, fd);
    } else {
        const std::string host = listener.Get("host").As<Napi::String>().Utf8Value();
        const std::uint16_t port = std::uint16_t(listener.Get("port").As<Napi::Number>().Uint32Value());
        sockaddr_storage address{};
        socklen_t length = 0;
        auto& v4 = reinterpret_cast<sockaddr_in&>(address);
        auto& v6 = reinterpret_cast<sockaddr_in6&>(address);
        if (inet_pton(AF_INET, host.c_str(), &v4.sin_addr) == 1) {
            v4.sin_family = AF_INET;
            v4.sin_port = htons(port);
            length = sizeof v4;
        } else if (inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr) == 1) {
            v6.sin6_family = AF_INET6;
            v6.sin6_port = htons(port);
            length = sizeof v6;
        } else {
            return fail(env, "bind", EADDRNOTAVAIL, fd);
        }
        fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0) return fail(env, "socket", errno, fd);
        const int on = 1;
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        pass_on(fd);
        const auto share = [&] { return setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0; };
        if (sharing == "further" && !share()) return fail(env, "setsockopt", errno, fd);
        if (bind(fd, reinterpret_cast<sockaddr*>(&address), length) != 0) return fail(env, "bind", errno, fd);
        if (listen(fd, backlog) != 0) return fail(env, "listen", errno, fd);
        // It was alone in getting the port. Others of this user may join it now, but not by being the first.
        if (sharing == "first" && !share()) return fail(env, "setsockopt", errno, fd);
    }
    Napi::Object result = Napi::Object::New(env);
    result.Set("fd", fd);
    const Bound bound(fd);
    result.Set("address", bound.address);
    result.Set("port", bound.port);
    return result;
}

}  // namespace pinion::addon
