// Memory of the protocol core is bounded: every Map, Set and array in a peer, its exchange or the sequencer has a most, with its reason here.
//
//   core -> each collection with its path -> the first that holds more than it may
import type { PeerNode } from "./peer-node.ts";
import type { Simulation } from "./simulation.ts";

/** Parsed or constant things, whose own schemas bound them. */
const bounded = new Set([
  "spec",
  "open",
  "commit",
  "checkpoint",
  "previousCheckpoint",
  "member",
  "chain",
  "trace",
  "last",
  "tail", // by count and bytes: its own test
  "out", //  of the last step, for the adapter
]);

/** So deep do our own classes go: a core, its part, a map, what the map holds. */
const DEPTH_MAX = 5;

/** Collections that grow with the run, and how far; all others stay below what the swarm itself is. */
function mostOf(path: string, { spec, round, peers }: Simulation): number {
  // One evaluation in so many rounds, by the log's own rule: kept for the page's curve.
  if (path.endsWith("evals")) return 4 + round;
  // Rounds since the second newest checkpoint, or the last sixteen; the witness may be a few rounds late with one.
  if (path.endsWith("sealedByRound")) return 24 + 3 * spec.checkpoint.everyRounds;
  // Blobs of those rounds, of the two checkpoints, and one of our own.
  if (path.endsWith("held") || path.endsWith("unretained") || path.endsWith("forgetLater"))
    return (24 + 3 * spec.checkpoint.everyRounds) * peers.length + 8;
  // What lies in the local store: since the second newest checkpoint, which may be late, and everything where nothing is forgotten.
  if (path.endsWith("serving.stored") || path.endsWith("heldByName"))
    return spec.checkpoint.retain === "all" ? 4_096 : (10 + 3 * spec.checkpoint.everyRounds) * peers.length + 16;
  if (path.endsWith("blobByName")) return 64; //                 BLOBS_KEPT
  if (path.endsWith("requestById")) return 12 * peers.length; // ASKED_OF_LINK_MAX
  if (path.endsWith("interests")) return 64; //                  INTERESTS_PER_LINK_MAX
  // Who is here, who was here, a few per peer.
  return 32 + 4 * peers.length;
}

export function boundFault(core: object, sim: Simulation): string | undefined {
  let fault: string | undefined;
  const visit = (value: unknown, path: string, depth: number): void => {
    if (typeof value !== "object" || value === null || depth > DEPTH_MAX || fault !== undefined) return;
    if (ArrayBuffer.isView(value)) return; // of a blob, a piece or a bitmap: by the sizes that wire allows
    const size = value instanceof Map || value instanceof Set ? value.size : Array.isArray(value) ? value.length : 0;
    if (size > 0 && size > mostOf(path, sim)) fault = `${size} in ${path}: ${mostOf(path, sim)} is the most`;
    if (Array.isArray(value) || value instanceof Set) return;
    if (value instanceof Map) {
      for (const item of value.values()) visit(item, `${path}[]`, depth + 1);
      return;
    }
    for (const key of Object.keys(value))
      if (!bounded.has(key))
        visit((value as Record<string, unknown>)[key], path === "" ? key : `${path}.${key}`, depth + 1);
  };
  visit(core, "", 0);
  return fault;
}

/** Names that an exchange knows go with the blobs: also when they would be few enough. */
export function servesWhatItHas({ exchange, blobs }: PeerNode): boolean {
  for (const name of exchange.core["serving"]["stored"]) if (!blobs.has(name)) return false;
  return true;
}
