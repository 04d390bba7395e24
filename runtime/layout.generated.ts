// Generated from native/base/layout.yaml by `npm run generate`. Do not edit.
// RECORD_FIELD is an offset in bytes from the record's start; RECORD_FIELD_HALF, _WORD and _DOUBLE are the same
// offset in elements of a Uint16Array, Uint32Array and Float64Array.

export const SEGMENT_BYTES = 4096;
export const GRANULE_BYTES = 256;
export const HEADROOM_BYTES = 256;
export const MAX_FIELDS = 200;
export const MAX_PARAMETERS = 16;
export const MAX_LANES = 4;
export const ID_BYTES = 21;
export const KEPT_BODIES = 16;
export const ANSWER_FIELDS_BYTES = 32768;
export const NO_OFFSET = 0xffffffff;
export const MAX_SLOTS = 65536;

export const SlotState = {
  free: 0,
  queued: 1,
  started: 2,
  streaming: 3,
  answered: 4,
  abandoned: 5,
} as const;
export type SlotState = (typeof SlotState)[keyof typeof SlotState];

export const EntryType = {
  none: 0,
  request: 1,
  body: 2,
  trailers: 3,
  bodyEnd: 4,
  writable: 5,
  abort: 6,
  answer: 7,
  part: 8,
  end: 9,
  fail: 10,
  giveBack: 11,
  consumed: 12,
  keep: 13,
  bodyDiscard: 14,
  continue: 15,
  fields: 16,
} as const;
export type EntryType = (typeof EntryType)[keyof typeof EntryType];

export const AbortReason = {
  clientGone: 0,
  timedOut: 1,
  bodyTooSlow: 2,
  halfClosed: 3,
  bodyRefused: 4,
} as const;
export type AbortReason = (typeof AbortReason)[keyof typeof AbortReason];

export const LaneState = {
  empty: 0,
  warming: 1,
  live: 2,
  draining: 3,
  quarantined: 4,
  dead: 5,
} as const;
export type LaneState = (typeof LaneState)[keyof typeof LaneState];

export const ContentType = {
  none: 0,
  textPlain: 1,
  json: 2,
  html: 3,
  octetStream: 4,
} as const;
export type ContentType = (typeof ContentType)[keyof typeof ContentType];

export const ParameterKind = {
  string: 0,
  int: 1,
  float: 2,
  uuid: 3,
  path: 4,
} as const;
export type ParameterKind = (typeof ParameterKind)[keyof typeof ParameterKind];

export const RequestFlag = {
  hasBody: 1 << 0,
  bodyComplete: 1 << 1,
  chunked: 1 << 2,
  expectContinue: 1 << 3,
  keepAlive: 1 << 4,
  targetEscaped: 1 << 5,
  head: 1 << 6,
  absoluteForm: 1 << 7,
  hasId: 1 << 8,
} as const;
export type RequestFlag = (typeof RequestFlag)[keyof typeof RequestFlag];

export const AnswerFlag = {
  last: 1 << 0,
  lengthKnown: 1 << 1,
  close: 1 << 2,
  ownDate: 1 << 3,
  keptBody: 1 << 4,
  fieldsBefore: 1 << 5,
} as const;
export type AnswerFlag = (typeof AnswerFlag)[keyof typeof AnswerFlag];

export const PARAMETER_BYTES = 16;
export const PARAMETER_WORDS = 4;
export const PARAMETER_OFFSET = 0;
export const PARAMETER_OFFSET_HALF = 0;
export const PARAMETER_LENGTH = 2;
export const PARAMETER_LENGTH_HALF = 1;
export const PARAMETER_KIND = 4;
export const PARAMETER_KIND_WORD = 1;
export const PARAMETER_VALUE = 8;
export const PARAMETER_VALUE_DOUBLE = 1;

export const FIELD_LINE_BYTES = 8;
export const FIELD_LINE_WORDS = 2;
export const FIELD_LINE_NAME_OFFSET = 0;
export const FIELD_LINE_NAME_OFFSET_HALF = 0;
export const FIELD_LINE_NAME_LENGTH = 2;
export const FIELD_LINE_NAME_LENGTH_HALF = 1;
export const FIELD_LINE_VALUE_OFFSET = 4;
export const FIELD_LINE_VALUE_OFFSET_HALF = 2;
export const FIELD_LINE_VALUE_LENGTH = 6;
export const FIELD_LINE_VALUE_LENGTH_HALF = 3;

