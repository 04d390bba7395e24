// What the kernel offers and the oldest liburing that we build against (2.1, Ubuntu 22.04) does not declare. Names and
// structures are our own, so that they never clash with a newer liburing's; values are the kernel's ABI
// (include/uapi/linux/io_uring.h), the kernel that introduced each stands beside it.
#pragma once

#include <cstdint>

namespace pinion::io::uring {

// io_uring_params.flags
inline constexpr std::uint32_t SETUP_DISABLED = 1u << 6;      // 5.10: takes nothing before REGISTER_ENABLE
inline constexpr std::uint32_t SETUP_SUBMIT_ALL = 1u << 7;    // 5.18: a bad entry does not hold up those behind it
inline constexpr std::uint32_t SETUP_COOP_TASKRUN = 1u << 8;  // 5.19: no interrupt to run task work
inline constexpr std::uint32_t SETUP_TASKRUN_FLAG = 1u << 9;  // 5.19: says in SQ flags that task work waits

// io_uring_params.features
inline constexpr std::uint32_t FEATURE_CQE_SKIP = 1u << 11;  // 5.17

// Flags word of the submission ring
inline constexpr std::uint32_t SQ_CQ_OVERFLOW = 1u << 1;
inline constexpr std::uint32_t SQ_TASKRUN = 1u << 2;

// io_uring_sqe.flags, .ioprio
inline constexpr std::uint8_t SQE_CQE_SKIP_SUCCESS = 1u << 6;  // 5.17
inline constexpr std::uint16_t RECEIVE_MULTISHOT = 1u << 1;    // 6.0
inline constexpr std::uint16_t ACCEPT_MULTISHOT = 1u << 0;     // 5.19

// io_uring_cqe.flags
inline constexpr std::uint32_t CQE_BUFFER = 1u << 0;
inline constexpr std::uint32_t CQE_MORE = 1u << 1;
inline constexpr std::uint32_t CQE_BUFFER_SHIFT = 16;

// io_uring_register
inline constexpr unsigned REGISTER_RESTRICTIONS = 11;  // 5.10
inline constexpr unsigned REGISTER_ENABLE = 12;        // 5.10
inline constexpr unsigned REGISTER_BUFFER_RING = 22;   // 5.19
inline constexpr unsigned REGISTER_SYNC_CANCEL = 24;   // 6.0
inline constexpr std::uint32_t CANCEL_ALL = 1u << 0;   // 5.19
inline constexpr std::uint32_t CANCEL_ANY = 1u << 2;   // 5.19

// One entry of a provided-buffer ring. The ring's tail lies where the first entry's last field is.
struct Buffer {
    std::uint64_t address;
    std::uint32_t length;
    std::uint16_t id;
    std::uint16_t tail_or_reserved;
};
static_assert(sizeof(Buffer) == 16);

inline constexpr std::uint32_t BUFFER_RING_MAX = 32768;

struct BufferRingRegistration {
    std::uint64_t address;
    std::uint32_t entries;
    std::uint16_t group;
    std::uint16_t flags;
    std::uint64_t reserved[3];
};
static_assert(sizeof(BufferRingRegistration) == 40);

// What a ring may still be asked for once it is enabled. `value`: a register opcode, an operation, or a set of flags.
enum class RestrictionKind : std::uint16_t { register_operation = 0, operation = 1, flags_allowed = 2 };
struct Restriction {
    RestrictionKind kind;
    std::uint8_t value;
    std::uint8_t reserved8 = 0;
    std::uint32_t reserved[3] = {};
};
static_assert(sizeof(Restriction) == 16);

struct SyncCancel {
    std::uint64_t user_data;
    std::int32_t descriptor;
    std::uint32_t flags;
    std::int64_t timeout_seconds;
    std::int64_t timeout_nanoseconds;
    std::uint8_t opcode;
    std::uint8_t reserved8[7];
    std::uint64_t reserved[3];
};
static_assert(sizeof(SyncCancel) == 64);

}  // namespace pinion::io::uring
