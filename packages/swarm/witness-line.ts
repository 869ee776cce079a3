// What the witness has still to do, in the order of the log, and what it misses for it: entries that came back, and commits, may name
// updates that the host's disk has lost; whoever holds them is asked. [R3] [R34]
//
//   fold, fold, checkpoint, … -> the next one when the last is done
//   blob-lost -> give-blobs to one peer after the other -> again, or void, or (the round is sealed) restart-witness from a checkpoint
import type { OpenedAt } from "#outer";
import type { EntryOf, HostMessage, PeerId } from "#wire";
import { assert } from "./assert.ts";
import type { Millis } from "./ports.ts";
import type { Wake } from "./timing.ts";

type Task =
  | { readonly type: "fold"; readonly commit: EntryOf<"commit">; readonly opened: OpenedAt }
  | { readonly type: "checkpoint"; readonly round: number }
  | { readonly type: "restart-witness" }
  | { readonly type: "forget"; readonly hashes: readonly string[] };
type Out = Task | { readonly type: "send"; readonly to: PeerId; readonly message: HostMessage };

/** One peer uploads what it has of a commit's updates; after this the next one is asked as well. */
const UPLOAD_MS = 10_000;
/** A page's longest pause between two attempts is 15 s: whoever has the blob and lives is back by then. */
const LOST_WAIT_MS = 20_000;

const roundOf = (task: Task): number =>
  task.type === "fold" ? task.commit.round : task.type === "checkpoint" ? task.round : Number.POSITIVE_INFINITY;

interface Lost {
  readonly round: number;
  readonly reason: string;
  readonly missing: Set<string>;
  readonly asked: Set<PeerId>;
  readonly lacking: Set<PeerId>; // who answered that it has none of them
  readonly since: Millis;
  askAt: Millis;
}

export class WitnessLine {
  private readonly tasks: Task[] = [];
  private working = false;
  /** A fold is under way whose commit was voided meanwhile: of that round. */
  private dropped: number | undefined;
  private lost: Lost | undefined;

  add(task: Task): void {
    this.tasks.push(task);
  }

  /** The commit was voided: it is never folded. What was folded all the same, because the void came back later, is undone. */
  drop(round: number): void {
    const [task] = this.tasks;
    if (this.working && this.lost === undefined && task?.type === "fold" && task.commit.round === round) {
      this.dropped = round;
      this.tasks[0] = { type: "restart-witness" };
      return;
    }
    if (this.lost?.round === round) {
      this.lost = undefined;
      this.working = false;
    }
    const at = this.tasks.findIndex((task) => task.type === "fold" && task.commit.round === round);
    if (at >= 0) this.tasks.splice(at, 1);
    else this.tasks.splice(this.working ? 1 : 0, 0, { type: "restart-witness" });
  }

  /** @returns whether it is of the log */
  done(type: "fold" | "checkpoint", round: number): boolean {
    if (type === "fold" && this.undone(round)) return false;
    const [task] = this.tasks;
    if (task?.type !== type || roundOf(task) !== round) return false;
    this.tasks.shift();
    this.working = false;
    return true;
  }

  private undone(round: number): boolean {
    if (this.dropped !== round) return false;
    this.dropped = undefined;
    this.working = false;
    return true;
  }

  /** Nobody can mend the round under way, and it is sealed: a newer checkpoint, if the disk holds one, leads past it. */
  restart(): void {
    this.lost = undefined;
    this.working = false;
    this.tasks.unshift({ type: "restart-witness" });
  }

  /** It has read the log: what lies before that round is behind it. */
  restarted(round: number): void {
    assert(this.tasks[0]?.type === "restart-witness", "the witness started without having been asked");
    this.tasks.shift();
    this.working = false;
    for (let i = this.tasks.length - 1; i >= 0; i--) if (roundOf(this.tasks[i]) < round) this.tasks.splice(i, 1);
  }

  /** The fold under way misses these. */
  blobsLost(now: Millis, round: number, reason: string, hashes: readonly string[]): void {
    if (this.undone(round)) return;
    this.lost = {
      ...{ round, reason, missing: new Set(hashes), since: now, askAt: now },
      asked: new Set(),
      lacking: new Set(),
    };
  }

  stored(hash: string): void {
    if (this.lost === undefined) return;
    this.lost.missing.delete(hash);
    if (this.lost.missing.size > 0) return;
    this.lost = undefined;
    this.working = false; // from the beginning
  }

  gone(peer: PeerId): void {
    this.lost?.asked.delete(peer);
    this.lost?.lacking.delete(peer);
  }

  lacks(now: Millis, peer: PeerId): void {
    this.lost?.lacking.add(peer);
    if (this.lost !== undefined) this.lost.askAt = now; // the next one at once
  }

  /**
   * @param peers who is connected and knows where it is
   * @param awaited somebody of the roster is away, and may come back with it
   * @returns which round nobody can mend, and why
   */
  lostForGood(
    now: Millis,
    peers: ReadonlyMap<PeerId, unknown>,
    awaited: boolean,
    wake: Wake,
  ): { readonly round: number; readonly reason: string } | undefined {
    const { lost } = this;
    if (lost === undefined) return undefined;
    const allLack = peers.size > 0 && lost.lacking.size === peers.size; // who is gone has left both
    if ((allLack && !awaited) || now >= lost.since + LOST_WAIT_MS) return lost;
    wake.want(lost.since + LOST_WAIT_MS);
    return undefined;
  }

  /** @param settled the log is whole: nothing more comes back */
  advance(now: Millis, peers: ReadonlyMap<PeerId, unknown>, settled: boolean, wake: Wake): Out[] {
    if (this.lost !== undefined) return this.ask(now, this.lost, peers, wake);
    const out: Out[] = [];
    for (let [task] = this.tasks; task !== undefined && !this.working; [task] = this.tasks) {
      if (task.type === "restart-witness" && !settled) break;
      out.push(task);
      if (task.type === "forget") this.tasks.shift();
      else this.working = true;
    }
    return out;
  }

  private ask(now: Millis, lost: Lost, peers: ReadonlyMap<PeerId, unknown>, wake: Wake): Out[] {
    if (now < lost.askAt) {
      wake.want(lost.askAt);
      return [];
    }
    let to: PeerId | undefined;
    if (lost.asked.size < peers.size)
      for (const peer of peers.keys())
        if (!lost.asked.has(peer)) {
          to = peer;
          break;
        }
    if (to === undefined) return []; // whoever comes is asked, until it is lost for good
    lost.asked.add(to);
    lost.askAt = now + UPLOAD_MS;
    wake.want(lost.askAt);
    return [{ type: "send", to, message: { type: "give-blobs", hashes: [...lost.missing] } }];
  }
}
