import test from "ava";
import { exportedMethods } from "./module-exports.js";

const cases: [name: string, code: string, methods: readonly string[] | undefined][] = [
  ["functions", "export function GET() {}\nexport async function POST() {}\n", ["GET", "POST"]],
  ["constants", "export const GET = () => 1;\nexport let PUT = 2\n", ["GET", "PUT"]],
  [
    "a list, as the compiler writes it",
    "var GET = 1;\nexport {\n  GET,\n  b as DELETE\n};\n",
    ["GET", "DELETE"],
  ],
  ["others beside", "export const helper = 1;\nexport const GET = 2;\n", ["GET"]],
  ["a default function", "export default () => 1;\nexport const GET = 2;\n", undefined],
  ["a default in a list", "export { a as default, GET };\n", undefined],
  ["a factory", "export const factory = () => ({ GET() {} });\nexport const GET = 1;\n", undefined],
  ["nothing", "const GET = 1;\n", undefined],
  ["a star", "export * from './x.js';\nexport const GET = 1;\n", undefined],
  ["a pattern", "export const { POST } = x;\nexport const GET = 1;\n", undefined],
  ["in a comment", "// export const GET = 1;\nexport const POST = 1;\n", ["POST"]],
];

for (const [name, code, methods] of cases)
  test(name, (t) => t.deepEqual(exportedMethods(code), methods));
