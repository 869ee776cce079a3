import { mkdir, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { PassThrough } from "node:stream";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { trainByteLevelBpe } from "#tokenizer/train";
import { presets } from "#wire";
import { checkDraft } from "../../host/load-run.ts";
import { newRun } from "./command.ts";
import { bytesOf, devices, sizeFor, sizes } from "./sizes.ts";

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gossamer-new-"));
  file = join(folder, "mine.json");
  vi.spyOn(console, "log").mockImplementation(() => {});
});
const written = async () => checkDraft(JSON.parse(await readFile(file, "utf8")), file);
const byFlags = (flags: Parameters<typeof newRun>[3]) => newRun(file, folder, undefined, flags);

describe("by flags", () => {
  test("nothing said: the smallest, on the text that comes along", async () => {
    await byFlags({});
    expect(await written()).toMatchObject({ model: presets.nano.model, corpus: presets.nano.corpus });
  });

  test("everything said", async () => {
    await writeFile(join(folder, "book.txt"), "It was a dark night. ".repeat(1000));
    const text = { text: "book.txt", source: "a friend", licence: "CC0-1.0", modelLicence: "MIT" };
    await byFlags({
      ...text,
      name: "book",
      purpose: "to read",
      operator: "us",
      device: "laptop",
      method: "streaming",
      tokens: 5e6,
      prompt: ["It was "],
    });
    expect(await written()).toMatchObject({
      name: "book",
      purpose: "to read",
      operator: "us",
      modelLicence: "MIT",
      corpus: { kind: "file", path: "./book.txt", source: "a friend", licence: "CC0-1.0" },
      model: { dModel: 320 },
      outer: { fragments: expect.anything() },
      end: { tokensMax: 5e6 },
      evaluation: { prompts: ["It was "] },
    });
  });

  test("a text may be a folder, a file of documents, an address, a data set of the hub", async () => {
    await mkdir(join(folder, "books"));
    await writeFile(join(folder, "lines.jsonl"), "{}");
    const about = { source: "a friend", licence: "MIT" };
    for (const [text, part] of [
      ["books", { path: "./books" }],
      ["lines.jsonl", { path: "./lines.jsonl" }],
      ["https://example.org/a.txt.gz", { url: "https://example.org/a.txt.gz" }],
      ["hub:ag_news", { hub: { dataset: "ag_news" } }],
    ] as const) {
      file = join(folder, `${text.replace(/\W/g, "-")}.json`);
      await byFlags({ text, ...about });
      const { version, corpus } = await written();
      expect([version, corpus]).toEqual([5, { kind: "parts", parts: [part], ...about, evaluationPart: 0.1 }]);
    }
  });

  test("a residual stream that hides the exchange of an island", async () => {
    await byFlags({ residual: "ladder" });
    expect(await written()).toMatchObject({ version: 6, model: { ...presets.nano.model, residual: "ladder" } });
  });

  test("weights from elsewhere: their model, and adapters beside them", async () => {
    const base = join(process.cwd(), "packages/formats/golden/single-f32");
    const given = { base, baseSource: "a friend", baseLicence: "MIT", context: 16, tokenizer: "bytes" };
    await expect(byFlags({ ...given, tokenizer: "bytes", baseLicence: "" })).rejects.toThrow(/--base-licence/);
    await byFlags({ ...given, lora: 4 });
    const draft = await written();
    expect(draft).toMatchObject({
      version: 5,
      base: { source: "a friend", licence: "MIT" },
      lora: { rank: 4, alpha: 8, targets: ["q", "k", "v", "o", "gate", "up", "down"] },
      model: { contextLength: 16 },
      inner: { learningRate: 1e-3 },
    });
    expect(resolve(folder, draft.base!.path)).toBe(base);
    const config = JSON.parse(await readFile(join(base, "config.json"), "utf8"));
    expect(draft.model).toMatchObject({ dModel: config.hidden_size, layers: config.num_hidden_layers });
    file = join(folder, "whole.json");
    await byFlags(given);
    expect(await written()).toMatchObject({ inner: { learningRate: 1e-4 } });
    expect((await written()).lora).toBeUndefined();
  });

  test("a tokenizer: trained, or a file of its own, whose vocabulary is the model's", async () => {
    await byFlags({ tokenizer: "1000" });
    expect(await written()).toMatchObject({
      version: 5,
      name: "nano: presidents, piece by piece",
      corpus: { kind: "sotu", tokenizer: { kind: "train", vocabSize: 1000 } },
      model: { ...presets.nano.model, vocabSize: 1000 },
    });
    const json = trainByteLevelBpe(new Map([["dark night", 9]]), 300);
    await writeFile(join(folder, "tokenizer.json"), json.json);
    file = join(folder, "other.json");
    await byFlags({ tokenizer: "tokenizer.json" });
    expect(await written()).toMatchObject({
      corpus: { tokenizer: { kind: "file", path: "./tokenizer.json" } },
      model: { vocabSize: json.vocabSize },
    });
  });

  test("a size that fits the memory that is given, and never more", () => {
    for (const memoryGb of [0.05, 0.3, 1, 3, 100])
      expect(bytesOf(sizeFor(memoryGb))).toBeLessThanOrEqual(memoryGb * 1e9);
    expect(sizeFor(0)).toBe(sizes[0]); // nothing fits: the page will say so, with numbers
    const chosen = Object.values(devices).map(({ memoryGb }) => sizeFor(memoryGb).name);
    expect(chosen).toEqual(["micro", "small", "medium", "large"]);
  });

  test.each([
    ["a text that is not there", { text: "none.txt" }, /--text none\.txt: There is no file/],
    ["adapters without a base", { lora: 8 }, /--lora belongs to --base/],
    [
      "a base that is none",
      { base: "none", baseSource: "a", baseLicence: "b" },
      /--base none: .*config\.json and safetensors/,
    ],
    ["a tokenizer that is no file", { tokenizer: "none.json" }, /--tokenizer none\.json: neither bytes, nor a number/],
    ["a file that is no tokenizer", { tokenizer: "mine.txt" }, /mine\.txt is no tokenizer/],
    ["a text without its source and licence", { text: "mine.txt" }, /needs --source/],
    ["a method that browsers cannot train", { method: "dsgt" }, /browsers do not track gradients/],
  ])("%s is told", async (_, flags, message) => {
    await writeFile(join(folder, "mine.txt"), "text");
    await expect(byFlags(flags)).rejects.toThrow(message);
    await expect(written()).rejects.toThrow("ENOENT");
  });

  test("a file that is there stays as it is", async () => {
    await writeFile(file, "mine");
    await expect(byFlags({})).rejects.toThrow("it is there already");
    expect(await readFile(file, "utf8")).toBe("mine");
  });
});

