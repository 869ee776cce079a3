import { expect, test } from "vitest";
import { identityFrom, type RunSpec, signEntry } from "#wire";
import { sweepShared } from "./sweep.ts";

test("what is old, and neither spec nor log names, goes from the shared store", async () => {
  const name = (digit: string) => digit.repeat(64);
  const stored = [
    { name: name("a"), at: 0 },
    { name: name("b"), at: 0 },
    { name: name("c"), at: 0 },
    { name: name("d"), at: 10_000_000 },
  ];
  const deleted: string[] = [];
  const blobs = {
    namesBefore: async (time: number) => stored.filter(({ at }) => at < time).map((one) => one.name),
    delete: async (one: string) => void deleted.push(one),
  };
  const spec = { data: { train: [{ hash: name("a") }] } } as unknown as RunSpec;
  const checkpoint = { name: "parameters", hash: name("b"), bytes: 1 };
  const entry = signEntry(identityFrom(new Uint8Array(32)), name("1"), undefined, 0, {
    ...{ type: "checkpoint", round: 1, anchorHash: name("2") },
    blobs: [checkpoint],
  });
  expect(await sweepShared(blobs, spec, [entry], 12_000_000)).toBe(1);
  expect(deleted).toEqual([name("c")]);
});
