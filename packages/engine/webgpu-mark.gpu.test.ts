// The mark on the device against outer's rule of the mark on the CPU: the same vectors bit for bit, and updates that the codec would have made.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { ChunkTopK, type Codec, type Decoded, int8Block, parameterTable, Replica, rebase } from "#outer";
import { createWebGpuEngine } from "./create-webgpu.ts";
import { sharedAdapter } from "./device/testing.ts";
import type { Mark } from "./engine.ts";
import { relativeError } from "./reference/index.ts";
import { normals, prng, randomIds, randomParameters, tinyModel } from "./reference/testing.ts";
import type { WebGpuEngine } from "./webgpu-engine.ts";

const model = tinyModel({ dModel: 24, heads: 6, kvHeads: 2, layers: 2, dFfn: 36, vocabSize: 37, contextLength: 19 });
const options = { learningRate: 1e-2, beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.1, clipNorm: 1 };
const random = prng(7);
const flat = Float32Array.from(randomParameters(random, model, 0.1));
const adapter = await sharedAdapter();
const batch = randomIds(random, 2 * 20, 37);
const anchors = [1, 2, 3].map((scale) => flat.map((value) => scale * value));

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

function decodedFrom(decoded: Decoded): Float32Array {
  const values = new Float32Array(flat.length);
  decoded.addTo(values, 1, 0, flat.length);
  return values;
}

const near = { scales: expect.toSatisfy((ulps: number) => ulps <= 1), codes: expect.toSatisfy((n: number) => n <= 1) };

// Several pieces of an update, several ranges, several uploads; and all in one.
describe.each([{}, { bindingFloats: 640, pieceBytes: 4 * 1000, flopsPerSubmit: 1 }])("cut into %j", (cuts) => {
  let engine: WebGpuEngine;
  let mark: Mark;
  beforeAll(async () => {
    engine = await createWebGpuEngine({ model, microbatch: 2, adapter, keepsMark: true }, cuts);
    mark = engine.mark!;
  });
  beforeEach(() => {
    engine.load(flat);
    engine.resetMoments();
    mark.set(flat);
  });
  afterAll(() => engine.destroy());
  const step = () => engine.step([batch], options);

  test("rounds with overlap, an offer that is not named and one that comes to nothing", async () => {
    const replica = new Replica(flat);
    const offer = async () => {
      const local = await engine.read();
      expect(difference((await mark.offer()).body, replica.pseudoGradient(local))).toEqual(near);
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
    mark.withdraw(anchors[1]); // not named: the work since the anchor carries
    await seal(anchors[2], false, true);
    await step();
    await offer();
    mark.withdraw(anchors[2]); // came to nothing: part of the next one
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
    await Promise.all(losses); // so that the next step need not wait for a turn
    const sealed = mark.sealed(anchors[1], { carries: false });
    losses.push(step());
    const after = engine.read();
    const last = await after;

    engine.load(flat); // the same without the mark
    engine.resetMoments();
    const reports = [await step(), await step()];
    const from = await engine.read();
    reports.push(await step());
    const local = await engine.read();
    engine.load(rebase(local, anchors[1], from));
    reports.push(await step());
    expect(await Promise.all(losses)).toEqual(reports);
    expect(
      difference(
        (await offered).body,
        flat.map((value, i) => value - from[i]),
      ),
    ).toEqual(near);
    expect(await sealed).toBeUndefined();
    expect(last).toEqual(await engine.read());
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
        (await mark.offer()).body,
        flat.map((value, i) => value - trained[i]),
      ),
    ).toEqual(near);
    engine.load(diverged);
    await expect(mark.sealed(anchors[1], { carries: true })).rejects.toThrow(where);
    engine.load(anchors[1]);
    expect((await mark.offer()).body.every((byte) => byte === 0)).toBe(true);
  });

  test("wrong lengths are refused before anything is queued", async () => {
    expect(() => mark.set(flat.subarray(1))).toThrow(/parameters, got/);
    expect(() => mark.sealed(flat.subarray(1), { carries: false })).toThrow(/parameters, got/);
    expect(await engine.read()).toEqual(flat);
  });
});

test("chunked top-k with error feedback, over several ranges and uploads", async () => {
  const codec = new ChunkTopK(parameterTable(model), { chunk: 1024, k: 32, feedback: 0.9 });
  const engine = await createWebGpuEngine(
    { model, microbatch: 2, keepsMark: true, codec },
    { bindingFloats: 1152, pieceBytes: 4 * 1000 },
  );
  const mark = engine.mark!;
  engine.load(flat);
  mark.set(flat);
  const replica = new Replica(flat, codec.feedback);
  const decoded = (body: Uint8Array, by: Codec = codec) => decodedFrom(by.read(body) as Decoded);
  let sent: Decoded | undefined;
  const step = () => engine.step([batch], options);
  const offer = async () => {
    const local = await engine.read();
    const { body, unsent } = await mark.offer();
    const encoded = replica.toEncode(local);
    expect(relativeError(decoded(body), decoded(codec.encode(encoded)))).toBeLessThan(1e-3);
    expect(relativeError(decoded(unsent, int8Block(flat.length, 256)), encoded)).toBeLessThan(0.02);
    sent = codec.read(body) as Decoded;
    replica.offered(local);
    return encoded;
  };
  const seal = async (anchor: Float32Array, named: boolean) => {
    const local = await engine.read();
    const from = replica.sealed(anchor.slice(), named, sent);
    const carried = await mark.sealed(anchor, { carries: true });
    const after = rebase(local, anchor, from);
    expect(await engine.read()).toEqual(after);
    const unsent = replica.toEncode(after);
    expect(relativeError(decoded(carried!, int8Block(flat.length, 256)), unsent)).toBeLessThan(0.02);
  };
  await step();
  await offer();
  await step(); // beside the exchange
  await seal(anchors[1], true);
  await step();
  const before = replica.pseudoGradient(await engine.read());
  const encoded = await offer(); // what the first offer left out is in it
  expect(relativeError(encoded, before)).toBeGreaterThan(0.1);
  mark.withdraw(anchors[1]);
  await seal(anchors[2], false);
  await offer();
  mark.withdraw(anchors[2]); // came to nothing
  replica.mark = replica.previousMark!;
  replica.previousMark = undefined;
  await step();
  await offer();
  await seal(anchors[0], true);
  const diverged = flat.slice();
  diverged[0] = Number.NaN;
  engine.load(diverged);
  await expect(mark.offer()).rejects.toThrow("parameters 0 to 255: training diverged");
  engine.load(anchors[0]);
  await offer(); // owed as before
  engine.destroy();
});
