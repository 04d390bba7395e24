// The public API of Pinion's handlers.
export { BadRequestError, HttpError, RequestAbortedError, RequestOverError } from "./errors.js";
export type { FieldsInit } from "./fields.js";
export {
  type Factory,
  type FactoryContext,
  type Handler,
  handler,
  type HandlersByMethod,
} from "./handler.js";
export type { Method } from "./methods.js";
export type { Params } from "./parameters.js";
export {
  type Answer,
  type Body,
  type Chunk,
  Reply,
  reply,
  type ReplyOptions,
  type StreamBody,
  type Trailers,
} from "./reply.js";
export type { RequestFields } from "./request-fields.js";
export type { RequestTrailers } from "./request-trailers.js";
export type { RequestView as Request } from "./request.js";
