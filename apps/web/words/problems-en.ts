// What is wrong, and the way out, in English: also what a worker reports, whatever the page speaks.
import type { Browser } from "../machine.ts";
import type { ProblemCode } from "../window/types.ts";
import { english as f } from "./format.ts";

/** What a person reads: what it is, and what to do about it. */
export interface ProblemText {
  readonly message: string;
  readonly remedy: string;
}

const span = (ms: number): string => (ms < 120_000 ? `${Math.round(ms / 1_000)} s` : `${Math.round(ms / 60_000)} min`);

const webGpuAdvice: Record<Browser, string> = {
  chromium:
    "Update the browser. If it is current, open chrome://gpu and look for “WebGPU”: hardware acceleration may be off (Settings, System), or the graphics driver may be on the browser’s block list, which is common on Linux.",
  firefox:
    "Update Firefox: Windows and Macs with Apple silicon have WebGPU, other systems may not yet. Elsewhere, open this page in Chrome or Edge.",
  safari: "Safari has WebGPU since version 26 (macOS, iOS and iPadOS 26). Update the system, or use Chrome or Edge.",
  other: "Open this page in a current Chrome, Edge, Firefox or Safari.",
};

const refusalRemedies: Readonly<Record<string, string>> = {
  fork: "Tell the operator of the run: two histories exist, and this browser has kept both signed entries as proof. Do not trust this host's numbers until that is settled.",
  version: "Reload the page: the host runs a newer build.",
  "run-unknown": "Check the address: this host does not know that run.",
  "run-ended": "The run is over: thank you. Its result stays on this page.",
  superseded: "The same peer connected from elsewhere. Press the button to donate from here instead.",
  signature: "Reload the page. If it stays, clear this site's data: that makes a new identity.",
  banned: "If you think that this is a mistake, tell the operator of the run.",
  "invite-needed": "Open the invitation link that you were given, whole, in this browser. Watching needs none.",
  "invite-unknown": "Check that the link is whole, or ask whoever sent it for a new one. Watching needs none.",
  "invite-ended": "Ask whoever sent it for a new one. Watching needs none.",
  "invite-used-up": "Ask whoever sent it for a new one. Watching needs none.",
  "not-listed": "Send the operator that key: it is no secret. Watching needs no listing.",
};

/** What the host's own codes mean. Where there is none, its words are shown. */
const refusalReasons: Readonly<Record<string, (reason: string) => string>> = {
  banned: (reason) => reason,
  "invite-needed": () => "This run takes invited volunteers, and this browser came without an invitation.",
  "invite-unknown": () => "The host does not know this invitation: its link is not whole, or it was withdrawn.",
  "invite-ended": () => "The time of this invitation is over.",
  "invite-used-up": () => "This invitation was used as often as it may be.",
  "not-listed": (reason) =>
    `This run takes volunteers whose key its operator has listed, and this browser’s is not among them. Its key is ${reason.slice(-64)}`,
};

export const problemTitles: Record<ProblemCode, string> = {
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
  "line-blocked": "Something blocks the line to the host",
  "storage-refused": "The browser refuses storage",
  "storage-full": "The browser’s storage is full",
  "software-adapter": "No GPU here: a software adapter computes",
  "no-gpu": "No GPU here: the processor trains",
  "moments-on-disk": "Training uses this machine’s disk",
  "second-tab": "Another tab donates already",
  "no-links": "No direct link to another peer",
  frozen: "The browser froze this tab",
  interrupted: "Donating was interrupted",
  discarded: "The browser had unloaded this tab",
  "not-forgotten": "Not everything was forgotten",
  slept: "This machine slept",
};

