// `gossamer bench island`: what a step over two to four members takes on lines of several kinds, measured and predicted, and where cutting layers among stages
// would be the better way.
import { type IslandBenchOptions, type IslandMeasurement, type IslandStep, measureIsland } from "#engine";
import {
  aloneStepMs,
  BYTES_PER_NUMBER,
  exchangeMs,
  type LineShape,
  type ModelShape,
  pipelineStepMs,
  presets,
  stepShapeOf,
  tensorStepMs,
} from "#wire";
import { english } from "../../web/words/format.ts";
import { GPT2_SMALL } from "../gpt2-small.ts";
import type {} from "./island-page.ts";
import { onAdapter } from "./on-adapter.ts";

export interface BenchIslandOptions
  extends Pick<IslandBenchOptions, "ranks" | "exchange" | "form" | "rounds" | "microbatch"> {
  readonly model: "nano" | "micro";
  readonly adapter: string;
  readonly json: boolean;
}

const megabits = (n: number): number => (n * 1e6) / 8;
/** A cable, a home's wireless network, one that is far from its router, and two homes. */
const LINES: readonly LineShape[] = [
  { latencyMs: 0.2, bytesPerSecond: megabits(1000) },
  { latencyMs: 1, bytesPerSecond: megabits(300) },
  { latencyMs: 5, bytesPerSecond: megabits(100) },
  { latencyMs: 20, bytesPerSecond: megabits(20) },
];

/** Prints through `out`; `say` hears of an installation, and of the page. */
export async function benchIsland(
  { model, adapter, json, ...given }: BenchIslandOptions,
  out: (line: string) => void,
  say: (line: string) => void,
): Promise<void> {
  const measuredWith = (residual: ModelShape["residual"]): Promise<IslandMeasurement> => {
    const wish = { ...given, model: { ...presets[model].model, residual }, lines: LINES };
    return onAdapter(adapter, say, {
      entry: "apps/cli/bench/island-page.ts",
      inPage: (page) => page.evaluate((given) => globalThis.island(given), wish),
      inNode: () => measureIsland(wish),
    });
  };
  const standard = await measuredWith(undefined);
  const ladder = await measuredWith("ladder");
  if (json) return out(JSON.stringify({ standard, ladder }));
  for (const line of [...linesOf(model, standard), "", ...linesOf(`${model} with a ladder residual`, ladder)])
    out(line);
  for (const line of predictedLines()) out(line);
}

/** What no machine here can measure: each member a GPU of this speed. */
const MEMBER_FLOPS = 1e12;

/** Where one plan is faster than the other, for a model that is worth an island. */
function predictedLines(): string[] {
  const secondsOf = (ms: number): string => `${(ms / 1000).toFixed(1)} s`.padStart(8);
  const rows = [2, 8].flatMap((microbatches) => {
    const step = stepShapeOf(GPT2_SMALL.model, microbatches, 1);
    const { numbers } = step;
    const stageMs = aloneStepMs({ ...step, microbatches: 1 }, MEMBER_FLOPS) / 2;
    return [
      `  ${microbatches} microbatches: alone ${secondsOf(aloneStepMs(step, MEMBER_FLOPS))}`,
      ...LINES.map((line) => {
        const eachMs = exchangeMs({ ranks: 2, numbers, exchange: "int8", form: "direct" }, line);
        const sendMs = (1000 * numbers * BYTES_PER_NUMBER.int8) / line.bytesPerSecond;
        const hop = { forwardMs: sendMs, backwardMs: sendMs, latencyMs: line.latencyMs };
        const tensor = secondsOf(tensorStepMs(step, 2, MEMBER_FLOPS, eachMs));
        const ladder = secondsOf(tensorStepMs({ ...step, residual: "ladder" }, 2, MEMBER_FLOPS, eachMs));
        const stages = secondsOf(pipelineStepMs([stageMs, stageMs], [hop], microbatches));
        return `    ${nameOf(line).padEnd(18)} tensor ${tensor}   with a ladder ${ladder}   pipeline ${stages}`;
      }),
    ];
  });
  return ["", "predicted: GPT-2 small over 2 members of 1 TFLOP/s each, a sequence a microbatch, int8", ...rows];
}

const nameOf = ({ latencyMs, bytesPerSecond }: LineShape): string =>
  `${latencyMs} ms, ${((bytesPerSecond * 8) / 1e6).toFixed(0)} Mbit/s`;

const stepOf = ({ ms, predictedMs, exchangeMs, hiddenPart }: IslandStep): string =>
  `${ms.toFixed(0).padStart(6)} ms (predicted ${predictedMs.toFixed(0).padStart(6)}), exchange ${exchangeMs.toFixed(0).padStart(5)} ms, ${(100 * hiddenPart).toFixed(0).padStart(3)} % hidden`;

function linesOf(
  name: string,
  { adapter, ranks, microbatch, exchange, form, exchanges, bytesEach, bare, lines }: IslandMeasurement,
): string[] {
  return [
    `${name} over ${ranks} members on ${adapter}, which they share: a step is 2 microbatches of ${microbatch} sequences, each with ${exchanges} exchanges of ${english.bytes(bytesEach)} (${exchange}, ${form})`,
    `  no line            one by one ${bare.oneByOneMs.toFixed(0).padStart(6)} ms`,
    `                     in turns   ${bare.inTurnsMs.toFixed(0).padStart(6)} ms`,
    ...lines.flatMap(({ oneByOne, inTurns, ...line }) => [
      `  ${nameOf(line).padEnd(18)} one by one ${stepOf(oneByOne)}`,
      `${"".padEnd(21)}in turns   ${stepOf(inTurns)}`,
    ]),
  ];
}
