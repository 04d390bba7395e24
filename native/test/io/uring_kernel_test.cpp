#include "io/uring_kernel.hpp"

#if PINION_WITH_URING

#include <sys/syscall.h>

#include "io/probe.hpp"
#include "io/uring_constants.hpp"
#include "test/io/kernel_cases.hpp"

namespace pinion::test {
namespace {

#define X(function, text) REGISTER_KERNEL_CASE("io: uring: ", io::UringKernel, function, text)
KERNEL_CASES(X)
#undef X

// Somebody who has come to write into the queue: an entry of any kind, put behind the class's back.
class Intruder {
public:
    explicit Intruder(int ring) {
        entries_ = static_cast<io_uring_sqe*>(
            mmap(nullptr, 64 * sizeof(io_uring_sqe), PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES));
    }
    ~Intruder() { munmap(entries_, 64 * sizeof(io_uring_sqe)); }
    bool in() const { return entries_ != MAP_FAILED; }

    // The kernel's answer to the class's close of no descriptor at all, turned into something else on its way.
    template <class Rig>
    std::int32_t smuggle(Rig& rig, std::uint8_t opcode, std::uint8_t flags = 0) {
        rig.kernel.close(-1, token(Operation::close));
        for (unsigned n = 0; n < 64; ++n) {
            if (entries_[n].user_data != token(Operation::close).pack()) continue;
            entries_[n].opcode = opcode;
            entries_[n].flags = flags;
        }
        const std::vector<Completion> done = rig.take(1);
        for (unsigned n = 0; n < 64; ++n) entries_[n].user_data = 0;
        return done.size() == 1 ? done[0].result : 0;
    }

private:
    io_uring_sqe* entries_;
};

// Whether it takes restrictions, by liburing's own calls.
bool kernel_restricts() {
    io_uring ring{};
    if (io_uring_queue_init(8, &ring, IORING_SETUP_R_DISABLED) < 0) return false;
    io_uring_restriction close_only{};
    close_only.opcode = IORING_RESTRICTION_SQE_OP;
    close_only.sqe_op = IORING_OP_CLOSE;
    const bool takes = io_uring_register_restrictions(&ring, &close_only, 1) == 0 && io_uring_enable_rings(&ring) == 0;
    io_uring_queue_exit(&ring);
    return takes;
}

TEST("io: uring, restricted: only the operations and flags in use are taken") {
    Rig<io::UringKernel> rig;
    OPENED(rig);
    if (!rig.kernel.unrestricted_because().empty()) {
        std::printf("(not restricted: %s) ", rig.kernel.unrestricted_because().c_str());
        return CHECK(io::probe().uring && !kernel_restricts());
    }
    Intruder intruder(rig.kernel.descriptor());
    REQUIRE(intruder.in());
    CHECK_EQ(intruder.smuggle(rig, IORING_OP_CLOSE), -EBADF);  // in use: the kernel tries it
    constexpr int OP_SOCKET = 45;                              // liburing 2.1 does not know it
    for (const int opcode :
         {int(IORING_OP_OPENAT), int(IORING_OP_OPENAT2), int(IORING_OP_CONNECT), int(IORING_OP_WRITE), OP_SOCKET,
          int(IORING_OP_UNLINKAT), int(IORING_OP_PROVIDE_BUFFERS)}) {
        CHECK_EQ(intruder.smuggle(rig, std::uint8_t(opcode)), -EACCES);
    }
    for (const std::uint8_t flag : {IOSQE_FIXED_FILE, IOSQE_IO_LINK, IOSQE_IO_DRAIN, IOSQE_ASYNC}) {
        CHECK_EQ(intruder.smuggle(rig, IORING_OP_CLOSE, flag), -EACCES);
    }
    // And no further memory, file or credentials.
    int file = 0;
    for (const unsigned opcode :
         {unsigned(IORING_REGISTER_FILES), unsigned(IORING_REGISTER_BUFFERS), unsigned(IORING_REGISTER_PERSONALITY),
          unsigned(io::uring::REGISTER_BUFFER_RING), io::uring::REGISTER_RESTRICTIONS}) {
        CHECK(syscall(__NR_io_uring_register, rig.kernel.descriptor(), opcode, &file, 1) < 0);
        CHECK(errno == EACCES || errno == EBADFD);
    }
    // What is in use still works.
    auto [client, socket] = rig.connected();
    rig.lend(0, 1);
    client.write("after all");
    rig.kernel.receive(socket, token(Operation::receive), true);
    const std::vector<Completion> got = rig.take(1);
    REQUIRE_EQ(got.size(), 1u);
    CHECK(rig.bytes(got[0]) == "after all");
}

}  // namespace
}  // namespace pinion::test

#endif  // PINION_WITH_URING
