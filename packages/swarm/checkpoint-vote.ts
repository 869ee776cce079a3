// Checkpoints without a witness: drawn peers that stand at the anchor make the sections, keep them, and say their names. [R37]
import { type BlobRef, canonicalBytes, type HostMessage, hashHex, type PeerId } from "#wire";
import { mix, mixText } from "./run-state.ts";

/** More are asked than must agree: one may fold on meanwhile, one may lie. */
const SPARE = 2;

interface Answer {
  readonly peers: Set<PeerId>;
  readonly blobs: readonly BlobRef[];
}

export interface Made {
  readonly round: number;
  readonly anchorHash: string;
  readonly blobs: readonly BlobRef[];
}

export class CheckpointVote {
  private readonly asked = new Set<PeerId>();
  private readonly answers = new Map<string, Answer>(); // by their content: one per asked peer at most
  private readonly k: number;
  private readonly seed: number;
  private round = 0;
  private anchorHash = "";

  constructor(k: number, seed: number) {
    this.k = k;
    this.seed = seed;
  }

  /** @param at who stands at that anchor */
  ask(round: number, anchorHash: string, at: readonly PeerId[]): { type: "send"; to: PeerId; message: HostMessage }[] {
    this.asked.clear();
    this.answers.clear();
    this.round = round;
    this.anchorHash = anchorHash;
    const salt = mix(this.seed, round);
    const drawn = [...at].sort((a, b) => mixText(salt, a) - mixText(salt, b)).slice(0, this.k + 1 + SPARE);
    for (const peer of drawn) this.asked.add(peer);
    return drawn.map((to) => ({ type: "send", to, message: { type: "make-checkpoint", round } }));
  }

  gone(peer: PeerId): void {
    this.asked.delete(peer);
    for (const { peers } of this.answers.values()) peers.delete(peer);
  }

  /** @returns the checkpoint, once k + 1 peers (or all who were asked) hold the same sections of it */
  take(peer: PeerId, made: Made): Made | "unasked" | undefined {
    if (!this.asked.has(peer) || made.round !== this.round) return "unasked";
    if (made.anchorHash !== this.anchorHash) return undefined;
    const key = hashHex(canonicalBytes([...made.blobs]));
    const answer = this.answers.get(key) ?? { peers: new Set<PeerId>(), blobs: made.blobs };
    answer.peers.add(peer);
    this.answers.set(key, answer);
    if (answer.peers.size < Math.min(this.k + 1, this.asked.size)) return undefined;
    this.asked.clear();
    return made;
  }
}
