// What this process may write, held to by the kernel (Landlock): every thread of it, and every process that it starts.
#pragma once

#include <string>
#include <vector>

namespace pinion::base {

struct WriteRules {
    // Files, and folders with all that is below them. Each has to be there.
    std::vector<std::string> write;
    // Folders whose files may be removed, and nothing else.
    std::vector<std::string> remove;
    // Open files that may be opened again, as /dev/stdout is; what is no file of a file system is left out.
    std::vector<int> open;
};

struct WriteRestriction {
    int abi = 0;           // of Landlock; 0: there is none
    unsigned threads = 0;  // that are held to the rules; all of them, unless it failed
    std::string failed;    // one line
};

// For good: nothing takes it back. With it goes that no program gains privileges by being executed
// (PR_SET_NO_NEW_PRIVS).
WriteRestriction restrict_writing(const WriteRules& rules);

// Tries it out on a thread of its own, which ends.
WriteRestriction try_write_restriction();

}  // namespace pinion::base
