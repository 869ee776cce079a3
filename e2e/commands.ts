// The commands of a document, run as a reader types them, in a folder of its own.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { Readable } from "node:stream";

const root = resolve(".");

export interface Block {
  /** It goes on while the others run. */
  readonly background: boolean;
  readonly commands: string;
}

/** In their order. */
export function blocksOf(document: string): Block[] {
  const blocks = [...readFileSync(document, "utf8").matchAll(/^```sh( background)?\n(.*?)^```$/gms)];
  return blocks.map(([, background, commands]) => ({ background: background !== undefined, commands }));
}

/** npm's scripts are the built program: the folder that a reader stands in is not the repository here. */
const shell = (commands: string): string =>
  `set -euo pipefail
npm() {
  case "$1" in
    start) shift; [ "$1" = -- ] && shift; exec_host "$@" ;;
    run) [ "$2" = gossamer ] && [ "$3" = -- ]; shift 3; node "${root}/dist/node/main.js" "$@" ;;
    *) return 1 ;;
  esac
}
exec_host() { ${"$"}{BACKGROUND:+exec} node "${root}/dist/node/main.js" host "$@"; }
${commands}`;

export interface Reader {
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
}

/** @returns what they printed */
export const typed = (commands: string, { folder, env }: Reader): string =>
  execFileSync("bash", ["-c", shell(commands)], { cwd: folder, env, encoding: "utf8" });

export interface Background {
  /** Resolves with all it has said once that was said. */
  said(text: string): Promise<string>;
  /** As Ctrl-C does. */
  end(): Promise<void>;
}

export function inBackground(commands: string, { folder, env }: Reader): Background {
  const child = spawn("bash", ["-c", shell(commands)], {
    cwd: folder,
    env: { ...env, BACKGROUND: "yes" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(child, "exit");
  return {
    said: (text) => said(child.stdout, text),
    async end() {
      child.kill("SIGTERM");
      await ended;
    },
  };
}

/** Resolves with what a process has said once that was said, and reads on; one that ends without it has said something else. */
export function said(stream: Readable, text: string): Promise<string> {
  let all = "";
  return new Promise((resolve, reject) => {
    stream.on("data", (chunk: Buffer) => {
      all += chunk.toString();
      if (all.includes(text)) resolve(all);
    });
    stream.on("end", () => reject(new Error(`it ended, and had said: ${all}`)));
  });
}
