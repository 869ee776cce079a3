// A tab whose model does not fit it alone looks for company: it leads an island or serves the one who leads, and looks again when that is over.
//
//   open(wish) -> alone, where that fits; else: seek -> form -> rank 0: its engine
//                                                            -> another: serve until it is over -> seek ...
//   the host's messages, what becomes of ports -> IslandSeat -> send, form, dissolve
import {
  DeviceLostError,
  type Engine,
  type ExchangeTotals,
  IslandLostError,
  ModelTooLargeError,
  type Pace,
  type Served,
} from "#engine";
import type { Heartbeat, IslandLines, MembersPort } from "#mesh";
import { IslandSeat, type IslandSeatInput, type IslandSeatOutput } from "#swarm";
import {
  type Capacity,
  type HostMessage,
  type IslandPlan,
  type LinkReport,
  type PeerId,
  type PeerMessage,
  RANKS_MAX,
} from "#wire";
import type { IslandPart, IslandView } from "../window/types.ts";
import type { Board } from "./board.ts";
import { BlockedError, type EngineWish } from "./gpu.ts";
import { LOST_AGAIN_MS } from "./gpu-keeper.ts";
import { problems } from "./problems.ts";

interface Needs {
  readonly ranksMin: number;
  readonly capacity?: Capacity;
}

/** What a part of a model needs of this machine, and who leads or serves with it. */
export interface IslandEngines {
  /** The fewest among whom this machine has a part that fits it, and what the host should know of it; undefined: not among the most either. */
  needs(wish: EngineWish): Promise<Needs | undefined>;
  partOf(wish: EngineWish, plan: IslandPlan, rank: number, ranks: number): IslandPart;
  lead(
    wish: EngineWish,
    plan: IslandPlan,
    port: MembersPort,
  ): Promise<{ engine: Engine; totals: () => ExchangeTotals }>;
  serve(
    wish: EngineWish,
    plan: IslandPlan,
    port: MembersPort,
    pace: Pace,
  ): Promise<Pick<Served, "finished" | "destroy" | "totals" | "coldBytes">>;
}

export interface IslandsOptions {
  readonly self: PeerId;
  readonly lines: Pick<IslandLines, "open" | "measure">;
  readonly heartbeat: Pick<Heartbeat, "ping" | "rttLeastMs">;
  readonly send: (message: PeerMessage) => void;
  readonly board: Pick<Board, "get" | "set" | "notice" | "clear">;
  /** The person asked for company: an island of so many at least. */
  readonly wishes: number | null;
  /** What is done with the host's plan for so many members: as it says, but for tests. */
  readonly planFor: (given: IslandPlan, ranks: number) => IslandPlan;
  readonly alone: (wish: EngineWish) => Promise<Engine>;
  readonly engines: IslandEngines;
  /** The person's own, which holds here too while another leads. */
  readonly pace: Pace;
  readonly now: () => number;
}

const nobody = { rank: null, members: [], part: null, exchange: null } as const;

interface Opening {
  readonly wish: EngineWish;
  readonly resolve: (engine: Engine) => void;
  readonly reject: (error: unknown) => void;
}

export class Islands {
  readonly #options: IslandsOptions;
  readonly #seat: IslandSeat;
  /** Undefined: nothing was tried yet, or it trains alone. */
  #ranksMin: number | undefined;
  #capacity: Capacity | undefined;
  /** Somebody waits for an engine: as long as this seeks or serves. */
  #opening: Opening | undefined;
  #port: MembersPort | undefined;
  #leads = false;
  #meter: (() => IslandView["exchange"]) | undefined;
  readonly #rateByPeer = new Map<PeerId, number>(); // of those who seek too; 0: being measured
  #paused = false;
  #closed = false;
  #lostAt = Number.NEGATIVE_INFINITY;

  constructor(options: IslandsOptions) {
    this.#options = options;
    this.#seat = new IslandSeat(options.self);
  }

  /** Its device is several tabs: another one of it is no other microbatch away. */
  get leads(): boolean {
    return this.#leads;
  }

  /** It has or seeks others: nothing here fits it alone, or its person wants company. */
  get hasCompany(): boolean {
    return this.#ranksMin !== undefined;
  }

  /** It is in none, and would be. */
  get isSeeking(): boolean {
    return this.#opening !== undefined && this.#ranksMin !== undefined && this.#port === undefined;
  }

