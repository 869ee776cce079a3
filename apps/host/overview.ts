// All peers in sums, whatever page of them a watcher is shown; and what the same rounds would have cost as data-parallel training.
import type { AdapterDescription } from "#engine";
import { sharedTable } from "#outer";
import type { ConnectedPeer } from "#swarm";
import { type LinkReport, type LogEntry, type Overview, peerStates, type RunSpec } from "#wire";

export type RunOverview = Omit<Overview, "host">;

/** Kinds of adapters that are told; strangers name them as they like. */
const ADAPTERS_MAX = 24;

const keyOf = ({ backend, vendor, architecture, description, isFallback }: AdapterDescription): string =>
  JSON.stringify([backend, vendor, architecture, description, isFallback]);

export function overviewOf(peers: readonly ConnectedPeer[]): Omit<RunOverview, "ddpBytes"> {
  const peersByState = Object.fromEntries(peerStates.map((state) => [state, 0])) as Overview["peersByState"];
  const byAdapter = new Map<string, Overview["adapters"][number]>();
  const links: Record<LinkReport["kind"], number> = { direct: 0, turn: 0, relayed: 0 };
  const here = new Set(peers.map(({ member }) => member.peer));
  let tokensPerSecond = 0;
  for (const peer of peers) {
    const { state, member } = peer;
    const trains = state === "training" || state === "offered";
    const speed = trains ? peer.tokensPerSecond : 0;
    peersByState[state] += 1;
    tokensPerSecond += speed;
    const key = keyOf(member.adapter);
    const sum = byAdapter.get(key) ?? { adapter: member.adapter, peers: 0, training: 0, tokensPerSecond: 0 };
    byAdapter.set(key, {
      adapter: member.adapter,
      peers: sum.peers + 1,
      training: sum.training + (trains ? 1 : 0),
      tokensPerSecond: sum.tokensPerSecond + speed,
    });
    // Both ends report a link: half from each, or all of it from the one that is here.
    for (const { peer: other, kind } of peer.links) links[kind] += here.has(other) ? 0.5 : 1;
  }
  const adapters = [...byAdapter.values()].sort((a, b) => b.peers - a.peers);
  return {
    peersByState,
    tokensPerSecond,
    adapters: adapters.slice(0, ADAPTERS_MAX),
    adaptersTotal: adapters.length,
    linksByKind: { direct: Math.ceil(links.direct), turn: Math.ceil(links.turn), relayed: Math.ceil(links.relayed) },
  };
}

/**
 * A ring all-reduce of f32 gradients at every inner step: each of n peers sends 2 (n - 1)/n times the gradient. Counted for the sealed
 * rounds, with as many peers as their commits name.
 */
export class DdpBytes {
  readonly #perPeer: number;
  #commit: Extract<LogEntry, { type: "commit" }> | undefined;
  bytes = 0;

  constructor(spec: RunSpec) {
    this.#perPeer = spec.inner.steps * 2 * 4 * sharedTable(spec).length;
  }

  apply(entry: LogEntry): void {
    if (entry.type === "commit") this.#commit = entry;
    if (entry.type !== "seal" || this.#commit === undefined) return;
    const peers = this.#commit.contributors.reduce((sum, c) => sum + ("members" in c ? c.members : 1), 0);
    this.bytes += this.#perPeer * (peers - 1);
    this.#commit = undefined;
  }
}
