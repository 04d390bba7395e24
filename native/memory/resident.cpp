#include "memory/resident.hpp"

#include <sys/mman.h>
#include <unistd.h>
#include <climits>
#include <cstdint>
#include <cstdio>
#include <cstring>

namespace pinion::memory {
namespace {

struct CodeMapping {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    std::size_t resident_kib = 0;
    bool has_own_pages = false;
};

std::size_t drop(const CodeMapping& mapping) {
    if (mapping.end == mapping.begin || mapping.has_own_pages) return 0;
    void* begin = reinterpret_cast<void*>(mapping.begin);
    return madvise(begin, mapping.end - mapping.begin, MADV_DONTNEED) == 0 ? mapping.resident_kib * 1024 : 0;
}

}  // namespace

std::size_t drop_startup_code() {
    char program[PATH_MAX];
    const ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    std::FILE* smaps = length > 0 ? std::fopen("/proc/self/smaps", "re") : nullptr;
    if (smaps == nullptr) return 0;
    program[length] = '\0';

    std::size_t dropped = 0;
    CodeMapping mapping;
    char line[PATH_MAX + 128];
    while (std::fgets(line, sizeof line, smaps) != nullptr) {
        // Either a mapping's first line, or one of its counts in KiB (proc_pid_smaps(5)).
        std::uintptr_t begin = 0;
        std::uintptr_t end = 0;
        char permissions[5] = "";
        int path_at = 0;
        std::size_t kib = 0;
        if (std::sscanf(line, "%lx-%lx %4s %*s %*s %*s %n", &begin, &end, permissions, &path_at) == 3) {
            dropped += drop(mapping);
            mapping = {};
            line[std::strcspn(line, "\n")] = '\0';
            const bool constant = std::strcmp(permissions, "r-xp") == 0 || std::strcmp(permissions, "r--p") == 0;
            if (constant && std::strcmp(line + path_at, program) == 0) mapping = CodeMapping{begin, end};
        } else if (std::sscanf(line, "Rss: %zu", &kib) == 1) {
            mapping.resident_kib = kib;
        } else if (std::sscanf(line, "Anonymous: %zu", &kib) == 1) {
            mapping.has_own_pages = kib > 0;
        }
    }
    dropped += drop(mapping);
    std::fclose(smaps);
    return dropped;
}

}  // namespace pinion::memory