  /** As openEngine, but where the model does not fit it takes until others come, and only who leads gets an engine. Rejects as openEngine does. */
  async open(wish: EngineWish): Promise<Engine> {
    if (this.#ranksMin === undefined) {
      const engine = await this.#alone(wish);
      if (engine) return engine;
    }
    const opened = new Promise<Engine>((resolve, reject) => {
      this.#opening = { wish, resolve, reject };
    });
    if (this.#leads) this.#free("its engine is gone"); // who asks for another has let go of the last one
    this.#seek();
    return opened;
  }

  /** After the core has had it. */
  hear(message: HostMessage): void {
    if (message.type === "island-waits") for (const peer of message.seekers ?? []) void this.#measureLink(peer);
    this.#step({ type: "message", message });
  }

  hostGone(): void {
    this.#step({ type: "host-closed" });
  }

  /** Who trains nothing holds no part for others. */
  pause(reason: string): void {
    this.#paused = true;
    this.#step({ type: "stop", reason });
  }

  resume(): void {
    this.#paused = false;
    if (this.#opening) this.#seek();
  }

  /** Nobody waits for engines any more. */
  close(reason: string): void {
    this.#opening = undefined;
    this.#closed = true;
    this.#step({ type: "stop", reason });
    this.#options.board.set({ island: null });
  }

  /** @returns nothing where it takes an island, of how many is known then */
  async #alone(wish: EngineWish): Promise<Engine | undefined> {
    const { wishes, alone, engines } = this.#options;
    if (wishes !== null && wish.adapter.backend === "webgpu") {
      const needs = await engines.needs(wish);
      this.#ranksMin = Math.max(wishes, needs?.ranksMin ?? 0);
      this.#capacity = needs?.capacity;
      this.#show({ why: null });
      return undefined;
    }
    try {
      return await alone(wish);
    } catch (error) {
      const isTooLarge = error instanceof BlockedError && error.problem.code === "model-too-large";
      if (!isTooLarge || wish.adapter.backend !== "webgpu") throw error;
      const needs = await engines.needs(wish);
      if (needs === undefined) throw error;
      this.#ranksMin = needs.ranksMin;
      this.#capacity = needs.capacity;
      this.#show({ why: error.problem.message });
      return undefined;
    }
  }

  #seek(): void {
    if (this.#paused || this.#ranksMin === undefined) return;
    const capacity = this.#capacity;
    this.#step({ type: "seek", ranksMin: this.#ranksMin, ...(capacity && { capacity }) });
  }

  #step(input: IslandSeatInput): void {
    for (const output of this.#seat.step(input)) this.#perform(output);
  }

  #perform(output: IslandSeatOutput): void {
    switch (output.type) {
      case "send":
        return this.#options.send(output.message);
      case "waits":
        return this.#show({ state: "waiting", waits: { missing: output.missing, because: output.because } });
      case "dissolve":
        this.#show({ ...nobody, state: "waiting", waits: null, over: output.reason });
        return this.#port?.end(output.reason);
      case "form":
        return void this.#form(output);
    }
  }

