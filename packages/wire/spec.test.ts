import { describe, expect, test } from "vitest";
import { canonicalBytes, draftSchema, explainSpecError, presets, runIdOf, specBlobs, specSchema } from "./index.ts";
import { specOf } from "./test-given.ts";

const { nano } = presets;
function explained(draft: unknown): string {
  const parsed = draftSchema.safeParse(draft);
  return parsed.success ? "accepted" : explainSpecError(parsed.error);
}

test.each(Object.entries(presets))("the preset %s is a valid draft", (_, draft) => {
  expect(explained(JSON.parse(JSON.stringify(draft)))).toBe("accepted");
});

test("a spec survives JSON and keeps its id; one changed value is another run", () => {
  const spec = specOf();
  const read = specSchema.parse(JSON.parse(JSON.stringify(spec)));
  expect(runIdOf(read)).toBe(runIdOf(spec));
  expect(runIdOf({ ...spec, seed: 2 })).not.toBe(runIdOf(spec));
});

test("version 2 may use what came with it; a run of version 1 reads as it always did, under the id that it always had", () => {
  const overlapping = { ...nano, version: 2, rounds: { ...nano.rounds, overlap: true } };
  expect(explained(overlapping)).toBe("accepted");
  expect(specSchema.safeParse({ ...specOf(), rounds: overlapping.rounds }).success).toBe(false);
  expect(specSchema.parse({ ...specOf(), version: 2, rounds: overlapping.rounds }).rounds.overlap).toBe(true);
});

const sparse = { name: "chunk-top-k", chunk: 4096, k: 64, feedback: 0.95 };
const { blockSize: _, ...outer } = nano.outer;

test("version 3 may name a codec with its settings; block size belongs to int8 blocks", () => {
  const spec = { ...nano, version: 3, outer: { ...outer, codec: sparse } };
  expect(explained(spec)).toBe("accepted");
  expect(explained({ ...nano, version: 3 })).toBe("accepted");
  expect(explained({ ...spec, version: 2 })).toMatch(/^outer\.codec: came with version 3: say "version": 3/);
  expect(explained({ ...spec, outer: { ...spec.outer, blockSize: 256 } })).toMatch(/^outer\.blockSize: belongs to/);
  expect(explained({ ...nano, outer })).toMatch(/^outer\.blockSize: .*256/);
  const tooMany = { ...spec, outer: { ...outer, codec: { ...sparse, k: 513 } } };
  expect(explained(tooMany)).toMatch(/^outer\.codec/);
  const dense = { ...spec, outer: { ...outer, codec: { ...sparse, chunk: 1024, k: 256 } } };
  expect(explained(dense)).toMatch(/^outer\.codec.*an eighth/);
});

test.each<[unknown, RegExp]>([
  [{ name: "int4-block", rotated: true, entropy: "rans", rounding: "stochastic" }, /^accepted$/],
  [{ name: "power-sgd", rank: 4, feedback: 1 }, /^accepted$/],
  [{ name: "e3m0", rounding: "stochastic", feedback: 1 }, /^outer\.codec\.rounding: is of use without feedback alone/],
  [{ name: "sign" }, /^outer\.codec: feedback: is needed: such a codec learns only/],
  [{ name: "rand-k", every: 1, feedback: 1 }, /^outer\.codec\.every: /],
  [
    { name: "int3" },
    /^outer\.codec: must be "int8-block", or an object with its settings whose name is one of chunk-top-k, f32,/,
  ],
  ["f32", /^outer\.codec: must be "int8-block", or .*for example {"name": "f32"}$/],
])("version 4 names codecs by settings: %j", (codec, message) => {
  expect(explained({ ...nano, version: 4, outer: { ...outer, codec } })).toMatch(message);
  if (message.source === "^accepted$")
    expect(explained({ ...nano, version: 3, outer: { ...outer, codec } })).toMatch(/came with version 4/);
});

test("an adaptive outer method has its own settings, and they belong to it alone", () => {
  const adam = { ...nano.outer, method: "fedadam", beta2: 0.99, tau: 0.001 };
  expect(explained({ ...nano, version: 3, outer: adam })).toBe("accepted");
  expect(explained({ ...nano, version: 2, outer: adam })).toMatch(/^outer\.method: came with version 3/);
  expect(explained({ ...nano, version: 3, outer: { ...nano.outer, method: "fedadam" } })).toMatch(
    /^outer\.tau: .*0\.001[\s\S]*outer\.beta2: .*0\.99/,
  );
  expect(explained({ ...nano, version: 3, outer: { ...nano.outer, tau: 0.1 } })).toMatch(/^outer\.tau: belongs to/);
  expect(explained({ ...nano, version: 3, outer: { ...adam, method: "fedadagrad" } })).toMatch(/^outer\.beta2/);
});

