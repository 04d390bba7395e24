// What this kernel offers of what io_uring is used for here, tried out for real: what a version number promises, a
// seccomp profile, a sysctl or a limit may take back.
#pragma once

#include <string>
#include <vector>

namespace pinion::io {

struct FeatureReport {
    std::string name;
    bool active;
    std::string detail;  // what it is for; or why it is not active, and what is used instead
};

struct ProbeReport {
    bool uring;       // UringKernel can be used
    std::string why;  // one line for the log: which kernel interface is chosen, and why
    std::vector<FeatureReport> features;
};

// Opens a few descriptors and a loopback listener, and closes them again.
ProbeReport probe();

}  // namespace pinion::io
