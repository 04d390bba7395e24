// What reactors.hpp names.
#include "test/shard/reactors.hpp"

namespace pinion::shard {

template class Reactor<io::EpollKernel>;
#if PINION_WITH_URING
template class Reactor<io::UringKernel>;
#endif

}  // namespace pinion::shard
