// One script of the repository's sources, built for a bench in a browser.
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** @param entry the page's module, from the repository's root  @returns it and everything that it imports, as one script */
export async function buildPage(entry: string): Promise<string> {
  const { build } = await import("vite");
  const root = repositoryRoot();
  const result = await build({
    root,
    configFile: false,
    publicDir: false,
    logLevel: "warn",
    build: {
      write: false,
      minify: false,
      target: "es2022",
      rolldownOptions: {
        input: join(root, entry),
        preserveEntrySignatures: false,
        output: { codeSplitting: false },
      },
    },
  });
  const output = Array.isArray(result) ? result[0] : result;
  const chunk = "output" in output ? output.output.find((part) => part.type === "chunk" && part.isEntry) : undefined;
  if (chunk?.type !== "chunk") throw new Error("the bench page did not build into one script");
  return chunk.code;
}

/** This file runs from the sources and from a bundle at another depth. */
function repositoryRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "package-lock.json"))) {
    if (folder === dirname(folder)) throw new Error("the bench needs the repository: no package-lock.json above it");
    folder = dirname(folder);
  }
  return folder;
}
