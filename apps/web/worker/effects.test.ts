import { describe, expect, test, vi } from "vitest";
import { MemoryBlobStore } from "#store";
import { blobName } from "#wire";
import { BlobShelf } from "./blob-shelf.ts";
import { Board } from "./board.ts";
import { Effects, type EffectsOptions } from "./effects.ts";
import { Holds } from "./holds.ts";
import { peerOf } from "./test-given.ts";
import type { Trainer } from "./trainer.ts";

const blob = Uint8Array.of(1, 2, 3);
const name = blobName(blob);
const none = () => Promise.reject(new Error("nobody has it"));

function setUp(
  given: { exchange?: () => Promise<Uint8Array>; download?: () => Promise<Uint8Array>; trainer?: object } = {},
) {
  const shelf = new BlobShelf(new MemoryBlobStore(), () => {});
  const exchange = vi.fn(given.exchange ?? none);
  const download = vi.fn(given.download ?? none);
  const upload = vi.fn(async () => {});
  const effects = new Effects({
    run: "default",
    trainer: (given.trainer ?? {}) as Trainer,
    exchange: { fetch: exchange } as EffectsOptions["exchange"],
    host: { log: none, upload, download },
    shelf,
    board: new Board(() => {}),
    holds: new Holds(),
    isOver: () => true,
  });
  return { effects, shelf, exchange, download, upload };
}

const want = (host: boolean) => ({ type: "fetch" as const, hash: name, bytes: 3, sources: [peerOf("a")], host });

describe("effects", () => {
  test("a blob comes from peers; the host is not asked while they have it", async () => {
    const { effects, download, shelf } = setUp({ exchange: async () => blob });
    expect(await effects.fetch(want(true))).toEqual({ type: "fetched", hash: name });
    expect(await shelf.get(name)).toEqual(blob);
    expect(download).not.toHaveBeenCalled();
  });

  test("when no peer has it, the host gives it if the core allows, else the core hears of it", async () => {
    const allowed = setUp({ download: async () => blob });
    expect(await allowed.effects.fetch(want(true))).toEqual({ type: "fetched", hash: name });
    const forbidden = setUp({ download: async () => blob });
    expect(await forbidden.effects.fetch(want(false))).toEqual({
      type: "fetch-failed",
      hash: name,
      reason: "nobody has it",
    });
    expect(forbidden.download).not.toHaveBeenCalled();
  });

  test("what another tab fetched is taken from the store that they share", async () => {
    const { effects, shelf, exchange } = setUp();
    await shelf.keep(name, blob);
    expect(await effects.fetch(want(true))).toEqual({ type: "fetched", hash: name });
    expect(exchange).not.toHaveBeenCalled();
  });

  test("an update that cannot be encoded, stored or uploaded comes back as the core's own word for it", async () => {
    const diverged = setUp({ trainer: { encode: () => Promise.reject(new RangeError("diverged")) } });
    const encode = { type: "encode" as const, round: 3, baseHash: name, tokens: 1 };
    expect(await diverged.effects.encode(encode)).toEqual({ type: "encode-failed", round: 3, reason: "diverged" });
    const { effects, upload } = setUp({ trainer: { encode: async () => blob } });
    expect(await effects.upload({ type: "upload", hash: name })).toMatchObject({ type: "upload-failed" });
    expect(await effects.encode(encode)).toEqual({ type: "encoded", round: 3, update: name, bytes: 3 });
    expect(await effects.upload({ type: "upload", hash: name })).toEqual({ type: "uploaded", hash: name });
    expect(upload).toHaveBeenCalledWith(name, blob);
  });

  test("a host that does not answer leaves the log as it is", async () => {
    const { effects } = setUp();
    expect(await effects.fetchLog({ type: "fetch-log", from: 7 })).toEqual({ type: "log", entries: [] });
  });

  test("training that was stopped, and an evaluation without a result, say nothing", async () => {
    const { effects } = setUp({ trainer: { train: async () => undefined, evaluate: none } });
    expect(await effects.train({ type: "train", assignment: {} as never })).toBeUndefined();
    expect(await effects.evaluate({ type: "evaluate", round: 1 })).toBeUndefined();
  });
});
