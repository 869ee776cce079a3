// One stretch of donating, from the button to stop: the protocol core (swarm's Peer) and everything that it asks for.
//
//   control line, links, timers, results of effects -> peer.step(now, input) -> outputs -> effects
//
// Effects on the replica go to the trainer, bytes to carriage; both answer with inputs.
import type { Engine } from "#engine";
import { DeviceLostError } from "#engine";
import { Exchange, openWebSocket, Signaling, TICK_MS, type ToWindow, type ToWorker, type Welcome } from "#mesh";
import { Peer, type PeerInput, type PeerOutput } from "#swarm";
import { blobName, type Identity, type PeerId, type RunSpec, signOffer } from "#wire";
import type { BlobShelf } from "./blob-shelf.ts";
import type { Board } from "./board.ts";
import { type Dataset, loadDataset } from "./dataset.ts";
import type { FoldThread } from "./fold-thread.ts";
import { BlockedError, isOutOfMemory, openEngine } from "./gpu.ts";
import type { Holds } from "./holds.ts";
import type { HoldPhase, StartConfig } from "./api.ts";
import { HostLine } from "./host-line.ts";
import { LinkViews } from "./link-views.ts";
import { problems } from "./problems.ts";
import { type StepDone, Trainer } from "./trainer.ts";

/** Rates on the page follow within two seconds; the host gets the same reports. */
const MEASURE_EVERY_MS = 2_000;
/** Others are here, and no link has opened for so long: the person hears of it. */
const NO_LINKS_MS = 20_000;
/** A second loss of the GPU within this is not an accident. */
const LOST_AGAIN_MS = 60_000;
/** A blob that another tab of this browser deleted is asked for again, not more often than this. */
const REFETCH_EVERY_MS = 1_000;

export interface SessionOptions {
  readonly config: StartConfig;
  readonly identity: Identity;
  readonly slot: number;
  readonly adapter: Engine["adapter"];
  readonly shelf: BlobShelf;
  readonly foldThread: FoldThread;
  readonly board: Board;
  readonly holds: Holds;
  readonly toWindow: (message: ToWindow) => boolean;
  /** It cannot go on without the person. */
  readonly onBlocked: (problem: BlockedError["problem"]) => void;
}

const now = (): number => performance.now();

