// What runs in a contestant's page: Node calls these functions, one page at a time.
//
//   begin(shape) -> first loss   ·   step() -> {ms, loss}   ·   matmuls(shapes) -> ms of each   ·   readings()
import type { MatmulShape } from "#engine";
import type { Contestant, Matmul, Trainee } from "./contestant.ts";
import { installMeters, type Readings } from "./meters.ts";
import { SHAPES, type ShapeName } from "./shapes.ts";

interface Stepped {
  readonly ms: number;
  readonly loss: number;
}

/** What a page offers to Node. */
interface Stand {
  /** Opens the contestant and makes its first step: milliseconds from having the code to the first loss. */
  begin(shape: ShapeName): Promise<Stepped>;
  step(): Promise<Stepped>;
  settle(): Promise<void>;
  /** Makes the operands of these products, and runs each once. */
  prepare(matmuls: readonly MatmulShape[]): Promise<void>;
  /** Milliseconds of each prepared product, the mean of as many as fill a few milliseconds. */
  matmuls(): Promise<readonly number[]>;
  profile(): Promise<Readonly<Record<string, number>> | undefined>;
  readings(): Readings;
}

declare global {
  var stand: Stand;
}

/** A round trip to the device takes 0.6 ms on a software adapter: so much work in one go drowns it. */
const MATMUL_MS = 15;
const MATMUL_TIMES_MAX = 64;

/** Puts a contestant on the page's stand. `load` imports its library: what it asks of WebGPU is counted from the start. */
export function enter(load: () => Promise<Contestant>): void {
  const readings = installMeters();
  let trainee: Trainee | undefined;
  let prepared: { readonly matmul: Matmul; readonly times: number }[] = [];
  const opened = (): Trainee => {
    if (!trainee) throw new Error("begin() comes first");
    return trainee;
  };
  const timed = async (work: () => Promise<void>): Promise<number> => {
    const before = performance.now();
    await work();
    return performance.now() - before;
  };
  const ready = load();
  globalThis.stand = {
    async begin(name) {
      const contestant = await ready;
      const shape = SHAPES[name];
      const given = await givenFor(name);
      const before = performance.now();
      trainee = await contestant.open(shape, given);
      const loss = await trainee.step();
      return { ms: performance.now() - before, loss };
    },
    async step() {
      let loss = Number.NaN;
      const ms = await timed(async () => {
        loss = await opened().step();
      });
      return { ms, loss };
    },
    settle: async () => opened().settle?.(),
    async prepare(matmuls) {
      for (const { matmul } of prepared) matmul.free();
      prepared = [];
      for (const shape of matmuls) {
        const matmul = await opened().matmul?.(shape);
        if (!matmul) continue;
        await matmul.run(1); // compiles
        const once = await timed(() => matmul.run(1));
        const times = Math.max(1, Math.min(MATMUL_TIMES_MAX, Math.round(MATMUL_MS / once)));
        prepared.push({ matmul, times });
      }
    },
    async matmuls() {
      const all: number[] = [];
      for (const { matmul, times } of prepared) all.push((await timed(() => matmul.run(times))) / times);
      return all;
    },
    profile: async () => opened().profile?.(),
    readings,
  };
}

async function givenFor(name: ShapeName) {
  const [weights, ids] = await Promise.all(
    ["weights", "ids"].map(async (part) => (await fetch(`/given/${name}/${part}`)).arrayBuffer()),
  );
  return { weights: new Float32Array(weights), ids: new Uint16Array(ids) };
}
