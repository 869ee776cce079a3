// What the protocol core takes in and gives out. The core holds handles and hashes, never tensors: training, encoding, folding
// and moving bytes are effects whose results come back as inputs. `now` is a monotonic clock in ms; nothing else tells time.
//
//   const outputs = peer.step(now, input)          a browser worker, Node and the simulator drive the same two classes
import type { GroupMember, OpenedAt } from "#outer";
import type {
  BlobRef,
  EntryBody,
  EntryOf,
  HostMessage,
  LinkReport,
  LogEntry,
  Member,
  Offer,
  PeerId,
  PeerMessage,
  peerStates,
  RunSpec,
  runStates,
  SignedOffer,
} from "#wire";
import type { EntryCheck } from "./chain.ts";
import type { HostUse } from "./exchange/wanted.ts";
import type { StandingIsland } from "./standing-islands.ts";

export type Millis = number;

// ---- peer ---------------------------------------------------------------------------------------------------------------

/** Which tokens a peer reads in a round; see data's windowIndex. Inner steps beyond `steps` read on into the next rounds. */
export interface Assignment {
  readonly round: number;
  readonly cursor: number;
  readonly rosterSize: number;
  readonly position: number;
  readonly steps: number; //             H
  readonly windowsPerStep: number;
  readonly tokensBefore: number; //      drives the learning rate
  readonly deadlineMs: Millis; //        of the round, from its open
}

export type PeerInput =
  | { type: "tick" }
  | { type: "host-open" } //             the control socket is up (again)
  | { type: "host-closed" }
  | { type: "message"; message: HostMessage } // already validated by schema
  | { type: "log"; entries: readonly LogEntry[] } // answer to fetch-log, a page at a time; empty: nothing newer, or the fetch failed
  | { type: "link-up" | "link-down"; peer: PeerId } //   a direct connection (or one through TURN)
  | { type: "relay-up" | "relay-down"; peer: PeerId } // through the host's relay; down: what was asked is over, ask again
  | { type: "links"; links: readonly LinkReport[]; bytesFromHost: number; bytesToHost: number }
  /** The engine took a step of that training: the `step`-th from the mark. loss is the newest that was read. */
  | {
      type: "progress";
      job: number;
      round: number;
      step: number;
      loss: number | null;
      tokensPerSecond: number;
      stepMs: number;
    }
  /** That training is over: what it did, and the mean loss (0 without a step). No `trained` comes of a device that was lost. */
  | { type: "trained"; job: number; steps: number; tokens: number; loss: number }
  | { type: "encoded"; round: number; update: string; bytes: number }
  /** The pseudo-gradient is not finite: this replica has diverged and is restored. */
  | { type: "encode-failed"; round: number; reason: string }
  | { type: "uploaded"; hash: string }
  | { type: "upload-failed"; hash: string; reason: string }
  | { type: "fetched"; hash: string }
  | { type: "fetch-failed"; hash: string; reason: string }
  /** The fold of that commit: the anchor after round + 1 rounds; of a pair: "", it is no anchor. */
  | { type: "folded"; round: number; anchorHash: string; refused: readonly { peer: PeerId; reason: string }[] }
  | { type: "restored"; round: number; anchorHash: string } // genesis is round 0; anchorHash "": the blobs did not decode
  | { type: "evaluated"; round: number; anchorHash: string; setHash: string; loss: number }
  /** The sections of the anchor after `round` rounds lie in the local store. */
  | { type: "checkpoint-made"; round: number; anchorHash: string; blobs: readonly BlobRef[] }
  /** Of the group with that manifest: it lies in the local store. null: no member's update counts. */
  | { type: "aggregated"; manifest: string; aggregate: MadeAggregate | null }
  | { type: "donate" } //                the person pressed the button (or resumed)
  /** lost: the device went, and with it what was trained since its parameters were last read. */
  | { type: "pause"; reason: string; lost?: boolean }
  | { type: "stop" };

/** One update made of a group's updates. refused: members whose updates do not decode, sorted. */
export interface MadeAggregate {
  readonly update: string;
  readonly bytes: number;
  readonly tokens: number;
  readonly refused: readonly PeerId[];
}

