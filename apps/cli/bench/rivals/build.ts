// The contestants' pages, built from the repository's sources and the rivals' own packages.
import { join } from "node:path";
import type { Plugin } from "vite";
import { repositoryRoot } from "../../repository.ts";
import { partsOf } from "../page.ts";

/**
 * @param entries pages' modules by name, from the repository's root
 * @param packages a folder whose node_modules has what the repository's own lacks
 * @returns what a browser fetches, by path: `NAME.js` for each entry, and the parts that they share or load later
 */
export async function buildPages(
  entries: Readonly<Record<string, string>>,
  packages: string,
): Promise<ReadonlyMap<string, string | Uint8Array>> {
  const { build } = await import("vite");
  const root = repositoryRoot();
  const input = Object.fromEntries(Object.entries(entries).map(([name, entry]) => [name, join(root, entry)]));
  const result = await build({
    root,
    configFile: false,
    publicDir: false,
    logLevel: "error", // rivals are large, and that is their affair
    plugins: [resolveFrom(packages)],
    worker: { format: "es" },
    build: {
      write: false,
      minify: false,
      modulePreload: false,
      target: "es2022",
      assetsInlineLimit: 0, // a worker is a file of its own
      rolldownOptions: { input, preserveEntrySignatures: false, output: { entryFileNames: "[name].js" } },
    },
  });
  return new Map(partsOf(result).map((part) => [part.fileName, part.type === "chunk" ? part.code : part.source]));
}

/** Bare imports that the repository cannot resolve are looked for in another folder's node_modules. */
function resolveFrom(folder: string): Plugin {
  return {
    name: "packages-of-their-own",
    enforce: "pre",
    async resolveId(source, importer) {
      if (importer === undefined || !source.startsWith("@") || importer.includes("/node_modules/")) return null;
      return this.resolve(source, join(folder, "package.json"), { skipSelf: true });
    },
  };
}
