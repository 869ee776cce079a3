// One machine's donating, from the first look at its store to the last goodbye: brings together store, identity, slot, adapter and a session,
// and does what settings and conditions say. What a browser does otherwise than Node comes as `machine`.
import type { AdapterDescription, OpenColdStore } from "#engine";
import type { ToWindow, ToWorker } from "#mesh";
import { type BrowserStore, identitySeed, type Settings, StorageError } from "#store";
import { identityFrom, type RunSpec, reasonByCode, type VolunteerId } from "#wire";
import { DailyUse, dayOf } from "../controls/daily-use.ts";
import type { Controls } from "../controls/settings.ts";
import type { Observed } from "../window/conditions.ts";
import type { DonorSnapshot, Problem } from "../window/types.ts";
import { Allowance } from "./allowance.ts";
import type { StartConfig } from "./api.ts";
import { BlobShelf } from "./blob-shelf.ts";
import { Board } from "./board.ts";
import { untilItFails } from "./cold-place.ts";
import { scheduler } from "./control-lines.ts";
import { Duty } from "./duty.ts";
import type { FoldThread } from "./fold-thread.ts";
import { BlockedError, tryEngine } from "./gpu.ts";
import { Holds } from "./holds.ts";
import { checkMachine } from "./machine-check.ts";
import { problems } from "./problems.ts";
import { Session } from "./session.ts";
import type { HeldSlot } from "./slots.ts";

const CONTROLS_EVERY_MS = 1_000;
/** All that others hear: which of the person's conditions it is, is nobody's business. */
const PAUSED = reasonByCode.paused;

export interface Machine {
  /** Opened once; where storage is refused, memory keeps the identity as long as the process. Never rejects. */
  openStore(): Promise<BrowserStore>;
  /** What it trains on. Rejects with BlockedError. */
  findDevice(config: StartConfig, settings: Settings, onMeasure: () => void): Promise<AdapterDescription>;
  /** Undefined when all slots are taken. */
  takeSlot(volunteer: VolunteerId, preferred: number | null): Promise<HeldSlot | undefined>;
  startFold(onFailed: (reason: string) => void): FoldThread;
  /** Where moments may lie when the device's memory is short. */
  readonly openCold: OpenColdStore;
  /** To whatever owns the connections. False: it takes nothing any more. */
  toLinks(message: ToWindow): boolean;
}

export class Donation {
  readonly holds = new Holds();
  readonly #machine: Machine;
  readonly #config: StartConfig;
  readonly #cold: OpenColdStore;
  readonly #board: Board;
  readonly #daily: DailyUse;
  readonly #allowance: Allowance;
  readonly #duty = new Duty({ now: scheduler.now, after: scheduler.after });
  readonly #ticker: ReturnType<typeof setInterval>;
  #store: BrowserStore | undefined;
  #session: Session | undefined;
  #slot: HeldSlot | undefined;
  #foldThread: FoldThread | undefined;
  #starting: Promise<void> | undefined;
  /** Counts presses and stops: a start that was overtaken by a stop ends itself. */
  #wish = 0;
  /** The person pressed the button, and nothing has ended it since. */
  #wanted = false;

  /** Begins nothing: the person's press does. */
  static async open(
    machine: Machine,
    config: StartConfig,
    onSnapshot: (snapshot: DonorSnapshot) => void,
  ): Promise<Donation> {
    const store = await machine.openStore();
    const daily = new DailyUse({ settings: store.settings, now: scheduler.now, day: () => dayOf(new Date()) });
    await daily.load();
    return new Donation(machine, config, store, daily, onSnapshot);
  }

