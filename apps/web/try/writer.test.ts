// What writes, with a host and generators that are stood in for: checkpoints by round, two at once, a wish to stop, and everything that can go wrong.
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createGenerator, DeviceLostError, type Generator, ModelTooLargeError } from "#engine/generation";
import {
  baseBlobs,
  baseHashOf,
  encodeCheckpointSection,
  genesisAdapters,
  genesisParameters,
  mergeAdapters,
} from "#outer";
import { trainByteLevelBpe } from "#tokenizer/train";
import { blobName, type CheckpointRow, presets, type RunSpec, type TokenizerRef } from "#wire";
import { emptyTry, type TrySnapshot, type TryWish } from "./types.ts";
import { Writer, type WriterPorts } from "./writer.ts";

const model = { ...presets.nano.model, dModel: 8, layers: 1, heads: 1, kvHeads: 1, dFfn: 8, contextLength: 8 };
const blobs = new Map<string, Uint8Array>();
let tokenizer: TokenizerRef;
const rowOf = (round: number): CheckpointRow => rowFrom(round, genesisParameters(model, round));
const rowFrom = (round: number, parameters: Float32Array): CheckpointRow => {
  const bytes = encodeCheckpointSection("parameters", round, parameters);
  const hash = blobName(bytes);
  blobs.set(hash, bytes);
  const named = [{ name: "parameters", hash, bytes: bytes.length }];
  return { round, anchorHash: "ab".repeat(32), time: 0, blobs: named };
};

let rows: CheckpointRow[];
let anchor: CheckpointRow | undefined;
let asked: string[];
beforeEach(() => {
  rows = [rowOf(20), rowOf(10)];
  anchor = undefined;
  tokenizer = "bytes";
  asked = [];
  vi.stubGlobal("fetch", async (url: string) => {
    asked.push(url);
    if (url.endsWith("/checkpoints")) return Response.json({ checkpoints: rows });
    if (url.endsWith("/anchor")) return anchor ? Response.json(anchor) : Response.json({}, { status: 404 });
    const bytes = blobs.get(url.split("/").at(-1)!);
    return bytes ? new Response(bytes.slice()) : new Response("", { status: 404 });
  });
});
afterEach(() => vi.unstubAllGlobals());

const wish: TryWish = {
  ...{ prompt: "It was", tokens: 20, rounds: [null], backend: "processor" },
  sampling: { temperature: 1, topK: 0, topP: 1, seed: 5 },
};

function given(ports: Partial<WriterPorts> = {}, beside: Pick<RunSpec, "lora" | "base"> = {}) {
  const seen: TrySnapshot[] = [emptyTry];
  const writer = new Writer(
    { base: "http://host", run: "default" },
    { model, tokenizer, ...beside },
    {
      tell: (change) => seen.push({ ...seen[seen.length - 1], ...change }),
      createGenerator,
      breathe: async () => {},
      now: () => performance.now(),
      ...ports,
    },
  );
  return { writer, now: () => seen[seen.length - 1], seen };
}

test("what the host let it write is told with the list; an older host has none", async () => {
  const { writer, now } = given();
  await writer.list();
  expect(now()).toMatchObject({ samples: null, problem: null });
  const sheet = { prompts: ["a"], samples: [{ round: 10, anchorHash: "ab".repeat(32), time: 0, texts: ["b"] }] };
  const before = fetch;
  vi.stubGlobal("fetch", async (url: string) => (url.endsWith("/samples") ? Response.json(sheet) : before(url)));
  await writer.list();
  expect(now().samples).toEqual(sheet);
});

test("the newest checkpoint writes, and the same wish writes the same without fetching again", async () => {
  const { writer, now, seen } = given();
  await writer.write(wish);
  const [side] = now().sides;
  expect(side).toMatchObject({ round: 20, state: "done", tokens: 20, problem: null });
  expect(now()).toMatchObject({ busy: false, adapter: null, here: [20], insteadOfGpu: null });
  expect(seen.some(({ busy, sides }) => busy && sides[0]?.state === "fetching")).toBe(true);
  await writer.write(wish);
  expect(now().sides[0].text).toBe(side.text);
  expect(asked.filter((url) => url.includes("/blobs/"))).toHaveLength(1);
});

