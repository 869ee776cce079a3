// Builds from one configuration, with production dependencies alone (tests have their own: vitest.config.ts).
//
//   vite build          apps/web/index.html -> dist/web     the page; workers are ES modules
//   vite build --ssr    apps/cli, apps/host -> dist/node    the command and its threads; packages stay in node_modules
//   vite build --mode looks                 -> dist/looks   for tests
import { createHash } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin, type UserConfig } from "vite";

const here = import.meta.dirname;

/** The signaling that a page asks when it is not its own origin: `GOSSAMER_SIGNAL=wss://host npm run build`, or `gossamer build --signal`. */
const signal = process.env.GOSSAMER_SIGNAL ?? "";

/** Below this a packet is a packet, compressed or not. */
const COMPRESS_BYTES_MIN = 1024;
/** A first look has 6 % fewer bytes than with 9, for a second at the first start; 11 saves another 2 % and takes three. */
const BROTLI_QUALITY = 10;

/** Lays NAME.gz and NAME.br beside each text of the build, which the host serves to whoever takes them. */
function precompress(): Plugin {
  let folder = "";
  return {
    name: "precompress",
    apply: "build",
    configResolved(config) {
      folder = config.build.outDir;
    },
    async closeBundle(error) {
      if (error) return; // it is the news, not the files that are missing
      const names = await readdir(folder, { recursive: true });
      const texts = names.filter((name) => /\.(js|css|html|svg|webmanifest)$/.test(name));
      await Promise.all(
        texts.map(async (name) => {
          const path = join(folder, name);
          const bytes = await readFile(path);
          if (bytes.length < COMPRESS_BYTES_MIN) return;
          const params = { [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY };
          await writeFile(`${path}.gz`, await promisify(gzip)(bytes, { level: 9 }));
          await writeFile(`${path}.br`, await promisify(brotliCompress)(bytes, { params }));
        }),
      );
    },
  };
}

/** The page's service worker: a script at a fixed place, which knows what this build consists of (apps/web/offline). */
const SERVICE_WORKER = "service-worker";

function knowsItsBuild(): Plugin {
  return {
    name: "knows-its-build",
    enforce: "post", // after what removes scripts that came of styles alone
    apply: "build",
    generateBundle(_, bundle) {
      const worker = Object.values(bundle).find((part) => part.type === "chunk" && part.name === SERVICE_WORKER);
      const page = Object.values(bundle).find((part) => part.type === "chunk" && part.name === "index");
      if (worker?.type !== "chunk" || page?.type !== "chunk")
        throw new Error("the build has no page, or no service worker");
      if (worker.imports.length > 0) throw new Error("the service worker must be one script");
      const hashed = Object.keys(bundle).filter((name) => name.startsWith("assets/"));
      const first = [
        page.fileName,
        ...page.imports,
        ...hashed.filter((name) => /\/(index-[^/]*\.css|run-reader-)/.test(name)),
      ];
      const shell = ["/", "/icon.svg", "/web.svg", ...new Set(first.map((name) => `/${name}`))];
      const assets = hashed.map((name) => `/${name}`).filter((name) => !shell.includes(name));
      const cache = createHash("sha256").update(hashed.sort().join()).digest("hex").slice(0, 16);
      worker.code = `const BUILT=${JSON.stringify({ cache, shell, assets })};${worker.code}`;
    },
  };
}

/** Kernels cross without the lines that are for readers of the file: a device never sees those (device/template.ts), and a first visit brings the planner with its kernels. */
function withoutComments(): Plugin {
  return {
    name: "wgsl-without-comments",
    enforce: "pre",
    async load(id) {
      if (!id.endsWith(".wgsl?raw")) return undefined;
      const text = await readFile(id.slice(0, -"?raw".length), "utf8");
      return `export default ${JSON.stringify(text.replace(/^[ \t]*\/\/.*\n/gm, ""))};`;
    },
  };
}

/** A slow machine is no news to whoever starts a host. */
const QUIET = { bundlerTimings: false };

/**
 * What zod is told (apps/web/no-eval.ts) is told before the first schema is made, in whichever chunk that is: a chunk that others share
 * runs before the page's own, whose first import is that file.
 */
const TOLD_FIRST = { name: "schemas", test: /\/no-eval\.ts$|\/node_modules\/zod\// };

/** What the page's first script has in common with those that come later, in one file: each is a request, with its headers. */
const SHARED = { name: "shared", test: /\/apps\/web\//, minShareCount: 2 };

const web: UserConfig = {
  root: resolve(here, "apps/web"),
  publicDir: resolve(here, "public"),
  base: "./", // at an origin's root and behind any prefix (--base-path) alike
  plugins: [react(), withoutComments(), knowsItsBuild(), precompress()],
  worker: { format: "es", plugins: () => [withoutComments()], rolldownOptions: { checks: QUIET } },
  define: { "import.meta.env.GOSSAMER_SIGNAL": JSON.stringify(signal) },
  build: {
    outDir: resolve(here, "dist/web"),
    emptyOutDir: true,
    target: "es2022",
    // The content security policy allows no inline script and no data: worker.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      checks: QUIET,
      input: {
        index: resolve(here, "apps/web/index.html"),
        admin: resolve(here, "apps/web/admin.html"),
        [SERVICE_WORKER]: resolve(here, "apps/web/offline/service-worker.ts"),
      },
      output: {
        codeSplitting: { groups: [TOLD_FIRST, SHARED] },
        entryFileNames: ({ name }) => (name === SERVICE_WORKER ? "sw.js" : "assets/[name]-[hash].js"),
      },
    },
  },
};

/** For tests alone: the page in any state that a test names, apart so that the page's own build stays as it is. */
const looks: UserConfig = {
  root: resolve(here, "apps/web/looks"),
  publicDir: resolve(here, "public"),
  plugins: [react()],
  build: {
    outDir: resolve(here, "dist/looks"),
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      checks: QUIET,
      output: { codeSplitting: { groups: [TOLD_FIRST] } },
    },
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
    rolldownOptions: {
      checks: QUIET,
      external: ["playwright-core"], // a development package: not there when only hosting
      // One folder deep, like the sources: what looks for the project's files from import.meta finds them.
      output: { entryFileNames: "[name].js", chunkFileNames: "[name]-[hash].js" },
      input: {
        main: resolve(here, "apps/cli/main.ts"),
        witness: resolve(here, "apps/host/witness-worker.ts"),
        samples: resolve(here, "apps/host/samples/samples-worker.ts"),
        "fold-worker": resolve(here, "apps/cli/donate/fold-worker.ts"),
        "sim-worker": resolve(here, "apps/cli/sim/worker.ts"),
        "scale-worker": resolve(here, "apps/cli/sim/scale-worker.ts"),
        "wasm-thread": resolve(here, "packages/engine/wasm/wasm-thread.js"),
      },
    },
  },
};

export default defineConfig(({ isSsrBuild, mode }) => (isSsrBuild ? node : mode === "looks" ? looks : web));
