// Why io_uring is not to be had: the likely cause behind an error number, and what to do.
#pragma once

#include <string>

namespace pinion::io::uring {

std::string explain(const char* call, int error);

}  // namespace pinion::io::uring