describe("by questions", () => {
  const [ENTER, DOWN, CTRL_C] = ["\r", "\u001b[B", "\u0003"];

  /** Each question hides the cursor first; the same question again counts as one. */
  const QUESTION = "\u001b[?25l";

  /** A person who types these, one after each question. */
  function person(answers: readonly string[]) {
    const [input, output] = [new PassThrough(), new PassThrough()];
    let seen = "";
    let answered = 0;
    output.on("data", (chunk) => {
      seen += chunk;
      const questions = seen.split(QUESTION).length - 1;
      if (answered === questions) return;
      const answer = answers[answered++] ?? CTRL_C;
      setImmediate(() => input.write(answer)); // it listens once it has asked
    });
    return { at: { input, output }, seen: () => seen };
  }

  test("Enter alone makes a run; what is offered is what fits, with its numbers", async () => {
    const { at, seen } = person(Array(10).fill(ENTER));
    await newRun(file, folder, at, {});
    expect(await written()).toMatchObject({
      version: 1, // nothing newer was asked for
      name: "our first run",
      model: presets.micro.model,
      end: { tokensMax: 2.5e7 },
    });
    expect(seen()).toContain("1.24 million parameters, 31.7 MB of memory for training");
  });

  test("a text of one's own in pieces, a laptop, another method, a prompt; a path that is none is asked again", async () => {
    await writeFile(join(folder, "book.txt"), "It was a dark night. ".repeat(1000));
    const text = [
      DOWN + ENTER,
      `none${ENTER}\u007f\u007f\u007f\u007fbook.txt${ENTER}`,
      `a friend${ENTER}`,
      `CC0-1.0${ENTER}`,
    ];
    const rest = [DOWN + ENTER, DOWN + ENTER, ENTER, DOWN + ENTER, ENTER, `It was ${ENTER}`, ENTER];
    const { at, seen } = person([ENTER, ENTER, ...text, ...rest]);
    await newRun(file, folder, at, {});
    expect(seen()).toContain("There is no file");
    expect(await written()).toMatchObject({
      corpus: {
        ...{ kind: "file", path: "./book.txt", source: "a friend", licence: "CC0-1.0" },
        tokenizer: { kind: "train", vocabSize: 4096 },
      },
      model: { dModel: 320, vocabSize: 4096 },
      evaluation: { prompts: ["It was "] },
    });
  });

  test("Ctrl-C at any question leaves nothing behind", async () => {
    for (let question = 0; question < 10; question++) {
      const { at, seen } = person([...Array(question).fill(ENTER), CTRL_C]);
      await newRun(file, folder, at, {});
      expect(seen()).toContain("Nothing was written.");
      await expect(written()).rejects.toThrow("ENOENT");
    }
  });
});
