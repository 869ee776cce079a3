// One run on this host: the sequencer with its effects made real. Every input goes through one queue, every output is done in order.
//
//   socket, upload, timer, witness -> step(now, input) -> append (disk, then broadcast) | send | fold | checkpoint | forget | wake
import { join } from "node:path";
import { measuresOf } from "#data";
import { type Provenance, provenanceOf } from "#formats";
import { StorageError } from "#store";
import {
  DataError,
  type DataFolder,
  DiskLog,
  type HostBlobs,
  type LogStore,
  type OpenedLog,
  readFileIfThere,
  verifyNatively,
  writeFileWhole,
  writeRemedy,
} from "#store/disk";
import { Sequencer, type SequencerInput, type SequencerOutput, type SequencerView } from "#swarm";
import {
  API_VERSION,
  blobName,
  CHURN_PAGE,
  type CheckpointRow,
  type ChurnRow,
  type Diagnosis,
  type EntryOf,
  entryHash,
  entryIsSigned,
  type HostMessage,
  holdersOf,
  type Identity,
  type LogEntry,
  type Member,
  type PeerId,
  type PeerMessage,
  type RunDetail,
  type RunSpec,
  type RunSummary,
  runIdOf,
  type Samples,
  sign,
  signEntry,
  specBlobs,
  specSchema,
  type VolunteerId,
  verifyOffer,
  volunteerOf,
} from "#wire";
import { AnchorShelf } from "./anchor-shelf.ts";
import { RunDiagnosis } from "./diagnosis/run-diagnosis.ts";
import { DdpBytes, overviewOf, type RunOverview } from "./overview.ts";
import { peerRows } from "./peer-rows.ts";
import type { Report } from "./report.ts";
import { RoundBook } from "./round-book.ts";
import type { RunSamples } from "./samples/run-samples.ts";
import { SeriesStore } from "./series.ts";
import type { RefusalCode } from "./signal.ts";
import { Standings } from "./standings.ts";
import { BlobDamagedError, BlobLostError, type WitnessPort, type WitnessStart } from "./witness.ts";

/** How the run reaches its peers: the signal server, or a test. */
export interface RunPorts {
  send(to: PeerId, message: HostMessage): void;
  broadcast(message: HostMessage, except?: PeerId): void;
  disconnect(peer: PeerId, code: RefusalCode, message: string): void;
}

export interface RunOptions {
  readonly blobs: HostBlobs;
  readonly identity: Identity;
  readonly spec: RunSpec;
  readonly build: string;
  readonly witness: WitnessPort;
  /** Writes at each checkpoint what the model makes of the spec's prompts; undefined: nobody does. */
  readonly samples?: RunSamples | undefined;
  /** How many must be ready before the first round opens; 1 unless given. */
  readonly startPeers?: number | undefined;
  /** Another run of the same data directory names that blob: then it stays when this one forgets it. */
  readonly neededElsewhere?: (hash: string) => boolean;
  /** That peer was sent away for what it did: for a while it does not come back. [R38] */
  readonly sentAway: (peer: PeerId, reason: string) => void;
  /** A line for the operator. */
  readonly report: Report;
  /** The disk or the witness failed: nothing may be acknowledged any more. Called once. */
  readonly fatal: (error: Error) => void;
}

export interface RunListener {
  entry?(entry: LogEntry): void;
  /** Something that RunDetail shows may have changed. */
  changed?(): void;
  /** An entry is on the disk: so long it took. */
  appended?(ms: number): void;
  offerRefused?(reason: string): void;
  uploaded?(bytes: number, ms: number): void;
}

/** A fold of 124 million parameters takes seconds; this is a processor, or a disk, that does not keep up. */
const WITNESS_SLOW_S = 60;

/** Names and adapters of who left, for display. */
const MEMBERS_REMEMBERED = 4096;

const noPorts: RunPorts = { send: () => {}, broadcast: () => {}, disconnect: () => {} };

