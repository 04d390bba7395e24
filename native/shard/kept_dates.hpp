// Dates for answers that have no memory of their own. A text stays as it is for as long as one of them is on its way.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/assert.hpp"
#include "http/encoder.hpp"

namespace pinion::shard {

class KeptDates {
public:
    // The text for an answer of now, to be given back with give(). There always is one: while slow clients keep COUNT
    // others, it is the newest of these.
    std::uint32_t take(const http::DateLine& now) {
        std::uint32_t newest = 0, found = COUNT;
        for (std::uint32_t i = 0; i < COUNT; ++i) {
            if (dates_[i].second > dates_[newest].second) newest = i;
            if (dates_[i].users == 0 && found == COUNT) found = i;
        }
        if (dates_[newest].second == now.second || found == COUNT) found = newest;
        Date& date = dates_[found];
        if (date.users++ == 0) {
            date.second = now.second;
            std::memcpy(date.text, now.text, http::DateLine::LENGTH);
            std::memcpy(date.text + http::DateLine::LENGTH, "\r\n", 2);
        }
        return found;
    }
    void give(std::uint32_t index) {
        PINION_ASSERT(index < COUNT && dates_[index].users > 0);
        --dates_[index].users;
    }

    // A Date field line, and the empty line that ends a head.
    std::string_view text(std::uint32_t index) const { return {dates_[index].text, sizeof dates_[index].text}; }
    std::uint32_t users() const {
        std::uint32_t all = 0;
        for (const Date& date : dates_) all += date.users;
        return all;
    }

    static constexpr std::uint32_t COUNT = 64;

private:
    struct Date {
        char text[http::DateLine::LENGTH + 2];
        std::int64_t second = -1;
        std::uint32_t users = 0;
    };
    Date dates_[COUNT];
};

}  // namespace pinion::shard
