#include "shard/access_log.hpp"

#include <sys/random.h>

#include <charconv>
#include <ctime>

namespace pinion::shard {
namespace {

// JSON string escapes (RFC 8259 §7). Bytes above 0x7f of a target or field are not known to be UTF-8: \u00xx.
void append_escaped(base::OwnString& out, std::string_view text) {
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

void append_number(base::OwnString& out, std::uint64_t value) {
    char digits[20];
    const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
    out.append(digits, std::size_t(end - digits));
}

}  // namespace

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
    line_.append(second_text_).append(fraction, sizeof fraction);
}

void AccessLog::add(const AccessRecord& record) {
    base::OwnString& out = line_;
    out.clear();
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
    out += ",\"answerUs\":";
    append_number(out, record.answer_us);
    out += ",\"durationUs\":";
    append_number(out, record.duration_us);
    out += record.aborted ? ",\"aborted\":true}\n" : "}\n";
    writer_.add(out);
}

void AccessLog::make_id(char* id) {
    constexpr char ALPHABET[] = "useandom-26T198340PX75pxJACKVERYMINDBUSHWOLF_GQZbfghjklqvwyzrict";
    if (random_used_ + layout::ID_BYTES > sizeof random_) {
        if (getrandom(random_, sizeof random_, 0) != ssize_t(sizeof random_)) return;
        random_used_ = 0;
    }
    for (unsigned i = 0; i < layout::ID_BYTES; ++i) id[i] = ALPHABET[random_[random_used_++] & 63];
}

}  // namespace pinion::shard
