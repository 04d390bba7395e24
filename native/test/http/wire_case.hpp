// The wire cases: Markdown files in cases/, each case an http block and the result block that belongs to it.
// cases/README.md
// has the format.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "http/head.hpp"

namespace pinion::test {

inline constexpr http::HeadLimits USUAL_LIMITS{16384, 100, 8192};

struct WireCase {
    std::string name;  // file: headings
    std::string bytes;
    http::HeadLimits limits = USUAL_LIMITS;
    std::vector<std::string> expected;  // lines of the result block
};

// One line of an http block: escapes replaced, CR LF behind it unless it ends with a backslash.
inline std::string unescape_wire_line(const std::string& line) {
    std::string out;
    for (std::size_t at = 0; at < line.size(); ++at) {
        if (line[at] != '\\') {
            out += line[at];
            continue;
        }
        if (++at == line.size()) return out;  // no line end
        switch (line[at]) {
            case 'r': out += '\r'; break;
            case 'n': out += '\n'; break;
            case 't': out += '\t'; break;
            case 's': out += ' '; break;
            case '\\': out += '\\'; break;
            case 'x':
                out += static_cast<char>(std::stoul(line.substr(at + 1, 2), nullptr, 16));
                at += 2;
                break;
            case '(': {  // \(3*text) is text three times
                const std::size_t star = line.find('*', at);
                const std::size_t close = line.find(')', at);
                if (star == std::string::npos || close == std::string::npos) throw std::runtime_error(line);
                const unsigned long count = std::stoul(line.substr(at + 1, star - at - 1));
                const std::string text = unescape_wire_line(line.substr(star + 1, close - star - 1) + "\\");
                for (unsigned long i = 0; i < count; ++i) out += text;
                at = close;
                break;
            }
            default: throw std::runtime_error("no such escape: " + line);
        }
    }
    return out + "\r\n";
}

inline http::HeadLimits limits_of(const std::string& info) {
    http::HeadLimits limits = USUAL_LIMITS;
    std::istringstream words(info);
    for (std::string word; words >> word;) {
        const std::size_t equals = word.find('=');
        if (equals == std::string::npos) continue;
        const auto number = static_cast<std::uint32_t>(std::stoul(word.substr(equals + 1)));
        const std::string key = word.substr(0, equals);
        if (key == "head")
            limits.head_bytes = number;
        else if (key == "fields")
            limits.fields = static_cast<std::uint16_t>(number);
        else if (key == "target")
            limits.target_bytes = number;
        else
            throw std::runtime_error("no such limit: " + word);
    }
    return limits;
}

inline void read_wire_file(const std::filesystem::path& path, std::vector<WireCase>& cases) {
    std::ifstream file(path);
    std::string heading;
    enum { text, http, result } block = text;
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with("```")) {
            if (block != text) {
                block = text;
            } else if (line.starts_with("```http")) {
                block = http;
                cases.push_back({path.filename().string() + ": " + heading, {}, limits_of(line), {}});
            } else {
                block = result;
            }
        } else if (block == http) {
            cases.back().bytes += unescape_wire_line(line);
        } else if (block == result) {
            cases.back().expected.push_back(line);
        } else if (line.starts_with("#")) {
            heading = line.substr(line.find_first_not_of("# "));
        }
    }
}

// Every case of the directory, in the order of the file names.
inline std::vector<WireCase> read_wire_cases(const std::filesystem::path& directory) {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
        if (entry.path().extension() == ".md" && entry.path().filename() != "README.md") files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    std::vector<WireCase> cases;
    for (const auto& file : files) read_wire_file(file, cases);
    return cases;
}

}  // namespace pinion::test
