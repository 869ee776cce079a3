// Backup, wipe, restore, continue: with the commands as an operator types them, over a host that trains meanwhile.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@playwright/test";
import { freePort } from "../apps/cli/free-port.ts";
import { tinyDraft } from "../apps/host/test-given.ts";
import { Crowd } from "../apps/host/test-peer.ts";
import { logOf, replays, startHost } from "./support.ts";

const gossamer = (...words: string[]): string =>
  execFileSync(process.execPath, ["dist/node/main.js", ...words], { encoding: "utf8" });

test("backup, wipe, restore, continue: the same anchor hash, and peers give back what came after the backup", async () => {
  const folder = mkdtempSync(join(tmpdir(), "gossamer-backup-"));
  const [dataDir, to, port] = [join(folder, "data"), join(folder, "backup"), await freePort()];
  const run = join(folder, "run.json");
  writeFileSync(join(folder, "text.txt"), "It was a dark and stormy night.\n".repeat(100));
  // Peers keep updates since the second newest checkpoint: the backup's round is never before that.
  writeFileSync(run, JSON.stringify(tinyDraft({ checkpoint: { everyRounds: 6, retain: "window" } })));
  const first = await startHost({ run, dataDir, port });
  const crowd = Crowd.join(first.url, [1, 2]);
  try {
    await crowd.until(({ round }) => round >= 7);
    const [taken] = (JSON.parse(gossamer("backup", "--data", dataDir, "--to", to, "--json")) as Manifest).runs;
    expect(taken.round).toBeGreaterThanOrEqual(7);
    expect(replays(to)).toBe(true);
    await crowd.until(({ round }) => round >= taken.round + 3);
    await first.stop("SIGKILL");
    const lost = crowd.newest.round;

    rmSync(dataDir, { recursive: true });
    expect(gossamer("restore", "--from", to, "--data", dataDir)).toContain(taken.anchorHash);
    const again = await startHost({ run, dataDir, port });
    await crowd.until(({ round }) => round >= lost + 2);
    const seal = (await logOf(again.url)).find((entry) => entry.type === "seal" && entry.round === taken.round - 1);
    expect(seal).toMatchObject({ anchorHash: taken.anchorHash });
    for (const { refusals } of crowd.peers.values()) expect(refusals).toEqual([]);
    await again.stop();
    expect(again.replays()).toBe(true);
  } finally {
    crowd.close();
    await first.stop("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  }
});

interface Manifest {
  readonly runs: readonly { readonly round: number; readonly anchorHash: string }[];
}
