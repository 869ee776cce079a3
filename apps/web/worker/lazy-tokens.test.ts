import { describe, expect, test } from "vitest";
import { type DataPlan, microbatchIds, TokenSource, windowIndex, windowsPerEpoch } from "#data";
import { LazyTokens } from "./lazy-tokens.ts";

const SHARD = 128;
const shards = Array.from({ length: 40 }, (_, s) => Uint16Array.from({ length: SHARD }, (_, i) => s * SHARD + i));
const refs = shards.map((ids, i) => ({ hash: String(i), bytes: 1, tokens: ids.length }));
const plan: DataPlan = {
  seed: 5,
  contextLength: 8,
  trainTokens: 40 * SHARD,
  mixing: { shardTokens: SHARD, shards: 3 },
};
const place = { cursor: 0, rosterSize: 2, position: 1, windowsPerStep: 4 };
const windowsOf = (step: number) => Array.from({ length: 4 }, (_, sequence) => windowIndex(place, step, sequence));

describe("shards as they are read", () => {
  test("the same windows as from all of them, with few in memory and each fetched about once an epoch", async () => {
    const whole = new TokenSource(shards);
    let fetched = 0;
    const lazy = new LazyTokens(plan, refs, async ({ hash }) => {
      fetched++;
      return shards[Number(hash)];
    });
    let most = 0;
    const steps = Math.floor(windowsPerEpoch(plan) / 8);
    for (let innerStep = 0; innerStep < steps; innerStep++) {
      await lazy.ready(windowsOf(innerStep));
      const at = { innerStep, firstSequence: 0, count: 4 };
      expect(microbatchIds(lazy, plan, place, at)).toEqual(microbatchIds(whole, plan, place, at));
      most = Math.max(most, lazy.shardsHere);
    }
    expect(most).toBeLessThanOrEqual(3 * 3 + 4);
    expect(fetched).toBeGreaterThanOrEqual(40);
    expect(fetched).toBeLessThan(2.2 * 40); // a chunk's end lies in the shard behind it, which is another group's
  });

  test("what comes next is asked for before it is needed, and one shard once, however many ask", async () => {
    const asked: string[] = [];
    const lazy = new LazyTokens(plan, refs, async ({ hash }) => {
      asked.push(hash);
      return shards[Number(hash)];
    });
    await Promise.all([lazy.ready(windowsOf(0)), lazy.ready(windowsOf(0))]);
    expect(new Set(asked).size).toBe(asked.length);
    const before = asked.length;
    await lazy.ready(windowsOf(0));
    expect(asked.length).toBe(before);
  });

  test("a shard that does not come fails the step that needs it, and is asked for again", async () => {
    let fails = true;
    const lazy = new LazyTokens(plan, refs, async ({ hash }) => {
      if (fails) throw new Error("the swarm has it not");
      return shards[Number(hash)];
    });
    await expect(lazy.ready(windowsOf(0))).rejects.toThrow("the swarm has it not");
    expect(() => lazy.windowAt(0, 9)).toThrow("token 0 lies in shard 0, which is not here");
    fails = false;
    await lazy.ready(windowsOf(0));
    expect(lazy.shardsHere).toBeGreaterThan(0);
  });
});
