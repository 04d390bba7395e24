import test from "ava";
import { exportedMethods, exportsNoHandler } from "./module-exports.js";

const cases: [names: string[] | null, methods: readonly string[] | undefined, none: boolean][] = [
  [["GET", "POST"], ["GET", "POST"], false],
  [["helper", "GET"], ["GET"], false],
  [["default", "GET"], undefined, false],
  [["factory", "GET"], undefined, false],
  [["default"], undefined, false],
  [["factory"], undefined, false],
  [["get", "helper"], undefined, true],
  [[], undefined, true],
  [null, undefined, false],
];

for (const [names, methods, none] of cases) {
  test(`exports ${names === null ? "unknown" : names.join(", ")}`, (t) => {
    t.deepEqual(exportedMethods(names), methods);
    t.is(exportsNoHandler(names), none);
  });
}
