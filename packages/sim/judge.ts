// Knows what must hold, whatever happens: looks on from outside, with a fold of its own, and stops the simulation at the first breach.
//
//   entries on the disk, entries that somebody was told, anchors, work trained and folded -> nothing, or `fail`
import { RunState, type Sequencer } from "#swarm";
import {
  countOfAttesters,
  type EntryOf,
  holdersOf,
  isGroup,
  type LogEntry,
  type Offer,
  type PeerId,
  type SignedOffer,
  sampleOfAttesters,
  sizeOfRoster,
} from "#wire";
import { boundFault, servesWhatItHas } from "./bounds.ts";
import { genesisHash, refold, signatureOf } from "./given.ts";
import { hashOf } from "./host-node.ts";
import type { PeerNode } from "./peer-node.ts";
import type { Simulation } from "./simulation.ts";
import { tallyFault } from "./tallies.ts";

/** Pauses that double from 0.5 s are four requests in this time; each reconnect adds one, and each failed link another. */
const ASK_WINDOW_MS = 5_000;
const ASKS_MAX = 16;
/** Its counts are compared with everybody at each input of the host: in larger swarms that would be most of the work. */
const TALLIED_PEERS_MAX = 64;

export class Judge {
  readonly state: RunState;
  /** Stories may lose a blob from the host's disk; then, and only then, a void is right. */
  blobsLost = 0;
  private readonly sim: Simulation;
  private readonly anchorByRound = [genesisHash];
  private readonly updates = new Set<string>();
  private readonly partnersByCommit = new WeakMap<EntryOf<"commit">, Map<PeerId, PeerId>>();
  private readonly updatesByCommit = new WeakMap<EntryOf<"commit">, ReadonlySet<string>>();
  /** Who has folded to that anchor, in any of its lives: the anchors of the last two rounds. */
  private readonly foldedByAnchor = new Map<string, Set<PeerId>>();
  /** The first valid offer of each peer that this life of the host has heard, for the open that is current. */
  private readonly firstOffer = new Map<PeerId, { life: number; openSeq: number; update: string }>();
  private readonly askedByWhat = new Map<string, { since: number; times: number }>();
  private pending: EntryOf<"commit"> | undefined;
  private previous: LogEntry | undefined;
  private readonly hashBySeq: string[] = []; // of everything that was ever synced
  /** Hash of everything that anybody was ever told, by seq: it must stay. */
  private readonly told: (string | undefined)[] = [];

  constructor(sim: Simulation) {
    this.sim = sim;
    const aside = (hash: string) => sim.host.disk.asides.get(hash);
    this.state = new RunState({ run: sim.run, spec: sim.spec, genesisHash, aside });
  }

  // ---- the log --------------------------------------------------------------------------------------------------------------

  /** Every entry as it is safe on the disk: it follows, and what it says is what an independent fold says. */
  synced(entry: LogEntry): void {
    this.sim.tell(() => `entry ${entry.seq} ${summary(entry)}`);
    const before = this.hashBySeq[entry.seq];
    if (before !== undefined) return this.check(before === hashOf(entry), `entry ${entry.seq} was another one before`); // given back [R33]
    this.hashBySeq[entry.seq] = hashOf(entry);
    this.check(entry.prevHash === (this.previous ? hashOf(this.previous) : this.sim.run), "the log is a chain");
    this.previous = entry;
    const fault = this.state.apply(entry);
    this.check(fault === undefined, `the log breaks its own rules: ${fault}`);
    if (entry.type === "commit") this.committed(entry);
    if (entry.type === "seal") this.sealed(entry);
    if (entry.type === "void") this.pending = undefined;
  }

  private committed(commit: EntryOf<"commit">): void {
    this.pending = commit;
    for (const contribution of commit.contributors) {
      const { update } = contribution;
      this.updates.add(update);
      if (holdersOf(this.sim.spec) === undefined)
        this.check(this.sim.host.blobs.has(update), "a commit names only what is on the host's disk");
      else {
        const kept = this.sim.peers.filter(({ up, blobs }) => up && blobs.has(update)).length;
        this.sim.heldByFewest = Math.min(this.sim.heldByFewest, kept);
      }
      const offers = this.state.offersOf(contribution);
      if (isGroup(contribution)) {
        this.sim.strike("group-named");
        this.check(offers.length === contribution.members, "a manifest lists all members");
      }
      for (const { signature, ...offer } of offers) {
        this.check(signature === signatureOf(offer as Offer), "a contribution is what its peer signed");
        const first = this.firstOffer.get(offer.peer);
        this.check(
          first === undefined || first.openSeq !== offer.openSeq || first.update === offer.update,
          "the first offer of a peer for an open is the one that counts",
        );
      }
    }
    // A third of the peers at a time: what grows without an end is found a round or two later.
    for (const [index, node] of this.sim.peers.entries()) {
      if (!node.up || (index + commit.round) % 3 !== 0) continue;
      this.bounded(node.name, node.peer);
      this.bounded(`${node.name}'s exchange`, node.exchange.core);
      this.check(servesWhatItHas(node), `${node.name}'s exchange serves what its store has forgotten`);
    }
    this.bounded("host", this.sim.host.sequencer);
  }

