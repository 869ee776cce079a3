// Two builds from one configuration, with production dependencies alone (tests have their own: vitest.config.ts).
//
//   vite build          apps/web/index.html -> dist/web     the page; workers are ES modules
//   vite build --ssr    apps/cli, apps/host -> dist/node    the command and the witness's thread; packages stay in node_modules
import { resolve } from "node:path";
import react from "@vitejs/plugin-react";
import { defineConfig, type UserConfig } from "vite";

const here = import.meta.dirname;

/** The signaling that a page asks when it is not its own origin: `GOSSAMER_SIGNAL=wss://host npm run build`, or `gossamer build --signal`. */
const signal = process.env.GOSSAMER_SIGNAL ?? "";

const web: UserConfig = {
  root: resolve(here, "apps/web"),
  publicDir: resolve(here, "public"),
  plugins: [react()],
  worker: { format: "es" },
  define: { "import.meta.env.GOSSAMER_SIGNAL": JSON.stringify(signal) },
  build: {
    outDir: resolve(here, "dist/web"),
    emptyOutDir: true,
    target: "es2022",
    // The content security policy allows no inline script and no data: worker.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: { checks: { pluginTimings: false } }, // a slow machine is no news to whoever starts a host
  },
};

const node: UserConfig = {
  root: here,
  publicDir: false,
  build: {
    ssr: true,
    outDir: resolve(here, "dist/node"),
    emptyOutDir: true,
    target: "node20",
    minify: false,
    rollupOptions: {
      external: ["playwright-core"], // a development package: not there when only hosting
      // One folder deep, like the sources: what looks for the project's files from import.meta finds them.
      output: { entryFileNames: "[name].js", chunkFileNames: "[name]-[hash].js" },
      input: { main: resolve(here, "apps/cli/main.ts"), witness: resolve(here, "apps/host/witness-worker.ts") },
    },
  },
};

export default defineConfig(({ isSsrBuild }) => (isSsrBuild ? node : web));
