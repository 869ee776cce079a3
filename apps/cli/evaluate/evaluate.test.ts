// A checkpoint's measures against the reference, of a directory and of its host; the harness on a model whose answers are known; bad task files.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Generator } from "#engine/generation";
import { lossOnly } from "#engine/reference";
import { DiskBlobStore } from "#store/disk";
import { freshFolder, startTestHost, TestVolunteer, writeRun } from "../../host/test-given.ts";
import { checkpointSource } from "../checkpoint-source.ts";
import { readEvaluationSet } from "../replay.ts";
import { type EvaluateOptions, evaluate } from "./evaluate.ts";
import { answerAll } from "./harness.ts";
import { type Question, readTasks } from "./tasks.ts";

type TestHost = Awaited<ReturnType<typeof startTestHost>>;

let data: string;
let host: TestHost;

beforeAll(async () => {
  data = await freshFolder();
  host = await startTestHost({ data, run: await writeRun(data) });
  const volunteer = await TestVolunteer.join(host.url, 1);
  await volunteer.playCheckpoints(host, 1);
  volunteer.socket.close();
});
afterAll(() => host.close());

async function run(options: Partial<EvaluateOptions>) {
  const lines: string[] = [];
  const report = await evaluate(
    { data, json: false, ...options },
    (line) => lines.push(line),
    () => {},
  );
  return { report, lines };
}

test("on the windows that peers evaluate, the loss is the reference's; of a host and of its directory", async () => {
  const source = await checkpointSource({ data }, () => {});
  const { spec } = source;
  const parameters = await source.load(source.rows[0]);
  const { windows } = await readEvaluationSet(spec, await DiskBlobStore.open(data));
  const expected = windows.reduce((sum, ids) => sum + lossOnly(spec.model, parameters, ids, 1), 0) / windows.length;
  const { report, lines } = await run({ windows: spec.evaluation.windows });
  expect(report).toMatchObject({ run: host.run.id, round: 1, heldOut: { windows: windows.length } });
  expect(report.heldOut?.loss).toBeCloseTo(expected, 4);
  expect(report.heldOut?.perplexity).toBeCloseTo(Math.exp(expected), 1);
  expect(report.heldOut?.bitsPerByte).toBeCloseTo(expected / Math.LN2, 4);
  expect(lines.join("\n")).toContain(`loss           ${report.heldOut?.loss.toFixed(4)} nats per token`);
  const fetched = await run({ url: host.url, windows: spec.evaluation.windows, json: true });
  expect(JSON.parse(fetched.lines[0])).toEqual(report);
});

test("without a number all windows that do not overlap are read", async () => {
  const { spec } = await checkpointSource({ data }, () => {});
  const tokens = spec.data.evaluation.reduce((sum, shard) => sum + shard.tokens, 0);
  const { heldOut } = (await run({})).report;
  expect(heldOut?.windows).toBe(Math.floor((tokens - 1) / spec.model.contextLength));
});

test("questions of a file are answered, and counted by task", async () => {
  const file = join(await freshFolder(), "tasks.jsonl");
  const question = { prompt: "It was a ", choices: ["dark", "bright"], answer: 0 };
  const lines = [question, { ...question, task: "other" }, { ...question, answer: 1, task: "other" }];
  await writeFile(file, `${lines.map((line) => JSON.stringify(line)).join("\n")}\n`);
  const { report } = await run({ tasks: file });
  expect(report.tasks?.map(({ task, questions, chance }) => [task, questions, chance])).toEqual([
    ["all", 1, 0.5],
    ["other", 2, 0.5],
  ]);
  const [all, other] = report.tasks ?? [];
  expect(all.accuracy.error).toBeNull();
  expect(other.accuracy.value).toBe(0.5); // the same question with both answers
  expect(other.accuracy.error).toBeCloseTo(0.5, 9); // sqrt(1/4 / 1)
});

describe("the harness", () => {
  /** Holds each byte as likely as its weight says, whatever came before. */
  function unigram(weights: Readonly<Record<string, number>>): Generator {
    const logits = new Float32Array(256).fill(-20);
    for (const [letter, weight] of Object.entries(weights)) logits[letter.charCodeAt(0)] = Math.log(weight);
    return {
      model: { contextLength: 64 },
      prefill: async () => logits,
      decode: async () => logits,
    } as unknown as Generator;
  }
  const ask = (questions: readonly Question[]) =>
    answerAll(
      { generator: unigram({ a: 0.6, b: 0.3, c: 0.1 }), encode: (text) => Buffer.from(text) },
      questions,
      () => {},
    );

  test("the likeliest choice is the answer; by its bytes a longer one may be", async () => {
    // ln .6 = -0.51; three a: -1.53, per byte -0.51; one b: -1.20
    const [report] = await ask([{ prompt: "x", choices: ["b", "aaa"], answer: 1 }]);
    expect(report.accuracy.value).toBe(0);
    expect(report.accuracyPerByte.value).toBe(1);
  });

  test("of choices that are as likely the first counts; chance is the mean of what guessing gets", async () => {
    const [report] = await ask([
      { prompt: "x", choices: ["a", "a"], answer: 0 },
      { prompt: "x", choices: ["a", "b", "c", "c"], answer: 3 },
    ]);
    expect(report).toMatchObject({ questions: 2, chance: 0.375, accuracy: { value: 0.5 } });
  });

  test("a prompt's last token may belong to the choice: one that joins them is not judged twice", async () => {
    const judged: number[][] = [];
    const generator = {
      ...unigram({ a: 1 }),
      prefill: async (ids: ArrayLike<number>) => {
        judged.push(Array.from(ids));
        return new Float32Array(256);
      },
    } as unknown as Generator;
    const joined = (text: string): number[] => Array.from(Buffer.from(text.replace("xy", "z"))); // "x" + "y" is one token
    await answerAll({ generator, encode: joined }, [{ prompt: "ax", choices: ["y", "b"], answer: 0 }], () => {});
    expect(judged.map((ids) => Buffer.from(ids).toString())).toEqual(["a", "ax"]);
  });
});

test("a choice that no context holds is named", async () => {
  const file = join(await freshFolder(), "tasks.jsonl");
  await writeFile(file, JSON.stringify({ prompt: "a", choices: ["b", "c".repeat(9)], answer: 0 }));
  await expect(run({ tasks: file })).rejects.toThrow(/question 1, choice 1 has 9 tokens; this model reads 8 at once/);
});

describe("a task file that is none is told", () => {
  test.each([
    ["without a question", "\n\n", /has no question\. A line is, for example/],
    ["that is not JSON", '{"prompt": "a", "choices": ["b", "c"], "answer": 0}\nwhat', /line 2 is not JSON/],
    ["with one choice", '{"prompt": "a", "choices": ["b"], "answer": 0}', /line 1: choices: /],
    ["with an answer that is none", '{"prompt": "a", "choices": ["b", "c"], "answer": 2}', /answer: is the place/],
    ["with a field that nobody reads", '{"prompt": "a", "choices": ["b", "c"], "answer": 0, "x": 1}', /line 1: /],
    ["in another encoding", Buffer.from([0xff, 0xfe, 0x41]), /no UTF-8/],
  ])("%s", async (_, content, message) => {
    const file = join(await freshFolder(), "tasks.jsonl");
    await writeFile(file, content);
    await expect(readTasks(file)).rejects.toThrow(message);
  });

  test("that is not there", async () => {
    await expect(run({ tasks: "/none.jsonl" })).rejects.toThrow(/task file \/none\.jsonl cannot be read/);
  });
});
