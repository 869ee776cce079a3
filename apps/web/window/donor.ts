// This browser as a peer, for React: owns the peer worker and the connections (which exist only here), and keeps the newest snapshot.
//
//   actions -> comlink -> peer worker -> snapshots        peer worker <-> BatchPort <-> Links

import "../no-eval.ts";
import { proxy, type Remote, transfer, wrap } from "comlink";
import { BatchPort, type ToWindow, type ToWorker } from "#mesh";
import { openLinkSide } from "#mesh/links";
import { reasonByCode } from "#wire/reasons";
import { version } from "../../../package.json";
import { browserOf } from "../machine.ts";
import { idleDonor } from "../page-state.ts";
import type { PeerApi, StartConfig } from "../worker/api.ts";
import { problems } from "../worker/problems.ts";
import { rememberDonation } from "./earlier.ts";
import { findHost } from "./find-host.ts";
import { exposeHolds } from "./holds.ts";
import { rememberedInvite } from "./invite.ts";
import { checkLink } from "./link-check.ts";
import type { Donor, DonorSnapshot, LinkPrognosis, Volunteer, VolunteerSnapshot } from "./types.ts";

/** sessionStorage: a reload keeps it, a new tab has none, a duplicated tab has a copy (and finds the slot taken). */
const SLOT_KEY = "gossamer-slot";

/** What the address says of it. */
export type DonorWish = Pick<StartConfig, "run" | "backend" | "island" | "memoryBytes" | "testPlan">;

/** Nothing starts before the button. */
export function createDonor(wish: DonorWish, volunteer: Volunteer): Donor {
  let snapshot = idleDonor;
  const listeners = new Set<() => void>();
  let started: StartedPeer | undefined;

  /** The window's own part of the snapshot. */
  let link: LinkPrognosis = "waiting";

  const show = (next: DonorSnapshot) => {
    snapshot = { ...next, link };
    if (next.slot !== null) rememberSlot(next.slot);
    rememberDonation(next);
    keepAwake();
    for (const listener of listeners) listener();
  };
  /** Only while it trains: a paused tab has no reason to. */
  const keepAwake = () =>
    volunteer.keepAwake(volunteer.getSnapshot().controls.keepAwake && snapshot.status === "donating");
  volunteer.subscribe(keepAwake);
  const failed = (message: string) =>
    show({
      ...snapshot,
      status: "blocked",
      task: null,
      problem: problems.workerDidNotStart(message),
    });
  /** Runs `act` once the worker knows its host; starts it first if need be. */
  const withPeer = (act: (peer: Remote<PeerApi>) => Promise<void>) => {
    started ??= startWorker(wish, volunteer, show, failed);
    const { peer, connected } = started;
    connected.then(() => act(peer)).catch((error: unknown) => failed(String(error)));
  };

  return {
    subscribe(onChange) {
      listeners.add(onChange);
      return () => listeners.delete(onChange);
    },
    getSnapshot: () => snapshot,
    donate(paused = false) {
      const answer: Partial<DonorSnapshot> = paused
        ? { status: "paused", pausedBecause: [{ code: "by-hand" }] }
        : { status: "starting" };
      if (snapshot.status === "idle") show({ ...snapshot, ...answer }); // answers the press at once
      keepStored();
      withPeer((peer) => peer.donate(paused));
    },
    check(spec) {
      link = "working";
      withPeer((peer) => peer.check(spec));
      const known = findHost().then(({ base }) => checkLink(base, volunteer.getSnapshot().controls.relayOnly));
      void known
        .catch(() => "unknown" as const)
        .then((found) => {
          link = found;
          show(snapshot);
        });
    },
    pause: () => withPeer((peer) => peer.pause()),
    resume: () => withPeer((peer) => peer.resume()),
    stop: () => withPeer((peer) => peer.stop(reasonByCode.stopped)),
    async end() {
      if (!started) return;
      const { peer, connected, worker } = started;
      await connected.then(() => peer.stop(reasonByCode.stopped)).catch(() => {});
      worker.terminate();
      started = undefined;
    },
  };
}

