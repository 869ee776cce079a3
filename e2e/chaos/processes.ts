// The processes of a browser, to be stopped, continued and killed for real: a signal to a process is a fault that no page can cushion.
//
//   the browser's own process -> its tree (renderers, GPU, network service) -> SIGKILL | SIGSTOP ... SIGCONT
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly state: string; // first letter as `ps` has it: T is stopped, Z a corpse
  readonly command: string;
}

/** Linux tells it in files, which every container has; elsewhere (macOS) `ps` does. */
function allProcesses(): Process[] {
  if (existsSync("/proc/self/stat"))
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .flatMap((pid) => procFiles(Number(pid)));
  return execFileSync("ps", ["-axo", "pid=,ppid=,stat=,command="], { encoding: "utf8", maxBuffer: 2 ** 24 })
    .split("\n")
    .flatMap((line) => {
      const match = /^\s*(\d+)\s+(\d+)\s+(\S)\S*\s+(.*)$/.exec(line);
      return match ? [{ pid: Number(match[1]), parent: Number(match[2]), state: match[3], command: match[4] }] : [];
    });
}

function procFiles(pid: number): Process[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const [state, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" "); // a name may hold anything but this
    const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
    return [{ pid, parent: Number(parent), state, command }];
  } catch {
    return []; // it ended while we looked
  }
}

/** `root` and everything that it started, parents first. */
export function treeOf(root: number): Process[] {
  const all = allProcesses();
  const tree = all.filter(({ pid }) => pid === root);
  for (let i = 0; i < tree.length; i++) tree.push(...all.filter(({ parent }) => parent === tree[i].pid));
  return tree.filter(({ state }) => state !== "Z");
}

/** Chromium keeps every socket in one process, those of WebRTC too: without it a page runs on and reaches nobody. */
export function networkServiceOf(root: number): Process {
  const found = treeOf(root).find(({ command }) => command.includes("--utility-sub-type=network.mojom.NetworkService"));
  if (found === undefined) throw new Error(`process ${root} has no network service: is it Chromium?`);
  return found;
}

/** One that has just ended is as good as signalled. */
export function signal(pids: readonly number[], name: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, name);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }
}
