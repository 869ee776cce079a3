// How much of the host an export takes: what is read at once, how many go on at a time, and what a client that stalls holds up.
import { EventEmitter } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { provenanceOf } from "#formats";
import { CHECKPOINT_HEADER_BYTES, parameterTable } from "#outer";
import { type CheckpointRow, identityFrom, presets, type RunSpec, runIdOf, signEntry } from "#wire";
import { ApiError } from "./answer.ts";
import { ExportApi } from "./export-api.ts";

const host = identityFrom(new Uint8Array(32).fill(1));
const { corpus, base: _, ...draft } = presets.micro;
const shard = { hash: "ab".repeat(32), bytes: 1032, tokens: 500 };
const spec: RunSpec = {
  ...draft,
  data: { source: corpus.source, licence: corpus.licence, tokenizer: "bytes", train: [shard], evaluation: [shard] },
  hostKey: host.volunteer,
};
const bytes = CHECKPOINT_HEADER_BYTES + 4 * parameterTable(spec.model).length;
const blobs = [{ name: "parameters", hash: "cd".repeat(32), bytes }];
const checkpoint = signEntry(host, runIdOf(spec), undefined, 0, {
  type: "checkpoint",
  round: 3,
  anchorHash: "ef".repeat(32),
  blobs,
});

let read: number[]; // bytes of each range
let api: ExportApi;
beforeEach(() => {
  vi.useFakeTimers();
  read = [];
  const run = {
    ...{ spec, entries: [checkpoint], anchors: { newest: async () => undefined, bytes: () => undefined } },
    provenance: (row: CheckpointRow) => provenanceOf(spec, row, [], () => undefined, host),
  };
  api = new ExportApi(run, {
    has: async () => true,
    get: async () => undefined,
    async *read(_, start, end) {
      read.push(end - start + 1);
      yield new Uint8Array(end - start + 1);
    },
  });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A client whose socket takes nothing more until it is told to. */
class Client extends EventEmitter {
  destroyed = false;
  ended = false;
  taken = 0;
  readonly req = { method: "GET" };
  writeHead(): void {}
  write(chunk: Uint8Array): boolean {
    this.taken += chunk.length;
    return false;
  }
  end(): void {
    this.ended = true;
  }
  destroy(): void {
    this.destroyed = true;
    this.emit("close");
  }
}

async function ask(name = "model.safetensors"): Promise<{ client: Client; answered: Promise<void> }> {
  const client = new Client();
  const [request, response] = [client.req as IncomingMessage, client as unknown as ServerResponse];
  const answered = api.answer(request, response, name, new URLSearchParams("dtype=f32"));
  answered.catch(() => {});
  await vi.advanceTimersByTimeAsync(0); // until it waits for the client
  return { client, answered };
}

test("a client that takes nothing has a megabyte read for it at most, and each piece is read when it is asked for", async () => {
  const { client, answered } = await ask();
  expect(read).toEqual([]); // the header stands in its socket
  client.emit("drain");
  await vi.advanceTimersByTimeAsync(0);
  expect(read.length).toBe(1);
  while (!client.ended) {
    client.emit("drain");
    await vi.advanceTimersByTimeAsync(0);
  }
  await answered;
  expect(Math.max(...read)).toBeLessThanOrEqual(2 ** 20);
  expect(read.reduce((sum, each) => sum + each, 0)).toBe(bytes - CHECKPOINT_HEADER_BYTES);
  expect(client.taken).toBeGreaterThan(bytes - CHECKPOINT_HEADER_BYTES);
});

test("four at once; a fifth is told when to come again, and comes in when one of them is gone", async () => {
  const clients = await Promise.all([ask(), ask(), ask(), ask()]);
  const { answered } = await ask();
  await expect(answered).rejects.toThrow(ApiError);
  await expect(answered).rejects.toMatchObject({ status: 503, retryAfterS: 60 });
  clients[0].client.destroy();
  await clients[0].answered;
  const { client } = await ask();
  expect(client.taken).toBeGreaterThan(0);
});

test("one that takes nothing for a minute is let go, and its place is free", async () => {
  const stalled = await Promise.all([ask(), ask(), ask(), ask()]);
  await vi.advanceTimersByTimeAsync(59_000);
  expect(stalled.map(({ client }) => client.destroyed)).toEqual([false, false, false, false]);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(stalled.map(({ client }) => client.destroyed)).toEqual([true, true, true, true]);
  expect((await ask()).client.taken).toBeGreaterThan(0);
});
