// What the lab needs of a machine: told in one sentence before anything is built, with the remedy.
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { findInstalledBrowser, NO_BROWSER } from "../../apps/cli/browser.ts";

/** "Skipped", as test harnesses read it: nothing failed, this machine cannot do it. */
export const EXIT_NOT_HERE = 77;

/** Commands and the packages of Debian and its descendants that hold them. */
const tools = [
  { command: "ip", versionFlag: "-V", package: "iproute2" },
  { command: "nft", versionFlag: "-v", package: "nftables" },
  { command: "python3", versionFlag: "-V", package: "python3" },
  { command: "turnserver", versionFlag: "--version", package: "coturn" },
] as const;

/** Why a lab cannot be built on this machine, or undefined. */
export function labFault(): string | undefined {
  if (process.platform !== "linux") return "The NAT lab needs Linux: it is made of network namespaces.";
  if (process.getuid?.() !== 0)
    return "The NAT lab needs root: it makes network namespaces and NATs of its own. Run it with sudo, or in a container with --privileged.";
  const missing = tools.filter(({ command, versionFlag }) => spawnSync(command, [versionFlag]).error !== undefined);
  if (missing.length > 0) {
    const names = missing.map(({ command }) => command).join(", ");
    const packages = missing.map((tool) => tool.package).join(" ");
    return `The NAT lab needs ${names}. On Debian and Ubuntu:  apt-get install ${packages}`;
  }
  if (!existsSync("/dev/net/tun"))
    return "The NAT lab needs /dev/net/tun for its shaped lines:  modprobe tun  (in a container: --device /dev/net/tun).";
  return kernelFault();
}

/** Root in a container may have neither the right nor the kernel's parts: a namespace and a NAT are tried. */
function kernelFault(): string | undefined {
  const name = `gossamer-${randomBytes(3).toString("hex")}-probe`;
  const added = spawnSync("ip", ["netns", "add", name], { encoding: "utf8" });
  if (added.status !== 0)
    return `The NAT lab needs network namespaces, and this machine refuses one (${added.stderr.trim()}). In a container: --privileged.`;
  try {
    const nat =
      "table ip probe { chain out { type nat hook postrouting priority 100; masquerade fully-random; }; chain in { ct state new accept; }; }";
    const loaded = spawnSync("ip", ["netns", "exec", name, "nft", nat], { encoding: "utf8" });
    if (loaded.status !== 0)
      return `The NAT lab needs a kernel with nf_tables, nf_nat and nf_conntrack (modprobe nft_masq nft_ct): ${loaded.stderr.trim()}`;
  } finally {
    spawnSync("ip", ["netns", "delete", name]);
  }
  return undefined;
}

/** Playwright's global setup: comes before the build, which takes longer than the answer. */
export default function ready(): void {
  const fault = labFault() ?? (findInstalledBrowser() === undefined ? NO_BROWSER : undefined);
  if (fault === undefined) return;
  console.error(fault);
  process.exit(EXIT_NOT_HERE);
}
