// The router's rules once more, the slow and plain way, for comparison: every pattern is tried on its own, on decoded
// copies. Shares no code with the router.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pinion::test {

constexpr int SLASH_AS_DATA = 256;  // %2F, among decoded bytes
using Text = std::vector<int>;

inline std::vector<std::string> split(std::string_view text) {
    std::vector<std::string> parts(1);
    for (const char c : text) {
        if (c == '/') {
            parts.emplace_back();
        } else {
            parts.back() += c;
        }
    }
    return parts;
}

// Nothing if there is an escape that is none, or a NUL.
inline std::optional<Text> decode(std::string_view text) {
    Text out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        int value = static_cast<unsigned char>(text[i]);
        if (value == '%') {
            const std::string digits(text.substr(i + 1, 2));
            if (digits.find_first_not_of("0123456789abcdefABCDEF") != std::string::npos || digits.size() != 2)
                return {};
            value = int(std::strtol(digits.c_str(), nullptr, 16));
            if (value == '/') value = SLASH_AS_DATA;
            i += 2;
        }
        if (value == 0) return {};
        out.push_back(value);
    }
    return out;
}

inline bool is_utf8(const Text& text) {
    for (std::size_t i = 0; i < text.size();) {
        const unsigned lead = text[i] == SLASH_AS_DATA ? unsigned('/') : unsigned(text[i]);
        ++i;
        if (lead < 0x80) continue;
        unsigned more = 0;
        while (more < 7 && (lead << more & 0x80) != 0) ++more;
        if (more < 2 || more > 4) return false;
        std::uint32_t point = lead & (0x7fu >> more);
        for (unsigned k = 1; k < more; ++k, ++i) {
            if (i == text.size() || text[i] > 0xff || (text[i] & 0xc0) != 0x80) return false;
            point = point << 6 | (unsigned(text[i]) & 0x3f);
        }
        const std::uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
        if (point < least[more] || point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) return false;
    }
    return true;
}

inline std::string plain(const Text& text) {
    std::string out;
    for (const int c : text) out += c == SLASH_AS_DATA ? '/' : char(c);
    return out;
}

inline bool naive_int(const std::string& text, double& value) {
    std::string digits = text.substr(text.size() > 1 && text[0] == '-' ? 1 : 0);
    if (text.size() > 512 || digits.empty() || digits.find_first_not_of("0123456789") != std::string::npos)
        return false;
    digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size() - 1));
    if (digits.size() > 16) return false;
    value = std::strtod(text.c_str(), nullptr) + 0.0;
    return std::strtoll(digits.c_str(), nullptr, 10) <= 9007199254740991;
}

inline bool naive_float(const std::string& text, double& value) {
    if (text.size() > 512) return false;
    // The shape, with every run of digits made one 'd'.
    std::string shape;
    for (const char c : text) {
        const char kind = c >= '0' && c <= '9' ? 'd' : c == 'E' ? 'e' : c;
        if (kind != 'd' || shape.empty() || shape.back() != 'd') shape += kind;
    }
    if (!shape.empty() && shape[0] == '-') shape.erase(0, 1);
    for (const char* good : {"d", "d.d", "ded", "de+d", "de-d", "d.ded", "d.de+d", "d.de-d"}) {
        if (shape == good && text.find('d') == std::string::npos) {
            value = std::strtod(text.c_str(), nullptr);
            return std::isfinite(value);
        }
    }
    return false;
}

inline bool naive_uuid(const std::string& text) {
    const std::string shape = "hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh";
    if (text.size() != shape.size()) return false;
    for (std::size_t i = 0; i < shape.size(); ++i) {
        const bool digit = std::string("0123456789abcdefABCDEF").find(text[i]) != std::string::npos;
        if (shape[i] == 'h' ? !digit : text[i] != '-') return false;
    }
    return true;
}

struct NaiveSegment {
    int rank = 0;  // 0 literal, 1 int and uuid, 2 float, 3 string, 4 path
    std::string type;
    Text literal;
};
using NaivePattern = std::vector<NaiveSegment>;

inline bool same_shape(const NaivePattern& a, const NaivePattern& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const NaiveSegment& x, const NaiveSegment& y) {
        return x.type == y.type && x.literal == y.literal;
    });
}

