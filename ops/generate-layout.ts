// Writes the C++ and the TypeScript of the shared layout from native/base/layout.yaml.
// --check: writes nothing, fails if the files on disk are not what would be written.
import { readFileSync } from "node:fs";
import { writeGenerated } from "./generated.js";
import { layoutToCpp } from "./layout-cpp.js";
import { layoutToTypeScript } from "./layout-typescript.js";
import { parseLayout } from "./layout.js";

const SOURCE = "native/base/layout.yaml";

const layout = parseLayout(readFileSync(SOURCE, "utf8"));
writeGenerated(SOURCE, [
  ["native/base/layout.generated.hpp", layoutToCpp(layout)],
  ["runtime/layout.generated.ts", layoutToTypeScript(layout)],
]);