  async #form({ island, rank, members, plan: given }: Extract<IslandSeatOutput, { type: "form" }>): Promise<void> {
    const { lines, self, engines, now, planFor } = this.#options;
    const plan = planFor(given, members.length);
    const opening = this.#opening;
    const port = lines.open(island, members, self);
    this.#port = port;
    void port.ended.then((reason) => this.#lost(port, reason));
    try {
      if (!opening) throw new Error("nobody waits for an engine here");
      this.#show({ state: "forming", members, rank, part: engines.partOf(opening.wish, plan, rank, members.length) });
      if (rank === 0) {
        const { engine, totals } = await engines.lead(opening.wish, plan, port);
        if (this.#opening !== opening) return engine.destroy(); // stopped meanwhile
        this.#opening = undefined;
        this.#leads = true;
        this.#meter = meterOf(totals, now);
        this.#show({ state: "training" });
        return opening.resolve(engine);
      }
      const served = await engines.serve(opening.wish, plan, port, this.#options.pace);
      if (served.coldBytes > 0) this.#options.board.notice(problems.momentsOnDisk(served.coldBytes));
      this.#show({ state: "training" });
      if (!this.#paused) this.#options.board.set({ status: "donating" });
      this.#meter = meterOf(() => served.totals, now);
      const reason = await served.finished;
      served.destroy(reason);
      this.#free(reason);
    } catch (error) {
      this.#failed(error, members.length);
    }
  }

  /** An island that fell apart is followed by another, one that is too small by a larger one; what this device cannot do is told, its loss not the first time. */
  #failed(error: unknown, ranks: number): void {
    const { now } = this.#options;
    const isLost = error instanceof DeviceLostError;
    const accident = isLost && now() - this.#lostAt > LOST_AGAIN_MS;
    if (isLost) this.#lostAt = now();
    const larger = error instanceof ModelTooLargeError && ranks < RANKS_MAX;
    const opening = this.#opening;
    const isOver = error instanceof IslandLostError || accident || larger;
    if (!isOver) this.close("its device failed");
    if (larger) {
      this.#ranksMin = ranks + 1;
      this.#seek();
    }
    this.#free(error instanceof Error ? error.message : String(error));
    if (!isOver)
      opening?.reject(error instanceof ModelTooLargeError ? new BlockedError(problems.modelTooLarge(error)) : error);
  }

  /**
   * What the host is told of links; of those to others who seek how fast and how short they are. Who does not seek, and hosts that know nothing of islands,
   * hear nothing of it.
   */
  reported(links: readonly LinkReport[]): LinkReport[] {
    const { heartbeat } = this.#options;
    return links.map((link) => {
      const rate = this.isSeeking ? this.#rateByPeer.get(link.peer) : undefined;
      if (rate === undefined) return link;
      heartbeat.ping(link.peer); // for the next report
      const rttMs = heartbeat.rttLeastMs(link.peer) ?? link.rttMs;
      return { ...link, rttMs, ...(rate > 0 ? { bytesPerSecond: Math.round(rate) } : {}) };
    });
  }

  async #measureLink(peer: PeerId): Promise<void> {
    const { lines, heartbeat } = this.#options;
    if (this.#rateByPeer.has(peer)) return;
    this.#rateByPeer.set(peer, 0); // under way
    const rate = await lines.measure(peer, heartbeat.rttLeastMs(peer) ?? 0);
    if (rate === undefined) this.#rateByPeer.delete(peer);
    else this.#rateByPeer.set(peer, rate);
  }

  /** A few times a minute or a second: what the exchange came to since. */
  measure(): void {
    const exchange = this.#meter?.();
    if (exchange !== undefined) this.#show({ exchange });
  }

  #lost(port: MembersPort, reason: string): void {
    if (this.#port === port) this.#step({ type: "lost", reason });
  }

  /** Of the island that was, nothing is on the device any more. */
  #free(reason: string): void {
    this.#leads = false;
    this.#meter = undefined;
    this.#options.board.clear("moments-on-disk");
    this.#port?.end(reason);
    this.#step({ type: "lost", reason });
    this.#port = undefined;
    this.#step({ type: "free" });
  }

  #show(change: Partial<IslandView>): void {
    if (this.#closed) return;
    const { board, wishes } = this.#options;
    const before: IslandView = {
      state: "waiting",
      isWished: wishes !== null,
      ranksMin: 2,
      why: null,
      waits: null,
      over: null,
      ...nobody,
    };
    board.set({
      task: null,
      island: { ...before, ...board.get().island, ...change, ranksMin: this.#ranksMin ?? 2 },
    });
  }
}

/** Since it was asked last: what an exchange costs now, and not when kernels were still compiled. */
function meterOf(totals: () => ExchangeTotals, now: () => number): () => IslandView["exchange"] {
  let [before, at] = [totals(), now()];
  return () => {
    const [then, seconds] = [before, (now() - at) / 1000];
    [before, at] = [totals(), now()];
    const exchanges = before.exchanges - then.exchanges;
    if (exchanges === 0 || seconds === 0) return null;
    const bytesPerSecond = (before.bytes - then.bytes) / seconds;
    const ms = before.ms - then.ms;
    const hidden = ms > 0 ? Math.min(1, (before.hiddenMs - then.hiddenMs) / ms) : 0;
    return { perSecond: exchanges / seconds, ms: ms / exchanges, hidden, bytesPerSecond };
  };
}
