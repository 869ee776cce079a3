// Entry of the peer worker: what the window may ask of it, behind comlink. Brings together store, identity, slot, adapter and a session.
import "../no-eval.ts";
import { expose } from "comlink";
import { BatchPort, type ToWindow, type ToWorker } from "#mesh";
import { type BrowserStore, identitySeed, openBrowserStore, StorageError } from "#store";
import { identityFrom } from "#wire";
import type { DonorSnapshot, Problem } from "../window/types.ts";
import type { PeerApi, StartConfig } from "./api.ts";
import { BlobShelf } from "./blob-shelf.ts";
import { Board } from "./board.ts";
import { scheduler } from "./control-lines.ts";
import { Duty } from "./duty.ts";
import { FoldThread } from "./fold-thread.ts";
import { BlockedError, findDevice } from "./gpu.ts";
import { Holds } from "./holds.ts";
import { problems } from "./problems.ts";
import { Session } from "./session.ts";
import { type HeldSlot, takeSlot } from "./slots.ts";

const NAME_KEY = "name";
const NAME_LENGTH_MAX = 40;
const DUTY_KEY = "duty";

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
/** In this tab, so that what the browser remembers does not matter any more. */
let dutyChosen = false;
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
    store ??= await openBrowserStore();
    const { settings, blobs, refused } = store;
    const adapter = await findDevice(config, settings, () =>
      board.set({ task: { what: "measuring", done: 0, total: null } }),
    );
    board.set({ adapter });
    const identity = identityFrom(await identitySeed(settings, crypto.getRandomValues(new Uint8Array(32))));
    const name = await settings.get(NAME_KEY);
    if (typeof name === "string" && board.get().name === "") board.set({ name: name.slice(0, NAME_LENGTH_MAX) });
    const allowed = await settings.get(DUTY_KEY);
    if (typeof allowed === "number" && !dutyChosen) allow(allowed);
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

function allow(share: number): void {
  duty.share = share;
  board.set({ duty: duty.share });
}

function block(problem: Problem): void {
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
  connect(given, links, onSnapshot) {
    config = given;
    board = new Board((snapshot: DonorSnapshot) => onSnapshot(snapshot));
    port = new BatchPort<ToWindow, ToWorker>(links, (message) => session?.fromWindow(message));
  },
  donate() {
    if (board.get().status === "paused") return api.resume();
    if (session || starting) return;
    starting = start(++wish).finally(() => {
      starting = undefined;
    });
  },
  pause(reason) {
    session?.pause(reason);
  },
  resume() {
    session?.resume();
  },
  async stop(reason) {
    end(reason);
    await starting;
    board.set({ status: "stopped", task: null });
  },
  async rename(name) {
    const short = name.trim().slice(0, NAME_LENGTH_MAX);
    board.set({ name: short });
    store ??= await openBrowserStore();
    await store.settings.set(NAME_KEY, short).catch(storageFault);
  },
  async setDuty(share) {
    dutyChosen = true;
    allow(share);
    store ??= await openBrowserStore();
    await store.settings.set(DUTY_KEY, duty.share).catch(storageFault);
  },
  nudge() {
    session?.nudge();
  },
  hold: (phase) => holds.hold(phase),
  release: (phase) => holds.release(phase),
  reached: (phase) => holds.reached(phase),
  spoilUpdates() {
    if (import.meta.env.VITE_TEST_HOOKS) holds.spoilUpdates();
  },
};

expose(api);