  private sealed({ anchorHash, attesters }: EntryOf<"seal">): void {
    const before = this.anchorByRound[this.anchorByRound.length - 1];
    const anchor = this.sim.arithmetic.fold(before, this.pending!);
    this.anchorByRound.push(anchor);
    this.check(anchorHash === anchor, "a seal is the fold of its commit");
    if (holdersOf(this.sim.spec) !== undefined) this.sim.strike("kept-by-peers");
    const folded = this.foldedByAnchor.get(anchor);
    for (const peer of sampleOfAttesters(attesters))
      this.check(folded?.has(peer) ?? false, `${this.sim.peer(peer)?.name} attests an anchor that it has not folded`);
    for (const known of this.foldedByAnchor.keys())
      if (known !== anchor && known !== before) this.foldedByAnchor.delete(known);
  }

  /** The host hears this offer. [R10] */
  offered(life: number, { peer, openSeq, update, ...offer }: SignedOffer): void {
    const first = this.firstOffer.get(peer);
    if (first !== undefined && first.life === life && first.openSeq === openSeq) return;
    if (this.state.offerFault({ peer, openSeq, update, ...offer }) !== undefined) return;
    this.firstOffer.set(peer, { life, openSeq, update });
  }

  /** The host sends this entry to somebody. [R1] */
  acknowledged(entry: LogEntry): void {
    this.check(entry.seq <= this.state.seq, `entry ${entry.seq} is told before it is synced`);
    this.told[entry.seq] ??= hashOf(entry);
  }

  /** What the host finds on its disk when it starts: nothing that was told is missing. */
  reread(log: readonly LogEntry[]): void {
    for (const [seq, hash] of this.told.entries())
      this.check(
        hash === undefined || (log[seq] !== undefined && hashOf(log[seq]) === hash),
        `entry ${seq} was told, and is lost`,
      );
  }

  blobIsLost(): void {
    this.check(this.blobsLost > 0, "the witness folds what is on the disk");
  }

  /** The updates that stand behind a commit, those of its groups' members included. */
  updatesBehind(commit: EntryOf<"commit">): ReadonlySet<string> {
    const known = this.updatesByCommit.get(commit);
    if (known !== undefined) return known;
    const offers = commit.contributors.flatMap((contribution) => this.state.offersOf(contribution));
    const updates = new Set(offers.map(({ update }) => update));
    this.updatesByCommit.set(commit, updates);
    return updates;
  }

  isUpdate(hash: string): boolean {
    return this.updates.has(hash);
  }

  // ---- peers ----------------------------------------------------------------------------------------------------------------

  /** After every event of a peer: one anchor per sealed round, for all. */
  observe({ peer, replica, name }: PeerNode): void {
    if (peer === undefined) return;
    const { round, anchorHash } = peer.log;
    this.check(peer.log.seq <= this.state.seq, `${name} knows an entry that no disk holds`);
    this.check(
      anchorHash === undefined || anchorHash === this.anchorByRound[round],
      `${name} takes another anchor for that of round ${round}`,
    );
    if (replica?.training && !replica.own && replica.round === round)
      this.check(replica.anchorHash === this.anchorByRound[round], `${name} trains from a wrong anchor`);
  }

  /** [R48] That peer folds these two updates, or its own alone. Everybody draws the same pairs: a partner folds with this peer, or alone. */
  paired({ id, name }: PeerNode, commit: EntryOf<"commit">, [own, partner, ...others]: readonly PeerId[]): void {
    this.check(own === id && others.length === 0, `${name} folds for itself, and with one other at most`);
    if (partner === undefined) return;
    this.sim.strike("pair-met");
    const partners = this.partnersByCommit.get(commit) ?? new Map<PeerId, PeerId>();
    this.partnersByCommit.set(commit, partners.set(id, partner));
    for (const [peer, other] of partners)
      this.check((peer === partner) === (other === id), `${name} is in two pairs of round ${commit.round}`);
  }

