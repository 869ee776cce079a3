// `gossamer plan`: what a model takes of a GPU's memory, before anything is started.
import { DEFAULT_LIMITS, largestFit, type ModelPlan, type Moments, type Precision, planModel } from "#engine";
import { planGeneration } from "#engine/generation";
import { parameterTable } from "#outer";
import { SpecError } from "../host/load-run.ts";
import { english } from "../web/words/format.ts";
import { loadModel, modelLine } from "./models.ts";
import { islandsLine, islandsOf, stagesLine } from "./plan-islands.ts";

export interface PlanCommandOptions {
  readonly run: string;
  readonly from: string;
  /** Sequences at once; default: the model's. */
  readonly microbatch?: number | undefined;
  readonly memoryGb?: number | undefined;
  readonly recomputedLayers?: number | undefined;
  readonly moments?: Moments;
  readonly keepsMark?: boolean;
  readonly precision?: Precision;
  readonly json: boolean;
}

/** Prints through `out`, a line at a time. @returns whether it fits. @throws SpecError */
export async function planCommand(options: PlanCommandOptions, out: (line: string) => void): Promise<boolean> {
  const named = await loadModel(options.run, options.from);
  const { model, lora } = named;
  if (options.recomputedLayers !== undefined && options.recomputedLayers >= model.layers)
    throw new SpecError(
      `--recompute ${options.recomputedLayers}: of ${model.layers} layers at most ${model.layers - 1} can be; the last one is just done.`,
    );
  const memoryBytes = options.memoryGb === undefined ? undefined : options.memoryGb * 1e9;
  const { moments, keepsMark, precision, microbatch = named.microbatch } = options;
  if (lora && (keepsMark || precision === "f16"))
    throw new SpecError(
      `${keepsMark ? "--mark" : "--precision f16"}: ${named.name} trains adapters, which are small enough to cross whole, in f32. Leave it out.`,
    );
  const given = { model, lora, memoryBytes, moments, keepsMark, precision, microbatch };
  const plan = planModel({ ...given, recomputedLayers: options.recomputedLayers });
  const largest = memoryBytes === undefined ? undefined : largestFit(given);
  // Islands train whole models, in f32, with the mark on the CPU.
  const islands = lora || keepsMark || precision === "f16" ? undefined : islandsOf({ model, memoryBytes, moments });
  const onDisk = planModel({ ...given, microbatch: 1, recomputedLayers: model.layers - 1, cold: true });
  if (options.json)
    out(JSON.stringify({ model, ...plan, onDisk, ...(largest && { largest }), ...(islands && { islands }) }));
  else {
    out(`model         ${modelLine(named, parameterTable(model).length)}`);
    for (const line of planLines(model.layers, plan)) out(line);
    if (memoryBytes === undefined) for (const line of otherwise(given)) out(line);
    out(onDiskLine(onDisk, memoryBytes));
    const texts = planGeneration(model);
    out(
      `its texts     ${english.bytes(texts.totalBytes)} to continue texts with it, ${english.bytes(texts.bytesByPart.cache)} of it keys and values`,
    );
    const { problem } = planModel({ ...given, recomputedLayers: plan.recomputedLayers, limits: DEFAULT_LIMITS });
    out(
      `any device    ${problem === undefined ? "yes: within what WebGPU promises everywhere" : `no, only adapters that allow more than WebGPU promises: ${problem}`}`,
    );
    if (islands) out(islandsLine(islands, memoryBytes));
    const stages = islands && stagesLine(islands, model.layers);
    if (stages) out(stages);
    if (largest && memoryBytes) {
      const { microbatch, model: widest } = largest;
      const own =
        microbatch === 0
          ? "not one sequence of this model"
          : `${microbatch} ${microbatch === 1 ? "sequence" : "sequences"} of this model at once`;
      const wide = widest
        ? `; one sequence of d=${widest.dModel} (${parameterTable(widest).length.toLocaleString("en")} parameters)`
        : "";
      out(`in ${english.bytes(memoryBytes).padEnd(11)}${own}${wide}`);
    }
    if (plan.problem) out(`Does not fit. ${plan.problem}`);
  }
  return plan.problem === undefined;
}

export const planLines = (layers: number, plan: Omit<ModelPlan, "problem">): string[] => [
  `GPU memory    ${english.bytes(plan.totalBytes)} with ${plan.microbatch} ${plan.microbatch === 1 ? "sequence" : "sequences"} at once, ${plan.recomputedLayers} of ${layers} layers recomputed`,
  ...Object.entries(plan.bytesByPart)
    .filter(([, size]) => size > 0)
    .map(([part, size]) => `  ${part.padEnd(12)}${english.bytes(size).padStart(8)}`),
];

/** With the moments elsewhere: what a page does where nothing else fits. */
function onDiskLine({ totalBytes, coldBytes, problem }: ModelPlan, memoryBytes: number | undefined): string {
  const verdict = memoryBytes === undefined ? "" : problem === undefined ? "fits: " : "does not fit either: ";
  return `on disk       ${verdict}${english.bytes(totalBytes)}, 1 at once with its layers recomputed, and ${english.bytes(coldBytes)} of moments on disk, which each step reads and writes`;
}

/** The same model in other ways: fewer sequences, and activations computed again. */
function otherwise(given: Parameters<typeof planModel>[0]): string[] {
  const total = (microbatch: number, recomputedLayers: number): string =>
    english.bytes(planModel({ ...given, microbatch, recomputedLayers }).totalBytes);
  return [...new Set([1, given.microbatch])].map(
    (B) =>
      `${`${B} at once`.padEnd(14)}${total(B, 0)}; ${total(B, given.model.layers - 1)} with its layers recomputed, which takes 15 to 20 % more time`,
  );
}
