// Which line takes a signal when the page was built for a signaling host elsewhere: the room when both peers are in it, else the run's host.
//
//   signal -> the other is in the room? -> room
//          -> it may still come         -> kept until it enters, or ROOM_WAIT_MS
//          -> it will not               -> the run's host
import type { PeerId, PeerMessage } from "#wire";

type Signal = Extract<PeerMessage, { type: "signal" }>;

/** Everybody enters the room right after the run's host has welcomed them; a link's own deadline is several times this. */
const ROOM_WAIT_MS = 3_000;

export interface SignalRouteOptions {
  /** False when the line is down. */
  readonly room: (signal: Signal) => boolean;
  readonly host: (signal: Signal) => void;
  /** Returns what cancels it. */
  readonly after: (ms: number, run: () => void) => () => void;
}

export class SignalRoute {
  readonly #options: SignalRouteOptions;
  readonly #members = new Set<PeerId>();
  readonly #waited = new Set<PeerId>(); // did not come in time: no signal waits for them again until they enter
  #waiting: Signal[] = [];
  #away = false;
  #cancelTimer: (() => void) | undefined;

  constructor(options: SignalRouteOptions) {
    this.#options = options;
  }

  send(signal: Signal): void {
    const { room, host } = this.#options;
    if (this.#members.has(signal.to) && room(signal)) return;
    if (this.#away || this.#waited.has(signal.to)) return host(signal);
    this.#waiting.push(signal);
    this.#cancelTimer ??= this.#options.after(ROOM_WAIT_MS, () => {
      for (const { to } of this.#waiting) this.#waited.add(to);
      this.#flush();
    });
  }

  /** We are in the room, and these were there before. */
  entered(members: readonly PeerId[]): void {
    this.#away = false;
    this.#members.clear();
    for (const peer of members) this.joined(peer);
  }

  joined(peer: PeerId): void {
    this.#members.add(peer);
    this.#waited.delete(peer);
    const due = this.#waiting.filter(({ to }) => to === peer);
    this.#waiting = this.#waiting.filter(({ to }) => to !== peer);
    for (const signal of due) this.send(signal);
  }

  left(peer: PeerId): void {
    this.#members.delete(peer);
  }

  /** The line to the room broke, or it refuses us. */
  gone(): void {
    this.#away = true;
    this.#members.clear();
    this.#flush();
  }

  /** Nothing is sent any more. */
  stop(): void {
    this.#waiting = [];
    this.#cancelTimer?.();
  }

  #flush(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    for (const signal of this.#waiting.splice(0)) this.#options.host(signal);
  }
}
