import { expect, test } from "vitest";
import { draftSchema, explainSpecError, presets, specBlobs } from "./index.ts";
import { hash, specOf } from "./test-given.ts";

const base = { path: "./base", source: "a test", licence: "CC0-1.0" };
const lora = { rank: 8, alpha: 16, targets: ["q", "v"] };
const draft = { ...presets.nano, version: 5, base, lora };

function explained(given: unknown): string {
  const parsed = draftSchema.safeParse(given);
  return parsed.success ? "accepted" : explainSpecError(parsed.error);
}

test.each<[string, unknown, RegExp]>([
  ["adapters beside a base", draft, /^accepted$/],
  ["continued training", { ...draft, lora: undefined }, /^accepted$/],
  ["an older version", { ...draft, version: 4 }, /^base: came with version 5: say "version": 5/],
  ["no base", { ...draft, base: undefined }, /^lora: needs base/],
  ["an unknown layer", { ...draft, lora: { ...lora, targets: ["qkv"] } }, /^lora\.targets\.0: "qkv" is no layer/],
  ["a layer twice", { ...draft, lora: { ...lora, targets: ["q", "q"] } }, /^lora\.targets: names a layer twice/],
  ["no layer", { ...draft, lora: { ...lora, targets: [] } }, /^lora\.targets/],
  [
    "a rank above a layer's",
    { ...draft, lora: { ...lora, rank: 65 } },
    /^lora\.rank: is 65, but layer "q" has no more than 64/,
  ],
  ["a rank of nothing", { ...draft, lora: { ...lora, rank: 0 } }, /^lora\.rank/],
  ["a base of no licence", { ...draft, base: { ...base, licence: "" } }, /^base\.licence/],
  [
    "another residual stream than the base's",
    { ...draft, version: 6, model: { ...draft.model, residual: "ladder" } },
    /^model\.residual: does not go with adapters/,
  ],
  [
    "fragments of nothing",
    { ...draft, outer: { ...draft.outer, fragments: 3 } },
    /^outer\.fragments: must be at most the model's layers/,
  ],
])("%s", (_, given, message) => {
  expect(explained(given)).toMatch(message);
});

test("a base's blobs are among those that a host keeps, serves and backs up", () => {
  const given = { ...specOf(), version: 5 as const };
  const blobs = [{ hash: hash(8), bytes: 400 }];
  const more = specBlobs({ ...given, base: { source: "a test", licence: "CC0-1.0", hash: hash(9), blobs } });
  expect(more).toEqual([...specBlobs(given), ...blobs]);
});
