// The access log: one JSON line for each request, formatted by the turn, written by a thread of its own, so that a
// slow disk or a full pipe never holds up a turn. Two buffers of fixed size change places; lines that find no room
// are counted and the count is logged.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "base/layout.generated.hpp"

namespace pinion::shard {

// What one line says. Text is as the client sent it; it is escaped here.
struct AccessRecord {
    std::int64_t unix_ms;
    std::string_view id;
    std::string_view address;
    std::string_view method;
    std::string_view target;
    std::string_view route;
    std::uint16_t status;
    std::uint8_t minor_version;
    std::uint64_t bytes;        // of the answer's body
    std::uint64_t duration_us;  // from the complete head to the complete answer
    bool aborted;               // the answer did not become whole: the client was gone, or the handler failed within it
};

class AccessLog {
public:
    static constexpr std::size_t BUFFER_BYTES = 256 * 1024;

    // Writes to `fd`, which stays the caller's.
    explicit AccessLog(int fd);
    ~AccessLog();
    AccessLog(const AccessLog&) = delete;
    AccessLog& operator=(const AccessLog&) = delete;

    // With the baton.
    void add(const AccessRecord& record);
    // With the baton, at the end of a turn: hands what has gathered to the writer, if that is idle.
    void flush();
    // A fresh request id: ID_BYTES characters of nanoid's alphabet, 126 random bits.
    void make_id(char* id);

private:
    void run();
    void append_time(std::int64_t unix_ms);

    int fd_;
    std::string gathering_;
    std::uint64_t dropped_ = 0;
    std::int64_t second_ = -1;  // that `second_text_` says: "2026-01-31T23:59:59"
    char second_text_[20];
    unsigned char random_[4096];
    std::size_t random_used_ = sizeof random_;

    std::mutex mutex_;  // of what follows: held for a swap only
    std::condition_variable ready_;
    std::string writing_;
    bool busy_ = false;
    bool stopping_ = false;
    std::thread writer_;
};

}  // namespace pinion::shard
