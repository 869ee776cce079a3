// An island as one engine: rank 0 has its own part of the model, and tells the others what it does.
//
//   load -> parts to all      step, evaluate -> everybody, at once      read, gradient -> parts of all, joined
import type { ConformanceReport } from "../conformance/index.ts";
import type { AdapterDescription, Engine, EngineOptions, Gradient, StepOptions, StepReport } from "../engine.ts";
import { DeviceLostError, ModelTooLargeError } from "../errors.ts";
import { batchOf } from "../model/batch.ts";
import { type ExchangeTotals, Lanes, NO_EXCHANGES } from "./lanes.ts";
import { type IslandOptions, messageOf, ORDERS_LANE, openRank, planPart, type RankEngine } from "./member.ts";
import { idsBytes, type Order, pack, unpack } from "./orders.ts";
import { IslandLostError, type IslandPort, type Lane } from "./port.ts";
import { type Sharing, sharingOf } from "./sharing.ts";

export interface LeadOptions extends IslandOptions, Pick<EngineOptions, "microbatch"> {}

/**
 * Resolves when every member's part stands, with the most sequences at once, `microbatch` or a half of it again and again, that fits all of them. Rejects with
 * ModelTooLargeError when not even one does, with IslandLostError, or as createEngine does; the island is over then.
 */
export async function leadIsland(options: LeadOptions, port: IslandPort): Promise<IslandEngine> {
  const lanes = new Lanes(port);
  const lane = lanes.lane(ORDERS_LANE);
  try {
    const opening = await agree(options, lane);
    tellAll(lane, opening);
    const [engine] = await Promise.all([openRank(options, lanes, lane, opening), answersOf(lane)]);
    return new IslandEngine(options, engine, lanes, lane, port);
  } catch (error) {
    port.end(`the leader could not form it: ${messageOf(error)}`);
    throw error;
  }
}

async function agree(options: LeadOptions, lane: Lane): Promise<Extract<Order, { op: "open" }>> {
  let problem = "";
  for (let { microbatch } = options; microbatch >= 1; microbatch = halfOf(microbatch)) {
    tellAll(lane, { op: "plan", microbatch });
    const own = planPart(options, lane, microbatch);
    const all = [own, ...(await answersOf(lane)).map(({ header }) => header)];
    const recomputed = all.map((plan) => ("recomputedLayers" in plan ? Number(plan.recomputedLayers) : 0));
    const short = all.findIndex((plan) => "problem" in plan && plan.problem !== undefined);
    if (short < 0) return { op: "open", microbatch, recomputedLayers: Math.max(...recomputed) };
    problem = `member ${short}: ${(all[short] as { problem: string }).problem}`;
  }
  throw new ModelTooLargeError(`This island cannot hold the model. ${problem} More members have smaller parts.`);
}

/** Or less: it divides it, and so whatever that divides; 0 below 1. */
function halfOf(microbatch: number): number {
  let half = Math.floor(microbatch / 2);
  while (half > 1 && microbatch % half > 0) half--;
  return half;
}

const others = ({ rank, ranks }: Lane): number[] =>
  Array.from({ length: ranks }, (_, other) => other).filter((other) => other !== rank);

function tellAll(lane: Lane, order: Order, payloadOf?: (rank: number) => Uint8Array<ArrayBuffer>): void {
  for (const rank of others(lane)) lane.send(rank, pack(order, payloadOf?.(rank)));
}

const answersOf = async (lane: Lane) => (await Promise.all(others(lane).map((rank) => lane.receive(rank)))).map(unpack);

export class IslandEngine implements Engine {
  readonly adapter: AdapterDescription;
  readonly model: LeadOptions["model"];
  readonly microbatch: number;
  readonly allocatedBytes: number;
  readonly coldBytes: number;
  readonly lost: Engine["lost"];
  readonly #own: RankEngine;
  readonly #sharing: Sharing;
  readonly #lane: Lane;
  readonly #port: IslandPort;
  #end: { readonly reason: string; readonly message: string } | undefined;

