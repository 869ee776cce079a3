// A story of its own: the updates of a commit are lost with the host's disk, and it can only be voided. [R3] [R33]
import type { EntryOf } from "#wire";
import type { Simulation } from "./simulation.ts";

/** Waits for the next commit, and returns it when the log has its void; the host is up again. */
export function voidCommit(sim: Simulation): EntryOf<"commit"> {
  sim.runUntil(({ state }) => state.commit !== undefined, 20_000);
  const commit = sim.state.commit!;
  sim.host.crash();
  sim.judge.blobsLost += 1;
  for (const { update } of commit.contributors) sim.host.blobs.delete(update);
  sim.host.full = true;
  sim.host.start();
  sim.runUntil(({ host }) => host.log.some(({ type }) => type === "void"), 60_000, "the void");
  sim.host.full = false;
  return commit;
}
