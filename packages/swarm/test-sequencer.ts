// A sequencer at close quarters, and those who speak to it.
import type { EntryBody, HostMessage, Offer, PeerId, PeerMessage } from "#wire";
import type { SequencerInput, SequencerOutput } from "./ports.ts";
import { Sequencer } from "./sequencer.ts";
import { genesisHash, member, offerOf, run, spec, TestLog } from "./test-given.ts";

/** Without a clock, a disk or a witness: inputs in, outputs out. */
export class GivenSequencer {
  readonly log = new TestLog();
  readonly sequencer: Sequencer;
  now = 0;
  out: SequencerOutput[] = [];
  private pending: EntryBody | undefined;

  constructor(bodies: readonly EntryBody[] = []) {
    for (const body of bodies) this.log.append(body);
    this.sequencer = new Sequencer({ spec, run, genesisHash, meshSeed: "mesh", log: this.log.entries });
  }

  step(input: SequencerInput): SequencerOutput[] {
    this.out = this.sequencer.step(this.now, input);
    for (const output of this.out) if (output.type === "append") this.pending = output.body;
    return this.out;
  }

  say(from: PeerId, message: PeerMessage): SequencerOutput[] {
    return this.step({ type: "message", from, message });
  }

  join(...peers: PeerId[]): void {
    for (const peer of peers) this.step({ type: "connected", member: member(peer) });
    const { length } = this.log.entries;
    for (const peer of peers) this.say(peer, { type: "head", seq: length - 1, hash: this.log.headHash });
    for (const peer of peers) this.say(peer, { type: "ready", round: 0, anchorHash: genesisHash, stepMs: 100 });
  }

  offer(peer: PeerId, change: Partial<Offer> = {}): SequencerOutput[] {
    const offer = offerOf(peer, change);
    this.step({ type: "blob-stored", hash: offer.update, bytes: 1_000 });
    return this.say(peer, { type: "offer", offer });
  }

  /** Syncs the append that waits. */
  sync(): SequencerOutput[] {
    const { pending } = this;
    if (pending === undefined) throw new Error("nothing was appended");
    this.pending = undefined;
    return this.step({ type: "appended", entry: this.log.append(pending) });
  }

  appends(): string[] {
    return this.out.flatMap((output) => (output.type === "append" ? [output.body.type] : []));
  }

  /** What that peer was sent by the last step. */
  heard(peer: PeerId): HostMessage[] {
    return this.out.flatMap((output) => (output.type === "send" && output.to === peer ? [output.message] : []));
  }
}
