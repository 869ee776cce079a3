// Entry of the peer worker: what the window may ask of it, behind comlink, and what only a browser has.
import "../no-eval.ts";
import { expose } from "comlink";
import { BatchPort, type ToWindow, type ToWorker } from "#mesh";
import { openBrowserStore } from "#store";
import type { PeerApi } from "./api.ts";
import { Donation } from "./donation.ts";
import { WebFoldThread } from "./fold-thread.ts";
import { findDevice } from "./gpu.ts";
import { takeSlot } from "./slots.ts";

let connected!: (donation: Donation) => void;
/** What is asked before the worker knows its host waits, and keeps its order. */
const donation = new Promise<Donation>((resolve) => {
  connected = resolve;
});

const api: PeerApi = {
  async connect(config, links, onSnapshot) {
    let fromLinks = (_message: ToWorker): void => {};
    const port = new BatchPort<ToWindow, ToWorker>(links, (message) => fromLinks(message));
    const machine = {
      openStore: openBrowserStore,
      findDevice,
      takeSlot,
      openCold: async (bytes: number) => (await import("./cold-file.ts")).openColdFile(bytes),
      startFold: (onFailed: (reason: string) => void) => new WebFoldThread(onFailed),
      toLinks: (message: ToWindow) => port.post(message),
    };
    const opened = await Donation.open(machine, config, onSnapshot);
    fromLinks = (message) => opened.fromLinks(message);
    connected(opened);
  },
  check: async (spec) => (await donation).check(spec),
  donate: async (paused) => (await donation).donate(paused),
  pause: async () => (await donation).pause(),
  resume: async () => (await donation).resume(),
  stop: async (reason) => (await donation).stop(reason),
  rename: async (name) => (await donation).rename(name),
  allow: async (controls) => (await donation).allow(controls),
  observe: async (observed) => (await donation).observe(observed),
  nudge: async () => (await donation).nudge(),
  thawed: async (ms) => (await donation).thawed(ms),
  hold: async (phase) => (await donation).holds.hold(phase),
  release: async (phase) => (await donation).holds.release(phase),
  reached: async (phase) => (await donation).holds.reached(phase),
  async spoilUpdates() {
    if (import.meta.env.VITE_TEST_HOOKS) (await donation).holds.spoilUpdates();
  },
};

expose(api);