export type PeerOutput =
  | { type: "send"; message: PeerMessage }
  | { type: "fetch-log"; from: number }
  | { type: "connect"; peer: PeerId; initiator: boolean }
  | { type: "disconnect"; peer: PeerId }
  | { type: "ask-relay" | "leave-relay"; peer: PeerId } // leave: also ends a relayed link that is up
  | { type: "probe"; peer: PeerId } //   the host says that it left: a link that does not answer at once is dead
  | { type: "signal"; from: PeerId; data: string } // from the host to the mesh
  /** A checkpoint's blobs are here: load them; mark = local = anchor. round 0, no blobs: genesis; its anchorHash is "" while the log is empty. */
  | { type: "restore"; round: number; anchorHash: string; blobs: readonly BlobRef[] }
  /** Inner steps firstStep to until - 1 of the assignment; one training at a time. */
  | { type: "train"; job: number; assignment: Assignment; firstStep: number; until: number }
  | { type: "stop-training" } //         finish the steps in flight; then `trained` with what was done
  /** Pseudo-gradient of the replica -> blob in the local store, and the mark moves. Training that is asked for next need not wait for the blob. */
  | { type: "encode"; round: number; baseHash: string; tokens: number }
  | { type: "upload"; hash: string }
  /** Into the local store, by the exchange. `fetch-failed` says how it goes, `fetched` ends it. */
  | { type: "fetch"; hash: string; bytes: number; host: HostUse }
  | { type: "cancel-fetch"; hash: string } // not wanted any more
  /** Decode, combine, outer step; then, between two steps, the replica's mark rule: named says whether our own update counted. */
  | { type: "fold"; commit: EntryOf<"commit">; opened: OpenedAt; named: boolean }
  /** [R48] The replica's own: it folds the updates of these, itself and its partner, if that is here; nobody's: it stays as it is. `folded` without a hash. */
  | { type: "fold-pair"; commit: EntryOf<"commit">; pair: readonly PeerId[] }
  /** The anchor after `round` rounds; of a replica that is no anchor: what that commit merges, whose updates lie in the local store. */
  | { type: "evaluate"; round: number; merge?: EntryOf<"commit"> }
  | { type: "make-checkpoint"; round: number } // of the anchor; nothing when the replica has moved on
  /** Make one update of these, which lie in the local store: outer's aggregateUpdates. The replica stays as it is. */
  | {
      type: "aggregate";
      round: number;
      baseHash: string;
      manifest: string;
      members: readonly (GroupMember & { bytes: number })[];
    }
  | { type: "offer"; offer: Offer } //   the adapter signs it and sends {type:"offer"}; keys stay outside of the core
  | { type: "forget"; hashes: readonly string[] } // blobs that no rule keeps any more
  /** The host has signed two entries of one place in its log: proof for the person to keep. A `refused` follows. */
  | { type: "evidence"; ours: LogEntry; theirs: LogEntry }
  | { type: "refused"; code: string; message: string } // the host will not have us: show it; final
  | { type: "ended"; reason: string }
  | { type: "wake"; at: Millis };

export type PeerPhase =
  | "connecting"
  | "catch-up"
  | "waiting"
  | "training"
  | "exchange"
  | "folding"
  | "paused"
  | "ended"
  | "refused";

export interface PeerOptions {
  readonly run: string;
  readonly spec: RunSpec;
  readonly self: PeerId;
  /** The anchor of round 0, where it is already known: checked against the log. */
  readonly genesisHash?: string;
  /** wire's own, unless given. */
  readonly check?: EntryCheck;
}

/** What the page draws of its own peer. */
export interface PeerView {
  readonly phase: PeerPhase;
  readonly round: number; //             rounds folded
  readonly anchorHash: string | null;
  readonly step: number;
  readonly steps: number;
  readonly members: readonly Member[]; // neighbours, and who else is linked
  readonly desyncs: number;
}

// ---- sequencer ----------------------------------------------------------------------------------------------------------

