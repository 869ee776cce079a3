// This machine as a donation needs it, in Node: the donor's folder for a browser's storage, Dawn or the processor, a thread that folds.
import { type AdapterDescription, describeAdapter, findCpu } from "#engine";
import type { ToWindow } from "#mesh";
import { type Settings, setIdentitySeed } from "#store";
import type { Problem } from "../../web/window/types.ts";
import type { Machine } from "../../web/worker/donation.ts";
import { BlockedError, fasterDevice } from "../../web/worker/gpu.ts";
import type { DonorFolder } from "./donor-folder.ts";
import { NodeFoldThread } from "./fold-thread.ts";

export interface NodeMachineOptions {
  readonly folder: DonorFolder;
  /** The volunteer's secret. */
  readonly seed: Uint8Array;
  readonly toLinks: (message: ToWindow) => boolean;
}

export function nodeMachine({ folder, seed, toLinks }: NodeMachineOptions): Machine {
  const { blobs, settings, slot, shared, openCold } = folder;
  return {
    async openStore() {
      await setIdentitySeed(settings, seed);
      return { blobs, settings, refused: undefined };
    },
    findDevice: ({ backend, build }, kept, onMeasure) => findDevice(backend, build, kept, onMeasure),
    takeSlot: async () => ({ slot, shared, release: async () => {} }), // the folder's, as long as the process lives
    openCold,
    startFold: (onFailed) => new NodeFoldThread(onFailed),
    toLinks,
  };
}

async function findDevice(
  wish: AdapterDescription["backend"] | null,
  build: string,
  settings: Settings,
  onMeasure: () => void,
): Promise<AdapterDescription> {
  const cpu = findCpu()?.adapter;
  if (wish === "wasm" && cpu) return cpu;
  const adapter = await navigator.gpu?.requestAdapter().catch(() => null);
  if (adapter) {
    const gpu = describeAdapter(adapter);
    return cpu && wish === null ? fasterDevice(gpu, cpu, build, settings, onMeasure) : gpu;
  }
  if (cpu && wish === null) return cpu;
  throw new BlockedError(nothingHere);
}

const nothingHere: Problem = {
  code: "no-adapter",
  message: "Dawn finds no GPU on this machine.",
  remedy: "Install the GPU's driver with Vulkan (vulkaninfo should list it), or take --backend wasm for the processor.",
};
