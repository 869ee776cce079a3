// Each host's side: a room whose sockets are here and whose sequencer is wherever the lease is, this host included.
//
//   nobody leads | attaching -> attached: everybody here enters (again) -> messages both ways -> the line breaks, or another leads -> …
//
// While nobody leads, sockets stay and what peers say is dropped: with the next welcome they say again what still counts, as after any
// reconnection. [R11, R52]
import { randomBytes } from "node:crypto";
import { hashHex, type IceServers, type Member, type PeerId, type PeerMessage, type RunSpec } from "#wire";
import type { Hello, RefusalCode, Room } from "../signal.ts";
import type { Bus } from "./bus.ts";
import {
  ANSWER_MS,
  type EdgeAsks,
  type EdgeSays,
  type LeaderAnswers,
  type LeaderCard,
  type LeaderSays,
  type Numbered,
  SILENCE_MS,
  type Subjects,
  type Welcome,
} from "./words.ts";

/** The sockets, as a SignalServer has them. */
interface EdgeSockets {
  send(to: PeerId, message: Welcome | Extract<LeaderSays, { type: "send" }>["message"]): void;
  broadcast(message: Extract<LeaderSays, { type: "broadcast" }>["message"], except?: PeerId): void;
  disconnect(peer: PeerId, code: RefusalCode, message: string): void;
  iceServers(peer: PeerId): IceServers;
}

export interface EdgeOptions {
  readonly bus: Bus;
  readonly subjects: Subjects;
  /** This host's id. */
  readonly host: string;
  readonly run: string;
  readonly spec: RunSpec;
  readonly sockets: EdgeSockets;
  readonly now: () => number; // monotonic, ms
  readonly after: (ms: number, run: () => void) => void;
  readonly sentAway: (peer: PeerId, reason: string) => void;
  /** A line for the operator. */
  readonly report: (line: string) => void;
}

interface Guest {
  readonly token: string;
  readonly session: string; // the token's hash
  readonly hello: Hello;
  readonly member: Member;
}

const sessionOf = (token: string): string => hashHex(Buffer.from(token));

export class Edge implements Room {
  readonly #options: EdgeOptions;
  readonly #guests = new Map<PeerId, Guest>();
  readonly #unsubscribe: () => void;
  #leader: LeaderCard | undefined;
  #line: string | undefined; // from the asking on, since what is said on it may come with the answer
  #attached = false;
  #heardAt = 0;
  #heard = 0;
  #said = 0;

  constructor(options: EdgeOptions) {
    this.#options = options;
    const { bus, subjects, host } = options;
    this.#unsubscribe = bus.subscribe(subjects.edge(host), (message) => this.#take(message as Numbered<LeaderSays>));
  }

  get run(): string {
    return this.#options.run;
  }

  get leader(): LeaderCard | undefined {
    return this.#leader;
  }

