import { defineConfig } from "eslint/config";
import eslint from "@eslint/js";
import typescript from "typescript-eslint";

// The type-aware rules are what this is for: a promise that nobody awaits is how a server loses an error.
export default defineConfig(
  { ignores: ["build/", "dist/", "node_modules/", ".node/", "**/*.generated.ts"] },
  {
    files: ["**/*.ts"],
    extends: [eslint.configs.recommended, typescript.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      eqeqeq: "error",
      "@typescript-eslint/no-non-null-assertion": "error",
      "@typescript-eslint/consistent-type-imports": ["error", { fixStyle: "inline-type-imports" }],
      "@typescript-eslint/switch-exhaustiveness-check": "error",
      "@typescript-eslint/require-await": "off",
      "@typescript-eslint/restrict-template-expressions": [
        "error",
        { allowNumber: true, allowBoolean: true },
      ],
      "@typescript-eslint/no-unused-vars": [
        "error",
        { argsIgnorePattern: "^_", varsIgnorePattern: "^_" },
      ],
    },
  },
  {
    files: ["**/*.js", "**/*.mjs"],
    extends: [eslint.configs.recommended],
    languageOptions: { globals: { console: "readonly", process: "readonly" } },
  },
);