  constructor({ model, plan }: LeadOptions, own: RankEngine, lanes: Lanes, lane: Lane, port: IslandPort) {
    this.model = model;
    this.adapter = own.adapter;
    this.microbatch = own.microbatch;
    this.allocatedBytes = own.allocatedBytes;
    this.coldBytes = own.coldBytes;
    this.#own = own;
    this.#sharing = sharingOf(model, plan, lane.ranks);
    this.#lane = lane;
    this.#port = port;
    const ownLost = own.lost.then(({ reason, message }) => {
      port.end(`the leader lost its GPU: ${message || reason}`);
      return { reason, message };
    });
    const othersLost = lanes.lost.then(({ message }) => ({ reason: "island", message }));
    this.lost = Promise.race([ownLost, othersLost]).then((end) => {
      this.#end ??= end;
      own.destroy();
      return this.#end;
    });
  }

  get exchangeTotals(): ExchangeTotals {
    return this.#own.rank?.totals ?? NO_EXCHANGES;
  }

  load(parameters: Float32Array): void {
    const part = (rank: number): Float32Array => this.#sharing.part(rank, parameters);
    this.#own.load(part(0)); // first: it refuses a wrong length
    tellAll(this.#lane, { op: "load" }, (rank) => new Uint8Array(part(rank).slice().buffer));
  }

  resetMoments(): void {
    tellAll(this.#lane, { op: "reset-moments" });
    this.#own.resetMoments();
  }

  async step(microbatches: readonly Uint16Array[], options: StepOptions): Promise<StepReport> {
    const order = { op: "step", options, width: widthOf(microbatches) } as const;
    return this.#together(() => this.#own.step(microbatches, options), order, this.#checked(microbatches));
  }

  async evaluate(windows: readonly Uint16Array[]): Promise<number> {
    const order = { op: "evaluate", width: widthOf(windows) } as const;
    return this.#together(() => this.#own.evaluate(windows), order, this.#checked(windows, 1));
  }

  async gradient(microbatches: readonly Uint16Array[]): Promise<Gradient> {
    const order = { op: "gradient", width: widthOf(microbatches) } as const;
    const own = this.#together(() => this.#own.gradient(microbatches), order, this.#checked(microbatches));
    const answers = this.#answers();
    const { loss, gradient } = await own;
    return { loss, gradient: this.#sharing.joined([gradient, ...(await answers)]) };
  }

  async read(): Promise<Float32Array> {
    if (this.#sharing.whole) return this.#together(() => this.#own.read());
    const own = this.#together(() => this.#own.read(), { op: "read" });
    const answers = this.#answers();
    return this.#sharing.joined([await own, ...(await answers)]);
  }

  conformance(): Promise<ConformanceReport> {
    return this.#own.conformance();
  }

  /** The island is over for all members. */
  destroy(): void {
    this.#end ??= { reason: "destroyed", message: "the engine was destroyed" };
    this.#port.end("the leader left it");
    this.#own.destroy();
  }

  /** What the engine would refuse is refused before the others hear of it. @param rows sequences of each */
  #checked(ids: readonly Uint16Array[], rows = this.microbatch): readonly Uint16Array[] {
    const { contextLength, vocabSize } = this.model;
    for (const each of ids) batchOf(each, rows, contextLength, vocabSize);
    return ids;
  }

  async #together<T>(work: () => Promise<T>, order?: Order, ids?: readonly Uint16Array[]): Promise<T> {
    if (this.#end) throw new DeviceLostError(this.#end.reason, this.#end.message);
    try {
      const result = work();
      if (order && (ids === undefined || ids.length > 0)) tellAll(this.#lane, order, ids && (() => idsBytes(ids)));
      return await result;
    } catch (error) {
      throw await this.#told(error);
    }
  }

  /** The others' parts, to the order that was just given; asked for at once, so that answers go to their orders. */
  #answers(): Promise<Float32Array[]> {
    const answers = answersOf(this.#lane).then(
      (all) => all.map(({ payload }) => new Float32Array(payload.buffer)),
      async (error: unknown) => {
        throw await this.#told(error);
      },
    );
    answers.catch(() => {}); // told behind our own part
    return answers;
  }

  async #told(error: unknown): Promise<unknown> {
    if (!(error instanceof IslandLostError)) return error;
    this.#port.end(error.reason); // where it is we who found a fault
    const { reason, message } = await this.lost;
    return new DeviceLostError(reason, message);
  }
}

const widthOf = (ids: readonly Uint16Array[]): number => ids[0]?.length ?? 0;
