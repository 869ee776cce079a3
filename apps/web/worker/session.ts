// One stretch of donating, from the button to stop: the protocol core (swarm's Peer) and everything that it asks for.
//
//   control line, links, timers, results of effects -> peer.step(now, input) -> outputs -> effects
//
// What takes time is an effect (effects.ts); its answer is the next input.
import { type AdapterDescription, DeviceLostError, IslandLostError, type OpenColdStore } from "#engine";
import {
  BlobExchange,
  Heartbeat,
  IslandLines,
  type LinkPort,
  openRelaySocket,
  Paths,
  SleepWatch,
  TICK_MS,
  type ToWindow,
  type ToWorker,
  type Welcome,
} from "#mesh";
import { BaseError, startsFromBase } from "#outer";
import type { Settings } from "#store";
import { Peer, type PeerInput, type PeerOutput } from "#swarm";
import { type HostMessage, type Identity, type PeerId, signOffer } from "#wire";
import type { DonorSnapshot } from "../window/types.ts";
import type { HoldPhase, StartConfig } from "./api.ts";
import { loadRunBase } from "./base.ts";
import type { BlobShelf } from "./blob-shelf.ts";
import type { Board } from "./board.ts";
import { ControlLines, scheduler } from "./control-lines.ts";
import type { Duty } from "./duty.ts";
import { Effects } from "./effects.ts";
import type { FoldThread } from "./fold-thread.ts";
import { BlockedError, isOutOfMemory, openEngine } from "./gpu.ts";
import { GpuKeeper } from "./gpu-keeper.ts";
import type { Holds } from "./holds.ts";
import { HostLine } from "./host-line.ts";
import { islandEngines, planFor, untimedEngines } from "./island-engines.ts";
import { Islands } from "./islands.ts";
import { Journal } from "./journal.ts";
import { LinkViews } from "./link-views.ts";
import { problems } from "./problems.ts";
import { type StepDone, Trainer } from "./trainer.ts";

/** Rates on the page follow within two seconds; the host gets the same reports. */
const MEASURE_EVERY_MS = 2_000;
/** Long enough to be seen by somebody who has just opened the lid. */
const SLEPT_NOTICE_MS = 30_000;
/** Others are here, and no link has opened for so long: the person hears of it. */
const NO_LINKS_MS = 20_000;

export interface SessionOptions {
  readonly config: StartConfig;
  readonly identity: Identity;
  readonly slot: number;
  readonly adapter: AdapterDescription;
  readonly settings: Settings;
  readonly cold: OpenColdStore;
  readonly shelf: BlobShelf;
  readonly foldThread: FoldThread;
  readonly board: Board;
  readonly duty: Duty;
  readonly holds: Holds;
  readonly toWindow: (message: ToWindow) => boolean;
  /** It cannot go on without the person. */
  readonly onBlocked: (problem: BlockedError["problem"]) => void;
}

const now = (): number => performance.now();

/** A host that stops or restarts fails an attempt; the next finds it, or finds nobody. */
const ATTEMPTS_UNTIL_ASKED = 2;

/** Outputs that are done at once; the others are effects. */
const immediate = [
  "send",
  "offer",
  "connect",
  "probe",
  "disconnect",
  "ask-relay",
  "leave-relay",
  "signal",
  "cancel-fetch",
  "stop-training",
  "evidence",
  "refused",
  "ended",
  "wake",
] as const satisfies readonly PeerOutput["type"][];