test("version 4 may start each round without moments", () => {
  const fedAvg = { ...nano, version: 4, inner: { ...nano.inner, resetMoments: true } };
  expect(explained(fedAvg)).toBe("accepted");
  expect(explained({ ...fedAvg, version: 3 })).toMatch(/^inner\.resetMoments: came with version 4: say "version": 4/);
});

describe("gradients", () => {
  const ddp = {
    ...nano,
    version: 4,
    inner: { ...nano.inner, steps: 1 },
    outer: { ...nano.outer, extract: "gradient", method: "adamw", learningRate: 1, momentum: 0 },
  };
  test("version 4 may send them, for one AdamW of everybody's", () => {
    expect(explained(ddp)).toBe("accepted");
    expect(explained({ ...ddp, version: 3 })).toMatch(/^outer\.extract: came with version 4/);
  });
  test.each([
    [
      "a second step",
      { inner: { ...ddp.inner, steps: 2 } },
      /^inner\.steps: must be 1 with extract "gradient".*for example 1$/,
    ],
    ["overlap", { rounds: { ...nano.rounds, overlap: true } }, /^rounds\.overlap: .*for example false$/],
    ["moments of one's own", { inner: { ...ddp.inner, resetMoments: true } }, /^inner\.resetMoments: means nothing/],
    ["another outer step", { outer: { ...ddp.outer, method: "diloco" } }, /^outer\.method: is "adamw" where/],
    ["AdamW of pseudo-gradients", { outer: { ...ddp.outer, extract: undefined } }, /^outer\.method: is "adamw" where/],
    ["a rate beside the schedule's", { outer: { ...ddp.outer, learningRate: 0.7 } }, /^outer\.learningRate: must be 1/],
    ["fragments", { outer: { ...ddp.outer, fragments: 2 } }, /^outer\.fragments: .*norm of the whole gradient/],
    ["mixing", { outer: { ...ddp.outer, merge: { keepLocal: 0.5 } } }, /^outer\.merge: means nothing/],
    ["a momentum beside the betas", { outer: { ...ddp.outer, momentum: 0.9 } }, /^outer\.momentum: must be 0/],
    ["an adaptive method's tau", { outer: { ...ddp.outer, tau: 0.1 } }, /^outer\.tau: belongs to/],
  ])("%s is refused with the reason", (_, change, reason) => {
    expect(explained({ ...ddp, ...change })).toMatch(reason);
  });
});

describe("peers that fold in pairs", () => {
  const { blockSize: _, ...outer } = nano.outer;
  const noloco = {
    ...{ ...nano, version: 4 },
    outer: { ...outer, method: "noloco", extract: "parameters", codec: { name: "f16" }, clipToMedianNorm: false },
    rounds: { ...nano.rounds, topology: "pairs" },
  };

  test("came with version 4", () => {
    expect(explained(noloco)).toBe("accepted");
    expect(explained({ ...noloco, outer: { ...noloco.outer, codec: "int8-block", blockSize: 256 } })).toBe("accepted");
    expect(explained({ ...noloco, version: 3 })).toMatch(/rounds\.topology: came with version 4/);
  });

  const { topology: _all, ...rounds } = noloco.rounds;
  test.each([
    ["another method", { outer: { ...noloco.outer, method: "diloco" } }, /^rounds\.topology: .*belong together/],
    ["a method of pairs, and all fold all", { rounds }, /^rounds\.topology: .*belong together/],
    ["pseudo-gradients", { outer: { ...noloco.outer, extract: undefined } }, /^outer\.extract: must be "parameters"/],
    [
      "the largest values alone",
      { outer: { ...noloco.outer, codec: { name: "chunk-top-k", chunk: 1024, k: 64, feedback: 0.9 } } },
      /^outer\.codec: must be one of f32, f16, int8-block/,
    ],
    [
      "clipped parameters",
      { outer: { ...noloco.outer, clipToMedianNorm: true } },
      /^outer\.clipToMedianNorm: must be false/,
    ],
    ["overlap", { rounds: { ...noloco.rounds, overlap: true } }, /^rounds\.overlap: .*partner/],
    ["fragments", { outer: { ...noloco.outer, fragments: 2 } }, /^outer\.fragments: .*whole models/],
    ["mixing", { outer: { ...noloco.outer, merge: { keepLocal: 0.5 } } }, /^outer\.merge: .*goes on from/],
    ["updates that peers keep", { rounds: { ...noloco.rounds, durability: "peers" } }, /^rounds\.durability: .*vote/],
  ])("%s: refused, with the reason", (_, change, message) => {
    expect(explained({ ...noloco, ...change })).toMatch(message);
  });
});

