// The mark on the device against outer's rule of the mark on the CPU: the same vectors bit for bit, and updates that the codec would have made.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { int8Block, Replica, rebase } from "#outer";
import type { Mark } from "./engine.ts";
import { normals, prng, randomIds, randomParameters, tinyModel } from "./reference/testing.ts";
import { type Cuts, createWebGpuEngine, type WebGpuEngine } from "./webgpu-engine.ts";

const model = tinyModel({ dModel: 24, heads: 6, kvHeads: 2, layers: 2, dFfn: 36, vocabSize: 37, contextLength: 19 });
const options = { learningRate: 1e-2, beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.1, clipNorm: 1 };
const random = prng(7);
const flat = Float32Array.from(randomParameters(random, model, 0.1));
const batch = randomIds(random, 2 * 20, 37);
const anchors = [1, 2, 3].map((scale) => flat.map((value) => scale * value));

const open = (keepsMark: boolean, cuts: Cuts = {}) => createWebGpuEngine({ model, microbatch: 2, keepsMark }, cuts);

/** The largest differences of two bodies: of scales in units of the last place, of codes in steps. */
function difference(body: Uint8Array, delta: Float32Array) {
  const codesAt = 4 * Math.ceil(delta.length / 256);
  const parts = (bytes: Uint8Array) => ({
    scales: new Int32Array(bytes.slice(0, codesAt).buffer),
    codes: new Int8Array(bytes.slice(codesAt).buffer),
  });
  const [own, should] = [parts(body), parts(int8Block(delta.length, 256).encode(delta))];
  expect(own.codes.length).toBe(should.codes.length);
  const most = (a: ArrayLike<number>, b: ArrayLike<number>) =>
    Array.from(a).reduce((most, x, i) => Math.max(most, Math.abs(x - b[i])), 0);
  return { scales: most(own.scales, should.scales), codes: most(own.codes, should.codes) };
}

const near = { scales: expect.toSatisfy((ulps: number) => ulps <= 1), codes: expect.toSatisfy((n: number) => n <= 1) };

// Several pieces of an update, several ranges, several uploads; and all in one.
describe.each([{}, { bindingFloats: 640, pieceBytes: 4 * 1000, flopsPerSubmit: 1 }])("cut into %j", (cuts) => {
  let engine: WebGpuEngine;
  let other: WebGpuEngine; // as before there was a mark on the device
  let mark: Mark;
  beforeAll(async () => {
    [engine, other] = await Promise.all([open(true, cuts), open(false, cuts)]);
    mark = engine.mark!;
  });
  beforeEach(() => {
    for (const each of [engine, other]) {
      each.load(flat);
      each.resetMoments();
    }
    mark.set(flat);
  });
  afterAll(() => {
    for (const each of [engine, other]) each.destroy();
  });
  const step = () => engine.step([batch], options);

  test("rounds with overlap, an offer that is not named and one that comes to nothing", async () => {
    const replica = new Replica(flat);
    const offer = async () => {
      const local = await engine.read();
      expect(difference(await mark.offer(), replica.pseudoGradient(local))).toEqual(near);
      replica.offered(local);
    };
    const seal = async (anchor: Float32Array, named: boolean, carries: boolean) => {
      const local = await engine.read();
      const from = replica.sealed(anchor.slice(), named);
      const carried = await mark.sealed(anchor, { carries });
      if (carried)
        expect(
          difference(
            carried,
            from.map((value, i) => value - local[i]),
          ),
        ).toEqual(near);
      expect(await engine.read()).toEqual(rebase(local, anchor, from));
    };
    await step();
    await offer();
    await step(); // beside the exchange
    await seal(anchors[1], true, true);
    await step();
    await offer();
    mark.set(anchors[1]); // not named: the work since the anchor carries
    await seal(anchors[2], false, true);
    await step();
    await offer();
    mark.set(anchors[2]); // came to nothing: part of the next one
    replica.mark = replica.previousMark!;
    replica.previousMark = undefined;
    await step();
    await offer();
    await seal(anchors[0], true, false);
    expect(await engine.read()).toEqual(anchors[0]); // nothing was trained since the offer
  });

  test("takes its turn among queued steps, and leaves nothing in the gradient", async () => {
    const losses = [step(), step()];
    const offered = mark.offer();
    losses.push(step());
    const sealed = mark.sealed(anchors[1], { carries: false });
    losses.push(step());
    const after = engine.read();
    const reports = [await other.step([batch], options), await other.step([batch], options)];
    const from = await other.read();
    reports.push(await other.step([batch], options));
    const local = await other.read();
    other.load(rebase(local, anchors[1], from));
    reports.push(await other.step([batch], options));
    expect(await Promise.all(losses)).toEqual(reports);
    expect(
      difference(
        await offered,
        flat.map((value, i) => value - from[i]),
      ),
    ).toEqual(near);
    expect(await sealed).toBeUndefined();
    expect(await after).toEqual(await other.read());
  });

  test("training that diverged has nothing to offer: the mark stays, and a loaded anchor starts anew", async () => {
    const diverged = flat.slice();
    diverged[flat.length - 1] = Number.NaN;
    engine.load(diverged);
    const where = new RegExp(`parameters \\d+ to ${flat.length - 1}: training diverged`);
    await expect(mark.offer()).rejects.toThrow(where);
    await expect(mark.offer()).rejects.toBeInstanceOf(RangeError);
    const noise = Float32Array.from(normals(random, flat.length, 0.01));
    const trained = flat.map((value, i) => value - noise[i]);
    engine.load(trained);
    expect(
      difference(
        await mark.offer(),
        flat.map((value, i) => value - trained[i]),
      ),
    ).toEqual(near);
    engine.load(diverged);
    await expect(mark.sealed(anchors[1], { carries: true })).rejects.toThrow(where);
    engine.load(anchors[1]);
    expect((await mark.offer()).every((byte) => byte === 0)).toBe(true);
  });

  test("wrong lengths are refused before anything is queued", async () => {
    expect(() => mark.set(flat.subarray(1))).toThrow(/parameters, got/);
    expect(() => mark.sealed(flat.subarray(1), { carries: false })).toThrow(/parameters, got/);
    expect(await engine.read()).toEqual(flat);
  });
});
