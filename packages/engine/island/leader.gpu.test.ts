// An island as one engine: what every engine promises, over two members that share an adapter; and how it ends.
import { expect, test } from "vitest";
import type { ModelShape } from "#wire";
import { sharedAdapter } from "../device/testing.ts";
import { DeviceLostError, ModelTooLargeError } from "../errors.ts";
import { lossAndGradient, relativeError } from "../reference/index.ts";
import { prng, randomIds, randomParameters, storeInMemory, tinyModel } from "../reference/testing.ts";
import { leadIsland } from "./leader.ts";
import { type Pace, serveIsland } from "./member.ts";
import { fewestRanks, planIsland } from "./planner.ts";
import { islandPorts } from "./port.ts";

const plan = { kind: "tensor", exchange: "f32", form: "direct" } as const;
const model = tinyModel({ dModel: 8, heads: 2, kvHeads: 1, layers: 1, dFfn: 8, contextLength: 6 });
const adapter = await sharedAdapter();
const options = { learningRate: 1e-2, beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.1, clipNorm: 1 };
const random = prng(5);
const flat = Float32Array.from(randomParameters(random, model, 0.1));
const batch = randomIds(random, 2 * 7, model.vocabSize);

async function openIsland(given: { readonly model: ModelShape; readonly microbatch: number }, pace?: Pace) {
  const [first, ...rest] = islandPorts(2);
  const members = rest.map((port) => serveIsland({ model: given.model, plan, adapter }, port, pace));
  const leader = await leadIsland({ ...given, plan, adapter }, first);
  return { leader, members: await Promise.all(members), ports: [first, ...rest] };
}

test("it does what every engine does: steps in order, reads, loads, evaluations, refusals, an end", async () => {
  const { leader, members } = await openIsland({ model, microbatch: 2 });
  leader.load(flat);
  expect(await leader.read()).toEqual(flat);

  const truth = lossAndGradient(model, Float64Array.from(flat), batch, 2);
  const { loss, gradient } = await leader.gradient([batch]);
  expect(Math.abs(loss - truth.loss)).toBeLessThan(1e-5);
  expect(relativeError(gradient, truth.gradient)).toBeLessThan(1e-5);
  const windows = [1, 2, 3, 4, 5].map(() => randomIds(random, 7, model.vocabSize));
  const each = windows.map((ids) => lossAndGradient(model, Float64Array.from(flat), ids, 1).loss);
  expect(Math.abs((await leader.evaluate(windows)) - each.reduce((a, b) => a + b) / 5)).toBeLessThan(1e-4);
  expect(await leader.read()).toEqual(flat);

  const run = async (): Promise<number[]> => {
    leader.load(flat);
    leader.resetMoments();
    return (await Promise.all([1, 2, 3].map(() => leader.step([batch, batch], options)))).map(({ loss }) => loss);
  };
  const losses = await run();
  expect(losses[2]).toBeLessThan(losses[0]);
  const after = leader.read();
  expect(await run()).toEqual(losses);
  expect(relativeError(await after, flat)).toBeGreaterThan(1e-3);
  expect(await leader.read()).toEqual(await after);

  await expect(leader.step([batch.slice(1)], options)).rejects.toThrow(/2 sequences of 6 \+ 1 ids \(14\), got 13/);
  await expect(leader.step([batch.map(() => model.vocabSize)], options)).rejects.toThrow(/outside the vocabulary/);
  await expect(leader.step([], options)).rejects.toThrow(/at least one microbatch/);
  await expect(leader.evaluate([])).rejects.toThrow(/at least one window/);
  expect(() => leader.load(flat.subarray(1))).toThrow(/parameters, got/);
  expect(await leader.read()).toEqual(await after); // nobody heard of any of it

  expect((await leader.conformance()).failed).toEqual([]);
  const running = leader.step([batch], options).catch((error: unknown) => error);
  leader.destroy();
  expect(await leader.lost).toMatchObject({ reason: "destroyed" });
  await expect(leader.step([batch], options)).rejects.toBeInstanceOf(DeviceLostError);
  await expect(leader.read()).rejects.toBeInstanceOf(DeviceLostError);
  const interrupted = await running;
  if (interrupted instanceof Error) expect(interrupted).toBeInstanceOf(DeviceLostError); // else it was over in time
  expect(await members[0].finished).toBe("The island fell apart: the leader left it");
});

