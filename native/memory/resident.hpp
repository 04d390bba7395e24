// The process's resident memory, where it is not the arena's.
#pragma once

#include <cstddef>

namespace pinion::memory {

// Unmaps the pages of the program's own code and constants that starting up has brought in; what is used again comes
// back from the page cache, by a minor fault. They are clean pages of a private file mapping: nothing is lost
// (madvise(2), MADV_DONTNEED). Mappings with a page of their own, as a debugger's breakpoints make, are left alone.
// Returns the bytes that were resident in what it dropped; 0: nothing could be.
std::size_t drop_startup_code();

}  // namespace pinion::memory
