// What stays beside adapters comes into every engine: the first one, and the one that follows a device that was lost.
import { expect, test } from "vitest";
import { encodeShard } from "#data";
import { COLD_LOST, type Engine } from "#engine";
import { MemoryBlobStore } from "#store";
import { blobName, type RunSpec } from "#wire";
import { BlobShelf } from "./blob-shelf.ts";
import { Board } from "./board.ts";
import { BlockedError } from "./gpu.ts";
import { GpuKeeper, type GpuKeeperOptions } from "./gpu-keeper.ts";
import { problems } from "./problems.ts";
import { FakeEngine, spec as plain } from "./test-given.ts";

interface Opened extends FakeEngine {
  coldBytes: number;
  bases: Float32Array[];
  destroyed: boolean;
  lose(reason?: string): void;
}

function anEngine(): Opened {
  let lose!: (reason?: string) => void;
  const lost = new Promise<{ reason: string; message: string }>((resolve) => {
    lose = (reason = "unknown") => resolve({ reason, message: "a driver's whim" });
  });
  const bases: Float32Array[] = [];
  const engine = Object.assign(new FakeEngine(), {
    ...{ lost, lose, bases, destroyed: false, coldBytes: 0 },
    loadBase: (base: Float32Array) => bases.push(base),
    destroy: () => {
      engine.destroyed = true;
    },
  }) as Opened;
  return engine;
}

const shard = encodeShard({ vocabSize: 256, ids: Uint16Array.from({ length: 100 }, (_, i) => i) });
const ref = { hash: blobName(shard), bytes: shard.length, tokens: 100 };
const withText: RunSpec = { ...plain, data: { ...plain.data, train: [ref] } };
const weights = Float32Array.of(1, 2, 3);

function keeper(change: Partial<GpuKeeperOptions>) {
  const opened: Opened[] = [];
  const heard: unknown[] = [];
  const board = new Board(() => {});
  let ready!: () => void;
  const next = () => new Promise<void>((resolve) => (ready = resolve));
  const isReady = next();
  const made = new GpuKeeper({
    spec: { ...withText, lora: { rank: 1, alpha: 1, targets: ["q"] } },
    trainer: { use: (engine: FakeEngine) => heard.push(engine), engineGone: () => heard.push("gone") } as never,
    board,
    ...{ shelf: new BlobShelf(new MemoryBlobStore(), () => {}), fetch: async () => shard, now: () => 0 },
    ...{ adapter: {} as never, build: "", settings: {} as never },
    open: async () => {
      opened.push(anEngine());
      return opened[opened.length - 1] as Engine;
    },
    base: async () => weights,
    onReady: () => ready(),
    onLost: (what) => heard.push(what),
    onFailed: (error) => {
      heard.push(error);
      ready();
    },
    ...change,
  });
  return { made, heard, isReady, next, opened, board };
}

test("the first engine has the base before it trains, and the next one gets it anew", async () => {
  const { heard, isReady, next, opened } = keeper({});
  await isReady;
  expect(opened[0].bases).toEqual([weights]);
  const again = next();
  opened[0].lose();
  await again;
  expect(opened.map(({ bases, destroyed }) => [bases, destroyed])).toEqual([[[weights], true], [[weights], false]]); // biome-ignore format: a table
  expect(heard).toEqual([opened[0], "gone", "its GPU", opened[1]]);
});

test("a base that is unusable is told, and leaves no engine behind", async () => {
  const problem = new BlockedError(problems.dataUnusable(new Error("base: blob 1 of 1 is not what its name says")));
  const { made, heard, isReady, opened } = keeper({ base: () => Promise.reject(problem) });
  await isReady;
  expect(heard).toEqual([problem]);
  expect([made.isReady, opened[0].destroyed]).toEqual([false, true]);
});

test("moments on disk are told; when the disk fails, that is no loss of the GPU, and what follows has them elsewhere", async () => {
  const opened: Opened[] = [];
  const { heard, isReady, next, board } = keeper({
    open: async () => {
      opened.push(Object.assign(anEngine(), { coldBytes: opened.length === 1 ? 12e6 : 0 }));
      return opened[opened.length - 1] as Engine;
    },
  });
  await isReady;
  const lose = async (reason?: string) => {
    const again = next();
    opened[opened.length - 1].lose(reason);
    await again;
    return board.get().notices.map(({ code }) => code);
  };
  expect(await lose()).toEqual(["moments-on-disk"]);
  expect(await lose(COLD_LOST)).toEqual([]);
  expect(heard.filter((what) => typeof what === "string")).toEqual(["gone", "its GPU", "gone", "its place on disk"]);
});

test("a run without adapters asks for no base", async () => {
  const { isReady, opened } = keeper({ base: undefined, spec: withText });
  await isReady;
  expect(opened[0].bases).toEqual([]);
});
