// Reads what a server sends, strictly: status line, field lines, body by length, by chunks or until the end.
#pragma once

#include <charconv>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace pinion::test {

struct Answer {
    unsigned status = 0;
    std::string head;
    std::string body;
    std::string trailers;  // field lines, each with its CRLF
    bool close = false;

    bool has(std::string_view line) const { return head.find(std::string(line) + "\r\n") != std::string::npos; }
};

class AnswerReader {
public:
    std::vector<Answer> answers;
    std::vector<unsigned> interim;  // 1xx
    bool malformed = false;

    // Answers to HEAD have no body: says so before the answer comes, in order of the requests.
    void expect(bool head) { heads_.push_back(head); }

    void feed(std::string_view bytes) {
        buffer_ += bytes;
        while (!malformed && step()) {
        }
    }
    // The stream has ended. True: not in the midst of an answer.
    bool ended() {
        if (state_ == State::until_end) {
            current_.body = std::move(buffer_);
            buffer_.clear();
            finish();
        }
        return state_ == State::head && buffer_.empty();
    }
    bool between() const { return state_ == State::head && buffer_.empty(); }
    const std::string& rest() const { return buffer_; }

private:
    enum class State { head, length, chunk_size, chunk, chunk_end, trailer, until_end };

    bool step() {
        switch (state_) {
            case State::head: return read_head();
            case State::length:
                if (buffer_.size() < left_) return false;
                current_.body = buffer_.substr(0, left_);
                buffer_.erase(0, left_);
                return finish();
            case State::chunk_size: return read_chunk_size();
            case State::chunk:
                if (buffer_.size() < left_ + 2) return false;
                current_.body += buffer_.substr(0, left_);
                if (buffer_.compare(left_, 2, "\r\n") != 0) malformed = true;
                buffer_.erase(0, left_ + 2);
                state_ = State::chunk_size;
                return true;
            case State::trailer: return read_trailer();
            default: return false;
        }
    }

    bool read_trailer() {
        const std::size_t end = buffer_.find("\r\n");
        if (end == std::string::npos) return false;
        const std::string line = buffer_.substr(0, end + 2);
        buffer_.erase(0, end + 2);
        if (end == 0) return finish();
        if (line.find(": ") == std::string::npos) malformed = true;
        current_.trailers += line;
        return true;
    }

    bool read_chunk_size() {
        const std::size_t end = buffer_.find("\r\n");
        if (end == std::string::npos) {
            if (buffer_.size() > 16) malformed = true;
            return false;
        }
        const auto [at, error] = std::from_chars(buffer_.data(), buffer_.data() + end, left_, 16);
        if (error != std::errc{} || at != buffer_.data() + end) malformed = true;
        buffer_.erase(0, end + 2);
        state_ = left_ == 0 ? State::trailer : State::chunk;
        return true;
    }

    bool read_head() {
        const std::size_t end = buffer_.find("\r\n\r\n");
        if (end == std::string::npos) {
            const std::string_view start = "HTTP/1.1 ";
            const std::size_t known = std::min(buffer_.size(), start.size());
            if (buffer_.compare(0, known, start.substr(0, known)) != 0 || buffer_.size() > 40000) malformed = true;
            return false;
        }
        current_ = Answer{};
        current_.head = buffer_.substr(0, end + 4);
        buffer_.erase(0, end + 4);
        if (current_.head.compare(0, 9, "HTTP/1.1 ") != 0 || current_.head.size() < 15) {
            malformed = true;
            return false;
        }
        std::from_chars(current_.head.data() + 9, current_.head.data() + 12, current_.status);
        if (current_.status < 100 || current_.status > 599) malformed = true;
        if (current_.status < 200) {
            interim.push_back(current_.status);
            return true;
        }
        const bool chunked = current_.has("Transfer-Encoding: chunked");
        const std::size_t length_at = current_.head.find("Content-Length: ");
        current_.close = current_.has("Connection: close");
        const bool head = !heads_.empty() && heads_.front();
        if (!heads_.empty()) heads_.pop_front();
        if (chunked && length_at != std::string::npos) malformed = true;
        if (head && current_.close && current_.status >= 400) {
            state_ = State::until_end;  // refused before it was known to be HEAD, or not
            return true;
        }
        if (head || current_.status == 204 || current_.status == 304) return finish();
        if (chunked) {
            state_ = State::chunk_size;
        } else if (length_at != std::string::npos) {
            std::from_chars(current_.head.data() + length_at + 16, current_.head.data() + current_.head.size(), left_);
            state_ = State::length;
        } else {
            state_ = State::until_end;
        }
        return true;
    }

    bool finish() {
        answers.push_back(std::move(current_));
        current_ = Answer{};
        state_ = State::head;
        return true;
    }

    State state_ = State::head;
    std::string buffer_;
    std::size_t left_ = 0;
    Answer current_;
    std::deque<bool> heads_;
};

}  // namespace pinion::test
