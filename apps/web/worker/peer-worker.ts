// Entry of the peer worker: what the window may ask of it, behind comlink. Brings together store, identity, slot, adapter and a session.
import "../no-eval.ts";
import { expose } from "comlink";
import { BatchPort, type ToWindow, type ToWorker } from "#mesh";
import { type BrowserStore, identitySeed, openBrowserStore, StorageError } from "#store";
import { identityFrom } from "#wire";
import { DailyUse, dayOf } from "../controls/daily-use.ts";
import type { DonorSnapshot, Problem } from "../window/types.ts";
import { Allowance } from "./allowance.ts";
import type { PeerApi, StartConfig } from "./api.ts";
import { BlobShelf } from "./blob-shelf.ts";
import { Board } from "./board.ts";
import { scheduler } from "./control-lines.ts";
import { Duty } from "./duty.ts";
import { FoldThread } from "./fold-thread.ts";
import { BlockedError, findDevice, tryEngine } from "./gpu.ts";
import { Holds } from "./holds.ts";
import { checkMachine } from "./machine-check.ts";
import { problems } from "./problems.ts";
import { Session } from "./session.ts";
import { type HeldSlot, takeSlot } from "./slots.ts";

const CONTROLS_EVERY_MS = 1_000;

let config: StartConfig | undefined;
let board = new Board(() => {});
let port: BatchPort<ToWindow, ToWorker> | undefined;
/** Opened once: where the browser refuses storage, memory keeps the identity as long as the tab. */
let store: BrowserStore | undefined;
let session: Session | undefined;
let slot: HeldSlot | undefined;
let foldThread: FoldThread | undefined;
let starting: Promise<void> | undefined;
/** Counts presses and stops: a start that was overtaken by a stop ends itself. */
let wish = 0;
/** The person pressed the button, and nothing has ended it since. */
let wanted = false;
let allowance: Allowance | undefined;
let daily: DailyUse | undefined;
const holds = new Holds();
const duty = new Duty({ now: scheduler.now, after: scheduler.after });

async function start(own: number): Promise<void> {
  if (!config || !port) throw new Error("donate before connect");
  board.set({
    status: "starting",
    problem: null,
    notices: [],
    endReason: null,
    task: { what: "connecting", done: 0, total: null },
  });
  try {
    const { settings, blobs, refused } = await openStore();
    const adapter = await findDevice(config, settings, () =>
      board.set({ task: { what: "measuring", done: 0, total: null } }),
    );
    board.set({ adapter });
    const identity = identityFrom(await identitySeed(settings, crypto.getRandomValues(new Uint8Array(32))));
    const held = await takeSlot(identity.volunteer, board.get().slot ?? config.preferredSlot);
    if (!held) throw new BlockedError(problems.noSlot());
    if (own !== wish) return void held.release();
    slot = held;
    board.set({ slot: held.slot, secondTab: held.shared });
    if (refused) board.notice(problems.storageRefused(refused.message));
    if (adapter.backend === "wasm") board.notice(problems.noGpu());
    else if (adapter.isFallback)
      board.notice(problems.softwareAdapter(adapter.description || adapter.architecture || adapter.vendor));
    if (held.shared) board.notice(problems.secondTab());

    foldThread ??= new FoldThread((reason) => block(problems.workerFailed(reason)));
    const toWindow = port;
    session = new Session({
      config,
      identity,
      slot: held.slot,
      adapter,
      settings,
      shelf: new BlobShelf(blobs, storageFault),
      foldThread,
      board,
      holds,
      duty,
      toWindow: (message) => toWindow.post(message),
      onBlocked: block,
    });
    session.start();
    follow();
  } catch (error) {
    if (own !== wish) return;
    if (!(error instanceof BlockedError)) console.error(error);
    block(error instanceof BlockedError ? error.problem : problems.workerFailed(error));
  }
}

function storageFault(error: unknown): void {
  const fault = error instanceof StorageError ? error.fault : "broken";
  if (fault === "gone") store = undefined; // the next start opens it again
  board.notice(fault === "refused" ? problems.storageRefused(String(error)) : problems.storageFull());
}

