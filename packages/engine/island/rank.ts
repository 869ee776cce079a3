// A rank's passes: segments of dispatches, and between them what the others add. Two microbatches take turns, so that one is computed while the sums of the
// other one cross (batch split in two: TokenWeave, ISO; here the halves are microbatches).
//
//   chain 0   segment 0 ── exchange ──── segment 1 ── exchange ── …
//   chain 1              segment 0 ── exchange ──── segment 1 ── …
//
// With a ladder residual a segment is queued before the sum of the one before it is there: one segment more hides it, with one microbatch in flight too.
//
//   chain 0   segment 0 ── exchange ──┐                   of segment 2: what reads that sum
//                      segment 1 ── exchange ──┐
//                                   segment 2 ── …
//
// Segments are queued in this order whenever sums arrive, so gradients add up in the same order at every rank and in every run.
import type { Crossing } from "../device/crossing.ts";
import type { ExchangePoint, Plan, SumPoint } from "../device/plan.ts";
import type { Segments } from "../device/segments.ts";
import { type AllReduce, allReduce } from "./all-reduce.ts";
import { counted, type ExchangeTotals, type Lanes, NO_EXCHANGES } from "./lanes.ts";
import { GradientNorm, type Squares } from "./norm.ts";
import type { Lane } from "./port.ts";
import { overlapOf, type Span } from "./timeline.ts";

/** Lane 0 is the leader's word. */
const NORM_LANE = 1;
const FIRST_CHAIN_LANE = 2;
const CHAINS_MAX = 2;

/** By which a sum of a microbatch crosses. */
interface Way {
  readonly staging: GPUBuffer;
  readonly lane: Lane;
}

export interface RankOptions {
  readonly crossing: Crossing;
  readonly lanes: Lanes;
  readonly reduce: AllReduce;
  /** Of each microbatch in flight. */
  readonly chains: readonly { readonly train: Segments; readonly evaluate: Segments; readonly suffix: string }[];
  readonly squares: Squares;
  /** Of one microbatch, that cross at once. */
  readonly sums: 1 | 2;
  /** Numbers of a sum, and the bytes that a rank's part of it takes. */
  readonly numbers: number;
  readonly exchangedBytes: number;
}

export class Rank {
  readonly #options: RankOptions;
  /** By chain: its sums take them in turn. */
  readonly #ways: readonly (readonly Way[])[];
  readonly #norm: GradientNorm;
  /** Microbatches in turns: as many as there is memory for, unless a bench wants fewer. At all ranks the same. */
  inFlight: number;
  readonly #totals = { ...NO_EXCHANGES };
  #spans: Span[] = []; // of the run under way, or the last one

  constructor(options: RankOptions) {
    this.#options = options;
    const { crossing, lanes, chains, squares, sums, exchangedBytes } = options;
    this.inFlight = chains.length;
    this.#ways = chains.map((_, chain) =>
      Array.from({ length: sums }, (_, i) => ({
        staging: crossing.staging("outgoing", exchangedBytes),
        lane: counted(lanes.lane(FIRST_CHAIN_LANE + i * CHAINS_MAX + chain), this.#totals),
      })),
    );
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
    const crossing = chains.map((): Promise<void>[] => []); // oldest first
    for (const s of chains[0].all.keys())
      for (const [i, chain] of chains.entries()) {
        const { plan, point } = chain.all[s];
        while (crossing[i].length > lateBefore(chain, s)) await crossing[i].shift();
        if (!point) {
          plan.replay();
          continue;
        }
        const exchange = this.#exchange(this.#ways[i][s % this.#ways[i].length], plan, sumOf(point));
        exchange.catch(() => {}); // told where it is waited for
        crossing[i].push(exchange);
      }
  }

  async #exchange({ staging, lane }: Way, plan: Plan, { from, to }: SumPoint): Promise<void> {
    const { crossing, reduce, numbers } = this.#options;
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

/** Sums that may still be crossing when a segment begins. */
const lateBefore = ({ all }: Segments, segment: number): 0 | 1 => {
  const before = all[segment - 1]?.point;
  return before && sumOf(before).late ? 1 : 0;
};

function sumOf(point: ExchangePoint): SumPoint {
  if (!("to" in point)) throw new Error("ranks of a model that is cut exchange sums alone");
  return point;
}
