// Who has the port that we want: on Linux /proc says it; elsewhere the message does without.
import { readdir, readFile, readlink } from "node:fs/promises";

interface PortOwner {
  readonly pid: number;
  readonly command: string;
}

/** Inodes of the listening TCP sockets of that port. */
async function listeningInodes(port: number): Promise<Set<string>> {
  const hexPort = port.toString(16).toUpperCase().padStart(4, "0");
  const inodes = new Set<string>();
  for (const table of ["/proc/net/tcp", "/proc/net/tcp6"]) {
    const text = await readFile(table, "utf8").catch(() => "");
    for (const line of text.split("\n").slice(1)) {
      const [, local, , state, , , , , , inode] = line.trim().split(/\s+/);
      if (local?.endsWith(`:${hexPort}`) && state === "0A") inodes.add(`socket:[${inode}]`);
    }
  }
  return inodes;
}

/** Undefined when it cannot be known: another system, or another user's process. Never throws. */
async function portOwner(port: number): Promise<PortOwner | undefined> {
  const inodes = await listeningInodes(port);
  if (inodes.size === 0) return undefined;
  const pids = (await readdir("/proc").catch(() => [])).filter((name) => /^\d+$/.test(name));
  for (const pid of pids) {
    const descriptors = await readdir(`/proc/${pid}/fd`).catch(() => []);
    for (const descriptor of descriptors) {
      const target = await readlink(`/proc/${pid}/fd/${descriptor}`).catch(() => "");
      if (!inodes.has(target)) continue;
      const command = (await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")).split("\0").join(" ").trim();
      return { pid: Number(pid), command: command.slice(0, 120) };
    }
  }
  return undefined;
}

/** What to tell whoever wanted that port. */
export async function portTakenMessage(port: number): Promise<string> {
  const owner = await portOwner(port);
  const who = owner === undefined ? "another program" : `process ${owner.pid} (${owner.command})`;
  return `Port ${port} is taken by ${who}. Stop it, or choose another port: --port ${port + 1} (or PORT=${port + 1}).`;
}
