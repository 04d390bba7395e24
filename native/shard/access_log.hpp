// The access log: one JSON line for each request, formatted by the turn, written by a thread of its own.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/cache_line.hpp"
#include "base/layout.generated.hpp"
#include "shard/line_writer.hpp"

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
    std::uint64_t answer_us;    // from the complete head to the beginning of the answer
    std::uint64_t duration_us;  // from the complete head to the complete answer
    bool aborted;               // the answer did not become whole: the client was gone, or the handler failed within it
};

class alignas(base::CACHE_LINE_BYTES) AccessLog {
public:
    // Writes to `fd`, which stays the caller's.
    explicit AccessLog(int fd) : writer_(fd) {}

    // With the baton.
    void add(const AccessRecord& record);
    // With the baton, at the end of a turn: what has been added gets written.
    void flush() { writer_.publish(); }
    // A fresh request id: ID_BYTES characters of nanoid's alphabet, 126 random bits.
    void make_id(char* id);

private:
    void append_time(std::int64_t unix_ms);

    LineWriter writer_;
    base::OwnString line_;
    std::int64_t second_ = -1;  // that `second_text_` says: "2026-01-31T23:59:59"
    char second_text_[20];
    unsigned char random_[4096];
    std::size_t random_used_ = sizeof random_;
};

}  // namespace pinion::shard
