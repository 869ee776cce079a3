// What the engine's bench is asked and what it found, as lines for people.
import type { DeviceMeasurement, DeviceOptions, EngineMeasurement, MeasureOptions, TuningMeasurement } from "#engine";
import { LORA_TARGETS, type PresetName, presets } from "#wire";
import { english } from "../../web/words/format.ts";
import { GPT2_SMALL } from "../gpt2-small.ts";
import { type PyTorchMeasurement, pytorchLines } from "./pytorch.ts";

export interface EngineWish extends MeasureOptions {
  readonly shape: string;
  /** Also measure what the device itself can do. */
  readonly device?: DeviceOptions | undefined;
  /** Also look for faster variants of the kernels. */
  readonly tune?: boolean;
}

export const SHAPE_NAMES: readonly string[] = [...Object.keys(presets), GPT2_SMALL.name];

/** What the command line says -> what is measured. `matmul` is the size of the device's plain product. */
export interface EngineFlags {
  readonly shape: string;
  readonly steps: number;
  readonly microbatch?: number;
  readonly recompute?: number;
  readonly precision?: MeasureOptions["precision"];
  /** The adapters' rank, beside all layers; absent: all parameters are trained. */
  readonly lora?: number;
  readonly backend?: MeasureOptions["backend"];
  readonly profile: boolean;
  readonly tune?: boolean;
  readonly device: boolean;
  readonly matmul?: number;
}

export function wishOf({
  shape,
  steps,
  microbatch,
  recompute,
  precision = "f32",
  lora,
  backend = "webgpu",
  profile,
  tune = false,
  device,
  matmul,
}: EngineFlags): EngineWish {
  const preset = presets[shape as PresetName] as (typeof presets)[PresetName] | undefined;
  const named = preset ? { model: preset.model, microbatch: preset.inner.windowsPerStep } : GPT2_SMALL;
  return {
    ...{
      shape,
      steps,
      backend,
      profile,
      tune: tune && backend === "webgpu",
      model: named.model,
      microbatch: microbatch ?? named.microbatch,
    },
    recomputedLayers: recompute,
    ...(lora !== undefined && { lora: { rank: lora, alpha: 2 * lora, targets: [...LORA_TARGETS] } }),
    precision,
    ...(device && { device: { matmulSize: matmul } }),
  };
}

export interface BenchReport extends EngineMeasurement {
  readonly shape: string;
  readonly steps: number;
  /** The browser, or Dawn in Node, with its version. */
  readonly runtime: string;
  readonly device?: DeviceMeasurement;
  /** The same step in PyTorch, on the same machine. */
  readonly pytorch?: PyTorchMeasurement;
  /** The card's f32 peak without tensor cores, from its data sheet. */
  readonly peakFlopsPerSecond?: number;
  readonly tuning?: TuningMeasurement;
}

export function engineLines(report: BenchReport): string[] {
  const { adapter, model, microbatch } = report;
  const giga = (perSecond: number): string => `${(perSecond / 1e9).toFixed(2)} GFLOP/s`;
  const name = [adapter.vendor, adapter.architecture, adapter.description].filter(Boolean).join(" ");
  return [
    `adapter       ${name}${adapter.isFallback ? " (software)" : ""}, ${report.runtime}`,
    `model         ${report.shape}: d=${model.dModel} L=${model.layers} heads=${model.heads} T=${model.contextLength} V=${model.vocabSize} B=${microbatch}, ${report.parameters.toLocaleString("en")} parameters${report.precision === "f16" ? ", mixed precision (f16)" : ""}${report.lora ? `, adapters of rank ${report.lora.rank} beside all layers` : ""}`,
    conformanceLine(report),
    `first loss    ${(report.firstLossMs / 1000).toFixed(1)} s after createEngine`,
    `memory        ${english.bytes(report.allocatedBytes)}`,
    `step          ${report.stepMs.toFixed(0)} ms (${report.dispatchesPerStep} ${adapter.backend === "wasm" ? "phases" : "dispatches"}), ${report.tokensPerSecond.toFixed(0)} tokens/s`,
    `model         ${giga(report.modelFlopsPerSecond)} (${(report.modelFlopsPerStep / 1e9).toFixed(3)} GFLOP a step)`,
    `matmul 512³   ${giga(report.matmulFlopsPerSecond)} (${Object.entries(report.matmuls)
      .map(([form, perSecond]) => `${form} ${(perSecond / 1e9).toFixed(2)}`)
      .join(", ")})`,
    `efficiency    ${report.efficiency.toFixed(2)}`,
    `loss          ${report.firstLoss.toFixed(3)} -> ${report.lastLoss.toFixed(3)} on one fixed batch`,
    ...kernelLines(report),
    ...(report.device ? deviceLines(report.device, report.peakFlopsPerSecond) : []),
    ...(report.pytorch ? pytorchLines(report, report.pytorch) : []),
    ...(report.tuning ? tuningLines(report.tuning) : []),
  ];
}

