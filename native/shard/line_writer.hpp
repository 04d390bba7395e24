// Writes lines to a descriptor from a thread of its own, so that a slow disk or a full pipe never holds up a turn. The
// lines cross a ring of bytes without a lock. Those that find no room are dropped, counted, and the count is written:
// {"dropped":n}.
//
// Lines stay whole, whoever else writes to the same descriptor: the writers of a process take turns, a piece of whole
// lines each, and what goes to a pipe at once is no more than the kernel keeps together (PIPE_BUF).
#pragma once

#include <pthread.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

namespace pinion::shard {

class LineWriter {
public:
    // Room for the longest line of the access log: a target of 65,535 bytes, each of them escaped.
    static constexpr std::size_t BUFFER_BYTES = 512 * 1024;

    // Writes to `fd`, which stays the caller's.
    explicit LineWriter(int fd);
    // Writes what is left, until nothing has moved for a second (nobody may be reading), or the time is over.
    ~LineWriter();
    // The time that all writers of the process together have for what is left when they end.
    static void end_within(std::uint32_t milliseconds);
    LineWriter(const LineWriter&) = delete;
    LineWriter& operator=(const LineWriter&) = delete;

    // One thread at a time, as all of the following. `line` ends in its only line feed.
    void add(std::string_view line);
    // What has been added is the writer's from now on: no further call is needed for it to be written.
    void publish();

private:
    struct Shared;

    std::shared_ptr<Shared> shared_;  // the thread's, too, if it has to be left behind
    std::uint64_t added_ = 0;         // bytes, ever
    std::uint64_t published_ = 0;
    bool dropped_ = false;  // since the last publish()
    pthread_t thread_{};
    bool running_ = false;
};

}  // namespace pinion::shard
