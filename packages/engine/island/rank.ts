// A rank's passes: segments of dispatches, and between them what the others add. Two microbatches take turns, so that one is computed while the sums of the
// other one cross (batch split in two: TokenWeave, ISO; here the halves are microbatches).
//
//   chain 0   segment 0 ── exchange ──── segment 1 ── exchange ── …
//   chain 1              segment 0 ── exchange ──── segment 1 ── …
//
// Segments are queued in this order whenever sums arrive, so gradients add up in the same order at every rank and in every run.
import type { Crossing } from "../device/crossing.ts";
import type { Plan, SumPoint } from "../device/plan.ts";
import type { Segments } from "../device/segments.ts";
import { type AllReduce, allReduce } from "./all-reduce.ts";
import { counted, type ExchangeTotals, type Lanes, NO_EXCHANGES } from "./lanes.ts";
import { GradientNorm, type Squares } from "./norm.ts";
import type { Lane } from "./port.ts";
import { overlapOf, type Span } from "./timeline.ts";

/** Lane 0 is the leader's word. */
const NORM_LANE = 1;
const FIRST_CHAIN_LANE = 2;

export interface RankOptions {
  readonly crossing: Crossing;
  readonly lanes: Lanes;
  readonly reduce: AllReduce;
  /** Of each microbatch in flight. */
  readonly chains: readonly { readonly train: Segments; readonly evaluate: Segments; readonly suffix: string }[];
  readonly squares: Squares;
  /** Numbers of a sum, and the bytes that a rank's part of it takes. */
  readonly numbers: number;
  readonly exchangedBytes: number;
}

export class Rank {
  readonly #options: RankOptions;
  readonly #staging: readonly GPUBuffer[];
  readonly #lanes: readonly Lane[];
  readonly #norm: GradientNorm;
  /** Microbatches in turns: as many as there is memory for, unless a bench wants fewer. At all ranks the same. */
  inFlight: number;
  readonly #totals = { ...NO_EXCHANGES };
  #spans: Span[] = []; // of the run under way, or the last one

  constructor(options: RankOptions) {
    this.#options = options;
    const { crossing, lanes, chains, squares } = options;
    this.inFlight = chains.length;
    this.#staging = chains.map(() => crossing.staging("outgoing", options.exchangedBytes));
    this.#lanes = chains.map((_, i) => counted(lanes.lane(FIRST_CHAIN_LANE + i), this.#totals));
    this.#norm = new GradientNorm(crossing, squares, lanes.lane(NORM_LANE));
  }

  get totals(): ExchangeTotals {
    return { ...this.#totals };
  }

  /** Of the last step, gradient or evaluation. */
  get spans(): readonly Span[] {
    return this.#spans;
  }

  /** A rank's part of a sum, as it crosses. */
  get exchangedBytes(): number {
    return this.#options.exchangedBytes;
  }

  /** @param write puts a microbatch where the chain with that suffix reads it. Rejects with IslandLostError. */
  async run<Batch>(
    pass: "train" | "evaluate",
    batches: readonly Batch[],
    write: (batch: Batch, suffix: string) => void,
  ): Promise<void> {
    const chains = this.#options.chains.slice(0, this.inFlight);
    this.#spans = [];
    for (let first = 0; first < batches.length; first += chains.length) {
      const inFlight = chains.slice(0, batches.length - first);
      for (const [i, { suffix }] of inFlight.entries()) write(batches[first + i], suffix);
      await this.#together(inFlight.map((chain) => chain[pass]));
    }
    const { exchangeMs, hiddenMs } = overlapOf(this.#spans);
    this.#totals.ms += exchangeMs;
    this.#totals.hiddenMs += hiddenMs;
  }

  async #together(chains: readonly Segments[]): Promise<void> {
    const arriving: (Promise<void> | undefined)[] = [];
    for (const s of chains[0].all.keys())
      for (const [i, chain] of chains.entries()) {
        await arriving[i];
        const { plan, point } = chain.all[s];
        if (!point) {
          plan.replay();
          continue;
        }
        if (!("to" in point)) throw new Error("ranks of a model that is cut exchange sums alone");
        arriving[i] = this.#exchange(i, plan, point);
        arriving[i].catch(() => {}); // told where it is waited for
      }
  }

  async #exchange(chain: number, plan: Plan, { from, to }: SumPoint): Promise<void> {
    const { crossing, reduce, numbers } = this.#options;
    const [staging, lane] = [this.#staging[chain], this.#lanes[chain]];
    const own = new Uint8Array(staging.size);
    const queuedAt = performance.now();
    plan.replay((encoder) => {
      if (from) encoder.copyBufferToBuffer(from.buffer, from.offset * 4, staging, 0, staging.size);
    });
    if (from) await crossing.map(staging, (mapped) => own.set(new Uint8Array(mapped)));
    const leftAt = performance.now();
    const sum = await allReduce(lane, reduce, own, numbers);
    crossing.device.queue.writeBuffer(to.buffer, to.offset * 4, sum);
    this.#totals.exchanges++;
    this.#spans.push({ queuedAt, leftAt, backAt: performance.now() });
  }

  norm(): Promise<void> {
    return this.#norm.share();
  }

  /** Everybody has it. */
  async loss(own: number): Promise<number> {
    return own;
  }
}
