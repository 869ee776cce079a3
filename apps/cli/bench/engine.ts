// `gossamer bench engine`: the engine's speed in a real headless Chromium, beside the best plain matmul of the same adapter.
import type { EngineMeasurement } from "#engine";
import { type PresetName, presets } from "#wire";
import { inPage } from "./page.ts";

export interface BenchOptions {
  readonly shape: PresetName;
  readonly steps: number;
  /** Sequences per microbatch; default: the preset's windows per step. */
  readonly microbatch?: number;
  readonly backend: EngineMeasurement["adapter"]["backend"];
  readonly json: boolean;
  /** Also print the milliseconds of each kernel. */
  readonly profile?: boolean;
}

export interface BenchReport extends EngineMeasurement {
  readonly shape: PresetName;
  readonly steps: number;
  readonly browser: string;
}

/** Measures and prints through `out` (a line at a time): a table for people, or one JSON object. */
export async function benchEngine(options: BenchOptions, out: (line: string) => void): Promise<BenchReport> {
  const { shape, steps } = options;
  const { model, inner } = presets[shape];
  const report = await inPage("apps/cli/bench/engine-page.ts", out, async (page, browser): Promise<BenchReport> => {
    const wish = {
      model,
      microbatch: options.microbatch ?? inner.windowsPerStep,
      steps,
      backend: options.backend,
      profile: options.profile ?? false,
    };
    const measured = await page.evaluate((given) => globalThis.measure(given), wish);
    return { shape, steps, browser: browser.version(), ...measured };
  });
  for (const line of options.json ? [JSON.stringify(report)] : lines(report)) out(line);
  return report;
}

function lines(report: BenchReport): string[] {
  const { adapter, model, microbatch } = report;
  const giga = (perSecond: number): string => `${(perSecond / 1e9).toFixed(2)} GFLOP/s`;
  const name = [adapter.vendor, adapter.architecture, adapter.description].filter(Boolean).join(" ");
  return [
    `adapter       ${name}${adapter.isFallback ? " (software)" : ""}, Chromium ${report.browser}`,
    `model         ${report.shape}: d=${model.dModel} L=${model.layers} heads=${model.heads} T=${model.contextLength} V=${model.vocabSize} B=${microbatch}, ${report.parameters.toLocaleString("en")} parameters`,
    conformanceLine(report),
    `first loss    ${(report.firstLossMs / 1000).toFixed(1)} s after createEngine`,
    `step          ${report.stepMs.toFixed(0)} ms (${report.dispatchesPerStep} ${adapter.backend === "wasm" ? "phases" : "dispatches"}), ${report.tokensPerSecond.toFixed(0)} tokens/s`,
    `model         ${giga(report.modelFlopsPerSecond)} (${(report.modelFlopsPerStep / 1e9).toFixed(3)} GFLOP a step)`,
    `matmul 512³   ${giga(report.matmulFlopsPerSecond)} (${Object.entries(report.matmuls)
      .map(([form, perSecond]) => `${form} ${(perSecond / 1e9).toFixed(2)}`)
      .join(", ")})`,
    `efficiency    ${report.efficiency.toFixed(2)}`,
    `loss          ${report.firstLoss.toFixed(3)} -> ${report.lastLoss.toFixed(3)} on one fixed batch`,
    ...Object.entries(report.msByKernel ?? {})
      .sort(([, a], [, b]) => b - a)
      .map(([kernel, ms]) => `  ${kernel.padEnd(22)} ${ms.toFixed(2).padStart(8)} ms`),
  ];
}

function conformanceLine({ conformance: { checks, failed, ms } }: BenchReport): string {
  const wrong = failed.map(({ kernel, tensor, error }) => `${kernel} ${tensor} (${error.toPrecision(2)})`);
  return `conformance   ${checks - failed.length} of ${checks} tensors as the reference has them, ${ms} ms${wrong.length > 0 ? `; wrong: ${wrong.join(", ")}` : ""}`;
}