  /** Why nothing goes on for those who are here, or undefined. */
  get fault(): string | undefined {
    if (this.#attached) return undefined;
    return this.#leader === undefined
      ? "no host of the cluster orders the run now"
      : "the host that orders the run does not answer";
  }

  /** Whoever holds the lease, as far as this host knows. */
  follow(leader: LeaderCard | undefined): void {
    if (leader?.host === this.#leader?.host) return;
    this.#leader = leader;
    void this.#attach();
  }

  // ---- the line -----------------------------------------------------------------------------------------------------------

  async #attach(): Promise<void> {
    const { bus, subjects, host, now, after, report } = this.#options;
    this.#attached = false;
    this.#line = undefined;
    if (this.#leader === undefined) return;
    const line = randomBytes(8).toString("hex");
    this.#line = line;
    this.#heardAt = now();
    this.#heard = 0;
    this.#said = 0;
    const answer = (await bus
      .request(subjects.leader(this.#leader.host), { type: "attach", edge: host, line }, ANSWER_MS)
      .catch(() => undefined)) as LeaderAnswers | undefined;
    if (this.#line !== line) return; // another one leads meanwhile, or the line broke at once
    if (answer?.type === "no") report(`The host that orders the run does not take this one: ${answer.why}.`);
    this.#attached = answer?.type === "attached";
    if (this.#attached) for (const guest of this.#guests.values()) this.#enter(guest);
    else after(ATTACH_AGAIN_MS, () => this.#line === line && void this.#attach());
  }

  #say(says: EdgeSays): void {
    const { bus, subjects, host } = this.#options;
    if (!this.#attached || this.#line === undefined || this.#leader === undefined) return;
    const message: Numbered<EdgeSays> = { edge: host, line: this.#line, n: this.#said++, says };
    bus.publish(subjects.leader(this.#leader.host), message);
  }

  #enter({ session, hello, member }: Guest): void {
    this.#say({ type: "enter", session, hello, member });
  }

  #take({ line, n, says }: Numbered<LeaderSays>): void {
    if (line !== this.#line) return; // of a line that is over
    if (says.type === "again" || n !== this.#heard) return void this.#attach();
    this.#heard++;
    this.#heardAt = this.#options.now();
    const { sockets } = this.#options;
    switch (says.type) {
      case "entered":
        return this.#entered(says);
      case "refused":
        if (this.#guests.get(says.peer)?.session === says.session)
          sockets.disconnect(says.peer, says.code, says.message);
        return;
      case "send":
        return sockets.send(says.peer, says.message);
      case "broadcast":
        return sockets.broadcast(says.message, says.except ?? undefined);
      case "sent-away":
        return this.#options.sentAway(says.peer, says.reason);
      case "beat":
        return;
    }
  }

  #entered({ session, peer, welcome }: Extract<LeaderSays, { type: "entered" }>): void {
    const { sockets, spec } = this.#options;
    const guest = this.#guests.get(peer);
    if (guest?.session !== session) return; // it has gone meanwhile, or comes again
    sockets.send(peer, { ...welcome, spec, session: guest.token, iceServers: sockets.iceServers(peer) });
  }

  /** Every BEAT_MS: says that we are here, and begins anew when the leader has not. */
  beat(): void {
    if (!this.#attached) return; // it is being tried
    if (this.#options.now() - this.#heardAt <= SILENCE_MS) this.#say({ type: "beat" });
    else void this.#attach();
  }

  /** Whose upload that is, when its socket is on another host. */
  async peerOfToken(token: string): Promise<PeerId | undefined> {
    const answer = await this.#ask({ type: "session", session: sessionOf(token) });
    return answer?.type === "session" ? (answer.peer ?? undefined) : undefined;
  }

  /** An upload is in the shared store: the leader hears of it. @throws Error when it does not, and the peer should try again */
  async stored(peer: PeerId, hash: string, bytes: number, isNew: boolean): Promise<void> {
    const answer = await this.#ask({ type: "stored", peer, hash, bytes, isNew }, STORED_MS);
    if (answer?.type === "done") return;
    throw new Error(
      answer?.type === "no" ? answer.why : (this.fault ?? "the host that orders the run does not answer"),
    );
  }

  async #ask(asks: EdgeAsks, deadlineMs = ANSWER_MS): Promise<LeaderAnswers | undefined> {
    const { bus, subjects } = this.#options;
    if (this.#leader === undefined) return undefined;
    return (await bus.request(subjects.leader(this.#leader.host), asks, deadlineMs).catch(() => undefined)) as
      | LeaderAnswers
      | undefined;
  }

  // ---- room ---------------------------------------------------------------------------------------------------------------

  refusal(): undefined {
    return undefined; // the leader's to say, as is the welcome
  }

  welcome(): undefined {
    return undefined;
  }

  connected(member: Member, hello: Hello, token: string): void {
    const guest = { token, session: sessionOf(token), hello, member };
    this.#guests.set(member.peer, guest);
    this.#enter(guest);
  }

  disconnected(peer: PeerId, reason: string): void {
    const guest = this.#guests.get(peer);
    if (guest === undefined) return;
    this.#guests.delete(peer);
    this.#say({ type: "left", session: guest.session, peer, reason });
  }

  mayReach(): boolean {
    return false; // the leader knows the mesh: signals are messages to it
  }

  message(from: PeerId, message: PeerMessage): void {
    const guest = this.#guests.get(from);
    if (guest !== undefined) this.#say({ type: "message", session: guest.session, peer: from, message });
  }

  close(): void {
    this.#line = undefined;
    this.#attached = false;
    this.#unsubscribe();
  }
}

/** Its host may still be reading the log. */
const ATTACH_AGAIN_MS = 250;
/** The leader brings it onto its own disk first: an update of 100 MB from a server that is near. */
const STORED_MS = 30_000;
