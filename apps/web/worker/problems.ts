// From an error to what a person reads: what is wrong, and the way out.
import type { ConformanceReport } from "#engine";
import type { Problem } from "../window/types.ts";

const PROBLEM_TEXT_MAX = 300;

const span = (ms: number): string => (ms < 120_000 ? `${Math.round(ms / 1_000)} s` : `${Math.round(ms / 60_000)} min`);

const words = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).slice(0, PROBLEM_TEXT_MAX);

export const problems = {
  insecureContext: (): Problem => ({
    code: "insecure-context",
    message: "This page came over plain HTTP from another machine, and browsers give WebGPU only to secure pages.",
    remedy:
      "Open it over https:// (the operator starts the host with --share), or on the host's own machine as http://localhost.",
  }),
  noWebGpu: (): Problem => ({
    code: "no-webgpu",
    message: "This browser has no WebGPU, or it is switched off.",
    remedy: "Use a recent Chrome, Edge, Firefox or Safari. You can watch the run without it.",
  }),
  noAdapter: (): Problem => ({
    code: "no-adapter",
    message: "WebGPU found no adapter on this machine.",
    remedy:
      "Switch on hardware acceleration in the browser's settings, or update the graphics driver, then press the button again.",
  }),
  deviceLost: (reason: string): Problem => ({
    code: "device-lost",
    message: `What trains here went away twice (${reason.slice(0, PROBLEM_TEXT_MAX)}).`,
    remedy:
      "Close what else uses the GPU, then press the button again. Nothing that was committed is lost. Browsers refuse the GPU after several losses: then restart the browser.",
  }),
  outOfMemory: (error: unknown): Problem => ({
    code: "out-of-memory",
    message: `This device's memory does not suffice: ${words(error)}`,
    remedy: "Close other tabs and programs that use the GPU, then press the button again.",
  }),
  modelTooLarge: (error: unknown): Problem => ({
    code: "model-too-large",
    message: words(error),
    remedy: "This run needs a larger GPU. You can watch it here, or donate to a run with a smaller model.",
  }),
  wrongResults: ({ adapter, checks, failed }: ConformanceReport): Problem => {
    const kernels = [...new Set(failed.map(({ kernel }) => kernel))];
    return {
      code: "wrong-results",
      message: `${failed.length} of ${checks} results of this GPU are not what they must be (${kernels.join(", ")}). What it trained would be noise to the others.`,
      remedy:
        "Update the browser and the graphics driver, then press the button again. If it stays, pass on the report below: it holds no personal data.",
      report: JSON.stringify({ version: 1, browser: navigator.userAgent, adapter, checks, failed }, null, 2),
    };
  },
  noSlot: (): Problem => ({
    code: "no-slot",
    message: "Sixteen tabs of this browser donate to this run already.",
    remedy: "One tab uses the whole GPU: close the others.",
  }),
  refused: (code: string, message: string): Problem => ({
    code: "refused",
    message: `The host does not take this peer (${code}): ${message}`,
    remedy: refusalRemedies[code] ?? "Reload the page; if it stays, tell the operator of the run.",
  }),
  workerFailed: (error: unknown): Problem => ({
    code: "worker-failed",
    message: `The training stopped with an error: ${words(error)}`,
    remedy: "Press the button again. If it comes back, please report it with the text above.",
  }),
  dataUnusable: (error: unknown): Problem => ({
    code: "worker-failed",
    message: `The run's training text cannot be used: ${words(error)}`,
    remedy: "Tell the operator of the run.",
  }),
  hostGone: (reason: string): Problem => ({
    code: "host-gone",
    message: `No connection to the host: ${reason}`,
    remedy:
      "Nothing to do: this page keeps trying, and nothing is lost. What was trained waits here, and links to other peers stay.",
  }),
  storageRefused: (reason: string): Problem => ({
    code: "storage-refused",
    message: `This browser does not let the page store anything (${reason.slice(0, PROBLEM_TEXT_MAX)}).`,
    remedy:
      "Donating works, but your identity ends with this tab, and data is fetched again next time. Leave the private window to keep both.",
  }),
  storageFull: (): Problem => ({
    code: "storage-full",
    message: "The browser's storage is full or was cleared.",
    remedy: "Donating goes on from memory. Free some disk space to keep fetched data for next time.",
  }),
  softwareAdapter: (name: string): Problem => ({
    code: "software-adapter",
    message: `${name} is a software adapter: your CPU poses as a GPU.`,
    remedy: "It works, slowly. For more, switch on hardware acceleration in the browser's settings.",
  }),
  noGpu: (): Problem => ({
    code: "no-gpu",
    message: "The processor trains here, without a GPU.",
    remedy:
      "It works, slower than a GPU would. If this machine has one, switch on hardware acceleration in the browser's settings.",
  }),
  secondTab: (): Problem => ({
    code: "second-tab",
    message: "Another tab of this browser donates already.",
    remedy: "A second tab on one GPU adds nothing: close one.",
  }),
  slept: (ms: number): Problem => ({
    code: "slept",
    message: `This machine slept ${span(ms)}.`,
    remedy:
      "Nothing to do: the page looks for the host and the other peers again, and takes up the run where it is now.",
  }),
  noLinks: (): Problem => ({
    code: "no-links",
    message: "Other peers are here, but no direct link to them opened.",
    remedy: "Their updates come through the host instead. A firewall or a strict router is the usual reason.",
  }),
};

const refusalRemedies: Readonly<Record<string, string>> = {
  fork: "Tell the operator of the run: two histories exist, and this browser has kept both signed entries as proof. Do not trust this host's numbers until that is settled.",
  version: "Reload the page: the host runs a newer build.",
  "run-unknown": "Check the address: this host does not know that run.",
  "run-ended": "The run is over: thank you. Its result stays on this page.",
  superseded: "The same peer connected from elsewhere. Press the button to donate from here instead.",
  signature: "Reload the page. If it stays, clear this site's data: that makes a new identity.",
};