export class Session {
  readonly #options: SessionOptions;
  readonly #signaling: Signaling;
  readonly #exchange: Exchange;
  readonly #host: HostLine;
  readonly #views = new LinkViews();
  readonly #intervals: ReturnType<typeof setInterval>[];
  #peer: Peer | undefined;
  #run: string;
  #spec: RunSpec | undefined;
  #trainer: Trainer | undefined;
  #engine: Engine | undefined;
  #engineLostAt = Number.NEGATIVE_INFINITY;
  #wake: ReturnType<typeof setTimeout> | undefined;
  #wanted = true; //                     donating is what the person wants
  #ended = false;
  #measuredAt = 0;
  #linkedAt = now();
  /** Test builds: messages of the host wait behind this. */
  #gate: Promise<void> | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    const { config, identity, slot, adapter, shelf, board, toWindow } = options;
    this.#run = config.run;
    this.#host = new HostLine(config.hostBase);
    this.#exchange = new Exchange({
      port: {
        send: (peer, bytes) => toWindow({ type: "frame", peer, bytes }),
        close: (peer, reason) => {
          toWindow({ type: "close", peer, reason });
          this.#input({ type: "link-down", peer });
        },
      },
      read: (name) => shelf.get(name),
      now,
      onMisbehaviour: (peer, reason) => console.warn(`peer ${peer.slice(0, 8)} ${reason}`),
    });
    this.#signaling = new Signaling({
      url: `${config.hostBase.replace(/^http/, "ws")}/signal`,
      run: () => this.#run,
      identity,
      slot,
      name: () => board.get().name,
      build: config.build,
      adapter,
      openSocket: openWebSocket,
      scheduler: {
        now,
        after: (ms, run) => {
          const timer = setTimeout(run, ms);
          return () => clearTimeout(timer);
        },
        random: Math.random,
      },
      onWelcome: (welcome) => this.#welcomed(welcome),
      onMessage: (message) => this.#gated(() => this.#input({ type: "message", message })),
      onClosed: (reason) => this.#hostGone(reason),
      onRefused: (code, message) => this.#block(problems.refused(code, message)),
    });
    this.#intervals = [setInterval(() => this.#tick(), TICK_MS)];
  }

  start(): void {
    this.#options.board.set({ task: { what: "connecting", done: 0, total: null } });
    this.#signaling.start();
  }

  pause(reason: string): void {
    this.#wanted = false;
    this.#options.board.set({ status: "paused" });
    this.#input({ type: "pause", reason });
  }

  resume(): void {
    this.#wanted = true;
    this.#options.board.set({ status: this.#engine ? "donating" : "starting" });
    if (this.#engine) this.#input({ type: "donate" });
  }

  nudge(): void {
    this.#signaling.nudge();
  }

  /** Says goodbye and lets go of links, timers and the GPU. */
  stop(reason: string): void {
    if (this.#ended) return;
    this.#input({ type: "stop" });
    this.#ended = true;
    this.#signaling.stop(reason);
    this.#host.close();
    this.#options.toWindow({ type: "close-all", reason });
    for (const interval of this.#intervals) clearInterval(interval);
    clearTimeout(this.#wake);
    this.#engine?.destroy();
    this.#engine = undefined;
    this.#options.board.set({ hostConnected: false, links: [], phase: null, task: null, tokensPerSecond: 0 });
  }

  /** From the window: what happened to links. */
  fromWindow(message: ToWorker): void {
    if (this.#ended) return;
    switch (message.type) {
      case "frame":
        this.#exchange.receive(message.peer, message.bytes);
        break;
      case "signal":
        this.#signaling.send({ type: "signal", to: message.peer, data: message.data });
        break;
      case "up":
        this.#exchange.linkUp(message.peer);
        this.#input({ type: "link-up", peer: message.peer });
        break;
      case "down":
        this.#exchange.linkDown(message.peer);
        this.#input({ type: "link-down", peer: message.peer });
        break;
      case "meters":
        this.#metered(message.meters);
        break;
    }
  }

  // ---- host -------------------------------------------------------------------------------------------------------------

  #welcomed(welcome: Welcome): void {
    const { board, toWindow } = this.#options;
    this.#host.session = welcome.session;
    board.clear("host-gone");
    board.set({ hostConnected: true, peer: welcome.peer, run: welcome.run, spec: welcome.spec });
    toWindow({ type: "ice", servers: welcome.iceServers as RTCIceServer[] });
    if (!this.#peer) {
      this.#run = welcome.run; // "default" may mean another run after a restart of the host; we stay with this one
      this.#begin(welcome);
    }
    this.#input({ type: "host-open" });
    this.#input({ type: "message", message: welcome });
  }

  #begin({ run, spec, peer }: Welcome): void {
    const { foldThread, holds } = this.#options;
    this.#spec = spec;
    this.#peer = new Peer({ run, spec, self: peer });
    const fold = foldThread.begin(spec);
    this.#trainer = new Trainer({ spec, fold, holds, now, onStep: (step) => this.#stepped(step) });
    void this.#prepare(spec, this.#trainer);
  }

  #hostGone(reason: string): void {
    const { board } = this.#options;
    board.notice(problems.hostGone(reason));
    board.set({ hostConnected: false });
    this.#input({ type: "host-closed" });
  }

  #gated(deliver: () => void): void {
    if (!this.#gate) deliver();
    else this.#gate = this.#gate.then(deliver);
  }

  // ---- machine ----------------------------------------------------------------------------------------------------------

  /** Kernels and text, side by side; then this peer is willing. */
  async #prepare(spec: RunSpec, trainer: Trainer): Promise<void> {
    const { board, shelf } = this.#options;
    try {
      board.set({ task: { what: "kernels", done: 0, total: null } });
      const total = spec.data.train.reduce((sum, { bytes }) => sum + bytes, 0);
      const sources = { shelf, host: this.#host.blobs, onHostBytes: this.#host.countDown };
      const loading = this.#untilLoaded(() =>
        loadDataset(spec, sources, (done) => board.set({ task: { what: "data", done, total } })),
      );
      const [engine, dataset] = await Promise.all([openEngine(spec), loading]);
      if (this.#ended) return engine.destroy();
      this.#use(engine, trainer, dataset);
    } catch (error) {
      this.#failed(error);
    }
  }

  /** The host may be away while shards are on the way: tries again until they are here. */
  async #untilLoaded(load: () => Promise<Dataset>): Promise<Dataset> {
    for (;;) {
      try {
        return await load();
      } catch (error) {
        const fromHost = error instanceof Error && error.name === "BlobHttpError";
        if (!fromHost) throw new BlockedError(problems.dataUnusable(error));
        if (this.#ended) throw error;
        await new Promise((resolve) => setTimeout(resolve, REFETCH_EVERY_MS));
      }
    }
  }

  #use(engine: Engine, trainer: Trainer, dataset: Dataset): void {
    this.#engine = engine;
    trainer.use(engine, dataset);
    this.#options.board.set({ adapter: engine.adapter, task: null, ...(this.#wanted ? { status: "donating" } : {}) });
    void engine.lost.then(({ reason, message }) => {
      if (this.#engine === engine && !this.#ended) void this.#lost(engine, trainer, dataset, message || reason);
    });
    if (this.#wanted) this.#input({ type: "donate" });
  }

  /** Once is an accident (a driver update, a laptop that slept): another engine. Twice in a minute is for the person. */
  async #lost(engine: Engine, trainer: Trainer, dataset: Dataset, reason: string): Promise<void> {
    this.#engine = undefined;
    trainer.engineGone();
    engine.destroy();
    this.#input({ type: "pause", reason: "its GPU was lost" });
    const again = now() - this.#engineLostAt < LOST_AGAIN_MS;
    this.#engineLostAt = now();
    if (again) return this.#block(problems.deviceLost(reason));
    this.#options.board.set({ task: { what: "kernels", done: 0, total: null } });
    try {
      const next = await openEngine(this.#spec!);
      if (this.#ended) return next.destroy();
      this.#use(next, trainer, dataset);
    } catch (error) {
      this.#failed(error);
    }
  }

  #stepped({ round, step, loss, stepMs, tokensPerSecond }: StepDone): void {
    const { board } = this.#options;
    const point = board.get().lossHistory.at(-1);
    if (loss !== null) board.loss({ round, step: (point?.step ?? 0) + 1, loss });
    board.set({ stepMs, tokensPerSecond });
    this.#input({ type: "progress", round, step, loss, tokensPerSecond, stepMs });
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
    const { phase, round, anchorHash, step, steps, members, desyncs } = peer.view();
    const { board } = this.#options;
    const behind = phase === "catch-up" && this.#engine !== undefined;
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
    const { board, toWindow, shelf, identity } = this.#options;
    switch (output.type) {
      case "send":
        this.#signaling.send(output.message);
        if (output.message.type === "attest") this.#holdMessages("attested");
        return;
      case "offer":
        this.#signaling.send({ type: "offer", offer: signOffer(identity, this.#run, output.offer) });
        board.set({ tokensOffered: board.get().tokensOffered + output.offer.tokens });
        this.#holdMessages("offered");
        return;
      case "fetch-log":
        this.#effect(this.#fetchLog(output.from));
        return;
      case "connect":
        toWindow({ type: "open", peer: output.peer, initiator: output.initiator });
        return;
      case "disconnect":
        this.#exchange.linkDown(output.peer);
        toWindow({ type: "close", peer: output.peer, reason: "not needed" });
        return;
      case "signal":
        toWindow({ type: "signal", peer: output.from, data: output.data });
        return;
      case "restore":
        this.#effect(this.#restore(output));
        return;
      case "train":
        this.#effect(this.#train(output));
        return;
      case "finish-training":
        this.#trainer?.finish();
        return;
      case "stop-training":
        this.#trainer?.stop();
        return;
      case "encode":
        this.#effect(this.#encode(output));
        return;
      case "upload":
        this.#effect(this.#upload(output.hash));
        return;
      case "fetch":
        this.#effect(this.#fetch(output));
        return;
      case "fold":
        this.#effect(this.#fold(output));
        return;
      case "evaluate":
        this.#effect(this.#evaluate(output.round));
        return;
      case "forget":
        for (const hash of output.hashes) this.#effect(shelf.delete(hash));
        return;
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
    }
  }

  /** An effect's own failures come back as inputs; what rejects all the same is the GPU, or a bug of ours. */
  #effect(work: Promise<void>): void {
    work.catch((error: unknown) => this.#failed(error));
  }

  async #pass(phase: HoldPhase): Promise<void> {
    await this.#options.holds.pass(phase);
  }

  #holdMessages(phase: HoldPhase): void {
    const held = this.#options.holds.pass(phase);
    if (held) this.#gate = this.#gate ? Promise.all([this.#gate, held]).then(() => {}) : held;
  }

  // ---- effects ----------------------------------------------------------------------------------------------------------

  async #fetchLog(from: number): Promise<void> {
    const entries = await this.#host.log(this.#run, from).catch((error: unknown) => {
      console.warn("the host's log did not come", error);
      return [];
    });
    this.#input({ type: "log", entries });
  }

  async #restore({ round, blobs }: PeerOutput & { type: "restore" }): Promise<void> {
    const sections = await Promise.all(blobs.map(({ hash, bytes }) => this.#bytesOf(hash, bytes, [])));
    const anchorHash = await this.#trainer!.restore(round, sections);
    await this.#pass("restored");
    this.#input({ type: "restored", round, anchorHash });
  }

  async #train({ assignment }: PeerOutput & { type: "train" }): Promise<void> {
    const trained = await this.#trainer!.train(assignment);
    if (!trained) return;
    await this.#pass("trained");
    this.#input({ type: "trained", round: assignment.round, openSeq: assignment.openSeq, ...trained });
  }

  async #encode({ round, baseHash, tokens }: PeerOutput & { type: "encode" }): Promise<void> {
    let update: Uint8Array;
    try {
      update = await this.#trainer!.encode(round, baseHash, tokens);
    } catch (error) {
      this.#input({ type: "encode-failed", round, reason: error instanceof Error ? error.message : String(error) });
      return;
    }
    const name = blobName(update);
    await this.#options.shelf.put(name, update);
    await this.#pass("encoded");
    this.#input({ type: "encoded", round, update: name, bytes: update.length });
  }

  async #upload(hash: string): Promise<void> {
    try {
      const bytes = await this.#options.shelf.get(hash);
      if (!bytes) throw new Error("the update is not here any more");
      await this.#host.upload(hash, bytes);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      console.warn("an update did not reach the host:", reason);
      this.#input({ type: "upload-failed", hash, reason });
      return;
    }
    await this.#pass("uploaded");
    this.#input({ type: "uploaded", hash });
  }

  async #fetch({ hash, bytes, sources, host }: PeerOutput & { type: "fetch" }): Promise<void> {
    const { shelf } = this.#options;
    try {
      if (!(await shelf.has(hash))) {
        const blob = await this.#exchange.fetch(hash, bytes, sources).catch((error: unknown) => {
          if (!host) throw error;
          return this.#host.download(hash, bytes);
        });
        await shelf.put(hash, blob);
      }
    } catch (error) {
      this.#input({ type: "fetch-failed", hash, reason: error instanceof Error ? error.message : String(error) });
      return;
    }
    await this.#pass("fetched");
    this.#input({ type: "fetched", hash });
  }

  async #fold({ commit, named }: PeerOutput & { type: "fold" }): Promise<void> {
    const blobs = new Map<string, Uint8Array>();
    for (const { update, bytes, peer } of commit.contributors)
      blobs.set(update, await this.#bytesOf(update, bytes, [peer]));
    const { anchorHash, refused } = await this.#trainer!.fold(commit, named, blobs);
    await this.#pass("folded");
    const { board } = this.#options;
    if (named) board.set({ rounds: board.get().rounds + 1 });
    this.#input({ type: "folded", round: commit.round, anchorHash, refused });
  }

  async #evaluate(round: number): Promise<void> {
    const result = await this.#trainer!.evaluate(round).catch((error: unknown) => {
      console.warn("an evaluation failed", error); // another peer, or the host, evaluates the next one
      return undefined;
    });
    if (!result || !Number.isFinite(result.loss)) return;
    const { board } = this.#options;
    board.evaluation({ round, step: board.get().lossHistory.at(-1)?.step ?? 0, loss: result.loss });
    await this.#pass("evaluated");
    this.#input({ type: "evaluated", round, ...result });
  }

  /** A blob that was here a moment ago. Another tab of this browser may have deleted it from the store that they share: then it comes again. */
  async #bytesOf(hash: string, bytes: number, sources: readonly PeerId[]): Promise<Uint8Array> {
    for (;;) {
      const here = await this.#options.shelf.get(hash);
      if (here) return here;
      try {
        return await this.#exchange.fetch(hash, bytes, sources).catch(() => this.#host.download(hash, bytes));
      } catch (error) {
        if (this.#ended) throw error;
        await new Promise((resolve) => setTimeout(resolve, REFETCH_EVERY_MS));
      }
    }
  }

  // ---- time and meters --------------------------------------------------------------------------------------------------

  #tick(): void {
    this.#exchange.tick();
    if (now() - this.#measuredAt < MEASURE_EVERY_MS) return;
    this.#measuredAt = now();
    this.#options.toWindow({ type: "measure" });
  }

  #metered(meters: Parameters<LinkViews["take"]>[1]): void {
    const { board } = this.#options;
    this.#views.take(now(), meters);
    const rttMs = (peer: PeerId) => this.#exchange.rttMs(peer);
    const { bytesFromHost, bytesToHost } = this.#host;
    const { members } = board.get();
    board.set({ links: this.#views.views(rttMs, members), ...this.#views.totals(), bytesFromHost, bytesToHost });
    this.#input({ type: "links", links: this.#views.reports(rttMs), bytesFromHost, bytesToHost });
    if (meters.length > 0 || members.length === 0) this.#linkedAt = now();
    if (now() - this.#linkedAt > NO_LINKS_MS) board.notice(problems.noLinks());
    else board.clear("no-links");
  }
}
