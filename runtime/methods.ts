/** Names by Slot.method: the order of native/http/method.hpp. */
export const METHODS = [
  "GET",
  "HEAD",
  "POST",
  "PUT",
  "DELETE",
  "CONNECT",
  "OPTIONS",
  "TRACE",
  "PATCH",
] as const;

export type Method = (typeof METHODS)[number];
