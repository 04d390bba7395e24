// Runs a function on every thread of the process: for what the kernel has for one thread alone, as credentials are.
#pragma once

#include <string>

namespace pinion::base {

struct EveryThread {
    unsigned threads = 0;  // that have run it
    std::string failed;    // empty: every thread has, and each one that starts from now on comes from one that has
};

// `function` gets `argument` and returns 0 or an errno. It runs first on the calling thread, and on no other if it
// fails there; on the others in a signal's handler: system calls only. For one caller at a time.
EveryThread on_every_thread(int (*function)(void* argument), void* argument);

}  // namespace pinion::base