  private constructor(
    machine: Machine,
    config: StartConfig,
    store: BrowserStore,
    daily: DailyUse,
    onSnapshot: (snapshot: DonorSnapshot) => void,
  ) {
    this.#machine = machine;
    this.#cold = untilItFails(machine.openCold);
    this.#config = config;
    this.#store = store;
    this.#daily = daily;
    this.#board = new Board(onSnapshot);
    this.#board.set({ name: config.name });
    this.#allowance = new Allowance(config.controls, config.observed, {
      minuteOfDay: () => new Date().getHours() * 60 + new Date().getMinutes(),
      bytesToday: () => daily.bytesToday,
      onChange: () => this.#follow(),
    });
    this.#duty.share = config.controls.duty;
    this.#ticker = setInterval(() => this.#control(), CONTROLS_EVERY_MS);
  }

  /** As it stands right now; listeners hear of it a few times a second. */
  get snapshot(): DonorSnapshot {
    return this.#board.get();
  }

  /** Tries this machine for that run; a press of the button waits for its end. */
  async check(spec: RunSpec): Promise<void> {
    if (this.#session || this.#starting) return;
    const { build } = this.#config;
    this.#starting = this.#openStore()
      .then(({ settings }) =>
        checkMachine({
          findAdapter: async () => {
            const adapter = await this.#machine.findDevice(this.#config, settings, () => {});
            this.#board.set({ adapter });
            return adapter;
          },
          tryEngine: (adapter) => tryEngine({ spec, adapter, build, settings, cold: this.#cold }),
          tell: (check) => this.#board.set({ check }),
        }),
      )
      .finally(() => {
        this.#starting = undefined;
        this.#follow(); // the button may have been pressed meanwhile
      });
    await this.#starting;
  }

  /** @param paused the person pressed Pause before the page was loaded anew */
  donate(paused = false): void {
    this.#wanted = true;
    this.#allowance.pauseByHand(paused);
    if (!this.#session) this.#follow();
  }

  pause(): void {
    this.#allowance.pauseByHand(true);
  }

  resume(): void {
    this.#allowance.pauseByHand(false);
  }

  async stop(reason: string): Promise<void> {
    this.#wanted = false;
    this.#end(reason);
    await this.#starting;
    this.#allowance.pauseByHand(false);
    this.#board.set({ status: "stopped", task: null, pausedBecause: [] });
  }

  /** After stop: nothing of it goes on. */
  close(): void {
    clearInterval(this.#ticker);
  }

  rename(name: string): void {
    this.#board.set({ name });
  }

  allow(controls: Controls): void {
    this.#duty.share = controls.duty;
    this.#allowance.allow(controls);
  }

  observe(observed: Observed): void {
    this.#allowance.observe(observed);
  }

  nudge(): void {
    this.#session?.nudge();
  }

  thawed(ms: number): void {
    this.#session?.thawed(ms);
  }

  /** What happened to links. */
  fromLinks(message: ToWorker): void {
    this.#session?.fromWindow(message);
  }

  async #start(own: number): Promise<void> {
    const [machine, config, board] = [this.#machine, this.#config, this.#board];
    board.set({
      status: "starting",
      problem: null,
      notices: [],
      endReason: null,
      task: { what: "connecting", done: 0, total: null },
    });
    try {
      const { settings, blobs, refused } = await this.#openStore();
      const adapter = await machine.findDevice(config, settings, () =>
        board.set({ task: { what: "measuring", done: 0, total: null } }),
      );
      board.set({ adapter });
      const identity = identityFrom(await identitySeed(settings, crypto.getRandomValues(new Uint8Array(32))));
      const held = await machine.takeSlot(identity.volunteer, board.get().slot ?? config.preferredSlot);
      if (!held) throw new BlockedError(problems.noSlot());
      if (own !== this.#wish) return void held.release();
      this.#slot = held;
      board.set({ slot: held.slot, secondTab: held.shared });
      if (refused) board.notice(problems.storageRefused(refused.message));
      if (adapter.backend === "wasm") board.notice(problems.noGpu());
      else if (adapter.isFallback)
        board.notice(problems.softwareAdapter(adapter.description || adapter.architecture || adapter.vendor));
      if (held.shared) board.notice(problems.secondTab());

      this.#foldThread ??= machine.startFold((reason) => this.#block(problems.workerFailed(reason)));
      this.#session = new Session({
        config,
        identity,
        slot: held.slot,
        adapter,
        settings,
        cold: this.#cold,
        shelf: new BlobShelf(blobs, (error) => this.#storageFault(error)),
        foldThread: this.#foldThread,
        board,
        holds: this.holds,
        duty: this.#duty,
        toWindow: (message) => machine.toLinks(message),
        onBlocked: (problem) => this.#block(problem),
      });
      this.#session.start();
      this.#follow();
    } catch (error) {
      if (own !== this.#wish) return;
      if (!(error instanceof BlockedError)) console.error(error);
      this.#block(error instanceof BlockedError ? error.problem : problems.workerFailed(error));
    }
  }

  #storageFault(error: unknown): void {
    const fault = error instanceof StorageError ? error.fault : "broken";
    if (fault === "gone") this.#store = undefined; // the next start opens it again
    this.#board.notice(fault === "refused" ? problems.storageRefused(String(error)) : problems.storageFull());
  }

  async #openStore(): Promise<BrowserStore> {
    this.#store ??= await this.#machine.openStore();
    return this.#store;
  }

  /** Does what settings and conditions say: begins, pauses, goes on, or takes leave of the run until it may train again. */
  #follow(): void {
    const board = this.#board;
    if (!this.#wanted || board.get().status === "ended") return;
    const { because, leaves } = this.#allowance.decision;
    board.set({ pausedBecause: because });
    if (because.length === 0) {
      if (this.#session) this.#session.resume();
      else this.#begin();
    } else if (leaves) {
      this.#end(PAUSED);
      board.set({ status: "paused", task: null });
    } else if (this.#session) this.#session.pause(PAUSED);
    else if (!this.#starting) board.set({ status: "paused", task: null });
  }

  #begin(): void {
    if (this.#starting) return; // looks again when that one is over
    this.#starting = this.#start(++this.#wish).finally(() => {
      this.#starting = undefined;
      if (!this.#session) this.#follow(); // it was overtaken by a pause that is over by now
    });
  }

  #control(): void {
    const board = this.#board;
    const { bytesSent, bytesReceived, bytesFromHost, bytesToHost } = board.get();
    this.#daily.take(bytesSent + bytesReceived + bytesFromHost + bytesToHost);
    const { bytesToday } = this.#daily;
    if (bytesToday !== board.get().bytesToday) board.set({ bytesToday });
    this.#allowance.tick();
  }

  #block(problem: Problem): void {
    this.#wanted = false;
    this.#end(problem.message);
    this.#board.set({ status: "blocked", problem, task: null });
  }

  #end(reason: string): void {
    this.#wish++;
    this.#session?.stop(reason);
    this.#session = undefined;
    void this.#slot?.release();
    this.#slot = undefined;
    this.#foldThread?.end(); // its state belongs to the session; memory goes back at once
    this.#foldThread = undefined;
  }
}