export const problemTexts = {
  insecureContext: (): ProblemText => ({
    message: "Browsers give WebGPU only to pages that came over HTTPS, or from this machine itself.",
    remedy:
      "Open the page’s https:// address, or http://localhost on the machine that hosts. Whoever hosts can start with --share: that serves HTTPS to the whole network.",
  }),
  noWebGpu: (browser: Browser): ProblemText => ({
    message: "This browser does not offer WebGPU, which training runs on.",
    remedy: webGpuAdvice[browser],
  }),
  noAdapter: (browser: Browser): ProblemText => ({
    message: "The browser has WebGPU, but found no graphics adapter that it trusts.",
    remedy:
      browser === "chromium"
        ? "Turn on hardware acceleration (Settings, System), update the graphics driver, then restart the browser. chrome://gpu says what is switched off."
        : "Turn on hardware acceleration in the browser’s settings and update the graphics driver, then restart the browser.",
  }),
  /** The device answered with an error of its own. */
  gpuFailed: (reason: string): ProblemText => ({
    message: reason,
    remedy:
      "Switch on hardware acceleration in the browser's settings, or update the graphics driver, then press the button again.",
  }),
  deviceLost: (reason: string): ProblemText => ({
    message: `What trains here went away twice (${reason}).`,
    remedy:
      "Close what else uses the GPU, then press the button again. Nothing that was committed is lost. Browsers refuse the GPU after several losses: then restart the browser.",
  }),
  outOfMemory: (reason: string): ProblemText => ({
    message: `This device's memory does not suffice: ${reason}`,
    remedy: "Close other tabs and programs that use the GPU, then press the button again.",
  }),
  modelTooLarge: (reason: string): ProblemText => ({
    message: reason,
    remedy: "This run needs a larger GPU. You can watch it here, or donate to a run with a smaller model.",
  }),
  wrongResults: (failed: number, checks: number, kernels: string): ProblemText => ({
    message: `${f.count(failed)} of ${f.count(checks)} results of this GPU are not what they must be (${kernels}). What it trained would be noise to the others.`,
    remedy:
      "Update the browser and the graphics driver, then press the button again. If it stays, pass on the report below: it holds no personal data.",
  }),
  noSlot: (): ProblemText => ({
    message: "Sixteen tabs of this browser donate to this run already.",
    remedy: "One tab uses the whole GPU: close the others.",
  }),
  refused: (code: string, reason: string): ProblemText => ({
    message: refusalReasons[code]?.(reason) ?? `The host does not take this peer (${code}): ${reason}`,
    remedy: refusalRemedies[code] ?? "Reload the page; if it stays, tell the operator of the run.",
  }),
  workerFailed: (reason: string): ProblemText => ({
    message: `The training stopped with an error: ${reason}`,
    remedy: "Press the button again. If it comes back, please report it with the text above.",
  }),
  workerDidNotStart: (reason: string): ProblemText => ({
    message: `The part of this page that trains did not start: ${reason}`,
    remedy: "Reload the page. If it stays, an extension or a network filter may block its workers.",
  }),
  codeNotLoaded: (reason: string): ProblemText => ({
    message: `The code that trains could not be loaded: ${reason}.`,
    remedy: "Check that the host still runs, then reload this page.",
  }),
  dataUnusable: (reason: string): ProblemText => ({
    message: `The run's training text cannot be used: ${reason}`,
    remedy: "Tell the operator of the run.",
  }),
  hostGone: (reason: string): ProblemText => ({
    message: `No connection to the host: ${reason}`,
    remedy:
      "Nothing to do: this page keeps trying, and nothing is lost. What was trained waits here, and links to other peers stay.",
  }),
  lineBlocked: (): ProblemText => ({
    message:
      "The host answers this browser’s requests, but the lasting connection that peers need (a WebSocket) does not open. Most often a proxy, a firewall or a virus scanner between here and there does not let it through; now and then too many peers share this address.",
    remedy:
      "This page keeps trying. Try another network, or ask whoever runs this one to allow WebSockets to this address. Whoever hosts behind a proxy: it must pass on Upgrade and Connection.",
  }),
  storageRefused: (reason: string): ProblemText => ({
    message: `This browser does not let the page store anything (${reason}).`,
    remedy:
      "Donating works, but your identity ends with this tab, and data is fetched again next time. Leave the private window to keep both.",
  }),
  storageFull: (): ProblemText => ({
    message: "The browser's storage is full or was cleared.",
    remedy: "Donating goes on from memory. Free some disk space to keep fetched data for next time.",
  }),
  softwareAdapter: (name: string): ProblemText => ({
    message: `${name} is a software adapter: the processor poses as a GPU, and is some ten to a hundred times slower.`,
    remedy: "It works. If this machine has a GPU, switch on hardware acceleration in the browser’s settings.",
  }),
  noGpu: (): ProblemText => ({
    message: "The processor trains here, without a GPU.",
    remedy:
      "It works, slower than a GPU would. If this machine has one, switch on hardware acceleration in the browser's settings.",
  }),
  momentsOnDisk: (bytes: number): ProblemText => ({
    message: `The model fits this GPU’s memory only without its moments, what each step remembers of the ones before: ${f.bytes(bytes)}. They lie in a file of this browser, which every step reads and writes.`,
    remedy: "Steps take longer, and the disk works. Stop whenever you want to spare it: the file goes with that.",
  }),
  secondTab: (): ProblemText => ({
    message: "Another tab of this browser donates already.",
    remedy: "A second tab on one GPU adds nothing: close one.",
  }),
  slept: (ms: number): ProblemText => ({
    message: `This machine slept ${span(ms)}.`,
    remedy:
      "Nothing to do: the page looks for the host and the other peers again, and takes up the run where it is now.",
  }),
  frozen: (ms: number): ProblemText => ({
    message: `It stopped everything here for ${span(ms)}, to spare energy or memory.`,
    remedy:
      "Nothing is lost: the page takes up the run where it is now. To prevent it, keep the tab in view or in a window of its own, or allow it in the browser’s settings (Performance: sites that stay active).",
  }),
  interrupted: (): ProblemText => ({
    message: "This page donated when it was loaded anew.",
    remedy: "Press the button to go on: your key and what you gave are still there.",
  }),
  discarded: (): ProblemText => ({
    message: "It did that to spare memory, and donating stopped until now.",
    remedy:
      "It goes on by itself. To prevent it, allow this site in the browser’s settings (Performance: sites that stay active).",
  }),
  notForgotten: (error: string): ProblemText => ({
    message: `The browser did not delete what this page keeps: ${error}`,
    remedy: "Clear this site’s data in the browser’s settings: that deletes the same.",
  }),
  noLinksOverCap: (): ProblemText => ({
    message:
      "Other peers are here, but no direct link to them opened, and the host has used up what it may relay this month.",
    remedy:
      "Their updates come through the host instead, which is slower. Another network may let direct links through; the operator sets the allowance.",
  }),
  noLinks: (): ProblemText => ({
    message: "Other peers are here, but no direct link to them opened.",
    remedy: "Their updates come through the host instead. A firewall or a strict router is the usual reason.",
  }),
};