// Nothing if the text is no pattern.
inline std::optional<NaivePattern> naive_pattern(const std::string& text) {
    static const std::map<std::string, int> TYPES{{"int", 1}, {"uuid", 1}, {"float", 2}, {"string", 3}, {"path", 4}};
    const std::string letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    if (text.empty() || text[0] != '/' || text.size() > 1024) return {};
    const auto decoded = decode(text);
    if (!decoded || !is_utf8(*decoded)) return {};
    NaivePattern pattern;
    std::vector<std::string> names;
    const std::vector<std::string> segments = split(text.substr(1));
    for (std::size_t i = 0; i < segments.size(); ++i) {
        const std::string& segment = segments[i];
        NaiveSegment parsed;
        if (!segment.empty() && segment.front() == '{' && segment.back() == '}') {
            const std::string inside = segment.substr(1, segment.size() - 2);
            const std::size_t colon = inside.find(':');
            const std::string name = inside.substr(0, colon);
            parsed.type = colon == std::string::npos ? "string" : inside.substr(colon + 1);
            if (name.find_first_not_of(letters + "0123456789") != std::string::npos) return {};
            if (name.find_first_of(letters) != 0 || name == "__proto__") return {};
            if (std::find(names.begin(), names.end(), name) != names.end() || names.size() == 16) return {};
            names.push_back(name);
            if (!TYPES.contains(parsed.type)) return {};
            parsed.rank = TYPES.at(parsed.type);
            if (parsed.rank == 4 && i + 1 != segments.size()) return {};
        } else {
            for (const char c : segment) {
                if (std::string("{}?#\x7f").find(c) != std::string::npos || static_cast<unsigned char>(c) <= ' ')
                    return {};
            }
            if (segment == "*" || segment == "**") return {};
            if (segment.size() > 1 && segment[0] == ':' && letters.find(segment[1]) != std::string::npos) return {};
            parsed.literal = *decode(segment);
        }
        pattern.push_back(parsed);
    }
    return pattern;
}

class NaiveRouter {
public:
    struct Parameter {
        std::size_t offset;  // in the path
        std::size_t length;
        std::string type;
        double value;
    };
    struct Answer {
        int status = 404;  // 200, 400, 404, 405
        std::uint32_t route = 0;
        unsigned allowed = 0;
        std::vector<Parameter> parameters;
    };

    // False if it is no pattern, or one of the same shape has one of the methods.
    bool add(const std::string& text, unsigned methods, std::uint32_t route) {
        const auto pattern = naive_pattern(text);
        if (!pattern) return false;
        for (const Route& other : routes_) {
            if ((other.methods & methods) != 0 && same_shape(other.pattern, *pattern)) return false;
        }
        routes_.push_back({*pattern, methods, route, methods});
        return true;
    }

    void narrow(const std::vector<std::uint16_t>& answered) {
        for (Route& route : routes_) route.methods = route.own & answered[route.route];
    }

    Answer match(unsigned method, const std::string& path) const {
        constexpr unsigned get = 1;
        constexpr unsigned head = 2;
        const unsigned wanted = method < 9 ? 1u << method : 0;
        Answer answer;
        const auto text = decode(path);
        if (!text || !is_utf8(*text)) {
            answer.status = 400;
            return answer;
        }
        if (path.empty() || path[0] != '/') return answer;

        std::vector<Found> found;
        for (const Route& route : routes_) try_route(route, path, found);
        std::stable_sort(found.begin(), found.end(), [](const Found& a, const Found& b) { return a.ranks < b.ranks; });
        for (std::size_t first = 0; first < found.size();) {
            std::size_t last = first;  // routes of one shape, with different methods
            while (last < found.size() && found[last].ranks == found[first].ranks) ++last;
            if (found[first].climbs) {
                answer.status = 400;
                answer.allowed = 0;
                return answer;
            }
            for (const unsigned bit : {wanted, wanted == head ? get : 0u}) {
                for (std::size_t i = first; i < last; ++i) {
                    if ((found[i].route->methods & bit) == 0) continue;
                    return {200, found[i].route->route, 0, found[i].parameters};
                }
            }
            for (; first < last; ++first) {
                answer.status = 405;
                answer.allowed |= found[first].route->methods;
                if ((found[first].route->methods & get) != 0) answer.allowed |= head;
            }
        }
        return answer;
    }

private:
    struct Route {
        NaivePattern pattern;
        unsigned methods;
        std::uint32_t route;
        unsigned own;  // as it was added
    };
    struct Found {
        const Route* route;
        std::vector<int> ranks;
        bool climbs = false;  // a path parameter with ".."
        std::vector<Parameter> parameters;
    };

    static void try_route(const Route& route, const std::string& path, std::vector<Found>& all) {
        const std::vector<std::string> segments = split(path.substr(1));
        Found found{&route, {}, false, {}};
        std::size_t at = 1;
        for (std::size_t i = 0; i < route.pattern.size(); ++i) {
            const NaiveSegment& wanted = route.pattern[i];
            if (i == segments.size()) return;
            const std::string& segment = segments[i];
            found.ranks.push_back(wanted.rank);
            const std::string decoded = plain(*decode(segment));
            double value = 0;
            if (wanted.type.empty()) {
                if (*decode(segment) != wanted.literal) return;
            } else if (wanted.type == "path") {
                if (at == path.size()) return;
                for (const std::string& part : split(plain(*decode(path.substr(at))))) found.climbs |= part == "..";
                found.parameters.push_back({at, path.size() - at, wanted.type, 0});
                all.push_back(found);
                return;
            } else {
                if (segment.empty()) return;
                if (wanted.type == "int" && !naive_int(decoded, value)) return;
                if (wanted.type == "float" && !naive_float(decoded, value)) return;
                if (wanted.type == "uuid" && !naive_uuid(decoded)) return;
                found.parameters.push_back({at, segment.size(), wanted.type, value});
            }
            at += segment.size() + 1;
        }
        if (route.pattern.size() == segments.size()) all.push_back(found);
    }

    std::vector<Route> routes_;
};

}  // namespace pinion::test
