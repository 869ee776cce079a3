import { describe, expect, test, vi } from "vitest";
import { FetchCancelled } from "#mesh";
import { MemoryBlobStore } from "#store";
import { blobName, type EntryOf, encodePieceList } from "#wire";
import { BlobShelf } from "./blob-shelf.ts";
import { Board } from "./board.ts";
import { Effects, type EffectsOptions } from "./effects.ts";
import { Holds } from "./holds.ts";
import type { Trainer } from "./trainer.ts";

const blob = Uint8Array.of(1, 2, 3);
const name = blobName(blob);
const none = () => Promise.reject(new Error("nobody has it"));

function setUp(given: { fetch?: () => Promise<Uint8Array>; trainer?: object } = {}) {
  const shelf = new BlobShelf(new MemoryBlobStore(), () => {});
  const fetch = vi.fn(given.fetch ?? none);
  const [hold, drop] = [vi.fn(), vi.fn()];
  const upload = vi.fn(async () => {});
  const effects = new Effects({
    run: "default",
    trainer: (given.trainer ?? {}) as Trainer,
    exchange: { fetch, hold, drop } as EffectsOptions["exchange"],
    host: { log: none, upload },
    shelf,
    board: new Board(() => {}),
    holds: new Holds(),
    isOver: () => true,
  });
  return { effects, shelf, fetch, hold, drop, upload };
}

const want = { type: "fetch" as const, hash: name, bytes: 3, host: "never" as const };

describe("effects", () => {
  test("a blob comes through the exchange into the store; when nobody wants it any more, there is nothing to say", async () => {
    const { effects, fetch, shelf } = setUp({ fetch: async () => blob });
    expect(await effects.fetch(want)).toEqual({ type: "fetched", hash: name });
    expect(await shelf.get(name)).toEqual(blob);
    expect(fetch).toHaveBeenCalledWith(name, 3, "never");
    const cancelled = setUp({ fetch: () => Promise.reject(new FetchCancelled(name)) });
    expect(await cancelled.effects.fetch(want)).toBeUndefined();
  });

  test("what another tab fetched is taken from the store that they share", async () => {
    const { effects, shelf, fetch } = setUp();
    await shelf.keep(name, blob);
    expect(await effects.fetch(want)).toEqual({ type: "fetched", hash: name });
    expect(fetch).not.toHaveBeenCalled();
  });

  test("of a pair it reads the two updates alone, and what it folds to has no hash", async () => {
    const foldPair = vi.fn(async () => {});
    const { effects, shelf } = setUp({ trainer: { foldPair } });
    await shelf.put(name, blob);
    const contributors = ["a", "b", "c"].map((peer) => ({ peer, update: peer === "c" ? "not here" : name, bytes: 3 }));
    const commit = { round: 4, contributors } as unknown as EntryOf<"commit">;
    const folded = { type: "folded", round: 4, anchorHash: "", refused: [] };
    expect(await effects.foldPair({ type: "fold-pair", commit, pair: ["a", "b"] })).toEqual(folded);
    expect(foldPair).toHaveBeenCalledWith({ commit, pair: ["a", "b"], blobs: new Map([[name, blob]]) });
    expect(await effects.foldPair({ type: "fold-pair", commit, pair: [] })).toEqual(folded);
    expect(foldPair).toHaveBeenLastCalledWith({ commit, pair: [], blobs: new Map() });
  });

  test("the exchange hears what lies in the store, and what does not any more", async () => {
    const { effects, hold, drop, shelf } = setUp({ trainer: { encode: async () => blob } });
    await effects.encode({ type: "encode", round: 3, baseHash: name, tokens: 1 });
    expect(hold).toHaveBeenCalledWith(name, { blob, list: encodePieceList(blob) });
    await effects.forget({ type: "forget", hashes: [name] });
    expect(drop).toHaveBeenCalledWith([name]);
    expect(await shelf.has(name)).toBe(false);
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

  test("training says what was done, even when that is nothing; an evaluation without a result says nothing", async () => {
    const nothing = { steps: 0, tokens: 0, loss: 0 };
    const { effects } = setUp({ trainer: { train: async () => nothing, evaluate: none } });
    const asked = { type: "train", job: 3, assignment: {} as never, firstStep: 0, until: 4 } as const;
    expect(await effects.train(asked)).toEqual({ type: "trained", job: 3, ...nothing });
    expect(await effects.evaluate({ type: "evaluate", round: 1 })).toBeUndefined();
  });
});
