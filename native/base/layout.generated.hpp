// Generated from native/base/layout.yaml by `npm run generate`. Do not edit.
// clang-format off
#pragma once

#include <cstddef>
#include <cstdint>

namespace pinion::layout {
inline constexpr std::uint32_t SEGMENT_BYTES = 4096;
inline constexpr std::uint32_t GRANULE_BYTES = 256;
inline constexpr std::uint32_t HEADROOM_BYTES = 256;
inline constexpr std::uint32_t MAX_FIELDS = 200;
inline constexpr std::uint32_t MAX_PARAMETERS = 16;
inline constexpr std::uint32_t MAX_LANES = 4;
inline constexpr std::uint32_t ID_BYTES = 21;
inline constexpr std::uint32_t KEPT_BODIES = 16;
inline constexpr std::uint32_t ANSWER_FIELDS_BYTES = 32768;
inline constexpr std::uint32_t NO_OFFSET = 0xffffffff;
inline constexpr std::uint32_t MAX_SLOTS = 65536;

enum class SlotState : std::uint8_t {
    free = 0,
    queued = 1,
    started = 2,
    streaming = 3,
    answered = 4,
    abandoned = 5,
};
inline constexpr unsigned SLOT_STATE_COUNT = 6;

enum class EntryType : std::uint8_t {
    none = 0,
    request = 1,
    body = 2,
    trailers = 3,
    body_end = 4,
    writable = 5,
    abort = 6,
    answer = 7,
    part = 8,
    end = 9,
    fail = 10,
    give_back = 11,
    consumed = 12,
    keep = 13,
    body_discard = 14,
    continue_ = 15,
    fields = 16,
};
inline constexpr unsigned ENTRY_TYPE_COUNT = 17;

enum class AbortReason : std::uint8_t {
    client_gone = 0,
    timed_out = 1,
    body_too_slow = 2,
    half_closed = 3,
    body_refused = 4,
};
inline constexpr unsigned ABORT_REASON_COUNT = 5;

enum class LaneState : std::uint8_t {
    empty = 0,
    warming = 1,
    live = 2,
    draining = 3,
    quarantined = 4,
    dead = 5,
};
inline constexpr unsigned LANE_STATE_COUNT = 6;

enum class ContentType : std::uint8_t {
    none = 0,
    text_plain = 1,
    json = 2,
    html = 3,
    octet_stream = 4,
};
inline constexpr unsigned CONTENT_TYPE_COUNT = 5;

enum class ParameterKind : std::uint8_t {
    string = 0,
    int_ = 1,
    float_ = 2,
    uuid = 3,
    path = 4,
};
inline constexpr unsigned PARAMETER_KIND_COUNT = 5;

namespace request_flag {
inline constexpr std::uint16_t HAS_BODY = 1u << 0;
inline constexpr std::uint16_t BODY_COMPLETE = 1u << 1;
inline constexpr std::uint16_t CHUNKED = 1u << 2;
inline constexpr std::uint16_t EXPECT_CONTINUE = 1u << 3;
inline constexpr std::uint16_t KEEP_ALIVE = 1u << 4;
inline constexpr std::uint16_t TARGET_ESCAPED = 1u << 5;
inline constexpr std::uint16_t HEAD = 1u << 6;
inline constexpr std::uint16_t ABSOLUTE_FORM = 1u << 7;
inline constexpr std::uint16_t HAS_ID = 1u << 8;
}  // namespace request_flag

namespace answer_flag {
inline constexpr std::uint8_t LAST = 1u << 0;
inline constexpr std::uint8_t LENGTH_KNOWN = 1u << 1;
inline constexpr std::uint8_t CLOSE = 1u << 2;
inline constexpr std::uint8_t OWN_DATE = 1u << 3;
inline constexpr std::uint8_t KEPT_BODY = 1u << 4;
inline constexpr std::uint8_t FIELDS_BEFORE = 1u << 5;
}  // namespace answer_flag

struct Parameter {
    std::uint16_t offset;
    std::uint16_t length;
    std::uint32_t kind;
    double value;
};
static_assert(sizeof(Parameter) == 16);
static_assert(alignof(Parameter) == 8);
static_assert(offsetof(Parameter, offset) == 0);
static_assert(offsetof(Parameter, length) == 2);
static_assert(offsetof(Parameter, kind) == 4);
static_assert(offsetof(Parameter, value) == 8);

struct FieldLine {
    std::uint16_t name_offset;
    std::uint16_t name_length;
    std::uint16_t value_offset;
    std::uint16_t value_length;
};
static_assert(sizeof(FieldLine) == 8);
static_assert(alignof(FieldLine) == 2);
static_assert(offsetof(FieldLine, name_offset) == 0);
static_assert(offsetof(FieldLine, name_length) == 2);
static_assert(offsetof(FieldLine, value_offset) == 4);
static_assert(offsetof(FieldLine, value_length) == 6);

struct Slot {
    std::uint32_t state;
    std::uint32_t handler;
    std::uint32_t route;
    std::uint8_t method;
    std::uint8_t minor_version;
    std::uint16_t request_flags;
    std::uint32_t head_offset;
    std::uint32_t head_length;
    std::uint16_t target_offset;
    std::uint16_t target_length;
    std::uint16_t path_offset;
    std::uint16_t path_length;
    std::uint16_t query_offset;
    std::uint16_t query_length;
    std::uint16_t field_count;
    std::uint16_t parameter_count;
    std::uint32_t body_offset;
    std::uint32_t body_length;
    double content_length;
    double received_ns;
    std::uint32_t answer_offset;
    std::uint32_t answer_end;
    std::uint32_t connection;
    std::uint16_t answer_status;
    std::uint8_t answer_content_type;
    std::uint8_t answer_flags;
    std::uint32_t answer_fields_offset;
    std::uint32_t answer_fields_length;
    double answer_length;
    std::uint8_t id[ID_BYTES];
    Parameter parameters[MAX_PARAMETERS];
    FieldLine fields[MAX_FIELDS];
    std::uint8_t reserved[72];
};
static_assert(sizeof(Slot) == 2048);
static_assert(alignof(Slot) == 8);
static_assert(offsetof(Slot, state) == 0);
static_assert(offsetof(Slot, handler) == 4);
static_assert(offsetof(Slot, route) == 8);
static_assert(offsetof(Slot, method) == 12);
static_assert(offsetof(Slot, minor_version) == 13);
static_assert(offsetof(Slot, request_flags) == 14);
static_assert(offsetof(Slot, head_offset) == 16);
static_assert(offsetof(Slot, head_length) == 20);
static_assert(offsetof(Slot, target_offset) == 24);
static_assert(offsetof(Slot, target_length) == 26);
static_assert(offsetof(Slot, path_offset) == 28);
static_assert(offsetof(Slot, path_length) == 30);
static_assert(offsetof(Slot, query_offset) == 32);
static_assert(offsetof(Slot, query_length) == 34);
static_assert(offsetof(Slot, field_count) == 36);
static_assert(offsetof(Slot, parameter_count) == 38);
static_assert(offsetof(Slot, body_offset) == 40);
static_assert(offsetof(Slot, body_length) == 44);
static_assert(offsetof(Slot, content_length) == 48);
static_assert(offsetof(Slot, received_ns) == 56);
static_assert(offsetof(Slot, answer_offset) == 64);
static_assert(offsetof(Slot, answer_end) == 68);
static_assert(offsetof(Slot, connection) == 72);
static_assert(offsetof(Slot, answer_status) == 76);
static_assert(offsetof(Slot, answer_content_type) == 78);
static_assert(offsetof(Slot, answer_flags) == 79);
static_assert(offsetof(Slot, answer_fields_offset) == 80);
static_assert(offsetof(Slot, answer_fields_length) == 84);
static_assert(offsetof(Slot, answer_length) == 88);
static_assert(offsetof(Slot, id) == 96);
static_assert(offsetof(Slot, parameters) == 120);
static_assert(offsetof(Slot, fields) == 376);

struct Entry {
    std::uint32_t head;
    std::uint32_t generation;
    std::uint32_t argument;
    std::uint32_t argument2;
};
static_assert(sizeof(Entry) == 16);
static_assert(alignof(Entry) == 4);
static_assert(offsetof(Entry, head) == 0);
static_assert(offsetof(Entry, generation) == 4);
static_assert(offsetof(Entry, argument) == 8);
static_assert(offsetof(Entry, argument2) == 12);

struct Credit {
    std::uint32_t offset;
    std::uint32_t length;
};
static_assert(sizeof(Credit) == 8);
static_assert(alignof(Credit) == 4);
static_assert(offsetof(Credit, offset) == 0);
static_assert(offsetof(Credit, length) == 4);

struct Lane {
    std::uint32_t lane_state;
    std::uint32_t request_capacity;
    std::uint32_t response_capacity;
    std::uint32_t credit_capacity;
    std::uint32_t request_ring;
    std::uint32_t response_ring;
    std::uint32_t credit_ring;
    std::uint32_t stream_window;
    std::uint32_t kept_bytes;
    std::uint32_t fields_bytes;
    alignas(64) std::uint32_t request_tail;
    alignas(64) std::uint32_t request_head;
    alignas(64) std::uint32_t response_tail;
    alignas(64) std::uint32_t response_head;
    alignas(64) std::uint32_t credit_tail;
    alignas(64) std::uint32_t credit_head;
    alignas(64) std::uint32_t credit_starved;
    alignas(64) std::uint32_t stand_in_asleep;
    std::uint8_t reserved[508];
};
static_assert(sizeof(Lane) == 1024);
static_assert(alignof(Lane) == 64);
static_assert(offsetof(Lane, lane_state) == 0);
static_assert(offsetof(Lane, request_capacity) == 4);
static_assert(offsetof(Lane, response_capacity) == 8);
static_assert(offsetof(Lane, credit_capacity) == 12);
static_assert(offsetof(Lane, request_ring) == 16);
static_assert(offsetof(Lane, response_ring) == 20);
static_assert(offsetof(Lane, credit_ring) == 24);
static_assert(offsetof(Lane, stream_window) == 28);
static_assert(offsetof(Lane, kept_bytes) == 32);
static_assert(offsetof(Lane, fields_bytes) == 36);
static_assert(offsetof(Lane, request_tail) == 64);
static_assert(offsetof(Lane, request_head) == 128);
static_assert(offsetof(Lane, response_tail) == 192);
static_assert(offsetof(Lane, response_head) == 256);
static_assert(offsetof(Lane, credit_tail) == 320);
static_assert(offsetof(Lane, credit_head) == 384);
static_assert(offsetof(Lane, credit_starved) == 448);
static_assert(offsetof(Lane, stand_in_asleep) == 512);

}  // namespace pinion::layout