interface StartedPeer {
  readonly worker: Worker;
  readonly peer: Remote<PeerApi>;
  readonly connected: Promise<void>;
}

function startWorker(
  wish: DonorWish,
  volunteer: Volunteer,
  show: (snapshot: DonorSnapshot) => void,
  failed: (message: string) => void,
): StartedPeer {
  const worker = new Worker(new URL("../worker/peer-worker.ts", import.meta.url), {
    type: "module",
    name: "gossamer-peer",
  });
  worker.onerror = (event) => failed(event.message || "its script did not load");
  const peer = wrap<PeerApi>(worker);
  const channel = new MessageChannel();

  const { links, take } = openLinkSide(
    () => performance.now(),
    (message) => toWorker.post(message),
  );
  const toWorker = new BatchPort<ToWorker, ToWindow>(channel.port1, take);
  const hideAddress = () => links.setRelayOnly(volunteer.getSnapshot().controls.relayOnly);
  volunteer.subscribe(hideAddress);
  hideAddress();

  const connected = findHost().then(({ base, room }) => {
    const { name, controls, observed } = volunteer.getSnapshot();
    const config: StartConfig = {
      ...{ ...wish, hostBase: base, room, build: version, preferredSlot: rememberedSlot() },
      invite: rememberedInvite(),
      ...{ name, controls, observed },
    };
    return peer.connect(config, transfer(channel.port2, [channel.port2]), proxy(show));
  });
  void connected.then(
    () => follow(volunteer, peer),
    () => {}, // told to whoever acts
  );
  onThaw((ms) => void peer.thawed(ms));
  onNetworkChange(() => {
    void peer.nudge();
    links.findPaths();
  });
  addEventListener("pagehide", () => links.closeAll("the page was closed")); // others notice at once instead of after eight seconds
  exposeHolds(peer);
  return { worker, peer, connected };
}

/** A disk that fills up must not cost the volunteer the key. Firefox would put a question to the person: there it is left alone. */
function keepStored(): void {
  if (browserOf(navigator.userAgent) !== "firefox") void navigator.storage?.persist?.().catch(() => {});
}

/** Tells the worker what changes of the volunteer's wishes and of this machine. */
function follow(volunteer: Volunteer, peer: Remote<PeerApi>): void {
  let told: VolunteerSnapshot | undefined;
  const tell = () => {
    const { controls, observed, name } = volunteer.getSnapshot();
    if (controls !== told?.controls) void peer.allow(controls);
    if (observed !== told?.observed) void peer.observe(observed);
    if (name !== told?.name) void peer.rename(name);
    told = volunteer.getSnapshot();
  };
  volunteer.subscribe(tell);
  tell(); // what changed while it connected
}

/** The browser stopped every script of this tab for so long, and says so (Chromium). */
function onThaw(thawed: (ms: number) => void): void {
  let frozenAt: number | undefined;
  document.addEventListener("freeze", () => {
    frozenAt = Date.now();
  });
  document.addEventListener("resume", () => {
    if (frozenAt !== undefined) thawed(Date.now() - frozenAt);
    frozenAt = undefined;
  });
}

/** Online again, or from one kind of network to another (phones and Chromebooks tell which). */
function onNetworkChange(changed: () => void): void {
  addEventListener("online", changed);
  const network = (navigator as { connection?: EventTarget & { readonly type?: string } }).connection;
  let type = network?.type;
  network?.addEventListener("change", () => {
    if (network.type === type) return; // an estimate of the rate
    type = network.type;
    changed();
  });
}

function rememberedSlot(): number | null {
  try {
    const stored = sessionStorage.getItem(SLOT_KEY);
    return stored === null ? null : Number(stored);
  } catch {
    return null; // storage refused: the worker's notice says so
  }
}

function rememberSlot(slot: number): void {
  try {
    sessionStorage.setItem(SLOT_KEY, String(slot));
  } catch {
    // as above
  }
}
