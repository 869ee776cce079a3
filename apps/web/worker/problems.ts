// From an error to what a person reads: what is wrong, and the way out. Which text it is and what was put into it go along, so that
// the page can say the same in its own language.
import type { ConformanceReport } from "#engine";
import type { Browser } from "../machine.ts";
import type { Problem, ProblemCode } from "../window/types.ts";
import { type ProblemText, problemTexts } from "../words/problems-en.ts";

const PROBLEM_TEXT_MAX = 300;

const words = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).slice(0, PROBLEM_TEXT_MAX);

type Texts = typeof problemTexts;

function problem<T extends keyof Texts>(code: ProblemCode, text: T, ...given: Parameters<Texts[T]>): Problem {
  const say = problemTexts[text] as (...given: Parameters<Texts[T]>) => ProblemText;
  return { code, ...say(...given), told: { text, given } };
}

export const problems = {
  insecureContext: () => problem("insecure-context", "insecureContext"),
  noWebGpu: (browser: Browser) => problem("no-webgpu", "noWebGpu", browser),
  noAdapter: (browser: Browser) => problem("no-adapter", "noAdapter", browser),
  gpuFailed: (error: unknown) => problem("no-adapter", "gpuFailed", words(error)),
  deviceLost: (reason: string) => problem("device-lost", "deviceLost", words(reason)),
  outOfMemory: (error: unknown) => problem("out-of-memory", "outOfMemory", words(error)),
  modelTooLarge: (error: unknown) => problem("model-too-large", "modelTooLarge", words(error)),
  wrongResults({ adapter, checks, failed }: ConformanceReport): Problem {
    const kernels = [...new Set(failed.map(({ kernel }) => kernel))].join(", ");
    return {
      ...problem("wrong-results", "wrongResults", failed.length, checks, kernels),
      report: JSON.stringify({ version: 1, browser: navigator.userAgent, adapter, checks, failed }, null, 2),
    };
  },
  noSlot: () => problem("no-slot", "noSlot"),
  refused: (code: string, message: string) => problem("refused", "refused", code, message),
  workerFailed: (error: unknown) => problem("worker-failed", "workerFailed", words(error)),
  workerDidNotStart: (error: unknown) => problem("worker-failed", "workerDidNotStart", words(error)),
  codeNotLoaded: (error: unknown) => problem("worker-failed", "codeNotLoaded", words(error)),
  dataUnusable: (error: unknown) => problem("worker-failed", "dataUnusable", words(error)),
  hostGone: (reason: string) => problem("host-gone", "hostGone", reason),
  lineBlocked: () => problem("line-blocked", "lineBlocked"),
  storageRefused: (reason: string) => problem("storage-refused", "storageRefused", words(reason)),
  storageFull: () => problem("storage-full", "storageFull"),
  softwareAdapter: (name: string) => problem("software-adapter", "softwareAdapter", name),
  noGpu: () => problem("no-gpu", "noGpu"),
  momentsOnDisk: (bytes: number) => problem("moments-on-disk", "momentsOnDisk", bytes),
  secondTab: () => problem("second-tab", "secondTab"),
  frozen: (ms: number) => problem("frozen", "frozen", ms),
  interrupted: () => problem("interrupted", "interrupted"),
  discarded: () => problem("discarded", "discarded"),
  notForgotten: (error: unknown) => problem("not-forgotten", "notForgotten", words(error)),
  slept: (ms: number) => problem("slept", "slept", ms),
  noLinks: (overCap = false) => problem("no-links", overCap ? "noLinksOverCap" : "noLinks"),
};