test("the anchor of now is tried where the host gives it, and is no checkpoint to choose later", async () => {
  anchor = rowOf(23);
  const { writer, now } = given();
  await writer.write({ ...wish, rounds: [null, 20] });
  expect(now().sides.map(({ round, state }) => [round, state])).toEqual([
    [23, "done"],
    [20, "done"],
  ]);
  anchor = rowOf(24);
  await writer.write({ ...wish, rounds: [23] });
  expect(now().problem?.fault).toBe("not-kept");
});

test("two checkpoints write at once, each its own text", async () => {
  const { writer, now } = given();
  await writer.write({ ...wish, rounds: [null, 10] });
  const [a, b] = now().sides;
  expect([a.round, b.round]).toEqual([20, 10]);
  expect(a.text).not.toBe(b.text);
  expect(now().here).toEqual([20, 10]);
  await writer.write({ ...wish, rounds: [10] }); // the first pen takes other parameters
  expect(now().sides[0]).toMatchObject({ round: 10, text: b.text });
});

test("of a run with adapters the base is fetched once, and what writes is both merged; a damaged base is told", async () => {
  const lora = { rank: 2, alpha: 4, targets: ["q" as const, "up" as const] };
  const weights = genesisParameters(model, 77);
  const [bytes] = baseBlobs(weights);
  const ref = { hash: blobName(bytes), bytes: bytes.length };
  const base = { source: "a test", licence: "CC0-1.0", hash: baseHashOf([bytes]), blobs: [ref] };
  const adapted = (round: number): CheckpointRow => {
    const adapters = genesisAdapters(model, lora, 1).map((_, i) => 0.3 * Math.sin(i + round));
    return rowFrom(round, adapters);
  };
  rows = [adapted(20), adapted(10)];
  blobs.set(ref.hash, bytes);
  const { writer, now } = given({}, { lora, base });
  await writer.write({ ...wish, rounds: [null, 10] });
  expect(now().sides.map(({ state }) => state)).toEqual(["done", "done"]);
  expect(asked.filter((url) => url.includes(ref.hash))).toHaveLength(1);
  const merged = mergeAdapters(
    model,
    lora,
    weights,
    genesisAdapters(model, lora, 1).map((_, i) => 0.3 * Math.sin(i + 20)),
  );
  rows = [rowFrom(20, merged)];
  const plain = given();
  await plain.writer.write(wish);
  expect(now().sides[0].text).toBe(plain.now().sides[0].text);

  rows = [adapted(20)];
  blobs.set(ref.hash, new Uint8Array(bytes.length));
  const other = given({}, { lora, base });
  await other.writer.write(wish);
  expect(other.now().sides[0]).toMatchObject({ state: "failed", problem: { fault: "damaged" } });
});

test("a wish to stop is heard while it writes", async () => {
  let time = 0;
  const { writer, now } = given({ breathe: async () => writer.stop(), now: () => (time += 10) });
  await writer.write({ ...wish, tokens: 500 });
  expect(now().sides[0].state).toBe("stopped");
  expect(now().sides[0].tokens).toBeLessThan(20);
  expect(now().busy).toBe(false);
});

test("a character that is cut between two tokens appears whole", async () => {
  const bytes = new TextEncoder().encode("é€");
  const pen = (): Generator => {
    let at = 0;
    const logits = async () => Float32Array.from({ length: 256 }, (_, id) => (id === bytes[at] ? 90 : 0));
    const decode = () => {
      at++;
      return logits();
    };
    const rest = { adapter: undefined, model, allocatedBytes: 0, length: 1, lost: new Promise<never>(() => {}) };
    return { ...rest, load: async () => {}, prefill: logits, decode, destroy: () => {} };
  };
  let time = 0;
  const { writer, now, seen } = given({ createGenerator: async () => pen(), now: () => (time += 100) });
  await writer.write({ ...wish, tokens: bytes.length });
  expect(now().sides[0].text).toBe("é€");
  expect(new Set(seen.flatMap(({ sides }) => sides.map(({ text }) => text)))).toEqual(new Set(["", "é", "é€"]));
});

