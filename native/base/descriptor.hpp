// A file descriptor that is closed when its owner goes.
#pragma once

#include <unistd.h>

namespace pinion::base {

class Descriptor {
public:
    explicit Descriptor(int fd) : fd_(fd) {}  // -1: none
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    int get() const { return fd_; }

private:
    int fd_;
};

}  // namespace pinion::base