/** What sort of blob a served byte belongs to. */
export type BlobKind = "update" | "checkpoint" | "shard" | "other";

export class HostedRun {
  readonly id: string;
  readonly spec: RunSpec;
  readonly entries: LogEntry[];
  readonly series = new SeriesStore();
  readonly rounds: RoundBook;
  readonly standings: Standings;
  readonly started: WitnessStart;
  readonly anchors: Pick<AnchorShelf, "newest" | "bytes">;
  /** Bytes of blobs sent to clients, by kind. */
  readonly bytesServed: Record<BlobKind, number> = { update: 0, checkpoint: 0, shard: 0, other: 0 };
  readonly #options: RunOptions;
  readonly #log: LogStore;
  readonly #samples: RunSamples | undefined;
  readonly #sequencer: Sequencer;
  readonly #listeners = new Set<RunListener>();
  readonly #memberByPeer = new Map<PeerId, Member>(); // who is or was here since this host started, newest data
  readonly #kindByBlob = new Map<string, BlobKind>();
  readonly #churn: ChurnRow[] = [];
  readonly #diagnosis: RunDiagnosis;
  readonly #ddp: DdpBytes; // of what this host saw sealed, as the traffic that it is set against
  readonly #inputs: SequencerInput[] = [];
  #ports: RunPorts = noPorts;
  #foldingSince: number | undefined;
  #witnessLacks: boolean; // blobs of its log are gone, and peers are asked for them
  #stepping = false;
  #closed = false;
  #wake: NodeJS.Timeout | undefined;

