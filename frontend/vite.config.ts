/// <reference types="vitest/config" />
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

import { tokensToCss } from "./src/theme/tokens.ts";

const TOKENS_ID = "virtual:tokens.css";

/** Serves theme/tokens.ts as one stylesheet, so that colours stand in one file and need no inline style. */
function tokensStylesheet(): Plugin {
  return {
    name: "firstread-tokens",
    resolveId: (id) => (id === TOKENS_ID ? `\0${TOKENS_ID}` : null),
    load: (id) => (id === `\0${TOKENS_ID}` ? tokensToCss() : null),
  };
}

export default defineConfig({
  base: "/",
  plugins: [react(), tokensStylesheet()],
  build: {
    target: "es2022",
    outDir: "dist",
    assetsDir: "assets",
    // A data: URL would need an exception in the content security policy; a file does not.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  test: {
    // Tests that need a page say so in their first line; the rest start at once.
    environment: "node",
    include: ["src/**/*.test.{ts,tsx}"],
    setupFiles: ["src/test/setup.ts"],
    restoreMocks: true,
    // A loaded machine is slow, not wrong.
    testTimeout: 30_000,
  },
});