export type SequencerInput =
  | { type: "tick" }
  | { type: "connected"; member: Member } // after a valid hello; the adapter answers with welcome
  | { type: "disconnected"; peer: PeerId; reason: string }
  | { type: "message"; from: PeerId; message: PeerMessage } // already validated by schema; offers with a checked signature
  /** What the adapter refused, and no honest peer sends. */
  | { type: "fault"; peer: PeerId; reason: string }
  | { type: "blob-stored"; hash: string; bytes: number } // synced on the host's disk
  | { type: "blob-dropped"; hash: string } //               about to be deleted there: no offer names it
  | { type: "appended"; entry: LogEntry } // the body of the last `append`, chained, signed and synced: it may be broadcast
  | { type: "folded"; round: number; anchorHash: string; refused: readonly { peer: PeerId; reason: string }[] } // the witness
  /** Instead of `folded`: these blobs of the commit are not on the disk any more. Peers are asked for them; a pending commit that nobody can mend is voided. */
  | { type: "blob-lost"; round: number; reason: string; hashes: readonly string[] }
  | { type: "witness-restarted"; round: number } // so many rounds are behind it
  | { type: "checkpointed"; round: number; anchorHash: string; blobs: readonly BlobRef[] }
  | { type: "evaluated"; round: number; anchorHash: string; setHash: string; loss: number } // by the witness, if it does
  | { type: "pause" | "resume" }
  | { type: "end"; reason: string };

export type SequencerOutput =
  /** asides: blobs that the body names, to be stored and synced before it. */
  | { type: "append"; body: EntryBody; asides: readonly Aside[] } // the adapter chains, signs, syncs, then feeds `appended`; never two at once
  | { type: "append-signed"; entry: LogEntry } // an entry of our own that a peer gave back: synced as it is, then `appended`
  | { type: "send"; to: PeerId; message: HostMessage }
  | { type: "broadcast"; message: HostMessage; except?: PeerId }
  | { type: "disconnect"; peer: PeerId; code: string; message: string }
  | { type: "fold"; commit: EntryOf<"commit">; opened: OpenedAt } // the witness: blobs are on disk
  | { type: "checkpoint"; round: number }
  | { type: "restart-witness" } //       read the log again: a checkpoint leads past updates that are gone
  | { type: "forget"; hashes: readonly string[] } // retention: no rule keeps these blobs
  | { type: "event"; event: ChurnEvent }
  | { type: "wake"; at: Millis };

/** For the timeline of joins, leaves and crashes. */
export type ChurnEvent = {
  readonly kind: "joined" | "left" | "crashed" | "paused" | "resumed" | "refused";
  readonly peer: PeerId;
  readonly reason: string;
};

/** A roster or manifest that the log names. */
export interface Aside {
  readonly name: string;
  readonly bytes: Uint8Array;
}

export interface SequencerOptions {
  readonly spec: RunSpec;
  readonly run: string;
  readonly genesisHash: string;
  /** A secret of the host, the same after a restart: see mesh-plan.ts. */
  readonly meshSeed: string;
  /** The whole retained log, for a host that starts again. */
  readonly log: readonly LogEntry[];
  readonly offers?: readonly SignedOffer[];
  /** How many must be ready before the first round opens; 1 unless given. [R6] */
  readonly startPeers?: number;
  /** It could not follow the stored log; entries and blobs that peers give back may help it. */
  readonly witnessBehind?: boolean;
  /** For entries that peers give back; wire's own, unless given. */
  readonly check?: EntryCheck;
  /** The asides that the log names, as they lie on the disk. */
  readonly aside?: (hash: string) => Uint8Array | undefined;
}

/** What the API and the host's own lines show; who has left stays in RunState.contributions. */
export interface SequencerView {
  readonly state: (typeof runStates)[number];
  readonly phase: "waiting" | "training" | "folding" | "ended";
  readonly roster: readonly PeerId[];
  readonly offered: readonly PeerId[];
  readonly headSeq: number; //           last entry that was synced; for welcome
  readonly headHash: string; //          of that entry, or the run's id
  readonly islands: readonly StandingIsland[];
  readonly peersAwaited: number; //      so many more must be ready before the first round opens
  readonly peers: readonly ConnectedPeer[];
}

export interface ConnectedPeer {
  readonly member: Member;
  readonly state: Exclude<(typeof peerStates)[number], "left">;
  readonly refused: number; //           offers refused in this session; refused contributions are in RunState
  readonly loss: number | null;
  readonly step: number;
  readonly tokensPerSecond: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly bytesRelayed: number;
  readonly bytesFromHost: number;
  readonly bytesToHost: number;
  readonly links: readonly LinkReport[];
}
