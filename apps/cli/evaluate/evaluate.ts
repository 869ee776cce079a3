// `gossamer evaluate`: how good a run's checkpoint is, on this processor: on the text that was held out, or on multiple-choice questions of one's own.
//
//   checkpoint -> every window of the held-out text -> loss, perplexity, bits per byte
//              -> a task file's questions           -> accuracy
import { heldOutText, lossMeasures } from "#data";
import { createEngine } from "#engine";
import { createGenerator } from "#engine/generation";
import { openTokenizer } from "#tokenizer";
import { type CheckpointRow, runIdOf } from "#wire";
import { english } from "../../web/words/format.ts";
import {
  type CheckpointPlace,
  type CheckpointSource,
  checkpointSource,
  chosenCheckpoint,
} from "../checkpoint-source.ts";
import { evaluationSetOf } from "../replay.ts";
import { answerAll, type Measure, type TaskReport } from "./harness.ts";
import { readTasks } from "./tasks.ts";

export interface EvaluateOptions extends CheckpointPlace {
  /** Rounds folded into the checkpoint; undefined: the newest. */
  readonly round?: number | undefined;
  /** A task file; undefined: the held-out text. */
  readonly tasks?: string | undefined;
  /** Of the held-out text; undefined: all that do not overlap. */
  readonly windows?: number | undefined;
  readonly json: boolean;
}

interface HeldOutReport {
  readonly windows: number;
  readonly tokens: number;
  readonly loss: number; // nats per token
  readonly perplexity: number;
  readonly bitsPerByte: number;
}

export interface EvaluateReport {
  readonly run: string;
  readonly name: string;
  readonly round: number;
  readonly anchorHash: string;
  readonly heldOut?: HeldOutReport;
  readonly tasks?: readonly TaskReport[];
}

type Say = (line: string) => void;

/**
 * @param out the report, a line at a time
 * @param say progress
 * @throws NoCheckpointError, CheckpointError, DataError
 */
export async function evaluate(options: EvaluateOptions, out: Say, say: Say): Promise<EvaluateReport> {
  const questions = options.tasks === undefined ? undefined : await readTasks(options.tasks);
  const source = await checkpointSource(options, say);
  const row = chosenCheckpoint(source, options.round);
  const { spec } = source;
  const parameters = await source.load(row);
  const progress = progressBy(say);
  const found =
    questions === undefined
      ? { heldOut: await heldOut(source, parameters, options.windows, progress) }
      : { tasks: await answered(source, parameters, questions, progress) };
  const report = { run: runIdOf(spec), name: spec.name, round: row.round, anchorHash: row.anchorHash, ...found };
  for (const line of options.json ? [JSON.stringify(report)] : linesOf(report, row, parameters.length)) out(line);
  return report;
}

type Progress = (done: number, all: number, what: string) => void;

/** Nobody waits longer than this without a word. */
const SAY_EVERY_MS = 5_000;

function progressBy(say: Say): Progress {
  const began = performance.now();
  let said = began;
  return (done, all, what) => {
    const now = performance.now();
    if (now - said < SAY_EVERY_MS || done === all) return;
    said = now;
    const left = ((now - began) / done) * (all - done);
    say(`${english.count(done)} of ${english.count(all)} ${what}, about ${english.duration(left)} left`);
  };
}

/** Windows that the engine takes at once: enough for its threads, few enough to tell of. */
const WINDOWS_AT_ONCE = 8;

async function heldOut(
  source: CheckpointSource,
  parameters: Float32Array,
  windows: number | undefined,
  progress: Progress,
): Promise<HeldOutReport> {
  const { spec } = source;
  const set = await evaluationSetOf(spec, source.blob, windows ?? Number.MAX_SAFE_INTEGER);
  const engine = await createEngine({ model: spec.model, microbatch: 1, backend: "wasm" });
  try {
    engine.load(parameters);
    let sum = 0;
    for (let at = 0; at < set.windows.length; at += WINDOWS_AT_ONCE) {
      const some = set.windows.slice(at, at + WINDOWS_AT_ONCE);
      sum += (await engine.evaluate(some)) * some.length;
      progress(at + some.length, set.windows.length, "windows");
    }
    const loss = sum / set.windows.length;
    const tokens = set.windows.length * spec.model.contextLength;
    return { windows: set.windows.length, tokens, loss, ...lossMeasures(loss, heldOutText(spec.data)) };
  } finally {
    engine.destroy();
  }
}

async function answered(
  { spec, ...source }: CheckpointSource,
  parameters: Float32Array,
  questions: Awaited<ReturnType<typeof readTasks>>,
  progress: Progress,
): Promise<TaskReport[]> {
  const generator = await createGenerator({ model: spec.model, backend: "processor" });
  await generator.load(parameters);
  const { encode } = await openTokenizer(spec.data.tokenizer, source.blob);
  return answerAll({ generator, encode }, questions, (done) => progress(done, questions.length, "questions"));
}

const percent = (value: number): string => `${(100 * value).toFixed(1)} %`;
const measured = ({ value, error }: Measure): string =>
  error === null ? percent(value) : `${percent(value)} ± ${percent(error)}`;

function linesOf({ name, heldOut, tasks }: EvaluateReport, row: CheckpointRow, parameters: number): string[] {
  const head = `${name}, after round ${english.count(row.round)} (anchor ${row.anchorHash.slice(0, 12)}…), ${english.sizeInWords(parameters)} parameters`;
  if (heldOut !== undefined) {
    const { windows, tokens, loss, perplexity, bitsPerByte } = heldOut;
    return [
      head,
      `held-out text  ${english.count(windows)} windows, ${english.count(tokens)} tokens`,
      `loss           ${loss.toFixed(4)} nats per token`,
      `perplexity     ${perplexity.toFixed(3)}`,
      `bits per byte  ${bitsPerByte.toFixed(4)}`,
    ];
  }
  return [
    head,
    ...(tasks ?? []).flatMap(({ task, questions, chance, accuracy, accuracyPerByte }) => [
      `${task}: ${english.count(questions)} questions`,
      `  accuracy           ${measured(accuracy)} (guessing: ${percent(chance)})`,
      `  accuracy per byte  ${measured(accuracyPerByte)}`,
    ]),
  ];
}
