import { expect, test } from "vitest";
import { decodeCheckpointSection, encodeCheckpointSection, parameterTable } from "#outer";
import { type LogEntry, presets, type RunSpec } from "#wire";
import { AnchorShelf } from "./anchor-shelf.ts";

const hashOf = (round: number): string => round.toString(16).padStart(64, "0");
const seal = (round: number): LogEntry =>
  ({ type: "seal", round: round - 1, anchorHash: hashOf(round), time: 5 }) as LogEntry;
const model = { ...presets.nano.model, dModel: 8, layers: 1, heads: 1, kvHeads: 1, dFfn: 8 };

function given(spec: object = {}) {
  const entries: LogEntry[] = [];
  const witness = { round: 0, asked: 0 };
  const anchor = async () => {
    witness.asked++;
    const values = new Float32Array(parameterTable(model).length).fill(witness.round);
    const bytes = encodeCheckpointSection("parameters", witness.round, values);
    return { round: witness.round, anchorHash: hashOf(witness.round), bytes };
  };
  const shelf = new AnchorShelf({ spec: { model, rounds: {}, ...spec } as RunSpec, entries, witness: { anchor } });
  return { shelf, entries, witness };
}

test("the newest sealed anchor, made once however many ask, and the one before it for a while", async () => {
  const { shelf, entries, witness } = given();
  expect(await shelf.newest()).toBeUndefined();
  const hashes: string[] = [];
  for (const round of [1, 2, 3]) {
    entries.push(seal(round));
    witness.round = round;
    const [row, again] = await Promise.all([shelf.newest(), shelf.newest()]);
    expect(row).toMatchObject({ round, anchorHash: hashOf(round), blobs: [{ name: "parameters" }] });
    expect(again).toBe(row);
    hashes.push(row!.blobs[0].hash);
  }
  expect(witness.asked).toBe(3);
  expect(hashes.map((hash) => shelf.bytes(hash) !== undefined)).toEqual([false, true, true]);
  expect(decodeCheckpointSection(shelf.bytes(hashes[2])!)).toMatchObject({ name: "parameters", round: 3 });
});

test("none while the witness is ahead of the seals or behind them, and then it comes", async () => {
  const { shelf, entries, witness } = given();
  entries.push(seal(1));
  witness.round = 2;
  expect(await shelf.newest()).toBeUndefined();
  entries.push(seal(2));
  expect(await shelf.newest()).toMatchObject({ round: 2 });
});

test("none of a model that is too large for memory, and none where peers keep the updates", async () => {
  const large = given({ model: { ...model, dModel: 4096, heads: 32, kvHeads: 32, dFfn: 8192, layers: 2 } });
  const kept = given({ rounds: { durability: "peers" } });
  for (const { shelf, entries, witness } of [large, kept]) {
    entries.push(seal(1));
    witness.round = 1;
    expect(await shelf.newest()).toBeUndefined();
    expect(witness.asked).toBe(0);
  }
});