test("a run's own tokenizer is fetched once, reads the prompt and ends the text", async () => {
  const { json, vocabSize } = trainByteLevelBpe(new Map([["hello", 9]]), 300);
  const file = new TextEncoder().encode(json);
  const hash = blobName(file);
  blobs.set(hash, file);
  tokenizer = { hash, bytes: file.length, vocabSize, endOfText: vocabSize - 1 };
  const hello = vocabSize - 2;
  let read: ArrayLike<number> = [];
  const script = [hello, hello, vocabSize - 1, hello];
  const logitsOf = (id: number) => Float32Array.from({ length: vocabSize }, (_, i) => (i === id ? 90 : 0));
  const pen = (): Generator => {
    let at = 0;
    const rest = { adapter: undefined, model, allocatedBytes: 0, length: 1, lost: new Promise<never>(() => {}) };
    return {
      ...rest,
      load: async () => {},
      prefill: async (ids) => {
        read = ids;
        return logitsOf(script[0]);
      },
      decode: async () => logitsOf(script[++at]),
      destroy: () => {},
    };
  };
  const { writer, now } = given({ createGenerator: async () => pen() });
  await writer.write({ ...wish, prompt: "hellohello" });
  expect(now().sides[0]).toMatchObject({ state: "done", text: "hellohello" });
  expect([...Array.from(read)]).toEqual([hello, hello]);
  await writer.write({ ...wish, prompt: "hello" });
  expect(asked.filter((url) => url.endsWith(hash))).toHaveLength(1);
});

describe("what can go wrong", () => {
  const faultOf = async (ports: Partial<WriterPorts> = {}, changed: Partial<TryWish> = {}) => {
    const { writer, now } = given(ports);
    await writer.write({ ...wish, ...changed });
    expect(now().busy).toBe(false);
    return now().problem?.fault ?? now().sides[0]?.problem?.fault;
  };

  test("no checkpoint yet, none of that round, none any more, another one, no host", async () => {
    expect(await faultOf({}, { rounds: [30] })).toBe("not-kept");
    blobs.delete(rows[0].blobs[0].hash);
    expect(await faultOf()).toBe("not-kept");
    blobs.set(rows[0].blobs[0].hash, blobs.get(rows[1].blobs[0].hash)!);
    expect(await faultOf()).toBe("damaged");
    rows = [];
    expect(await faultOf()).toBe("none");
    vi.stubGlobal("fetch", async () => Promise.reject(new TypeError("fetch failed")));
    expect(await faultOf()).toBe("unreachable");
    vi.stubGlobal("fetch", async () => Response.json({ error: { code: "not-found", message: "no" } }, { status: 404 }));
    expect(await faultOf()).toBe("unknown-run");
  });

  test("a GPU that cannot is stood in for by the processor, and that is said", async () => {
    const { writer, now } = given({
      createGenerator: ({ backend, ...options }) =>
        backend === "webgpu"
          ? Promise.reject(new ModelTooLargeError("too large for this GPU"))
          : createGenerator({ ...options, backend: "processor" }),
    });
    await writer.write({ ...wish, backend: "webgpu" });
    expect(now()).toMatchObject({ adapter: null, insteadOfGpu: "too large for this GPU" });
    expect(now().sides[0].state).toBe("done");
  });

  test("a device that is lost is told, and another one is made for the next wish", async () => {
    let made = 0;
    const { writer, now } = given({
      createGenerator: async (options) => {
        const generator = await createGenerator({ ...options, backend: "processor" });
        if (made++ > 0) return generator;
        generator.prefill = () => Promise.reject(new DeviceLostError("unknown", "the driver went away"));
        return generator;
      },
    });
    await writer.write({ ...wish, backend: "webgpu" });
    expect(now().sides[0]).toMatchObject({ state: "failed", problem: { fault: "device-lost" } });
    expect(now().here).toEqual([]);
    await writer.write({ ...wish, backend: "webgpu" });
    expect(now().sides[0].state).toBe("done");
  });

  test("numbers that are none", async () => {
    const bytes = encodeCheckpointSection("parameters", 40, genesisParameters(model, 1).fill(3e38));
    blobs.set(blobName(bytes), bytes);
    rows = [{ ...rows[0], round: 40, blobs: [{ name: "parameters", hash: blobName(bytes), bytes: bytes.length }] }];
    expect(await faultOf()).toBe("diverged");
  });
});
