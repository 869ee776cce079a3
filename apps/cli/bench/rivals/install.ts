// The rivals' packages, installed by the first run of the bench into a folder that no build, test or check looks into.
import { spawn } from "node:child_process";
import { copyFile, mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { repositoryRoot } from "../page.ts";

/** No network, or a registry that refuses; the message says what to do. */
export class InstallError extends Error {
  override readonly name = "InstallError";
}

const MANIFESTS = ["package.json", "package-lock.json"];

/** @returns the folder whose node_modules holds what the lock file beside this says */
export async function installRivals(out: (line: string) => void): Promise<string> {
  const from = join(repositoryRoot(), "apps/cli/bench/rivals/packages");
  const folder = join(repositoryRoot(), ".cache/rivals");
  const wanted = await readFile(join(from, "package-lock.json"), "utf8");
  const have = await readFile(join(folder, "installed.json"), "utf8").catch(() => "");
  if (have === wanted) return folder;
  out(`installing the rivals' packages (90 MB, once) into ${folder}`);
  await mkdir(folder, { recursive: true });
  for (const name of MANIFESTS) await copyFile(join(from, name), join(folder, name));
  const code = await new Promise<number>((done) => {
    const args = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
    const npm = spawn("npm", args, {
      cwd: folder,
      stdio: ["ignore", "ignore", "inherit"],
      shell: process.platform === "win32", // npm is a .cmd there
    });
    npm.on("error", () => done(1));
    npm.on("exit", (exit) => done(exit ?? 1));
  });
  if (code !== 0)
    throw new InstallError(
      `The rivals' packages could not be installed (npm's exit code: ${code}). They come from the npm registry: with a network, or with npm's cache of them, run the same command again; \`npm run bench -- engine\` needs none.`,
    );
  await copyFile(join(from, "package-lock.json"), join(folder, "installed.json")); // last: an interrupted install is done again
  return folder;
}

/** @returns package -> version, of what is measured */
export async function versionsOf(folder: string): Promise<Readonly<Record<string, string>>> {
  const { dependencies } = JSON.parse(await readFile(join(folder, "package.json"), "utf8")) as {
    dependencies: Record<string, string>;
  };
  return dependencies; // pinned: a wish is a version
}
