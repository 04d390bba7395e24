// The access log on a pipe: who reads it late, slowly, or not at all.
#include "shard/access_log.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <climits>
#include <csignal>
#include <cstdio>
#include <sstream>
#include <thread>
#include <vector>

#include "test/check.hpp"

namespace pinion::test {
namespace {

using shard::AccessLog;

shard::AccessRecord record_of(std::string_view target) {
    shard::AccessRecord record{};
    record.id = "123456789012345678901";
    record.address = "127.0.0.1";
    record.method = "GET";
    record.target = target;
    record.status = 200;
    return record;
}

class Pipe {
public:
    Pipe() {
        if (pipe2(ends_, O_CLOEXEC) != 0) FAIL("no pipe");
        fcntl(ends_[1], F_SETPIPE_SZ, 4096);
    }
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;
    ~Pipe() {
        for (const int end : ends_) close(end);
    }

    int fd() const { return ends_[1]; }

    // Blank lines, until nothing more goes in: the next write waits for a reader.
    void fill() const {
        const int flags = fcntl(ends_[1], F_GETFL);
        fcntl(ends_[1], F_SETFL, flags | O_NONBLOCK);
        while (write(ends_[1], "\n", 1) == 1) {
        }
        fcntl(ends_[1], F_SETFL, flags);
    }

