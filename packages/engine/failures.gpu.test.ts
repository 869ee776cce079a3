// How the engine ends when the device fails: every error that WebGPU may report becomes a named one, and nothing hangs.
import { describe, expect, test } from "vitest";
import { adapterWith, hollowAdapter } from "./device/testing.ts";
import { createEngine, DeviceLostError, GpuError, OutOfMemoryError } from "./index.ts";
import { prng, randomIds, randomParameters, tinyModel } from "./reference/testing.ts";

const model = tinyModel({ dModel: 8, heads: 2, kvHeads: 1, layers: 1, dFfn: 8, contextLength: 6 });
const options = { learningRate: 1e-2, beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.1, clipNorm: 1 };
const random = prng(5);
const flat = Float32Array.from(randomParameters(random, model, 0.1));
const batch = randomIds(random, 2 * 7, model.vocabSize);
const window = batch.slice(0, 7);

/** @param open hollowAdapter: what it computes is not looked at */
async function engineAndDevice(open = hollowAdapter) {
  let device!: GPUDevice;
  const adapter = await open((d) => {
    device = d;
  });
  const engine = await createEngine({ model, microbatch: 2, adapter });
  engine.load(flat);
  return { engine, device };
}

async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => expect.unreachable("it should have failed"),
    (error: unknown) => error,
  );
}

/** Queues what no device takes, and waits until the device has said so. */
async function refuse(device: GPUDevice): Promise<void> {
  const refused = new Promise((resolve) => device.addEventListener("uncapturederror", resolve, { once: true }));
  const { MAP_READ, STORAGE } = GPUBufferUsage;
  device.createBuffer({ label: "nonsense", size: 4, usage: MAP_READ | STORAGE });
  await device.queue.onSubmittedWorkDone(); // sends what is queued
  await refused;
}

describe("work that the device refuses", () => {
  test("an invalid command ends the engine with a GpuError that says what the device said", async () => {
    const { engine, device } = await engineAndDevice();
    await refuse(device);
    for (const work of [engine.step([batch], options), engine.read(), engine.evaluate([window])]) {
      const error = await failureOf(work);
      expect(error).toBeInstanceOf(GpuError);
      expect(error).not.toBeInstanceOf(OutOfMemoryError);
      expect((error as Error).message).toMatch(/^The device refused work: .*/);
    }
    engine.destroy();
  });

  test("steps in flight when the device refuses something end one way or the other, and none follows", async () => {
    const { engine, device } = await engineAndDevice();
    const running = engine.step([batch], options);
    const refused = refuse(device);
    const later = engine.step([batch], options); // may be read before the refusal arrives
    const [, ...ends] = await Promise.allSettled([refused, running, later]);
    for (const end of ends) if (end.status === "rejected") expect(end.reason).toBeInstanceOf(GpuError);
    expect(await failureOf(engine.read())).toBeInstanceOf(GpuError);
    engine.destroy();
  });

  test("memory that runs out in the middle is told apart", async () => {
    const { engine, device } = await engineAndDevice();
    const error = new GPUOutOfMemoryError("the heap is full");
    device.dispatchEvent(new GPUUncapturedErrorEvent("uncapturederror", { error }));
    expect(await failureOf(engine.step([batch], options))).toBeInstanceOf(OutOfMemoryError);
    engine.destroy();
  });
});

describe("while the engine is made", () => {
  test("memory that runs out is an OutOfMemoryError with the size that was asked for", async () => {
    const adapter = await hollowAdapter((device) => {
      const scopes: GPUErrorFilter[] = [];
      device.pushErrorScope = (filter) => scopes.push(filter) as unknown as undefined;
      device.popErrorScope = async () =>
        scopes.pop() === "out-of-memory" ? new GPUOutOfMemoryError("the heap is full") : null;
    });
    const error = await failureOf(createEngine({ model, microbatch: 2, adapter }));
    expect(error).toBeInstanceOf(OutOfMemoryError);
    expect((error as Error).message).toMatch(/could not allocate \d+ MiB: the heap is full/);
  });

  test("a device that goes at once is lost, not wrong", async () => {
    const adapter = await hollowAdapter((device) => device.destroy());
    const made = await createEngine({ model, microbatch: 2, adapter }).catch((error: unknown) => error);
    if (made instanceof Error) expect(made).toBeInstanceOf(DeviceLostError);
    else expect(await (made as Awaited<ReturnType<typeof createEngine>>).lost).toMatchObject({ reason: "destroyed" });
  });

  test("an adapter that was used up is a GpuError", async () => {
    const adapter = await hollowAdapter();
    const engine = await createEngine({ model, microbatch: 2, adapter });
    const error = await failureOf(createEngine({ model, microbatch: 2, adapter }));
    expect(error).toBeInstanceOf(GpuError);
    expect((error as Error).message).toMatch(/The adapter gave no device/);
    engine.destroy();
  });
});

describe("a device that goes in the middle", () => {
  test("of queued steps, a read and an evaluation: each rejects with DeviceLostError", async () => {
    const { engine, device } = await engineAndDevice();
    const rejected = new Set<string>();
    const note = (name: string, promise: Promise<unknown>) =>
      promise.then(
        () => expect.unreachable(`${name} cannot have finished`),
        (error: unknown) => {
          expect(error).toBeInstanceOf(DeviceLostError);
          rejected.add(name);
        },
      );
    const work = [
      note("step 1", engine.step([batch], options)),
      note("step 2", engine.step([batch], options)),
      note("evaluate", engine.evaluate(Array.from({ length: 40 }, () => window))),
      note("read", engine.read()),
      note("step 3", engine.step([batch], options)),
    ];
    device.destroy();
    await Promise.all(work);
    expect(rejected.size).toBe(work.length);
    engine.load(flat); // says nothing: the caller hears of the loss from `lost`
    engine.resetMoments();
    engine.destroy(); // a second time is harmless
  });

  test("of an evaluation that waits for the device", async () => {
    const { engine, device } = await engineAndDevice();
    const evaluation = engine.evaluate(Array.from({ length: 64 }, () => window)); // 32 microbatches: several waits
    await device.queue.onSubmittedWorkDone();
    device.destroy();
    expect(await failureOf(evaluation)).toBeInstanceOf(DeviceLostError);
  });

  test("does not touch another engine on the same page", async () => {
    const [gone, stays] = [await engineAndDevice(), await engineAndDevice(adapterWith)];
    const running = stays.engine.step([batch], options);
    gone.engine.step([batch], options).catch(() => undefined);
    gone.device.destroy();
    const { loss } = await running;
    expect(loss).toBeGreaterThan(0);
    expect((await stays.engine.step([batch], options)).loss).toBeLessThan(loss);
    stays.engine.destroy();
  });
});
