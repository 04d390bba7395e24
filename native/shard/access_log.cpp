#include "shard/access_log.hpp"

#include <poll.h>
#include <sys/random.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <ctime>

namespace pinion::shard {
namespace {

// JSON string escapes (RFC 8259 §7). Bytes above 0x7f of a target or field are not known to be UTF-8: \u00xx.
void append_escaped(std::string& out, std::string_view text) {
    constexpr char HEX[] = "0123456789abcdef";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x20 && byte < 0x7f && c != '"' && c != '\\') {
            out += c;
        } else {
            out += "\\u00";
            out += HEX[byte >> 4];
            out += HEX[byte & 15];
        }
    }
}

void append_number(std::string& out, std::uint64_t value) {
    char digits[20];
    const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
    out.append(digits, std::size_t(end - digits));
}

}  // namespace

AccessLog::AccessLog(int fd) : fd_(fd) {
    gathering_.reserve(BUFFER_BYTES);
    writing_.reserve(BUFFER_BYTES);
    writer_ = std::thread([this] { run(); });
}

AccessLog::~AccessLog() {
    flush();
    {
        std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    ready_.notify_one();
    writer_.join();
}

// ISO 8601, as in the daemon's own log.
void AccessLog::append_time(std::int64_t unix_ms) {
    const std::int64_t second = unix_ms / 1000;
    if (second != second_) {
        const std::time_t time = second;
        std::tm parts{};
        gmtime_r(&time, &parts);
        std::strftime(second_text_, sizeof second_text_, "%FT%T", &parts);
        second_ = second;
    }
    const auto ms = unsigned(unix_ms % 1000);
    const char fraction[] = {'.', char('0' + ms / 100), char('0' + ms / 10 % 10), char('0' + ms % 10), 'Z'};
    gathering_.append(second_text_).append(fraction, sizeof fraction);
}

void AccessLog::add(const AccessRecord& record) {
    // The longest line: an escaped byte is six characters.
    const std::size_t longest = 512 + 6 * (record.target.size() + record.route.size() + record.address.size());
    if (gathering_.size() + longest > BUFFER_BYTES) {
        ++dropped_;
        return;
    }
    std::string& out = gathering_;
    out += "{\"time\":\"";
    append_time(record.unix_ms);
    out += "\",\"id\":\"";
    out += record.id;
    out += "\",\"address\":\"";
    append_escaped(out, record.address);
    out += "\",\"method\":\"";
    append_escaped(out, record.method);
    out += "\",\"target\":\"";
    append_escaped(out, record.target);
    out += "\",\"version\":\"1.";
    append_number(out, record.minor_version);
    out += "\",\"route\":\"";
    append_escaped(out, record.route);
    out += "\",\"status\":";
    append_number(out, record.status);
    out += ",\"bytes\":";
    append_number(out, record.bytes);
    out += ",\"durationUs\":";
    append_number(out, record.duration_us);
    out += record.aborted ? ",\"aborted\":true}\n" : "}\n";
}

void AccessLog::flush() {
    if (gathering_.empty()) return;
    {
        const std::unique_lock lock(mutex_, std::try_to_lock);
        if (!lock.owns_lock() || busy_) return;
        if (dropped_ > 0) {
            gathering_ += "{\"dropped\":";
            append_number(gathering_, dropped_);
            gathering_ += "}\n";
            dropped_ = 0;
        }
        gathering_.swap(writing_);
        busy_ = true;
    }
    ready_.notify_one();
}

void AccessLog::make_id(char* id) {
    constexpr char ALPHABET[] = "useandom-26T198340PX75pxJACKVERYMINDBUSHWOLF_GQZbfghjklqvwyzrict";
    if (random_used_ + layout::ID_BYTES > sizeof random_) {
        if (getrandom(random_, sizeof random_, 0) != ssize_t(sizeof random_)) return;
        random_used_ = 0;
    }
    for (unsigned i = 0; i < layout::ID_BYTES; ++i) id[i] = ALPHABET[random_[random_used_++] & 63];
}

void AccessLog::run() {
    std::unique_lock lock(mutex_);
    while (true) {
        ready_.wait(lock, [this] { return busy_ || stopping_; });
        if (!busy_) return;
        lock.unlock();
        for (std::size_t at = 0; at < writing_.size();) {
            const ssize_t written = write(fd_, writing_.data() + at, writing_.size() - at);
            if (written > 0) {
                at += std::size_t(written);
            } else if (written < 0 && errno == EAGAIN) {
                pollfd waiting{fd_, POLLOUT, 0};
                poll(&waiting, 1, 1000);
            } else if (written < 0 && errno != EINTR) {
                break;  // nobody reads the log any more: it is not worth the server
            }
        }
        writing_.clear();
        lock.lock();
        busy_ = false;
    }
}

}  // namespace pinion::shard