test("a member that goes in the middle of a step costs the island: its engine is lost, and says why", async () => {
  const { leader, members } = await openIsland({ model, microbatch: 2 });
  leader.load(flat);
  const steps = [leader.step([batch], options), leader.step([batch], options)];
  members[0].destroy("its tab was closed");
  for (const step of [...steps, leader.read()]) {
    const error = await step.then(
      () => undefined,
      (error: unknown) => error,
    );
    if (error) expect(error).toBeInstanceOf(DeviceLostError); // a step may have been over
  }
  expect(await leader.lost).toEqual({ reason: "island", message: "The island fell apart: its tab was closed" });
  await expect(leader.step([batch], options)).rejects.toThrow("its tab was closed");
});

test("a member that rests is waited for, and whose island ends meanwhile rests no longer", async () => {
  const worked: number[] = [];
  let [rested, rise]: [number, () => void] = [0, () => {}];
  const rest = () =>
    new Promise<void>((resolve) => {
      rested++;
      rise = resolve;
    });
  const { leader, members } = await openIsland({ model, microbatch: 2 }, { rest, worked: (ms) => worked.push(ms) });
  leader.load(flat);
  await leader.read(); // whoever is asked for a vector does not rest
  const first = leader.step([batch], options);
  await expect.poll(() => rested).toBe(1);
  expect(worked).toEqual([]);
  rise();
  await first;
  await expect.poll(() => worked.length).toBe(1);
  const second = leader.step([batch], options).catch((error: unknown) => error);
  await expect.poll(() => rested).toBe(2);
  leader.destroy();
  expect(await members[0].finished).toContain("the leader left it");
  expect(await second).toBeInstanceOf(DeviceLostError);
  expect(worked).toHaveLength(1);
});

const wide = tinyModel({ dModel: 64, heads: 4, kvHeads: 4, dFfn: 128, contextLength: 64 });

test("a member whose part fits only with its moments elsewhere has them there, to the same bits", async () => {
  const inMemory = planIsland({ model: wide, microbatch: 1, ranks: 2, recomputedLayers: 1 }).totalBytes;
  const own = Float32Array.from(randomParameters(prng(7), wide, 0.1));
  const text = randomIds(prng(8), 65, wide.vocabSize);
  const results: unknown[] = [];
  for (const little of [{}, { memoryBytes: inMemory - 100_000, cold: storeInMemory }]) {
    const [first, second] = islandPorts(2);
    const serving = serveIsland({ model: wide, plan, adapter, ...little }, second);
    const leader = await leadIsland({ model: wide, plan, adapter, microbatch: 1 }, first);
    leader.load(own);
    for (let i = 0; i < 3; i++) await leader.step([text], options);
    results.push(await leader.read());
    const { coldBytes, destroy } = await serving;
    expect([coldBytes > 0, leader.coldBytes]).toEqual(["cold" in little, 0]);
    leader.destroy();
    destroy("it was enough");
  }
  expect(results[1]).toEqual(results[0]);
});

test("members agree on what fits all of them; where nothing does, everybody is told", async () => {
  const alone = planIsland({ model: wide, microbatch: 1, ranks: 2 }).totalBytes;
  const form = async (memoryBytes: number) => {
    const [first, second] = islandPorts(2);
    const member = serveIsland({ model: wide, plan, adapter, memoryBytes }, second);
    const refused = member.catch((error: unknown) => error);
    const leader = leadIsland({ model: wide, plan, adapter, microbatch: 8 }, first);
    return { leader, refused };
  };
  const tight = await form(2 * alone);
  const leader = await tight.leader;
  expect(leader.microbatch).toBeLessThan(8);
  leader.destroy();
  const none = await form(alone / 4);
  await expect(none.leader).rejects.toBeInstanceOf(ModelTooLargeError);
  expect(String(await none.refused)).toContain("This island cannot hold the model. member 1: It needs");
});

test("the planner says among how many members a model fits", () => {
  const model = tinyModel({ dModel: 256, heads: 8, kvHeads: 8, dFfn: 704, layers: 8, contextLength: 128 });
  const given = { model, microbatch: 1, recomputedLayers: 0 };
  const of = (ranks: number) => planIsland({ ...given, ranks }).totalBytes;
  const fits = (memoryBytes: number) => fewestRanks({ ...given, memoryBytes });
  expect(of(2)).toBeGreaterThan(of(3));
  expect([fits(1e9), fits(of(2)), fits(of(2) - 1), fits(of(4)), fits(of(4) / 2)]).toEqual([1, 2, 3, 4, undefined]);
});
