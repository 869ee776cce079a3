// A tab's part in islands, in the simulator: what the page does around swarm's IslandSeat. An engine is whole as long as every member has its part, a port as long as all
// links are up; bytes and tensors there are none.
//
//   seek -> island -> everybody's part, "here" to the leader -> the leader donates -> a step, for which all are needed -> port ended -> free -> seek
import { IslandSeat, type IslandSeatInput, type IslandSeatOutput } from "#swarm";
import type { Capacity, LinkReport, PeerId, PeerMessage } from "#wire";
import type { Simulation } from "./simulation.ts";

/** Links are measured this often. */
const REPORT_EVERY_MS = 2_000;

/** What it needs of its tab. */
export interface IslandTab {
  readonly id: PeerId;
  readonly name: string;
  readonly linked: ReadonlyMap<PeerId, unknown>;
  readonly after: (delayMs: number, run: () => void) => void;
  readonly send: (message: PeerMessage) => void;
  readonly report: (links: readonly LinkReport[]) => void;
  /** The engine of the whole island stands. */
  readonly donate: () => void;
  /** It is gone, and what it trained since it was last read. */
  readonly loseDevice: () => void;
}

interface Part {
  readonly id: string;
  readonly rank: number;
  readonly members: readonly PeerId[];
}

export class IslandEnd {
  /** Of the island that this tab is in: its device has it. */
  part: Part | undefined;
  /** At the leader: all parts are there, and it donates. */
  stands = false;
  /** What it was told last, while it is in none. */
  waits: string | undefined;
  private readonly seat: IslandSeat;
  private readonly sim: Simulation;
  private readonly tab: IslandTab;
  private readonly wish: { readonly ranksMin: number; readonly capacity?: Capacity };
  private readonly here = new Map<string, Set<PeerId>>(); // who has its part, by island

  constructor(sim: Simulation, tab: IslandTab, wish: { readonly ranksMin: number; readonly capacity?: Capacity }) {
    this.sim = sim;
    this.tab = tab;
    this.seat = new IslandSeat(tab.id);
    this.wish = wish;
    this.seekAgain();
    this.report();
  }

  seekAgain(): void {
    this.input({ type: "seek", ...this.wish });
  }

  input(input: IslandSeatInput): void {
    for (const output of this.seat.step(input)) this.effect(output);
  }

  /** Nothing less can take a step. */
  get isWhole(): boolean {
    const { part } = this;
    return part?.members.every((peer) => this.partOf(peer) === part.id) ?? false;
  }

  linkOpened(): void {
    this.tab.report(this.links());
  }

  linkClosed(other: PeerId): void {
    if (this.part?.members.includes(other)) this.input({ type: "lost", reason: "a link went down" });
  }

  private partOf(peer: PeerId): string | undefined {
    return this.sim.peer(peer)?.island?.part?.id;
  }

  private effect(output: IslandSeatOutput): void {
    switch (output.type) {
      case "send":
        return this.tab.send(output.message);
      case "waits":
        this.waits = `${output.because} ${output.missing}`;
        return;
      case "form":
        return this.form({ id: output.island, rank: output.rank, members: output.members });
      case "dissolve":
        return this.dissolve(output.island, output.reason);
    }
  }

  private form(part: Part): void {
    const { sim, tab } = this;
    sim.check(this.part === undefined, `${tab.name} has parts of two islands`);
    sim.tell(() => `${tab.name} is rank ${part.rank} of an island of ${part.members.length}`);
    this.part = part;
    this.waits = undefined;
    sim.islandsFormed.add(part.id);
    const others = part.members.filter((peer) => peer !== tab.id);
    if (others.some((peer) => !tab.linked.has(peer))) return this.input({ type: "lost", reason: "a link is not up" });
    tab.after(sim.random.between(20, 300), () => {
      if (this.part !== part) return;
      const [leader] = part.members;
      sim.network.later(() => sim.peer(leader)?.island?.partIsThere(part.id, tab.id));
    });
  }

  /** At the leader. */
  private partIsThere(island: string, member: PeerId): void {
    const here = this.here.get(island) ?? new Set();
    this.here.set(island, here.add(member));
    if (this.part?.id !== island || here.size < this.part.members.length || this.stands) return;
    this.stands = true;
    this.tab.donate();
  }

  /** Its port ends, so those of the others do: word of that goes over the links that are left. */
  private dissolve(island: string, reason: string): void {
    const { sim, tab } = this;
    const { members } = this.part!;
    const stood = this.stands;
    sim.tell(() => `${tab.name}'s island is over: ${reason}`);
    this.part = undefined;
    this.stands = false;
    this.here.clear();
    for (const peer of members.filter((other) => tab.linked.has(other)))
      sim.network.later(() => {
        const end = sim.peer(peer)?.island;
        if (end?.part?.id === island) end.input({ type: "lost", reason: "a member's port ended" });
      });
    if (stood) tab.loseDevice();
    tab.after(sim.random.between(10, 200), () => this.input({ type: "free" }));
  }

  private links(): LinkReport[] {
    const [low, high] = this.sim.network.delaysMs;
    return [...this.tab.linked.keys()].map((peer) => ({
      ...{ peer, kind: "direct", bytesSent: 0, bytesReceived: 0 },
      rttMs: 2 * this.sim.random.between(low, high),
    }));
  }

  private report(): void {
    this.tab.after(REPORT_EVERY_MS, () => {
      this.tab.report(this.links());
      this.report();
    });
  }
}