  private constructor(
    options: RunOptions,
    id: string,
    log: LogStore,
    entries: LogEntry[],
    started: WitnessStart,
    witnessBehind: boolean,
  ) {
    this.#options = options;
    this.#log = log;
    this.id = id;
    this.spec = options.spec;
    this.entries = entries;
    this.started = started;
    this.#samples = options.samples;
    this.#samples?.follow(entries);
    this.anchors = new AnchorShelf({ spec: options.spec, entries, witness: options.witness });
    this.#ddp = new DdpBytes(options.spec);
    this.#witnessLacks = witnessBehind;
    this.rounds = new RoundBook(entries, options.spec, (peer) => this.nameOf(peer));
    this.#diagnosis = new RunDiagnosis({
      rounds: this.rounds,
      peers: () => this.view.peers.map(({ member, links }) => ({ id: member.peer, links: [...links] })),
      nameOf: (peer) => this.nameOf(peer),
      now: () => performance.now(),
      report: options.report,
    });
    this.standings = new Standings(entries, (hash) => goodBlob(options.blobs, hash));
    for (const { hash } of specBlobs(this.spec)) this.#kindByBlob.set(hash, "shard");
    for (const entry of entries) this.#learn(entry);
    // Nobody can know it, and it is the same after a restart: so everybody finds his neighbours again.
    const meshSeed = sign(options.identity, "gossamer mesh v1", id);
    const { genesisHash } = started;
    const { spec } = this;
    const aside = (hash: string) => goodBlob(options.blobs, hash);
    const check = {
      hashOf: entryHash,
      isSigned: (entry: LogEntry) => entryIsSigned(spec.hostKey, entry, verifyNatively),
    };
    const known = { spec, run: id, genesisHash, meshSeed, log: entries, aside };
    const { startPeers = 1 } = options;
    this.#sequencer = new Sequencer({ ...known, witnessBehind, startPeers, check });
  }

  /**
   * The run whose spec and log lie in the data directory.
   * @throws DataError when the stored run is damaged; the witness's errors when log and blobs disagree
   */
  static async open({ data, ...options }: RunOptions & { readonly data: DataFolder }): Promise<HostedRun> {
    const { spec } = options;
    const id = runIdOf(spec);
    const folder = await data.runFolder(id);
    await keepSpec(folder, id, spec);
    return HostedRun.goOn(options, await DiskLog.open(folder, id, spec.hostKey));
  }

  /** Goes on from that log, and closes it in the end. @throws the witness's errors when log and blobs disagree */
  static async goOn(options: RunOptions, { log, entries, notice }: OpenedLog): Promise<HostedRun> {
    const { spec, witness, report } = options;
    try {
      if (notice !== undefined) report(notice);
      let witnessBehind = false;
      // Where peers keep the updates there is nothing here to fold: the witness only knows genesis.
      const folded = holdersOf(spec) === undefined ? entries : [];
      const started = await witness.start(folded).catch((error) => {
        if (!(error instanceof BlobLostError) || error instanceof BlobDamagedError) throw error;
        report(`${error.message}. Perhaps the log's end is lost as well: peers that hold it are waited for.`);
        witnessBehind = true;
        return witness.start([]);
      });
      return new HostedRun(options, runIdOf(spec), log, entries, started, witnessBehind);
    } catch (error) {
      await log.close();
      throw error;
    }
  }

  /** Connects the run with its peers; the clock starts. */
  attach(ports: RunPorts): void {
    this.#ports = ports;
    this.input({ type: "tick" });
  }

  get view(): SequencerView {
    return this.#sequencer.view();
  }

  /** How many are connected: without a view of everybody. */
  get peerCount(): number {
    return this.#sequencer.peerCount;
  }

  /** The last entry that was synced. */
  get head(): Pick<SequencerView, "headSeq" | "headHash"> {
    return this.#sequencer.head();
  }

  /** Whether a tab of that volunteer is named in a sealed commit. */
  hasCredited(volunteer: VolunteerId): boolean {
    return [...this.#sequencer.log.contributions.keys()].some((peer) => volunteerOf(peer) === volunteer);
  }

  /** How long it has been folding the round under way, in seconds; 0: it waits. */
  get foldingSeconds(): number {
    return this.#foldingSince === undefined ? 0 : (performance.now() - this.#foldingSince) / 1000;
  }

  /** Why no round can be sealed now. */
  get notReady(): string | undefined {
    if (this.#witnessLacks) return "updates of its log are missing here: peers are asked for them";
    if (this.foldingSeconds > WITNESS_SLOW_S)
      return `its witness has been folding for ${Math.round(this.foldingSeconds)} s`;
    return undefined;
  }

  /** Since this host started, through TURN servers, as peers report them. */
  get turnBytes(): number {
    return this.#sequencer.traffic.total().turn;
  }

  get ended(): string | undefined {
    return this.#sequencer.log.ended;
  }

  /** Largest update of this run's model. */
  get uploadBytesMax(): number {
    return this.#sequencer.log.updateBytesMax;
  }

  /** Who a peer is to be linked with, also one that is not yet connected. */
  neighbours(peer: PeerId): Member[] {
    return this.#sequencer.neighbours(peer);
  }

  areNeighbours(a: PeerId, b: PeerId): boolean {
    return this.#sequencer.mesh.areNeighbours(a, b);
  }

  connected(member: Member): void {
    this.#memberByPeer.delete(member.peer); // so that it becomes the newest
    this.#memberByPeer.set(member.peer, member);
    if (this.#memberByPeer.size > MEMBERS_REMEMBERED)
      this.#memberByPeer.delete(this.#memberByPeer.keys().next().value!);
    this.input({ type: "connected", member });
  }

  disconnected(peer: PeerId, reason: string): void {
    this.input({ type: "disconnected", peer, reason });
  }

  message(from: PeerId, message: PeerMessage): void {
    // [R4] The core trusts signatures that its adapter has checked.
    if (message.type === "offer" && !verifyOffer(this.id, message.offer)) {
      const { openSeq } = message.offer;
      this.#ports.send(from, {
        type: "offer-refused",
        openSeq,
        message: "the signature is not the offering peer's",
      });
      return this.input({ type: "fault", peer: from, reason: "an offer with another's signature" });
    }
    this.rounds.heard(from, message, Date.now());
    this.input({ type: "message", from, message });
  }

  /** An upload is on the disk. */
  blobStored(hash: string, bytes: number, tookMs?: number): void {
    if (tookMs !== undefined) {
      this.rounds.uploaded(hash, tookMs);
      for (const listener of this.#listeners) listener.uploaded?.(bytes, tookMs);
    }
    if (!this.#kindByBlob.has(hash)) this.#kindByBlob.set(hash, "update");
    this.input({ type: "blob-stored", hash, bytes });
  }

  /** An offer for the open round names that upload. */
  isOffered(hash: string): boolean {
    return this.#sequencer.isOffered(hash);
  }

  /** Call it before an upload is deleted: from then on no offer counts with it. */
  blobDropped(hash: string): void {
    this.input({ type: "blob-dropped", hash });
  }

  /** As it called itself when it was last here; empty when that is not remembered. */
  nameOf(peer: PeerId): string {
    return this.#memberByPeer.get(peer)?.name ?? "";
  }

  kindOf(hash: string): BlobKind {
    return this.#kindByBlob.get(hash) ?? "other";
  }

  /** No round opens until `resume`; the open one goes on to its commit. */
  pause(): void {
    this.input({ type: "pause" });
  }

  resume(): void {
    this.input({ type: "resume" });
  }

  /** Ends the run for good, by the host's order. */
  end(reason: string): void {
    this.input({ type: "end", reason });
  }

  // ---- inputs and outputs ---------------------------------------------------------------------------------------------

  input(input: SequencerInput): void {
    if (this.#closed) return;
    this.#inputs.push(input);
    if (this.#stepping) return; // an output led here: its step comes first
    this.#stepping = true;
    try {
      for (let next = this.#inputs.shift(); next !== undefined; next = this.#inputs.shift())
        for (const output of this.#sequencer.step(performance.now(), next)) this.#do(output);
    } catch (error) {
      this.#fail(error as Error);
    } finally {
      this.#stepping = false;
    }
    for (const listener of this.#listeners) listener.changed?.();
  }

  #do(output: SequencerOutput): void {
    switch (output.type) {
      case "append":
        return void this.#appendNew(output).catch((error) => this.#fail(error as Error));
      case "append-signed":
        this.#options.report(`A peer gave entry ${output.entry.seq} (${output.entry.type}) of our own log back.`);
        return void this.#append(output.entry).catch((error) => this.#fail(error as Error));
      case "send":
        if (output.message.type === "offer-refused")
          for (const listener of this.#listeners) listener.offerRefused?.(output.message.message);
        return this.#ports.send(output.to, output.message);
      case "broadcast":
        return this.#ports.broadcast(output.message, output.except);
      case "disconnect":
        this.#options.sentAway(output.peer, output.message);
        return this.#ports.disconnect(output.peer, output.code as RefusalCode, output.message);
      case "fold":
        return void this.#fold(output).catch((error) => this.#fail(error as Error));
      case "restart-witness":
        return void this.#restartWitness().catch((error) => this.#fail(error as Error));
      case "checkpoint":
        return void this.#checkpoint(output.round).catch((error) => this.#fail(error as Error));
      case "forget":
        return void this.#forget(output.hashes).catch((error) =>
          this.#options.report(`Deleting blobs: ${error.message}`),
        );
      case "event":
        return this.#event(output.event);
      case "wake":
        clearTimeout(this.#wake);
        this.#wake = setTimeout(() => this.input({ type: "tick" }), Math.max(0, output.at - performance.now()));
        return;
    }
  }

  /** What the entry names comes first: a log never names what is not on the disk. */
  async #appendNew({ body, asides }: Extract<SequencerOutput, { type: "append" }>): Promise<void> {
    for (const { name, bytes } of asides) await this.#options.blobs.put(name, bytes);
    await this.#append(signEntry(this.#options.identity, this.id, this.entries.at(-1), Date.now(), body));
  }

  async #append(entry: LogEntry): Promise<void> {
    const from = performance.now();
    await this.#log.append(entry);
    for (const listener of this.#listeners) listener.appended?.(performance.now() - from);
    this.entries.push(entry);
    this.#learn(entry);
    this.#ddp.apply(entry);
    if (entry.type === "seal") this.#diagnosis.sealed();
    if (entry.type === "checkpoint") this.#samples?.follow([entry]);
    this.input({ type: "appended", entry });
    for (const listener of this.#listeners) listener.entry?.(entry);
  }

  async #fold({ commit, opened }: Extract<SequencerOutput, { type: "fold" }>): Promise<void> {
    this.#foldingSince = performance.now();
    try {
      const { round, anchorHash, refused } = await this.#options.witness.fold(commit, opened);
      this.#foldingSince = undefined;
      this.input({ type: "folded", round, anchorHash, refused });
    } catch (error) {
      this.#foldingSince = undefined;
      if (!(error instanceof BlobLostError)) throw error;
      this.#options.report(`Round ${commit.round}: ${error.message}. Peers are asked for what they hold.`);
      const hashes = await this.#missing(commit);
      this.input({ type: "blob-lost", round: commit.round, reason: error.message, hashes });
    }
  }

  async #restartWitness(): Promise<void> {
    try {
      const { round } = await this.#options.witness.start(this.entries);
      this.#witnessLacks = false;
      this.input({ type: "witness-restarted", round });
    } catch (error) {
      if (!(error instanceof BlobLostError)) throw error;
      const remedy =
        "No peer that is here holds it. Restore the data directory's blobs from a backup, or start a new run";
      throw new DataError(`${error.message}, and no newer checkpoint is stored either. ${remedy}.`);
    }
  }

  /** What of the commit is not on the disk; what is damaged there goes, so that it can come again. */
  async #missing({ contributors }: EntryOf<"commit">): Promise<string[]> {
    const { blobs } = this.#options;
    const missing: string[] = [];
    for (const { update } of contributors) {
      const bytes = await blobs.get(update);
      if (bytes !== undefined && blobName(bytes) === update) continue;
      if (bytes !== undefined) await blobs.delete(update);
      missing.push(update);
    }
    return missing;
  }

  async #checkpoint(round: number): Promise<void> {
    const { anchorHash, blobs } = await this.#options.witness.checkpoint(round);
    for (const { hash } of blobs) this.#kindByBlob.set(hash, "checkpoint");
    this.input({ type: "checkpointed", round, anchorHash, blobs });
  }

  async #forget(hashes: readonly string[]): Promise<void> {
    for (const hash of hashes) {
      if (this.kindOf(hash) === "shard") continue;
      if (!this.#options.neededElsewhere?.(hash)) await this.#options.blobs.delete(hash);
      this.#kindByBlob.delete(hash);
    }
  }

  #event(event: { kind: ChurnRow["kind"]; peer: PeerId; reason: string }): void {
    this.#churn.push({ time: Date.now(), name: this.nameOf(event.peer), ...event });
    if (this.#churn.length > CHURN_PAGE) this.#churn.shift();
  }

  /** What the API keeps of an entry. */
  #learn(entry: LogEntry): void {
    this.series.apply(entry);
    this.rounds.apply(entry);
    if (entry.type === "commit")
      for (const { update } of entry.contributors)
        if (!this.#kindByBlob.has(update)) this.#kindByBlob.set(update, "update"); // a shard stays one, whoever offers it
    if (entry.type === "checkpoint") for (const { hash } of entry.blobs) this.#kindByBlob.set(hash, "checkpoint");
  }

  /** Once: after this nothing is taken in, so nothing can be acknowledged that is not kept. */
  #fail(error: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#wake);
    this.#options.fatal(error instanceof StorageError ? blobFault(error) : error);
  }

  // ---- documents --------------------------------------------------------------------------------------------------------

  subscribe(listener: RunListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Where one of its anchors comes from, signed. @param row the anchor of now, or a checkpoint */
  provenance(row: CheckpointRow): Provenance {
    const { blobs, identity } = this.#options;
    return provenanceOf(this.spec, row, this.entries, (hash) => goodBlob(blobs, hash), identity);
  }

  summary(): RunSummary {
    const { round, tokens } = this.#sequencer.log;
    const { state, peers } = this.view;
    return { id: this.id, name: this.spec.name, state, round, peers: peers.length, tokens };
  }

  /** @param from first row of the page of peers */
  detail(from: number, pageSize: number): RunDetail {
    const { log } = this.#sequencer;
    const { phase, roster, offered, peersAwaited, islands } = this.view;
    const { traffic } = this.#sequencer;
    const rows = peerRows({ peers: this.view.peers, log, traffic, memberOf: (peer) => this.#memberByPeer.get(peer) });
    return {
      ...this.summary(),
      apiVersion: API_VERSION,
      peersAwaited,
      build: this.#options.build,
      phase,
      roster: [...roster],
      offered: [...offered],
      islands: islands.map(({ id, members, plan, since, stepMs }) => ({
        island: id,
        leader: members[0],
        members: [...members],
        plan,
        since,
        ...(stepMs !== undefined && { stepMs }),
      })),
      spec: this.spec,
      head: {
        round: log.round,
        anchorHash: log.anchorHash ?? this.started.genesisHash,
        trainLoss: this.series.last("trainLoss"),
        evalLoss: this.series.last("evalLoss"),
        ...measuresOf(this.spec.data, this.series.last("evalLoss")),
        tokens: log.tokens,
        seq: log.seq,
      },
      peers: rows.slice(from, from + pageSize),
      peersTotal: rows.length,
      churn: [...this.#churn],
      traffic: traffic.total(),
      updateBytesServed: this.bytesServed.update,
      endReason: log.ended ?? null,
    };
  }

  /** Who or what slows its rounds. */
  get diagnosis(): Diagnosis {
    return this.#diagnosis.newest;
  }

  /** What the model made of the spec's prompts. */
  get samples(): Samples {
    return { prompts: this.spec.evaluation.prompts ?? [], samples: [...(this.#samples?.rows ?? [])] };
  }

  /** Everybody who is here, in sums. */
  overview(): RunOverview {
    return { ...overviewOf(this.view.peers), diagnosis: this.diagnosis, ddpBytes: this.#ddp.bytes };
  }

  /** After the entry under way; the witness ends too. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#wake);
    await this.#log.close();
    await this.#samples?.close();
    await this.#options.witness.close();
  }
}

/** Nothing was acknowledged that the disk does not hold. */
const blobFault = ({ fault, message }: StorageError): DataError =>
  new DataError(`The data directory takes no more blobs: ${message}. ${writeRemedy(fault === "full")}`);

/** A damaged one is as good as none: it decides nothing but credit and seats. */
function goodBlob(blobs: HostBlobs, hash: string): Uint8Array | undefined {
  const bytes = blobs.getNow(hash);
  return bytes !== undefined && blobName(bytes) === hash ? bytes : undefined;
}

/** Stores the spec beside the log, and refuses a folder whose spec is another's: the id is its hash. */
async function keepSpec(folder: string, id: string, spec: RunSpec): Promise<void> {
  const path = join(folder, "spec.json");
  const content = await readFileIfThere(path);
  if (content === undefined) return writeFileWhole(path, `${JSON.stringify(spec, null, 2)}\n`);
  const stored = specSchema.safeParse(JSON.parse(content.toString()));
  if (!stored.success || runIdOf(stored.data) !== id)
    throw new DataError(
      `${path} is not the spec of run ${id}. Restore it from a backup, or remove the folder to start over.`,
    );
}
