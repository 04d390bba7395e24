// Heads of answers, byte for byte.
#include "http/encoder.hpp"

#include <ctime>
#include <string>

#include "test/check.hpp"

namespace pinion::test {

namespace {

using http::DateLine;
using http::ResponseHead;
using layout::ContentType;

const ResponseHead PLAIN{200, ContentType::text_plain, 1, true, false, false, true, 5, nullptr, 0};

// Also checks that nothing around the head is touched.
std::string encode(const ResponseHead& head) {
    DateLine date;
    date.refresh(784111777);
    const std::size_t size = http::head_size(head);
    std::string memory(size + 64, '#');
    char* const end = memory.data() + 32 + size;
    CHECK(http::write_head(head, date, end) == memory.data() + 32);
    CHECK_EQ(memory.substr(0, 32), std::string(32, '#'));
    CHECK_EQ(memory.substr(32 + size), std::string(32, '#'));
    return memory.substr(32, size);
}

std::string field(const std::string& name, const std::string& value) {
    std::string block;
    for (const std::size_t length : {name.size(), value.size()}) {
        block += static_cast<char>(length & 0xff);
        block += static_cast<char>(length >> 8);
    }
    return block + name + value;
}

bool valid(const std::string& block, bool own_date = false) {
    return http::fields_valid(block.data(), block.size(), own_date);
}

const std::string DATE = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";

}  // namespace

TEST("http encoder: a common answer") {
    CHECK_EQ(encode(PLAIN),
             "HTTP/1.1 200 OK\r\n" + DATE + "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 5\r\n\r\n");
}

TEST("http encoder: content types") {
    ResponseHead head = PLAIN;
    const std::string start = "HTTP/1.1 200 OK\r\n" + DATE;
    head.content_type = ContentType::none;
    CHECK_EQ(encode(head), start + "Content-Length: 5\r\n\r\n");
    head.content_type = ContentType::json;
    CHECK_EQ(encode(head), start + "Content-Type: application/json\r\nContent-Length: 5\r\n\r\n");
    head.content_type = ContentType::html;
    CHECK_EQ(encode(head), start + "Content-Type: text/html; charset=utf-8\r\nContent-Length: 5\r\n\r\n");
    head.content_type = ContentType::octet_stream;
    CHECK_EQ(encode(head), start + "Content-Type: application/octet-stream\r\nContent-Length: 5\r\n\r\n");
}

TEST("http encoder: the connection, by version") {
    ResponseHead head = PLAIN;
    head.content_type = ContentType::none;
    const std::string start = "HTTP/1.1 200 OK\r\n" + DATE + "Content-Length: 5\r\n";
    head.keep_alive = false;
    CHECK_EQ(encode(head), start + "Connection: close\r\n\r\n");
    head.minor_version = 0;
    CHECK_EQ(encode(head), start + "Connection: close\r\n\r\n");
    head.keep_alive = true;
    CHECK_EQ(encode(head), start + "Connection: keep-alive\r\n\r\n");
}

TEST("http encoder: framing by status") {
    ResponseHead head = PLAIN;
    head.content_type = ContentType::none;
    const std::string length = "Content-Length: 5\r\n";
    const std::string chunked = "Transfer-Encoding: chunked\r\n";
    struct Row {
        std::uint16_t status;
        const char* line;
        bool dated, with_length, with_chunked;
    };
    for (const Row& row :
         {Row{100, "100 Continue", false, false, false}, Row{103, "103 Early Hints", false, false, false},
          Row{200, "200 OK", true, true, true}, Row{204, "204 No Content", true, false, false},
          Row{304, "304 Not Modified", true, true, false}, Row{404, "404 Not Found", true, true, true},
          Row{299, "299 ", true, true, true}, Row{599, "599 ", true, true, true},
          Row{99, "500 Internal Server Error", true, true, true},
          Row{600, "500 Internal Server Error", true, true, true}}) {
        head.status = row.status;
        const std::string start = "HTTP/1.1 " + std::string(row.line) + "\r\n" + (row.dated ? DATE : "");
        head.length_known = true;
        head.chunked = false;
        CHECK_EQ(encode(head), start + (row.with_length ? length : "") + "\r\n");
        head.length_known = false;
        head.chunked = true;
        CHECK_EQ(encode(head), start + (row.with_chunked ? chunked : "") + "\r\n");
        head.minor_version = 0;
        CHECK(encode(head).find("Transfer-Encoding") == std::string::npos);
        head.minor_version = 1;
    }
    head.status = 304;
    head.length_known = true;
    head.content_length = 0;
    CHECK_EQ(encode(head), "HTTP/1.1 304 Not Modified\r\n" + DATE + "\r\n");
}

TEST("http encoder: numbers of every length") {
    ResponseHead head = PLAIN;
    std::uint64_t number = 1;
    for (int digits = 1; digits <= 20; ++digits, number *= 10) {
        for (const std::uint64_t value : {number - 1, number, number + 1, UINT64_MAX - number}) {
            head.content_length = value;
            CHECK(encode(head).find("Content-Length: " + std::to_string(value) + "\r\n") != std::string::npos);
        }
    }
}

TEST("http encoder: the handler's fields and its own date") {
    ResponseHead head = PLAIN;
    const std::string fields =
        field("X-One", "1") + field("Date", "today") + field("Empty", "") + field("A", std::string(300, 'b'));
    head.fields = fields.data();
    head.fields_length = fields.size();
    head.own_date = true;
    CHECK(valid(fields, true));
    CHECK_EQ(encode(head),
             "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 5\r\n"
             "X-One: 1\r\nDate: today\r\nEmpty: \r\nA: " +
                 std::string(300, 'b') + "\r\n\r\n");
}

TEST("http encoder: fields that are refused") {
    CHECK(valid(""));
    CHECK(valid(field("X", "caf\xc3\xa9\t")));
    CHECK(!valid(field("", "a")));
    CHECK(!valid(field("X Y", "a")));
    CHECK(!valid(field("X:", "a")));
    CHECK(!valid(field("X\r\n", "a")));
    for (const char* value : {"a\r\nSet-Cookie: b", "a\rb", "a\nb", "\n", "a\x7f", "a\x01"})
        CHECK(!valid(field("X", value)));
    CHECK(!valid(field("X", std::string(1, '\0'))));
    for (const char* name : {"Content-Length", "TRANSFER-ENCODING", "connection", "Keep-Alive", "Upgrade", "Date"}) {
        CHECK(!valid(field(name, "1")));
    }
    CHECK(valid(field("Date", "1"), true));
    CHECK(valid(field("Dates", "1") + field("X-Date", "1")));
    const std::string two = field("X", "ab") + field("Y", "cd");
    for (std::size_t cut = 1; cut < two.size(); ++cut) {
        if (cut != two.size() / 2) CHECK(!valid(two.substr(0, cut)));
    }
    CHECK(!valid(std::string("\xff\xff\xff\xff") + "XY"));
}

TEST("http encoder: status lines and phrases agree") {
    ResponseHead head = PLAIN;
    for (std::uint16_t status = 100; status < 600; ++status) {
        head.status = status;
        const std::string line = "HTTP/1.1 " + std::to_string(status) + " " + http::reason_phrase(status) + "\r\n";
        CHECK_EQ(encode(head).substr(0, line.size()), line);
    }
    CHECK_EQ(http::reason_phrase(299), "");
    CHECK_EQ(http::reason_phrase(413), "Content Too Large");
}

TEST("http encoder: dates agree with the C library's") {
    DateLine date;
    const auto check = [&date](std::int64_t second) {
        const auto time = static_cast<std::time_t>(second);
        std::tm parts;
        gmtime_r(&time, &parts);
        char expected[64];
        std::strftime(expected, sizeof expected, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &parts);
        date.refresh(second);
        CHECK_EQ(std::string(date.text, DateLine::LENGTH), expected);
    };
    for (std::int64_t day = 0; day < 366 * 500; ++day) check(day * 86400 + day * 7919 % 86400);
    check(253402300799);
    date.refresh(-5);
    CHECK_EQ(std::string(date.text, DateLine::LENGTH), "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n");
}

}  // namespace pinion::test
