// The Date field line of a second (RFC 9110 §5.6.7).
#include <algorithm>
#include <cstring>

#include "http/encoder.hpp"

namespace pinion::http {

namespace {

constexpr std::int64_t DAY_SECONDS = 86400;
constexpr std::int64_t LAST_SECOND = 253402300799;  // of the year 9999: four digits is all the format has

struct Day {
    unsigned year;
    unsigned month;  // 0: January
    unsigned day;    // from 1
};

// Years are counted from March here, so that the leap day is the last one of its year; 400 of them are 146,097 days.
Day day_of(std::int64_t days_since_1970) {
    const auto days = static_cast<unsigned>(days_since_1970 + 719468);  // since 1 March of the year 0
    const unsigned era = days / 146097;
    const unsigned day_of_era = days % 146097;
    const unsigned year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    const unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const unsigned month_from_march = (5 * day_of_year + 2) / 153;
    const unsigned month = (month_from_march + 2) % 12;
    return {era * 400 + year_of_era + (month < 2 ? 1 : 0), month, day_of_year - (153 * month_from_march + 2) / 5 + 1};
}

void write_two_digits(char* to, unsigned number) {
    to[0] = static_cast<char>('0' + number / 10 % 10);
    to[1] = static_cast<char>('0' + number % 10);
}

}  // namespace

void DateLine::refresh(std::int64_t unix_second) {
    if (unix_second == second) return;
    second = unix_second;
    const std::int64_t clamped = std::clamp<std::int64_t>(unix_second, 0, LAST_SECOND);
    const Day day = day_of(clamped / DAY_SECONDS);
    const auto in_day = static_cast<unsigned>(clamped % DAY_SECONDS);

    std::memcpy(text, "Date: Thu, 00 Jan 0000 00:00:00 GMT\r\n", LENGTH);
    std::memcpy(text + 6, &"ThuFriSatSunMonTueWed"[clamped / DAY_SECONDS % 7 * 3], 3);
    write_two_digits(text + 11, day.day);
    std::memcpy(text + 14, &"JanFebMarAprMayJunJulAugSepOctNovDec"[day.month * 3], 3);
    write_two_digits(text + 18, day.year / 100);
    write_two_digits(text + 20, day.year % 100);
    write_two_digits(text + 23, in_day / 3600);
    write_two_digits(text + 26, in_day / 60 % 60);
    write_two_digits(text + 29, in_day % 60);
}

}  // namespace pinion::http