  /** That peer's fold came out so, rightly. */
  folded(peer: PeerId, anchorHash: string): void {
    const peers = this.foldedByAnchor.get(anchorHash) ?? new Set<PeerId>();
    this.foldedByAnchor.set(anchorHash, peers.add(peer));
  }

  /** The host, or the peer's own core, ends its visit: right only for who has done something wrong. */
  refused({ name, tainted }: PeerNode, { code, message }: { code: string; message: string }): void {
    this.sim.tell(() => `${name} refused: ${code}: ${message}`);
    this.check(tainted, `${name} did nothing wrong, and is refused: ${code}: ${message}`);
  }

  /** A request to the host. The same one again and again is a retry without a pause between. */
  asked(name: string, what: string): void {
    const { now } = this.sim.clock;
    const key = `${name} ${what}`;
    const window = this.askedByWhat.get(key);
    if (window === undefined || now > window.since + ASK_WINDOW_MS) {
      if (this.askedByWhat.size > 1_000) this.askedByWhat.clear();
      this.askedByWhat.set(key, { since: now, times: 1 });
    } else if (++window.times > ASKS_MAX)
      this.sim.fail(`${name} asks for ${what} ${window.times} times within ${ASK_WINDOW_MS} ms`);
  }

  /** After every input of the host. */
  tallied(sequencer: Sequencer): void {
    if (this.sim.peers.length > TALLIED_PEERS_MAX) return;
    const fault = tallyFault(sequencer);
    this.check(fault === undefined, `the host miscounts: ${fault}`);
  }

  private bounded(name: string, core: object | undefined): void {
    const fault = core === undefined ? undefined : boundFault(core, this.sim);
    this.check(fault === undefined, `${name} holds ${fault}`);
  }

  // ---- the calm -------------------------------------------------------------------------------------------------------------

  /** The swarm has been without faults for some rounds: what they left behind is gone. */
  settled(roundsCalm: number): void {
    const { spec, peers, host } = this.sim;
    const H = spec.inner.steps;
    // Every step at its slowest, and some seconds for encoding, lines and disk.
    const needMs = H * 1.3 * Math.max(...peers.map(({ stepMs }) => stepMs)) + 3_000;
    const opens = host.log.filter((entry) => entry.type === "open").slice(-roundsCalm);
    const known = new Set<PeerId>();
    for (const [index, { round, deadlineMs, roster }] of opens.entries()) {
      const peers = "size" in roster ? [] : roster; // swarms of the fuzzer are listed
      // Who is in for the first time is an unknown device, for which the longest deadline holds (seed 3005014). [R8]
      if (index >= Math.floor(roundsCalm / 2) && peers.every((peer) => known.has(peer)))
        this.check(
          deadlineMs <= Math.max(spec.rounds.deadlineMinMs, 3 * needMs),
          `round ${round} may take ${deadlineMs} ms where everybody needs ${Math.round(needMs)} at most`,
        );
      for (const peer of peers) known.add(peer);
    }
    // Below this the margin for encoding and uploading is most of a deadline, and a slower peer is rightly cut. [R9]
    if (spec.rounds.deadlineMinMs < 2_000) return;
    const commits = host.log.filter((entry) => entry.type === "commit").slice(-Math.ceil(roundsCalm / 2));
    for (const { round, contributors } of commits)
      for (const each of contributors)
        if (!isGroup(each))
          this.check(
            each.steps === H,
            `${this.sim.peer(each.peer)?.name} is cut to ${each.steps} steps, round ${round}`,
          );
  }

  // ---- the end --------------------------------------------------------------------------------------------------------------

  /** At the end of every story. */
  end(log: readonly LogEntry[]): void {
    this.reread(log);
    const refolded = refold(this.sim.arithmetic, log);
    this.check(refolded.at(-1) === (this.state.anchorHash ?? genesisHash), "the log refolds to its head");
  }

  private check(holds: boolean, what: string): void {
    if (!holds) this.sim.fail(what);
  }
}

function summary(entry: LogEntry): string {
  switch (entry.type) {
    case "open":
      return `open round ${entry.round} for ${sizeOfRoster(entry.roster)}, ${entry.deadlineMs} ms`;
    case "commit":
      return `commit round ${entry.round} of ${entry.contributors.length}`;
    case "seal":
      return `seal round ${entry.round} by ${countOfAttesters(entry.attesters)}, refusing ${entry.refused.length}`;
    case "void":
      return `void round ${entry.round}: ${entry.reason}`;
    case "eval":
    case "checkpoint":
      return `${entry.type} after ${entry.round} rounds`;
    case "end":
      return `end: ${entry.reason}`;
  }
}
