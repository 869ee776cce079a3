// What the parts of the exchange share: the links that may be used, the time of this step, and the way out.
import type { Frame, PeerId } from "#wire";
import type { Millis } from "../ports.ts";
import type { PieceRules } from "./pieces.ts";

export interface Link {
  /** Unacknowledged bytes that it may have: one window for each connection to that peer. */
  windowBytes: number;
  /** As much may be asked of it at once. */
  askedBytes: number;
  /** Things that an honest peer does rarely. */
  faults: number;
  /** `want` frames that it may still send; filled again with time. */
  wantsLeft: number;
  wantsAt: Millis;
  /** Bytes of chunks that we took. */
  received: number;
  /** Chunks of requests that we gave up may still be on the way: so many bytes. */
  stray: number;
  readonly upAt: Millis;
  /** Blobs that it said it has before we wanted them, oldest first: what it made. */
  readonly announced: Set<string>;
}

export type ExchangeOutput =
  | { type: "send"; to: PeerId; bytes: Uint8Array }
  | { type: "close"; peer: PeerId; reason: string } // it misbehaved; the link is down for us already
  | { type: "look"; name: string } // is it in the local store? -> looked
  | { type: "read"; name: string } // from the local store, whole -> read
  /** From the host: `pieces` pieces of the blob from piece `first` on -> host-piece ..., host-done; or its piece list -> host-list. */
  | { type: "ask-host"; name: string; bytes: number; first: number; pieces: number; list: boolean }
  | { type: "stop-host"; name: string }
  | { type: "fetched"; name: string; blob: Uint8Array } // checked against its name; it belongs to whoever hears this, and is not changed any more
  | { type: "failed"; name: string; reason: string } // it is still wanted, and asked for again
  | { type: "wake"; at: Millis };

export interface Context {
  readonly rules: PieceRules;
  readonly linkByPeer: ReadonlyMap<PeerId, Link>;
  readonly now: Millis;
  emit(output: ExchangeOutput): void;
  send(to: PeerId, frame: Frame): void;
  wakeAt(at: Millis): void;
  /** A whole number in [0, below), from the seed. */
  draw(below: number): number;
  /** Links are on their way up, for the first time and not for too long: until then. In the past when there is none. */
  comingUntil(): Millis;
  /** It sent what cannot be an accident: the link ends, and that peer is not asked again for a long while. */
  convict(peer: PeerId, reason: string): void;
  /** Too many of these end the link. */
  fault(peer: PeerId, reason: string): void;
}
