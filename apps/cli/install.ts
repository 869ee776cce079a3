// Packages that one command needs and nothing else does: a folder with its own lock file, installed at first use where no build, test or
// check looks.
import { spawn } from "node:child_process";
import { copyFile, mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { repositoryRoot } from "./repository.ts";

/** No network, or a registry that refuses; the message says what to do. */
export class InstallError extends Error {
  override readonly name = "InstallError";
}

interface Wanted {
  /** The folder of package.json and package-lock.json, from apps/cli. */
  readonly manifests: string;
  /** The folder below .cache. */
  readonly name: string;
  /** For the line that says what is fetched: `the rivals' packages (90 MB)`. */
  readonly what: string;
}

/** @returns the folder whose node_modules holds what the lock file says */
export async function installPackages({ manifests, name, what }: Wanted, out: (line: string) => void): Promise<string> {
  const from = join(repositoryRoot(), "apps/cli", manifests);
  const folder = join(repositoryRoot(), ".cache", name);
  const wanted = await readFile(join(from, "package-lock.json"), "utf8");
  const have = await readFile(join(folder, "installed.json"), "utf8").catch(() => "");
  if (have === wanted) return folder;
  out(`installing ${what}, once, into ${folder}`);
  await mkdir(folder, { recursive: true });
  for (const manifest of ["package.json", "package-lock.json"])
    await copyFile(join(from, manifest), join(folder, manifest));
  const code = await new Promise<number>((done) => {
    const npm = spawn("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], {
      cwd: folder,
      stdio: ["ignore", "ignore", "inherit"],
      shell: process.platform === "win32", // npm is a .cmd there
    });
    npm.on("error", () => done(1));
    npm.on("exit", (exit) => done(exit ?? 1));
  });
  if (code !== 0)
    throw new InstallError(
      `npm could not install ${what} (exit code ${code}): run the same command again where the npm registry can be reached.`,
    );
  await copyFile(join(from, "package-lock.json"), join(folder, "installed.json")); // last: an interrupted install is done again
  return folder;
}

/** @returns package -> version, of what was asked for */
export async function versionsOf(folder: string): Promise<Readonly<Record<string, string>>> {
  const { dependencies } = JSON.parse(await readFile(join(folder, "package.json"), "utf8")) as {
    dependencies: Record<string, string>;
  };
  return dependencies; // pinned: a wish is a version
}
