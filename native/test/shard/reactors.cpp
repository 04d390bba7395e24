// What reactors.hpp names.
#include "test/shard/reactors.hpp"

namespace pinion::shard {

template class Reactor<io::EpollKernel>;
template class Reactor<test::Clocked<io::EpollKernel>>;
#if PINION_WITH_URING
template class Reactor<io::UringKernel>;
template class Reactor<test::Clocked<io::UringKernel>>;
#endif

}  // namespace pinion::shard
