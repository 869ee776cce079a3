// States in words: one place, so that the state line, the live region, the table and the page's title agree.
import type { ChurnRow, PeerRow, RunDetail } from "#wire";
import type { PageSnapshot } from "../page-state.ts";
import type { DonorSnapshot, ProblemCode, Task } from "../window/types.ts";
import { bytes, count } from "./format.ts";

export const problemTitle: Record<ProblemCode, string> = {
  "insecure-context": "This address is not secure, so the GPU is out of reach",
  "no-webgpu": "This browser has no WebGPU",
  "no-adapter": "No usable GPU was found",
  "device-lost": "The device went away",
  "out-of-memory": "The device ran out of memory",
  "model-too-large": "The model is too large for this device",
  "wrong-results": "This GPU computes wrongly",
  "no-slot": "Too many tabs donate already",
  refused: "The host did not accept this browser",
  "worker-failed": "Training stopped unexpectedly",
  "host-gone": "The host does not answer",
  "storage-refused": "The browser refuses storage",
  "storage-full": "The browser’s storage is full",
  "software-adapter": "No GPU here: a software adapter computes",
  "no-gpu": "No GPU here: the processor trains",
  "second-tab": "Another tab donates already",
  "no-links": "No direct link to another peer",
  slept: "This machine slept",
};

export function taskWords({ what, done, total }: Task): string {
  switch (what) {
    case "connecting":
      return "Connecting to the host";
    case "measuring":
      return "Finding out what trains faster here";
    case "kernels":
      return total === null ? "Compiling kernels" : `Compiling kernels: ${done} of ${total}`;
    case "data":
      return `Fetching training text: ${bytes(done)}${total === null ? "" : ` of ${bytes(total)}`}`;
    case "checkpoint":
      return `Fetching the model: ${bytes(done)}${total === null ? "" : ` of ${bytes(total)}`}`;
    case "catch-up":
      return total === null
        ? `Catching up: ${count(done)} rounds so far`
        : `Catching up: ${count(done)} of ${count(total)} rounds`;
  }
}

/** The donor's state as one line: what happens now, in which round, how far. */
export function stateLine(donor: DonorSnapshot): string {
  switch (donor.status) {
    case "idle":
      return "Not donating";
    case "starting":
      return donor.task ? taskWords(donor.task) : "Starting";
    case "paused":
      return "Paused";
    case "stopped":
      return "Stopped";
    case "ended":
      return "The run has ended";
    case "blocked":
      return donor.problem ? problemTitle[donor.problem.code] : "Stopped by a problem";
    case "donating":
      return donor.task ? taskWords(donor.task) : phaseLine(donor);
  }
}

function phaseLine({ phase, round, step, steps, hostConnected }: DonorSnapshot): string {
  if (!hostConnected && phase === "exchange")
    return `Round ${count(round)}: trained, and kept here until the host is back`;
  if (!hostConnected && phase === "waiting") return "Waiting for the host";
  switch (phase) {
    case null:
    case "connecting":
      return "Connecting to the host";
    case "catch-up":
      return "Catching up with the run";
    case "waiting":
      return `Waiting for round ${count(round)} to open`;
    case "training":
      return `Round ${count(round)}: training, step ${count(step)} of ${count(steps)}`;
    case "exchange":
      return `Round ${count(round)}: exchanging updates`;
    case "folding":
      return `Round ${count(round)}: folding updates into the model`;
    case "paused":
      return "Paused";
    case "ended":
      return "The run has ended";
    case "refused":
      return "The host did not accept this browser";
  }
}

/** For the live region: coarse on purpose, so that a screen reader hears changes and not every step. */
export function announcement({ donor, watcher }: Pick<PageSnapshot, "donor" | "watcher">): string {
  if (watcher.run?.state === "ended") return "The run has ended";
  switch (donor.status) {
    case "idle":
      return "";
    case "starting":
      return donor.task ? taskWords({ ...donor.task, done: 0, total: null }).replace(/:.*$/, "") : "Starting";
    case "donating":
      return donor.hostConnected || donor.phase === null ? "Donating" : "Donating; the host does not answer";
    default:
      return stateLine(donor);
  }
}

export const peerStateWords: Record<PeerRow["state"], string> = {
  joining: "joining",
  ready: "ready",
  training: "training",
  offered: "offered",
  paused: "paused",
  left: "left",
};

export const runStateWords: Record<RunDetail["state"], string> = {
  running: "The run is under way",
  resting: "The run rests until somebody donates",
  paused: "The host has paused the run",
  ended: "The run has ended",
};

export function runPhaseWords(run: RunDetail): string {
  if (run.state === "paused") return "Paused by the host";
  switch (run.phase) {
    case "waiting":
      return "Waiting for a peer";
    case "training":
      return "Training";
    case "folding":
      return "Folding updates";
    case "ended":
      return "Ended";
  }
}

export const churnWords: Record<ChurnRow["kind"], string> = {
  joined: "joined",
  left: "left",
  crashed: "crashed",
  paused: "paused",
  resumed: "resumed",
  refused: "was refused",
};
