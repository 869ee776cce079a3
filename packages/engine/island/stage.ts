// A stage's passes: microbatches come from the stage before and go on to the next one, their gradients the other way, each as schedule.ts says.
//
//   forward    activations (N, C) of the microbatch in, through the layers, out        backward    gradients of the same form, the other way
import type { Crossing } from "../device/crossing.ts";
import type { Memory } from "../device/memory.ts";
import type { Plan, View } from "../device/plan.ts";
import type { StageCut } from "../model/buffers.ts";
import { decodeShard, shardFrom } from "../reference/shard.ts";
import { exchangeNumbers } from "./all-reduce.ts";
import { counted, type ExchangeTotals, type Lanes, NO_EXCHANGES } from "./lanes.ts";
import { GradientNorm, type Squares } from "./norm.ts";
import { type Lane, receiveBytes } from "./port.ts";
import { scheduleOf, type Turn } from "./schedule.ts";

/** Lane 0 is the leader's word. */
const LANES = { norm: 1, forward: 2, backward: 3, embedding: 4, loss: 5 } as const;

export interface StageOptions {
  readonly crossing: Crossing;
  readonly lanes: Lanes;
  readonly cut: StageCut;
  /** Of each microbatch that is begun and not ended. */
  readonly slots: readonly {
    readonly suffix: string;
    readonly memory: Memory;
    readonly forward: Plan;
    readonly backward: Plan;
    /** Forward only. */
    readonly evaluate: Plan;
  }[];
  readonly squares: Squares;
  /** The gradient of an embedding that is the head too: of which the first and the last stage have a part each. */
  readonly tied: View | undefined;
  /** Numbers of a microbatch's activations, and the bytes that they cross in. */
  readonly numbers: number;
  readonly exchangedBytes: number;
}

export class Stage {
  readonly #options: StageOptions;
  readonly #norm: GradientNorm;
  readonly #lanes: Readonly<Record<keyof typeof LANES, Lane>>;
  readonly #staging: readonly GPUBuffer[];
  readonly #leaving: (Promise<void> | undefined)[]; // by slot
  readonly #tiedStaging: GPUBuffer | undefined;
  readonly #totals = { ...NO_EXCHANGES };

  constructor(options: StageOptions) {
    this.#options = options;
    const { crossing, lanes, slots, squares, tied } = options;
    const lane = (id: number): Lane => counted(lanes.lane(id), this.#totals);
    const { norm, forward, backward, embedding, loss } = LANES;
    this.#lanes = {
      norm: lane(norm),
      forward: lane(forward),
      backward: lane(backward),
      embedding: lane(embedding),
      loss: lane(loss),
    };
    this.#norm = new GradientNorm(crossing, squares, this.#lanes.norm);
    this.#staging = slots.map(() => crossing.staging("outgoing", options.exchangedBytes));
    this.#leaving = slots.map(() => undefined);
    const shares = tied && (this.#isFirst || this.#isLast);
    this.#tiedStaging = shares ? crossing.staging("embedding's gradient", tied.length * 4) : undefined;
  }

  get totals(): ExchangeTotals {
    return { ...this.#totals };
  }

  get #isFirst(): boolean {
    return this.#options.cut.rank === 0;
  }

  get #isLast(): boolean {
    return this.#options.cut.rank === this.#options.cut.ranks - 1;
  }

  /** @param write puts a microbatch where the slot with that suffix reads it. Rejects with IslandLostError. */
  async run<Batch>(
    pass: "train" | "evaluate",
    batches: readonly Batch[],
    write: (batch: Batch, suffix: string) => void,
  ): Promise<void> {
    const { cut, slots } = this.#options;
    const turns: readonly Turn[] =
      pass === "train"
        ? scheduleOf(cut.rank, cut.ranks, batches.length)
        : batches.map((_, microbatch) => ({ pass: "forward", microbatch }));
    for (const { pass: way, microbatch } of turns) {
      const slot = pass === "train" ? microbatch % slots.length : 0;
      if (way === "forward") write(batches[microbatch], slots[slot].suffix);
      await this.#turn(way, slot, slots[slot][pass === "evaluate" ? "evaluate" : way]);
    }
    await Promise.all(this.#leaving);
    if (pass === "train") await this.#addTied();
  }

  async #turn(way: Turn["pass"], slot: number, plan: Plan): Promise<void> {
    const { cut, crossing, slots } = this.#options;
    const [from, to] = way === "forward" ? [cut.rank - 1, cut.rank + 1] : [cut.rank + 1, cut.rank - 1];
    const lane = this.#lanes[way];
    const { memory } = slots[slot];
    if (from >= 0 && from < cut.ranks) {
      const asked = performance.now();
      const came = await receiveBytes(lane, from, this.#options.exchangedBytes);
      this.#totals.ms += performance.now() - asked;
      crossing.device.queue.writeBuffer(memory.view("dx").buffer, 0, this.#numbersOf(came));
    }
    if (to < 0 || to >= cut.ranks) return plan.replay();
    await this.#leaving[slot]; // its staging is free again
    const name = cut.exchange === "int8" ? "outgoing" : way === "forward" ? "xLast" : "dx";
    const [{ buffer }, staging] = [memory.view(name), this.#staging[slot]];
    plan.replay((encoder) => encoder.copyBufferToBuffer(buffer, 0, staging, 0, staging.size));
    const mapped = crossing.map(staging, (bytes) => lane.send(to, new Uint8Array(bytes.slice(0)))); // in the order of the device's queue
    this.#leaving[slot] = mapped;
    mapped.catch(() => {}); // told where it is waited for
    this.#totals.exchanges++;
  }

  /** As the sender has them too: what is coded crosses as codes. */
  #numbersOf(came: Uint8Array<ArrayBuffer>): Float32Array<ArrayBuffer> {
    const { cut, numbers } = this.#options;
    if (cut.exchange === "f32") return new Float32Array(came.buffer, came.byteOffset, numbers);
    const shard = shardFrom(new Uint32Array(came.buffer, came.byteOffset, came.byteLength / 4), numbers);
    return decodeShard(shard) as Float32Array<ArrayBuffer>;
  }

  /** Both have the sum then, added in the order of ranks. */
  async #addTied(): Promise<void> {
    const { crossing, cut, tied } = this.#options;
    const staging = this.#tiedStaging;
    if (!tied || !staging || cut.ranks === 1) return;
    const encoder = crossing.device.createCommandEncoder();
    encoder.copyBufferToBuffer(tied.buffer, tied.offset * 4, staging, 0, staging.size);
    crossing.device.queue.submit([encoder.finish()]);
    const own = new Float32Array(tied.length);
    await crossing.map(staging, (mapped) => own.set(new Float32Array(mapped)));
    const other = this.#isFirst ? cut.ranks - 1 : 0;
    this.#lanes.embedding.send(other, new Uint8Array(own.slice().buffer));
    const came = await this.#lanes.embedding.receive(other);
    const theirs = new Float32Array(came.buffer, came.byteOffset, own.length);
    crossing.device.queue.writeBuffer(
      tied.buffer,
      tied.offset * 4,
      own.map((g, i) => g + theirs[i]),
    );
  }

  norm(): Promise<void> {
    return this.#norm.share();
  }

  /** The last stage's, which alone has one. @param own 0 at the others */
  async loss(own: number): Promise<number> {
    const all = await exchangeNumbers(this.#lanes.loss, [own]);
    return all[all.length - 1][0];
  }
}