export class Session {
  readonly #options: SessionOptions;
  readonly #lines: ControlLines;
  readonly #heartbeat: Heartbeat;
  readonly #exchange: BlobExchange;
  readonly #islandLines: IslandLines;
  readonly #paths: Paths;
  readonly #host: HostLine;
  readonly #views = new LinkViews();
  readonly #journal = new Journal();
  readonly #ticker: ReturnType<typeof setInterval>;
  #run = "";
  // From the first welcome on:
  #peer: Peer | undefined;
  #trainer: Trainer | undefined;
  #effects: Effects | undefined;
  #gpu: GpuKeeper | undefined;
  #islands: Islands | undefined;
  #wake: ReturnType<typeof setTimeout> | undefined;
  #wanted = true; //                     donating is what the person wants
  #ended = false;
  readonly #sleep = new SleepWatch(now, Date.now);
  #sleptAt = Number.NEGATIVE_INFINITY;
  #thawedAt = Number.NEGATIVE_INFINITY;
  #measuredAt = 0;
  /** What earlier stretches of this page moved. */
  readonly #before: Pick<DonorSnapshot, "bytesSent" | "bytesReceived" | "bytesFromHost" | "bytesToHost">;
  #linkedAt = now();
  #askedWhyAlone = false;
  #attemptsFailed = 0; //                since the last welcome
  /** Test builds: messages of the host wait behind this. */
  #gate: Promise<void> | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    const { config, identity, slot, adapter, shelf, board, toWindow } = options;
    this.#before = board.get();
    this.#host = new HostLine(config.hostBase);
    this.#paths = new Paths({
      relay: {
        url: `${config.hostBase.replace(/^http/, "ws")}/relay`,
        session: () => this.#host.session,
        openSocket: openRelaySocket,
        scheduler,
      },
      toWindow,
      onUp: (peer) => {
        this.#heartbeat.linkUp(peer);
        this.#exchange.linkUp(peer);
        this.#islandLines.linkUp(peer);
      },
      onDown: (peer) => {
        this.#heartbeat.linkDown(peer);
        this.#exchange.linkDown(peer);
        this.#islandLines.linkDown(peer);
      },
      onFrame: (from, frame) => this.#frame(from, frame),
      onPath: (change) => this.#input(change),
    });
    const port: LinkPort = {
      send: (peer, bytes) => this.#paths.send(peer, bytes),
      close: (peer, reason) => this.#paths.close(peer, reason),
    };
    this.#heartbeat = new Heartbeat(port, now);
    this.#islandLines = new IslandLines({ port, now, lost: (reason) => new IslandLostError(reason) });
    this.#exchange = new BlobExchange({
      ...{ port, host: this.#host, now },
      has: (name) => shelf.has(name),
      read: (name) => shelf.get(name),
      seed: crypto.getRandomValues(new Uint32Array(1))[0],
      onFailed: (hash, reason) => this.#input({ type: "fetch-failed", hash, reason }),
      onMisbehaviour: (peer, reason) => console.warn(`peer ${peer.slice(0, 8)} ${reason}`),
    });
    this.#lines = new ControlLines({
      ...{ config, identity, slot, adapter },
      name: () => board.get().name,
      onWelcome: (welcome) => this.#welcomed(welcome),
      onMessage: (message) => this.#gated(() => this.#hear(message)),
      onIceServers: (servers) => toWindow({ type: "ice", servers }),
      onHostGone: (reason) => this.#hostGone(reason),
      onRefused: (code, message) => this.#block(problems.refused(code, message)),
    });
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
  }

  start(): void {
    this.#options.board.set({ task: { what: "connecting", done: 0, total: null } });
    this.#lines.start();
  }

  pause(reason: string): void {
    if (!this.#wanted) return;
    this.#wanted = false;
    this.#options.board.set({ status: "paused", tokensPerSecond: 0 });
    this.#input({ type: "pause", reason });
    this.#islands?.pause(reason);
  }

  resume(): void {
    if (this.#wanted) return;
    this.#wanted = true;
    this.#takePart();
  }

  #takePart(): void {
    this.#options.board.set({ status: this.#gpu?.isReady ? "donating" : "starting" });
    if (this.#gpu?.isReady) this.#input({ type: "donate" });
    this.#islands?.resume();
  }

  nudge(): void {
    this.#lines.nudge();
  }

  /** What looks like sleep from here was the browser's doing. */
  thawed(ms: number): void {
    this.#thawedAt = now();
    this.#sleptAt = now();
    this.#options.board.clear("slept");
    this.#options.board.notice(problems.frozen(ms));
  }

  /** Says goodbye and lets go of links, timers and the GPU. */
  stop(reason: string): void {
    if (this.#ended) return;
    this.#islands?.close(reason);
    this.#islandLines.close();
    this.#lines.stop(reason); // first: the core's own goodbye knows no reason
    this.#input({ type: "stop" });
    this.#ended = true;
    this.#exchange.close();
    this.#host.close();
    this.#paths.stop(reason);
    clearInterval(this.#ticker);
    clearTimeout(this.#wake);
    this.#gpu?.end();
    this.#options.board.set({ hostConnected: false, links: [], phase: null, task: null, tokensPerSecond: 0 });
  }

  /** From the window: what happened to links. */
  fromWindow(message: ToWorker): void {
    if (this.#ended) return;
    switch (message.type) {
      case "frame":
        this.#frame(message.peer, message.bytes);
        break;
      case "signal":
        this.#lines.signal({ type: "signal", to: message.peer, data: message.data });
        break;
      case "up":
        this.#paths.directUp(message.peer);
        break;
      case "connections":
        this.#exchange.connections(message.peer, message);
        this.#islandLines.connections(message.peer, message.sending);
        break;
      case "down":
        this.#paths.directDown(message.peer);
        break;
      case "meters":
        this.#metered(this.#paths.meters(message.meters));
        break;
    }
  }

  #frame(from: PeerId, frame: Uint8Array): void {
    if (this.#heartbeat.receive(from, frame) || this.#islandLines.receive(from, frame)) return;
    this.#exchange.receive(from, frame);
  }

  // ---- host -------------------------------------------------------------------------------------------------------------

  #welcomed(welcome: Welcome): void {
    const { board } = this.#options;
    this.#host.session = welcome.session;
    board.clear("host-gone");
    board.clear("line-blocked");
    this.#attemptsFailed = 0;
    board.set({ hostConnected: true, peer: welcome.peer, run: welcome.run, spec: welcome.spec });
    if (!this.#peer) this.#begin(welcome);
    this.#input({ type: "host-open" });
    this.#hear(welcome);
  }

  #hear(message: HostMessage): void {
    this.#input({ type: "message", message });
    this.#islands?.hear(message);
  }

  #begin({ run, spec, peer }: Welcome): void {
    const { foldThread, holds, shelf, board, duty } = this.#options;
    const [exchange, host] = [this.#exchange, this.#host];
    const fold = foldThread.begin(spec);
    const sources = {
      shelf,
      fetch: (name: string, bytes: number) => exchange.fetch(name, bytes, "last", "background"),
    };
    const base = async (onProgress?: (bytes: number) => void): Promise<Float32Array> =>
      loadRunBase(spec, sources, onProgress).catch((error: unknown) => {
        throw error instanceof BaseError ? new BlockedError(problems.dataUnusable(error)) : error;
      });
    const total = spec.base?.blobs.reduce((sum, { bytes }) => sum + bytes, 0) ?? null;
    const shownBase = () =>
      base((done) => board.set({ task: { what: "weights", done, total } })).finally(() => board.set({ task: null }));
    const trainer = new Trainer({
      ...{ spec, fold, holds, now, duty },
      reopen: async (microbatch) => this.#gpu?.reopen(microbatch),
      onStep: (step) => this.#stepped(step),
    });
    this.#run = run;
    this.#journal.began(peer);
    this.#trainer = trainer;
    this.#peer = new Peer({ run, spec, self: peer });
    this.#effects = new Effects({
      ...{ run, trainer, exchange, host, shelf, board, holds },
      base: startsFromBase(spec) ? shownBase : undefined,
      isOver: () => this.#ended,
    });
    const { adapter, config, settings, cold } = this.#options;
    const islands = new Islands({
      ...{ self: peer, lines: this.#islandLines, board, now, wishes: config.island },
      ...{
        alone: openEngine,
        engines: config.testPlan === null ? islandEngines : untimedEngines,
        planFor: (plan, ranks) => planFor(config.testPlan, spec, plan, ranks),
      },
      send: (message) => this.#lines.send(message),
      heartbeat: this.#heartbeat,
      pace: { rest: () => duty.rest(() => false), worked: (ms) => duty.worked(ms) },
    });
    this.#islands = islands;
    this.#gpu = new GpuKeeper({
      ...{ spec, trainer, shelf, board, now, adapter, build: config.build, settings, cold },
      memoryBytes: config.memoryBytes ?? undefined,
      open: (wish) => islands.open(wish),
      isIsland: () => islands.leads,
      hasCompany: () => islands.hasCompany,
      fetch: sources.fetch,
      base: spec.lora ? base : undefined,
      onReady: () => {
        if (this.#wanted) this.#takePart();
      },
      onLost: (what) => this.#input({ type: "pause", reason: `${what} was lost`, lost: true }),
      onFailed: (error) => this.#failed(error),
    });
  }

  #hostGone(reason: string): void {
    const { board } = this.#options;
    if (!board.get().notices.some(({ code }) => code === "line-blocked")) board.notice(problems.hostGone(reason));
    board.set({ hostConnected: false });
    this.#input({ type: "host-closed" });
    this.#islands?.hostGone();
    if (++this.#attemptsFailed >= ATTEMPTS_UNTIL_ASKED) void this.#askWhyGone();
  }

  /** A host that answers requests is not away: something between lets no WebSocket through. */
  async #askWhyGone(): Promise<void> {
    const { board } = this.#options;
    const answers = await this.#host.answers();
    if (this.#ended || this.#attemptsFailed === 0) return;
    board.clear(answers ? "host-gone" : "line-blocked");
    if (answers) board.notice(problems.lineBlocked());
    else board.notice(problems.hostGone("it does not answer"));
  }

  #gated(deliver: () => void): void {
    if (!this.#gate) deliver();
    else this.#gate = this.#gate.then(deliver);
  }

  // ---- machine ----------------------------------------------------------------------------------------------------------

  #stepped({ job, round, step, loss, stepMs, busyMs, windows, tokensPerSecond }: StepDone): void {
    const { board } = this.#options;
    const point = board.get().lossHistory.at(-1);
    if (loss !== null) board.loss({ round, step: (point?.step ?? 0) + 1, loss });
    board.set({ stepMs, windows, tokensPerSecond, trainedMs: board.get().trainedMs + busyMs });
    this.#input({ type: "progress", job, round, step, loss, tokensPerSecond, stepMs });
  }

  #failed(error: unknown): void {
    if (this.#ended) return;
    if (error instanceof BlockedError) this.#block(error.problem);
    else if (error instanceof DeviceLostError)
      return; // engine.lost tells the same, and is answered there
    else if (isOutOfMemory(error)) this.#block(problems.outOfMemory(error));
    else {
      console.error(error);
      this.#block(problems.workerFailed(error));
    }
  }

  #block(problem: BlockedError["problem"]): void {
    if (this.#ended) return;
    this.stop(problem.message);
    this.#options.onBlocked(problem);
  }

  // ---- core -------------------------------------------------------------------------------------------------------------

  #input(input: PeerInput): void {
    const peer = this.#peer;
    if (!peer || this.#ended) return;
    this.#journal.heard(input);
    let outputs: PeerOutput[];
    try {
      outputs = peer.step(now(), input);
    } catch (error) {
      this.#failed(error);
      return;
    }
    for (const output of outputs) this.#perform(output);
    if (!this.#ended) this.#draw(peer);
  }

  #draw(peer: Peer): void {
    const view = peer.view();
    const { phase, round, anchorHash, step, steps, members, desyncs } = view;
    this.#journal.held(view);
    const { board } = this.#options;
    const behind = phase === "catch-up" && this.#gpu?.isReady;
    const task = behind
      ? { what: "catch-up" as const, done: round, total: Math.max(round, peer.log.round) }
      : board.get().task;
    board.set({
      phase,
      round,
      anchorHash,
      step,
      steps,
      members,
      desyncs,
      task: !behind && task?.what === "catch-up" ? null : task,
    });
  }

  #perform(output: PeerOutput): void {
    const { board, toWindow, identity } = this.#options;
    switch (output.type) {
      case "send":
        this.#lines.send(output.message);
        if (output.message.type === "attest") this.#holdMessages("attested");
        return;
      case "offer":
        this.#lines.send({ type: "offer", offer: signOffer(identity, this.#run, output.offer) });
        board.set({ tokensOffered: board.get().tokensOffered + output.offer.tokens });
        this.#holdMessages("offered");
        return;
      case "connect":
        this.#exchange.linkComing(output.peer);
        toWindow({ type: "open", peer: output.peer, initiator: output.initiator });
        return;
      case "probe":
        this.#heartbeat.probe(output.peer);
        return;
      case "disconnect":
        this.#paths.disconnect(output.peer);
        return;
      case "ask-relay":
        this.#paths.askRelay(output.peer);
        return;
      case "leave-relay":
        this.#paths.leaveRelay(output.peer);
        return;
      case "signal":
        toWindow({ type: "signal", peer: output.from, data: output.data });
        return;
      case "cancel-fetch":
        this.#exchange.cancel(output.hash);
        return;
      case "stop-training":
        this.#trainer?.stop();
        return;
      case "evidence": {
        const { ours, theirs } = output;
        const kept = this.#options.settings.set(`fork ${this.#run}`, { ours, theirs });
        kept.catch((error: unknown) => console.error("the evidence was not stored", error));
        console.error("the host has signed two entries for one place:", JSON.stringify({ ours, theirs }));
        return;
      }
      case "refused":
        this.#block(problems.refused(output.code, output.message));
        return;
      case "ended":
        this.stop("the run has ended");
        board.set({ status: "ended", endReason: output.reason, phase: "ended" });
        return;
      case "wake":
        clearTimeout(this.#wake);
        this.#wake = setTimeout(() => this.#input({ type: "tick" }), Math.max(0, output.at - now()));
        return;
      default:
        this.#effect(output);
    }
  }

  /** What takes time; its answer is an input. */
  #effect(output: Exclude<PeerOutput, { type: (typeof immediate)[number] }>): void {
    const effects = this.#effects;
    if (!effects) return;
    const answer = (): Promise<PeerInput | undefined> => {
      switch (output.type) {
        case "fetch-log":
          return effects.fetchLog(output);
        case "restore":
          return effects.restore(output);
        case "train":
          return effects.train(output);
        case "encode":
          return effects.encode(output);
        case "upload":
          return effects.upload(output);
        case "fetch":
          return effects.fetch(output);
        case "fold":
          return effects.fold(output);
        case "fold-pair":
          return effects.foldPair(output);
        case "aggregate":
          return effects.aggregate(output);
        case "evaluate":
          return effects.evaluate(output);
        case "make-checkpoint":
          return effects.makeCheckpoint(output);
        case "forget":
          return effects.forget(output);
      }
    };
    answer().then(
      (input) => {
        if (input) this.#input(input);
      },
      (error: unknown) => this.#failed(error),
    );
  }

  #holdMessages(phase: HoldPhase): void {
    const held = this.#options.holds.pass(phase);
    if (held) this.#gate = this.#gate ? Promise.all([this.#gate, held]).then(() => {}) : held;
  }

  // ---- time and meters --------------------------------------------------------------------------------------------------

  #tick(): void {
    const sleptMs = this.#sleep.tick();
    if (sleptMs > 0) this.#woke(sleptMs);
    else if (now() - this.#sleptAt > SLEPT_NOTICE_MS) {
      this.#options.board.clear("slept");
      this.#options.board.clear("frozen");
    }
    this.#heartbeat.tick(sleptMs > 0);
    if (now() - this.#measuredAt < (this.#islands?.isSeeking ? TICK_MS : MEASURE_EVERY_MS)) return;
    this.#measuredAt = now();
    this.#options.toWindow({ type: "measure" });
  }

  /** One event, however long it was: the core's timer has rung once, and every connection gets one chance. [R45] */
  #woke(sleptMs: number): void {
    this.#sleptAt = now();
    if (now() - this.#thawedAt > TICK_MS * 2) this.#options.board.notice(problems.slept(sleptMs));
    this.#lines.nudge();
    this.#options.toWindow({ type: "find-paths" });
  }

  #metered(meters: Parameters<LinkViews["take"]>[1]): void {
    const { board } = this.#options;
    this.#views.take(now(), meters);
    const rttMs = (peer: PeerId) => this.#heartbeat.rttMs(peer);
    const { bytesFromHost, bytesToHost } = this.#host;
    const { members } = board.get();
    const links = this.#views.views(rttMs, members);
    const { bytesSent, bytesReceived } = this.#views.totals();
    const before = this.#before;
    board.set({
      links,
      bytesSent: before.bytesSent + bytesSent,
      bytesReceived: before.bytesReceived + bytesReceived,
      bytesFromHost: before.bytesFromHost + bytesFromHost,
      bytesToHost: before.bytesToHost + bytesToHost,
    });
    this.#islands?.measure();
    const reports = this.#views.reports(rttMs);
    this.#input({ type: "links", links: this.#islands?.reported(reports) ?? reports, bytesFromHost, bytesToHost });
    if (meters.length > 0 || members.length === 0) this.#linkedAt = now();
    if (now() - this.#linkedAt <= NO_LINKS_MS) {
      board.clear("no-links");
      this.#askedWhyAlone = false;
    } else if (!this.#askedWhyAlone) {
      this.#askedWhyAlone = true;
      void this.#sayAlone();
    }
  }

  async #sayAlone(): Promise<void> {
    const overCap = await this.#host.isOverCap();
    if (!this.#ended && this.#askedWhyAlone) this.#options.board.notice(problems.noLinks(overCap));
  }
}
