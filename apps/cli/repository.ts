// Where the project lies.
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** This file runs from the sources and from a bundle at another depth. */
export function repositoryRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "package-lock.json"))) {
    if (folder === dirname(folder)) throw new Error("this command needs the repository: no package-lock.json above it");
    folder = dirname(folder);
  }
  return folder;
}