export const SLOT_BYTES = 2048;
export const SLOT_WORDS = 512;
export const SLOT_STATE = 0;
export const SLOT_STATE_WORD = 0;
export const SLOT_HANDLER = 4;
export const SLOT_HANDLER_WORD = 1;
export const SLOT_ROUTE = 8;
export const SLOT_ROUTE_WORD = 2;
export const SLOT_METHOD = 12;
export const SLOT_MINOR_VERSION = 13;
export const SLOT_REQUEST_FLAGS = 14;
export const SLOT_REQUEST_FLAGS_HALF = 7;
export const SLOT_HEAD_OFFSET = 16;
export const SLOT_HEAD_OFFSET_WORD = 4;
export const SLOT_HEAD_LENGTH = 20;
export const SLOT_HEAD_LENGTH_WORD = 5;
export const SLOT_TARGET_OFFSET = 24;
export const SLOT_TARGET_OFFSET_HALF = 12;
export const SLOT_TARGET_LENGTH = 26;
export const SLOT_TARGET_LENGTH_HALF = 13;
export const SLOT_PATH_OFFSET = 28;
export const SLOT_PATH_OFFSET_HALF = 14;
export const SLOT_PATH_LENGTH = 30;
export const SLOT_PATH_LENGTH_HALF = 15;
export const SLOT_QUERY_OFFSET = 32;
export const SLOT_QUERY_OFFSET_HALF = 16;
export const SLOT_QUERY_LENGTH = 34;
export const SLOT_QUERY_LENGTH_HALF = 17;
export const SLOT_FIELD_COUNT = 36;
export const SLOT_FIELD_COUNT_HALF = 18;
export const SLOT_PARAMETER_COUNT = 38;
export const SLOT_PARAMETER_COUNT_HALF = 19;
export const SLOT_BODY_OFFSET = 40;
export const SLOT_BODY_OFFSET_WORD = 10;
export const SLOT_BODY_LENGTH = 44;
export const SLOT_BODY_LENGTH_WORD = 11;
export const SLOT_CONTENT_LENGTH = 48;
export const SLOT_CONTENT_LENGTH_DOUBLE = 6;
export const SLOT_RECEIVED_NS = 56;
export const SLOT_RECEIVED_NS_DOUBLE = 7;
export const SLOT_ANSWER_OFFSET = 64;
export const SLOT_ANSWER_OFFSET_WORD = 16;
export const SLOT_ANSWER_END = 68;
export const SLOT_ANSWER_END_WORD = 17;
export const SLOT_CONNECTION = 72;
export const SLOT_CONNECTION_WORD = 18;
export const SLOT_ANSWER_STATUS = 76;
export const SLOT_ANSWER_STATUS_HALF = 38;
export const SLOT_ANSWER_CONTENT_TYPE = 78;
export const SLOT_ANSWER_FLAGS = 79;
export const SLOT_ANSWER_FIELDS_OFFSET = 80;
export const SLOT_ANSWER_FIELDS_OFFSET_WORD = 20;
export const SLOT_ANSWER_FIELDS_LENGTH = 84;
export const SLOT_ANSWER_FIELDS_LENGTH_WORD = 21;
export const SLOT_ANSWER_LENGTH = 88;
export const SLOT_ANSWER_LENGTH_DOUBLE = 11;
export const SLOT_ID = 96;
export const SLOT_PARAMETERS = 120;
export const SLOT_FIELDS = 376;

export const ENTRY_BYTES = 16;
export const ENTRY_WORDS = 4;
export const ENTRY_HEAD = 0;
export const ENTRY_HEAD_WORD = 0;
export const ENTRY_GENERATION = 4;
export const ENTRY_GENERATION_WORD = 1;
export const ENTRY_ARGUMENT = 8;
export const ENTRY_ARGUMENT_WORD = 2;
export const ENTRY_ARGUMENT2 = 12;
export const ENTRY_ARGUMENT2_WORD = 3;

export const CREDIT_BYTES = 8;
export const CREDIT_WORDS = 2;
export const CREDIT_OFFSET = 0;
export const CREDIT_OFFSET_WORD = 0;
export const CREDIT_LENGTH = 4;
export const CREDIT_LENGTH_WORD = 1;

export const LANE_BYTES = 1024;
export const LANE_WORDS = 256;
export const LANE_LANE_STATE = 0;
export const LANE_LANE_STATE_WORD = 0;
export const LANE_REQUEST_CAPACITY = 4;
export const LANE_REQUEST_CAPACITY_WORD = 1;
export const LANE_RESPONSE_CAPACITY = 8;
export const LANE_RESPONSE_CAPACITY_WORD = 2;
export const LANE_CREDIT_CAPACITY = 12;
export const LANE_CREDIT_CAPACITY_WORD = 3;
export const LANE_REQUEST_RING = 16;
export const LANE_REQUEST_RING_WORD = 4;
export const LANE_RESPONSE_RING = 20;
export const LANE_RESPONSE_RING_WORD = 5;
export const LANE_CREDIT_RING = 24;
export const LANE_CREDIT_RING_WORD = 6;
export const LANE_STREAM_WINDOW = 28;
export const LANE_STREAM_WINDOW_WORD = 7;
export const LANE_KEPT_BYTES = 32;
export const LANE_KEPT_BYTES_WORD = 8;
export const LANE_FIELDS_BYTES = 36;
export const LANE_FIELDS_BYTES_WORD = 9;
export const LANE_REQUEST_TAIL = 64;
export const LANE_REQUEST_TAIL_WORD = 16;
export const LANE_REQUEST_HEAD = 128;
export const LANE_REQUEST_HEAD_WORD = 32;
export const LANE_RESPONSE_TAIL = 192;
export const LANE_RESPONSE_TAIL_WORD = 48;
export const LANE_RESPONSE_HEAD = 256;
export const LANE_RESPONSE_HEAD_WORD = 64;
export const LANE_CREDIT_TAIL = 320;
export const LANE_CREDIT_TAIL_WORD = 80;
export const LANE_CREDIT_HEAD = 384;
export const LANE_CREDIT_HEAD_WORD = 96;
export const LANE_CREDIT_STARVED = 448;
export const LANE_CREDIT_STARVED_WORD = 112;
export const LANE_STAND_IN_ASLEEP = 512;
export const LANE_STAND_IN_ASLEEP_WORD = 128;
