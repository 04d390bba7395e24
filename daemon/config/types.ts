// The configuration's types, derived from its schema.
import type { schema } from "./schema.js";

/** What a value of schema `S` is once defaults are filled in and units are read. */
export type Resolved<S> = S extends { unit: string }
  ? number
  : S extends { enum: readonly (infer E)[] }
    ? E
    : S extends { type: readonly (infer T)[] }
      ? ByType<S, T>
      : S extends { type: infer T }
        ? ByType<S, T>
        : unknown;

type ByType<S, T> = T extends "string"
  ? string
  : T extends "integer" | "number"
    ? number
    : T extends "boolean"
      ? boolean
      : T extends "array"
        ? S extends { items: infer I }
          ? Resolved<I>[]
          : unknown[]
        : T extends "object"
          ? ObjectOf<S>
          : never;

type ObjectOf<S> = S extends { properties: infer P }
  ? { [K in keyof P as IsPresent<S, P, K> extends true ? K : never]: Resolved<P[K]> } & {
      [K in keyof P as IsPresent<S, P, K> extends true ? never : K]?: Resolved<P[K]>;
    }
  : S extends { additionalProperties: infer V }
    ? Record<string, Resolved<V>>
    : Record<string, unknown>;

type IsPresent<S, P, K extends keyof P> = P[K] extends { default: unknown }
  ? true
  : S extends { required: readonly (infer R)[] }
    ? K extends R
      ? true
      : false
    : false;

export type ConfigFile = Resolved<typeof schema>;
export type RouteConfig = ConfigFile["routes"][number];
export type RespondConfig = NonNullable<RouteConfig["respond"]>;

/** Where to listen, as written in one of the forms of `listen`. */
export type Address =
  | { kind: "tcp"; host: string; port: number; anyHost: boolean }
  | { kind: "unix"; path: string }
  | { kind: "fd"; fd: number }
  | { kind: "systemd"; name?: string };

export interface ListenConfig {
  address: Address;
  /** As it was written, for messages. */
  text: string;
  proxyProtocol: boolean;
  backlog: number;
  mode?: number;
}

/** What handlers may write to: a file, or a folder with all that is below it. */
export interface WriteConfig {
  path: string;
  /** As it was written, for messages. */
  text: string;
}

/** The configuration as the daemon uses it: sizes in bytes, durations in milliseconds, paths absolute. */
export type Config = Omit<ConfigFile, "listen" | "shards" | "write"> & {
  /** Absolute path of the file, and its folder. */
  file: string;
  folder: string;
  listen: ListenConfig[];
  /** `any`: to whatever this user may. */
  write: WriteConfig[] | "any";
  shards: number | "auto";
};
