// `gossamer generate`: a text continued by a run's checkpoint, of a host or of a data directory, on the processor.
import { checkSampling, continuation, createGenerator, type Sampling } from "#engine/generation";
import { openTokenizer } from "#tokenizer";
import { runIdOf } from "#wire";
import { english } from "../web/words/format.ts";
import { type CheckpointPlace, checkpointSource, chosenCheckpoint } from "./checkpoint-source.ts";

export interface GenerateOptions extends Sampling, CheckpointPlace {
  /** Rounds folded into the checkpoint; undefined: the newest. */
  readonly round?: number | undefined;
  readonly prompt: string;
  readonly tokens: number;
  readonly json: boolean;
}

export interface GenerateReport {
  readonly run: string;
  readonly name: string;
  readonly round: number;
  readonly anchorHash: string;
  readonly parameters: number;
  readonly prompt: string;
  readonly text: string;
  readonly tokens: number;
  readonly sampling: Sampling;
  readonly engine: "processor";
  readonly tokensPerSecond: number;
}

/** What a person can put right: told in one line. */
export class GenerateError extends Error {
  override readonly name = "GenerateError";
}

/**
 * @param out text as it is written, or the report as JSON
 * @param say progress, a line at a time
 * @throws GenerateError, NoCheckpointError, CheckpointError, DataError
 */
export async function generate(
  options: GenerateOptions,
  out: (text: string) => void,
  say: (line: string) => void,
): Promise<GenerateReport> {
  const { temperature, topK, topP, seed, prompt, tokens } = options;
  const sampling = { temperature, topK, topP, seed };
  checked(sampling);
  if (prompt === "")
    throw new GenerateError('There is nothing to continue. Give a text: --prompt "My fellow citizens"');
  const source = await checkpointSource(options, say);
  const { spec } = source;
  const row = chosenCheckpoint(source, options.round);
  const values = await source.load(row);
  say(
    `${spec.name}, after round ${english.count(row.round)} (anchor ${row.anchorHash.slice(0, 12)}…), ${english.sizeInWords(values.length)} parameters, on the processor`,
  );
  const tokenizer = await openTokenizer(spec.data.tokenizer, source.blob);
  const generator = await createGenerator({ model: spec.model, backend: "processor" });
  await generator.load(values);
  const ids = tokenizer.encode(prompt);
  const stream = tokenizer.stream();
  const started = performance.now();
  let [text, count] = ["", 0];
  const write = (more: string): void => {
    text += more;
    if (!options.json) out(more);
  };
  for await (const id of continuation(generator, ids, { sampling, tokens })) {
    if (id === tokenizer.endOfText) break;
    write(stream.write(id));
    count++;
  }
  write(stream.end());
  const tokensPerSecond = count / ((performance.now() - started) / 1000);
  const report: GenerateReport = {
    run: runIdOf(spec),
    name: spec.name,
    round: row.round,
    anchorHash: row.anchorHash,
    parameters: values.length,
    prompt,
    text,
    tokens: count,
    sampling,
    engine: "processor",
    tokensPerSecond,
  };
  if (options.json) out(`${JSON.stringify(report)}\n`);
  else {
    out("\n");
    say(`${english.count(count)} tokens, ${english.count(tokensPerSecond)} a second; seed ${seed}`);
  }
  return report;
}

function checked(sampling: Sampling): void {
  try {
    checkSampling(sampling);
  } catch (error) {
    throw new GenerateError((error as RangeError).message);
  }
}