    // Reads `most` bytes at a time until `last` has been read; false: nothing comes any more.
    bool read_until(std::string_view last, std::size_t most = PIPE_BUF) {
        std::vector<char> bytes(most);
        while (text_.find(last) == std::string::npos) {
            pollfd one{ends_[0], POLLIN, 0};
            if (poll(&one, 1, 10'000) != 1) return false;
            const ssize_t got = read(ends_[0], bytes.data(), most);
            if (got <= 0) return false;
            text_.append(bytes.data(), std::size_t(got));
        }
        return true;
    }

    // The lines so far, but for blank ones.
    std::vector<std::string> lines() const {
        std::vector<std::string> found;
        for (std::size_t at = 0; at < text_.size();) {
            const std::size_t end = std::min(text_.find('\n', at), text_.size());
            if (end > at) found.push_back(text_.substr(at, end - at));
            at = end + 1;
        }
        return found;
    }

private:
    int ends_[2] = {-1, -1};
    std::string text_;
};

std::size_t count(std::string_view text, std::string_view part) {
    std::size_t found = 0;
    for (std::size_t at = 0; (at = text.find(part, at)) != std::string_view::npos; at += part.size()) ++found;
    return found;
}

// One record from its first byte to its last, its target all of one letter.
bool is_whole(const std::string& line) {
    if (count(line, "{\"time\":") != 1 || line.rfind("{\"time\":", 0) != 0 || line.back() != '}') return false;
    const std::size_t begin = line.find("\"target\":\"/") + 11;
    const std::size_t end = line.find("\",\"version\"");
    return end != std::string::npos && end > begin && line.find_first_not_of(line[begin], begin) >= end;
}

TEST("threads: access log: the last lines of a burst are written without another turn") {
    Pipe pipe;
    pipe.fill();
    AccessLog log(pipe.fd());
    log.add(record_of("/first"));
    log.flush();
    // The writer has come to stand in its first line, or will.
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    log.add(record_of("/last"));
    log.flush();
    CHECK(pipe.read_until("/last"));
}

TEST("threads: access log: the lines of several shards stay whole in a pipe that is full") {
    constexpr unsigned SHARDS = 3;
    constexpr unsigned LINES = 300;
    Pipe pipe;
    {
        std::vector<std::thread> shards;
        for (unsigned shard = 0; shard < SHARDS; ++shard) {
            shards.emplace_back([&pipe, shard] {
                AccessLog log(pipe.fd());
                for (unsigned n = 0; n < LINES; ++n) {
                    // One in ten is longer than what the kernel keeps together.
                    log.add(record_of("/" + std::string(n % 10 == 0 ? 2 * PIPE_BUF : 50 + n, char('a' + shard))));
                    if (n % 7 == 0) log.flush();
                }
            });
        }
        std::thread reader([&pipe] { CHECK(pipe.read_until("the end", 1000)); });
        for (std::thread& shard : shards) shard.join();
        CHECK_EQ(write(pipe.fd(), "the end", 7), 7);
        reader.join();
    }
    std::vector<std::string> lines = pipe.lines();
    lines.pop_back();
    CHECK_EQ(lines.size(), SHARDS * LINES);
    for (const std::string& line : lines) {
        if (!is_whole(line)) FAIL(line);
    }
}

TEST("threads: access log: what else the process writes to the same pipe breaks no line") {
    constexpr unsigned LINES = 1000;
    Pipe pipe;
    std::thread reader([&pipe] { CHECK(pipe.read_until("the end", 1000)); });
    std::thread other;
    {
        AccessLog log(pipe.fd());
        for (unsigned n = 0; n < LINES; ++n) log.add(record_of("/aaaaaaaaaa"));
        log.flush();
        other = std::thread([&pipe] {
            for (unsigned n = 0; n < LINES; ++n) CHECK_EQ(write(pipe.fd(), "other\n", 6), 6);
        });
    }
    other.join();
    CHECK_EQ(write(pipe.fd(), "the end", 7), 7);
    reader.join();
    std::vector<std::string> lines = pipe.lines();
    lines.pop_back();
    CHECK_EQ(lines.size(), 2 * LINES);
    for (const std::string& line : lines) {
        if (line != "other" && !is_whole(line)) FAIL(line);
    }
}

TEST("threads: access log: lines that find no room are counted, and the count is written") {
    constexpr unsigned LINES = 10'000;
    Pipe pipe;
    pipe.fill();
    AccessLog log(pipe.fd());
    for (unsigned n = 0; n < LINES; ++n) {
        log.add(record_of("/" + std::string(100, 'a')));
        log.flush();
    }
    CHECK(pipe.read_until("{\"dropped\":"));
    log.add(record_of("/zzzzz"));
    log.flush();
    CHECK(pipe.read_until(
        "zzzzz\",\"version\":\"1.0\",\"route\":\"\",\"status\":200,\"bytes\":0,\"answerUs\":0,\"durationUs\":0}\n"));
    unsigned long written = 0;
    unsigned long dropped = 0;
    for (const std::string& line : pipe.lines()) {
        if (line.rfind("{\"dropped\":", 0) == 0) {
            dropped += std::stoul(line.substr(11));
            CHECK_EQ(line, "{\"dropped\":" + std::to_string(dropped) + "}");
        } else if (is_whole(line)) {
            ++written;
        } else {
            FAIL(line);
        }
    }
    CHECK(dropped > 0);
    CHECK_EQ(written + dropped, LINES + 1);
}

TEST("access log: the longest target that there may be") {
    Pipe pipe;
    const std::string target(65'535, '\x80');
    AccessLog log(pipe.fd());
    log.add(record_of(target));
    log.flush();
    CHECK(pipe.read_until("}\n"));
    REQUIRE_EQ(pipe.lines().size(), 1u);
    CHECK_EQ(count(pipe.lines()[0], "\\u0080"), target.size());
}

TEST("access log: where the disk is full, lines are cut once, counted, and go on when there is room") {
    rlimit before{};
    getrlimit(RLIMIT_FSIZE, &before);
    (void)signal(SIGXFSZ, SIG_IGN);
    FILE* const file = tmpfile();
    REQUIRE(file != nullptr);
    const rlimit full{1000, before.rlim_max};
    const std::string target = "/" + std::string(100, 'a');
    {
        AccessLog log(fileno(file));
        setrlimit(RLIMIT_FSIZE, &full);
        for (unsigned n = 0; n < 20; ++n) log.add(record_of(target));
        log.flush();
        while (lseek(fileno(file), 0, SEEK_CUR) < 1000) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        // Some that meet a file with a torn end, and some that find room.
        for (unsigned n = 0; n < 20; ++n) log.add(record_of(target));
        log.flush();
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        setrlimit(RLIMIT_FSIZE, &before);
        log.add(record_of(target));
    }
    std::string text(100'000, '\0');
    text.resize(std::size_t(pread(fileno(file), text.data(), text.size(), 0)));
    CHECK_EQ(text.back(), '\n');
    (void)fclose(file);
    unsigned long written = 0;
    unsigned long dropped = 0;
    unsigned torn = 0;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        if (line.rfind("{\"dropped\":", 0) == 0)
            dropped += std::stoul(line.substr(11));
        else if (is_whole(line))
            ++written;
        else
            ++torn;
    }
    CHECK_EQ(torn, 1u);
    CHECK_EQ(written + dropped, 41u);
}

// Not for TSan: the pipe is closed where threads have been left behind, though they are through with it.
TEST("access log: it ends although nobody reads") {
    constexpr unsigned SHARDS = 3;
    Pipe pipe;
    pipe.fill();
    for (unsigned shard = 0; shard < SHARDS; ++shard) {
        AccessLog log(pipe.fd());
        log.add(record_of("/begin"));
        log.add(record_of("/end" + std::to_string(shard)));
    }
    // Those that were left behind go on when somebody does.
    for (unsigned shard = 0; shard < SHARDS; ++shard) CHECK(pipe.read_until("/end" + std::to_string(shard)));
}

}  // namespace
}  // namespace pinion::test
