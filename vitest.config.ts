// Two projects: unit (Node) and gpu (a real headless Chromium).
import react from "@vitejs/plugin-react";
import { playwright } from "@vitest/browser-playwright";
import { defineConfig } from "vitest/config";
import { chromiumFlags, findInstalledBrowser } from "./apps/cli/browser.ts";

const chromium = findInstalledBrowser()?.path;

/** The folder of npm's `webgpu` (Dawn for Node): the engine's kernels then run in Node, on any adapter that Vulkan, Metal or D3D12 offers. */
const dawn = process.env.DAWN_FOR_NODE;

const inChromium = {
  enabled: true,
  headless: true,
  screenshotFailures: false,
  provider: playwright({
    launchOptions: {
      ...(chromium === undefined ? {} : { executablePath: chromium }),
      args: chromiumFlags(),
    },
  }),
  instances: [{ browser: "chromium" as const }],
};

export default defineConfig({
  plugins: [react()],
  // As our host answers: threads may share memory.
  server: {
    headers: { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" },
  },
  test: {
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          environment: "node",
          include: ["{apps,packages}/**/*.test.{ts,tsx}"],
          exclude: ["**/*.gpu.test.ts", "**/node_modules/**"],
          isolate: false, // a process for each file takes a third of the time; no file changes what another one sees
          testTimeout: 30_000, // what takes one second alone takes ten when browsers fill the cores
        },
      },
      {
        extends: true,
        test: {
          name: "gpu",
          include: [dawn ? "packages/engine/**/*.gpu.test.ts" : "{apps,packages}/**/*.gpu.test.ts"],
          exclude: ["**/node_modules/**", ...(dawn ? ["packages/engine/wasm/**"] : [])], // the processor's engine, as a page has it
          // One software adapter serves every page: files in turn, so that timings and memory stay honest.
          fileParallelism: false,
          testTimeout: 60_000,
          ...(dawn ? { environment: "node", setupFiles: ["packages/engine/dawn-setup.ts"] } : { browser: inChromium }),
        },
      },
    ],
  },
});