test("version 4 may exchange the model in fragments, and mix what trains with the anchor", () => {
  const outer = { ...nano.outer, fragments: nano.model.layers + 1, merge: { keepLocal: 0.5 } };
  const streaming = { ...nano, version: 4, outer };
  expect(explained(streaming)).toBe("accepted");
  expect(explained({ ...streaming, version: 3 })).toMatch(
    /^outer\.fragments: came with version 4[\s\S]*outer\.merge: came with version 4/,
  );
  const tooMany = { ...outer, fragments: nano.model.layers + 2 };
  expect(explained({ ...streaming, outer: tooMany })).toMatch(/^outer\.fragments: must be at most the model's layers/);
  const { blockSize: __, ...rest } = outer;
  const factors = { ...rest, codec: { name: "power-sgd", rank: 2, feedback: 1 } };
  expect(explained({ ...streaming, outer: factors })).toMatch(/^outer\.fragments: does not go with codec "power-sgd"/);
  expect(explained({ ...streaming, outer: { ...outer, fragments: 1 } })).toMatch(
    /^outer\.fragments: .*; for example 2$/,
  );
  expect(explained({ ...streaming, outer: { ...outer, merge: { keepLocal: 1 } } })).toMatch(
    /^outer\.merge\.keepLocal: .*; for example 0\.5$/,
  );
});

test("the canonical form is golden and knows no key order", () => {
  const text = new TextDecoder().decode(canonicalBytes({ b: [1e21, 0.1, -0], a: "é\n", A: null }));
  expect(text).toBe('{"A":null,"a":"é\\n","b":[1e+21,0.1,0]}');
  expect(() => canonicalBytes(undefined)).toThrow(TypeError);
});

test.each([
  [
    "a number out of range",
    { ...nano, inner: { ...nano.inner, learningRate: 2 } },
    new RegExp(`^inner\\.learningRate: .*1.*; for example ${nano.inner.learningRate}$`),
  ],
  ["a wrong type", { ...nano, seed: "one" }, /^seed: .*number.*; for example 1$/],
  ["a missing field", { ...nano, operator: undefined }, /^operator: .*; for example "the local host"$/],
  ["an empty text", { ...nano, modelLicence: " " }, /^modelLicence: .*; for example "CC0-1\.0"$/],
  ["an unknown version", { ...nano, version: 7 }, /^version: 7 is unknown: .* 1, 2, 3, 4, 5 and 6; for example 1$/],
  [
    "a field that is newer than the version",
    { ...nano, rounds: { ...nano.rounds, overlap: true } },
    /^rounds\.overlap: came with version 2: say "version": 2; for example true$/,
  ],
  [
    "a round of more tokens than an update can count",
    {
      ...nano,
      inner: { ...nano.inner, steps: 10_000, windowsPerStep: 4096 },
      model: { ...nano.model, contextLength: 128 },
    },
    /^inner\.steps: .*below 2\^32.*; for example 20$/,
  ],
  ["heads that do not divide", { ...nano, model: { ...nano.model, heads: 3 } }, /model\.heads: must divide dModel/],
  [
    "an odd width",
    { ...nano, model: { ...nano.model, dFfn: 171 } },
    /^model\.dFfn: .*multiple of 4.*; for example 172$/,
  ],
  ["a file without a path", { ...nano, corpus: { ...nano.corpus, kind: "file" } }, /^corpus\.path: .*book\.txt/],
  [
    "deadlines in the wrong order",
    { ...nano, rounds: { ...nano.rounds, deadlineMinMs: 300_000 } },
    /^rounds\.deadlineMinMs: must not exceed/,
  ],
  ["an optional field", { ...nano, end: { roundsMax: 0 } }, /^end\.roundsMax: .*; for example 1000$/],
  [
    "a misspelt field",
    { ...nano, inner: { ...nano.inner, beta: 1 } },
    /^inner: has the unknown field "beta"; known are .*beta1/,
  ],
  ["no object at all", 7, /^the spec: /],
])("%s is refused with the field, the reason and an example", (_, draft, message) => {
  expect(explained(draft)).toMatch(message);
});

test("several mistakes take a line each; very many are cut short", () => {
  expect(explained({ ...nano, seed: -1, name: "" }).split("\n")).toHaveLength(2);
  const lines = explained({}).split("\n");
  expect(lines).toHaveLength(9);
  expect(lines[8]).toMatch(/^\.\.\. and \d+ more$/);
});

test("version 6: another residual stream", () => {
  const model = { ...nano.model, residual: "ladder" };
  expect(explained({ ...nano, version: 6, model })).toBe("accepted");
  expect(explained({ ...nano, version: 5, model })).toMatch(/^model\.residual: came with version 6: say "version": 6/);
  expect(explained({ ...nano, version: 6, model: { ...model, residual: "parallel" } })).toMatch(/^model\.residual: /);
});

describe("version 5: data", () => {
  const parts = [{ path: "./books" }];
  const corpus = { ...nano.corpus, kind: "parts", parts };
  const trained = { kind: "train", vocabSize: 4096 };

  test("documents from several places, and a tokenizer of the run's own", () => {
    expect(explained({ ...nano, version: 5, corpus: { ...corpus, tokenizer: trained } })).toBe("accepted");
    expect(explained({ ...nano, corpus })).toMatch(/^corpus\.kind: came with version 5: say "version": 5/);
    expect(explained({ ...nano, version: 4, corpus: { ...nano.corpus, tokenizer: trained } })).toMatch(
      /^corpus\.tokenizer: came with version 5/,
    );
    expect(explained({ ...nano, corpus: { ...nano.corpus, tokenizer: "bytes" } })).toBe("accepted");
  });

  test.each<[string, unknown, RegExp]>([
    ["parts of another kind", { ...nano.corpus, parts }, /^corpus\.parts: belong to corpus\.kind "parts"/],
    ["no parts", { ...corpus, parts: undefined }, /^corpus\.parts: belong to corpus\.kind "parts", for example/],
    ["a part that is nowhere", { ...corpus, parts: [{}] }, /^corpus\.parts\.0: names exactly one of path, url and hub/],
    [
      "a part in two places",
      { ...corpus, parts: [{ path: "a", url: "https://b" }] },
      /^corpus\.parts\.0: names exactly/,
    ],
    ["a login in an address", { ...corpus, parts: [{ url: "https://me:secret@b" }] }, /without a login/],
    [
      "two parts without licences",
      { ...corpus, parts: [...parts, ...parts] },
      /^corpus\.parts\.0\.source: is needed of/,
    ],
    [
      "a weight on one of two",
      {
        ...corpus,
        parts: [
          { ...parts[0], source: "a", licence: "b", weight: 1 },
          { ...parts[0], source: "a", licence: "b" },
        ],
      },
      /^corpus\.parts: have a weight each/,
    ],
    [
      "a vocabulary that no id names",
      { ...corpus, tokenizer: { ...trained, vocabSize: 70_000 } },
      /^corpus\.tokenizer\.vocabSize: .*65536/,
    ],
  ])("%s is refused", (_, given, message) => {
    expect(explained({ ...nano, version: 5, corpus: given })).toMatch(message);
  });

  test("a run's spec names the tokenizer, and every blob", () => {
    const spec = specOf();
    const blob = (digit: string) => ({ hash: digit.repeat(64), bytes: 9 });
    const tokenizer = { ...blob("c"), vocabSize: 300 };
    const data = { ...spec.data, tokenizer, manifest: blob("d"), evaluationBytes: 7 };
    expect(specSchema.safeParse({ ...spec, data }).success).toBe(false);
    const parsed = specSchema.parse({ ...spec, version: 5, data });
    expect(specBlobs(parsed).map(({ hash }) => hash)).toEqual([
      ...[...spec.data.train, ...spec.data.evaluation].map(({ hash }) => hash),
      ...["c", "d"].map((digit) => digit.repeat(64)),
    ]);
  });
});