/**
 * By time, longest first: milliseconds, what it computes and moves, and its part of the roofline: the time that the device's own best
 * product and copy would take, whichever is longer, to the kernel's (Williams, Waterman and Patterson, 2009). Without --device no copy was measured.
 */
function kernelLines({ kernels = {}, device, matmulFlopsPerSecond }: BenchReport): string[] {
  const best = Math.max(matmulFlopsPerSecond, ...Object.values(device?.flopsPerSecondByForm ?? {}));
  return Object.entries(kernels)
    .sort(([, a], [, b]) => b.ms - a.ms)
    .map(([kernel, { ms, flops, bytes: moved }]) => {
      const rate = (amount: number): string => (amount / (ms / 1000) / 1e9).toFixed(2).padStart(8);
      const roofMs = 1000 * Math.max(flops / best, moved / (device?.copyBytesPerSecond ?? Number.POSITIVE_INFINITY));
      const part = roofMs === 0 ? "" : `, ${((100 * roofMs) / ms).toFixed(0).padStart(3)} % of the roofline`;
      const computed = flops === 0 ? "               –" : `${rate(flops)} GFLOP/s`;
      return `  ${kernel.padEnd(22)} ${ms.toFixed(2).padStart(8)} ms ${computed} ${rate(moved)} GB/s${part}`;
    });
}

function tuningLines(tuning: TuningMeasurement): string[] {
  const { workloads, faults, deviceMs, tookMs, defaultStepMs, tunedStepMs, gain } = tuning;
  const times = `${(tookMs / 1000).toFixed(1)} s beside training, ${(deviceMs / 1000).toFixed(1)} s of the device`;
  const measured = workloads.filter(({ known }) => !known).length;
  return [
    `tuning        ${workloads.length} workloads, ${measured} of them measured now: ${times}`,
    ...workloads.map(
      ({ key, tile, gain, known }) =>
        `  ${key.padEnd(40)} ${tile.padEnd(20)} ${tile === "default" ? "" : `${gain.toFixed(2)} times the default's speed`}${known ? " (known)" : ""}`,
    ),
    ...faults.map((fault) => `  left out: ${fault}`),
    `tuned step    ${tunedStepMs.toFixed(1)} ms beside ${defaultStepMs.toFixed(1)} ms, in turn: ${gain.toFixed(3)} times the speed`,
  ];
}

function deviceLines(device: DeviceMeasurement, peak: number | undefined): string[] {
  const { matmulSize, flopsPerSecondByForm, copyBytesPerSecond, bytesPerSecondByKernel } = device;
  const forms = Object.entries(flopsPerSecondByForm).map(([form, speed]) => `${form} ${(speed / 1e9).toFixed(1)}`);
  const giga = (speed: number): string => `${(speed / 1e9).toFixed(2)} GB/s`;
  const best = Math.max(...Object.values(flopsPerSecondByForm));
  const ofPeak = peak === undefined ? "" : `; the best is ${((100 * best) / peak).toFixed(0)} % of the card's peak`;
  return [
    `matmul ${matmulSize}³  ${forms.join(", ")} GFLOP/s${ofPeak}`,
    `copy          ${giga(copyBytesPerSecond)} read and written, ${device.bufferBytes / 2 ** 20} MiB`,
    ...Object.entries(bytesPerSecondByKernel).map(
      ([kernel, speed]) =>
        `  ${kernel.padEnd(22)} ${giga(speed).padStart(13)}, ${((100 * speed) / copyBytesPerSecond).toFixed(0)} % of the copy`,
    ),
  ];
}

function conformanceLine({ conformance: { checks, failed, ms } }: BenchReport): string {
  const wrong = failed.map(({ kernel, tensor, error }) => `${kernel} ${tensor} (${error.toPrecision(2)})`);
  return `conformance   ${checks - failed.length} of ${checks} tensors as the reference has them, ${ms} ms${wrong.length > 0 ? `; wrong: ${wrong.join(", ")}` : ""}`;
}