async function openStore(): Promise<BrowserStore> {
  store ??= await openBrowserStore();
  return store;
}

/** Does what settings and conditions say: begins, pauses, goes on, or takes leave of the run until it may train again. */
function follow(): void {
  const { status } = board.get();
  if (!wanted || !allowance || status === "ended") return;
  const { because, leaves } = allowance.decision;
  board.set({ pausedBecause: because });
  if (because.length === 0) {
    if (session) session.resume();
    else begin();
  } else if (leaves) {
    end(PAUSED);
    board.set({ status: "paused", task: null });
  } else if (session) session.pause(PAUSED);
  else if (!starting) board.set({ status: "paused", task: null });
}

/** All that others hear: which of the person's conditions it is, is nobody's business. */
const PAUSED = "paused by the volunteer";

function begin(): void {
  if (starting) return; // looks again when that one is over
  starting = start(++wish).finally(() => {
    starting = undefined;
    if (!session) follow(); // it was overtaken by a pause that is over by now
  });
}

function controlled(): void {
  const { bytesSent, bytesReceived, bytesFromHost, bytesToHost } = board.get();
  daily?.take(bytesSent + bytesReceived + bytesFromHost + bytesToHost);
  const bytesToday = daily?.bytesToday ?? 0;
  if (bytesToday !== board.get().bytesToday) board.set({ bytesToday });
  allowance?.tick();
}

function block(problem: Problem): void {
  wanted = false;
  end(problem.message);
  board.set({ status: "blocked", problem, task: null });
}

function end(reason: string): void {
  wish++;
  session?.stop(reason);
  session = undefined;
  void slot?.release();
  slot = undefined;
  foldThread?.end(); // its state belongs to the session; memory goes back at once
  foldThread = undefined;
}

const api: PeerApi = {
  async connect(given, links, onSnapshot) {
    config = given;
    board = new Board((snapshot: DonorSnapshot) => onSnapshot(snapshot));
    board.set({ name: given.name });
    port = new BatchPort<ToWindow, ToWorker>(links, (message) => session?.fromWindow(message));
    const { settings } = await openStore();
    const use = new DailyUse({ settings, now: scheduler.now, day: () => dayOf(new Date()) });
    await use.load();
    daily = use;
    allowance = new Allowance(given.controls, given.observed, {
      minuteOfDay: () => new Date().getHours() * 60 + new Date().getMinutes(),
      bytesToday: () => use.bytesToday,
      onChange: follow,
    });
    duty.share = given.controls.duty;
    setInterval(controlled, CONTROLS_EVERY_MS);
  },
  async check(spec) {
    const given = config;
    if (session || starting || !given) return;
    starting = openStore()
      .then(({ settings }) =>
        checkMachine({
          async findAdapter() {
            const adapter = await findDevice(given, settings, () => {});
            board.set({ adapter });
            return adapter;
          },
          tryEngine: (adapter) => tryEngine({ spec, adapter, build: given.build, settings }),
          tell: (check) => board.set({ check }),
        }),
      )
      .finally(() => {
        starting = undefined;
        follow(); // the button may have been pressed meanwhile
      });
    await starting;
  },
  donate() {
    wanted = true;
    allowance?.pauseByHand(false);
    if (!session) follow();
  },
  pause() {
    allowance?.pauseByHand(true);
  },
  resume() {
    allowance?.pauseByHand(false);
  },
  async stop(reason) {
    wanted = false;
    end(reason);
    await starting;
    allowance?.pauseByHand(false);
    board.set({ status: "stopped", task: null, pausedBecause: [] });
  },
  rename: (name) => board.set({ name }),
  allow(controls) {
    duty.share = controls.duty;
    allowance?.allow(controls);
  },
  observe: (observed) => allowance?.observe(observed),
  nudge() {
    session?.nudge();
  },
  thawed(ms) {
    session?.thawed(ms);
  },
  hold: (phase) => holds.hold(phase),
  release: (phase) => holds.release(phase),
  reached: (phase) => holds.reached(phase),
  spoilUpdates() {
    if (import.meta.env.VITE_TEST_HOOKS) holds.spoilUpdates();
  },
};

expose(api);
