// A run that nobody trains, for benches and pictures of the page: as many peers and rounds as asked for, from a seed. It has the log's
// entries (unsigned), the same series, rounds and standings as a real one, and goes on when it is told to.

import { measuresOf } from "#data";
import {
  API_VERSION,
  CHURN_PAGE,
  type ChurnRow,
  type Diagnosis,
  goalReason,
  type LogEntry,
  type PeerId,
  type PeerMessage,
  presets,
  type RunDetail,
  type RunSpec,
  type RunSummary,
  reasonByCode,
} from "#wire";
import type { ServedRun } from "../../host/api.ts";
import { DdpBytes, overviewOf } from "../../host/overview.ts";
import { peerRows } from "../../host/peer-rows.ts";
import { RoundBook } from "../../host/round-book.ts";
import type { RunListener } from "../../host/run.ts";
import { SeriesStore } from "../../host/series.ts";
import { Standings } from "../../host/standings.ts";
import { type ConnectedPeer, made, prng, syntheticPeers } from "./synthetic-peers.ts";

export interface SyntheticOptions {
  readonly peers: number;
  readonly rounds: number;
  /** A commit names so many. */
  readonly contributors: number;
  readonly seed: number;
  /** Wall clock of its newest seal. */
  readonly endsAt: number;
  readonly state?: RunDetail["state"];
}

const ROUND_MS = 24_000;
const EVAL_EVERY = 10;
/** As often as a real peer says how far it is. */
const REPORT_MS = 2_000;

const speedOf = (peers: readonly ConnectedPeer[]): number =>
  peers.reduce((sum, { tokensPerSecond }) => sum + tokensPerSecond, 0);

export class SyntheticRun implements ServedRun {
  readonly id = made("run", 1);
  readonly spec: RunSpec;
  readonly entries: LogEntry[] = [];
  readonly series = new SeriesStore();
  readonly rounds: RoundBook;
  readonly standings: Standings;
  readonly bytesServed = { update: 1.2e9, checkpoint: 3.1e8, shard: 4.4e9, other: 0 };
  readonly uploadBytesMax = 0;
  readonly notReady = undefined;
  readonly foldingSeconds = 0;
  readonly diagnosis: Diagnosis = { rounds: 0, medianRoundMs: null, findings: [] };
  readonly #options: SyntheticOptions;
  readonly #random: () => number;
  readonly #peers: ConnectedPeer[];
  /** Of all who train. */
  readonly #speed: number;
  readonly #nameById: ReadonlyMap<PeerId, string>;
  readonly #credit = new Map<
    PeerId,
    { tokens: number; rounds: number; refused: number; refusedInRow: number; loss: number | null }
  >();
  readonly #listeners = new Set<RunListener>();
  readonly #churn: ChurnRow[] = [];
  readonly #ddp: DdpBytes;
  #tokens = 0;
  #round = 0;
  #now: number;
  #offered: PeerId[] = [];
  #openSeq = 0;
  #sinceOpenMs = 0;

  constructor(options: SyntheticOptions) {
    this.#options = options;
    this.#random = prng(options.seed);
    const draft = presets.micro;
    const { corpus, ...rest } = draft;
    this.spec = {
      ...rest,
      name: "State of the Union, micro",
      operator: "The library of Exampleton, hello@example.org",
      data: {
        source: corpus.source,
        licence: corpus.licence,
        tokenizer: "bytes",
        train: [{ hash: made("shard", 1), bytes: 19_200_000, tokens: 9_600_000 }],
        evaluation: [{ hash: made("shard", 2), bytes: 2_100_000, tokens: 1_050_000 }],
      },
      hostKey: made("key", 1),
      end: { roundsMax: options.state === "ended" ? options.rounds : 1_000_000 },
    } as RunSpec;
    this.#peers = syntheticPeers(options.peers, this.spec, this.#random);
    this.#speed = speedOf(this.#peers.filter(({ state }) => state === "training"));
    this.#nameById = new Map(this.#peers.map(({ member }) => [member.peer, member.name]));
    this.rounds = new RoundBook(this.entries, this.spec, (peer) => this.nameOf(peer));
    this.standings = new Standings(this.entries, () => undefined);
    this.#ddp = new DdpBytes(this.spec);
    this.#now = options.endsAt - options.rounds * ROUND_MS;
    while (this.#round < options.rounds) this.#wholeRound();
    for (let i = 0; i < Math.min(40, options.peers); i++) this.#come(i);
    if (options.state === "ended")
      this.#add({ type: "end", reason: goalReason({ of: "rounds", count: options.rounds }) });
    else this.#open();
  }

  // ---- the past ---------------------------------------------------------------------------------------------------------

  #add(body: object): LogEntry {
    const entry = {
      version: 2,
      seq: this.entries.length,
      prevHash: made("entry", 0),
      signature: "",
      time: Math.round(this.#now),
    };
    const whole = { ...entry, ...body } as LogEntry;
    this.entries.push(whole);
    this.series.apply(whole);
    this.rounds.apply(whole);
    this.#ddp.apply(whole);
    return whole;
  }

  #open(): void {
    const { peers } = this.#options;
    // Larger rosters are named by their blob, as in a real log.
    const roster = peers > 32 ? { size: peers, blob: made("roster", 1) } : this.#peers.map(({ member }) => member.peer);
    this.#openSeq = this.#add({ type: "open", round: this.#round, roster, deadlineMs: 60_000 }).seq;
    this.#offered = [];
    this.#sinceOpenMs = 0;
  }

  #wholeRound(): void {
    this.#open();
    this.#finish(this.#drawn(), ROUND_MS);
  }

  /** Whose turn it is. */
  #drawn(): ConnectedPeer[] {
    const { contributors } = this.#options;
    const start = (this.#round * contributors) % this.#peers.length;
    return Array.from(
      { length: Math.min(contributors, this.#peers.length) },
      (_, i) => this.#peers[(start + i) % this.#peers.length],
    );
  }

  #lossAt(round: number): number {
    const { rounds } = this.#options;
    const scale = Math.max(12, rounds / 14);
    return (
      1.42 + 4.1 * Math.exp(-round / scale) + 0.55 * Math.exp(-round / (scale * 5)) + 0.05 * (this.#random() - 0.5)
    );
  }

  #finish(drawn: readonly ConnectedPeer[], ms: number): void {
    const round = this.#round;
    const loss = this.#lossAt(round);
    const trainMs = ms * (0.78 + 0.1 * this.#random());
    // The drawn ones stand for everybody: what a round counts is what all of them trained in it.
    const tokensEach = ((this.#speed / speedOf(drawn)) * ROUND_MS * (trainMs / ms)) / 1_000;
    const contributors = drawn.map(({ member, tokensPerSecond }) => ({
      peer: member.peer,
      tokens: Math.floor(tokensPerSecond * tokensEach),
      loss: loss + 0.1 * (this.#random() - 0.5),
      bytes: 1_830_000 + Math.floor(this.#random() * 20_000),
      update: made("update", round),
    }));
    contributors.sort((a, b) => (a.peer < b.peer ? -1 : 1));
    // In the past, each when its device was done; in the present, they have offered already.
    if (ms === ROUND_MS)
      for (const [i, { peer, tokens, loss, bytes }] of contributors.entries()) {
        const offer = { round, openSeq: this.#openSeq, tokens, loss, bytes };
        const part = 0.72 + 0.27 * (((i * 5 + round) % contributors.length) / contributors.length);
        this.rounds.heard(peer, { type: "offer", offer } as PeerMessage, Math.round(this.#now + trainMs * part));
      }
    this.#now += trainMs;
    this.#add({ type: "commit", round, openSeq: this.#openSeq, contributors });
    const anchorHash = made("anchor", round);
    const strays = round % 23 === 11 ? 1 : 0;
    this.#now += ms * 0.12;
    for (const [i, { member }] of drawn.entries())
      this.#hear(member.peer, { type: "attest", round, anchorHash: i < strays ? made("stray", round) : anchorHash }, i);
    const attesters = drawn
      .map(({ member }) => member.peer)
      .slice(strays, strays + 8)
      .sort();
    const refused = round % 37 === 20 ? [{ peer: contributors[0].peer, reason: "update has the wrong base" }] : [];
    this.#now += ms * 0.03;
    this.#add({ type: "seal", round, anchorHash, attesters, refused });
    for (const { peer, tokens, loss: own } of contributors) {
      const before = this.#credit.get(peer);
      const refusedHere = refused.some((row) => row.peer === peer) ? 1 : 0;
      this.#credit.set(peer, {
        tokens: (before?.tokens ?? 0) + (refusedHere ? 0 : tokens),
        rounds: (before?.rounds ?? 0) + 1 - refusedHere,
        refused: (before?.refused ?? 0) + refusedHere,
        refusedInRow: refusedHere,
        loss: own,
      });
      if (!refusedHere) this.#tokens += tokens;
    }
    this.#round += 1;
    if (this.#round % EVAL_EVERY === 0)
      this.#add({
        type: "eval",
        round: this.#round,
        anchorHash,
        setHash: made("set", 1),
        loss: loss + 0.08,
        peer: drawn[0].member.peer,
      });
  }

  #hear(peer: PeerId, message: object, i: number): void {
    this.rounds.heard(peer, message as PeerMessage, Math.round(this.#now - 400 + 90 * (i % 7)));
  }

  #come(i: number): void {
    const kinds = ["joined", "joined", "left", "paused", "resumed", "crashed", "joined"] as const;
    const kind = kinds[i % kinds.length];
    const { member } = this.#peers[(i * 7) % this.#peers.length];
    const reasons = {
      left: reasonByCode["page-closed"],
      crashed: reasonByCode["connection-closed"],
      paused: reasonByCode.paused,
    };
    const reason = kind in reasons ? reasons[kind as keyof typeof reasons] : "";
    this.#churn.push({
      time: Math.round(this.#now - (40 - i) * 9_000),
      kind,
      peer: member.peer,
      name: member.name,
      reason,
    });
    if (this.#churn.length > CHURN_PAGE) this.#churn.shift();
  }

  // ---- the present ------------------------------------------------------------------------------------------------------

  /** Lets so much time pass: steps are taken, bytes move, offers come, and now and then a round ends. */
  advance(ms: number): void {
    if (this.#options.state !== undefined && this.#options.state !== "running") return;
    this.#now += ms;
    this.#sinceOpenMs += ms;
    const { steps } = this.spec.inner;
    const drawn = this.#drawn();
    const reports = (i: number, at: number): number => Math.floor((at + i * 250) / REPORT_MS);
    for (const [i, peer] of this.#peers.entries()) {
      if (reports(i, this.#now) === reports(i, this.#now - ms)) continue;
      const pace = 0.75 + (0.25 * ((i * 37) % 11)) / 11;
      const step = Math.min(steps, Math.floor((steps * this.#sinceOpenMs * pace) / (0.7 * ROUND_MS)));
      const offers = step >= steps && !this.#offered.includes(peer.member.peer) && drawn.includes(peer);
      if (offers) {
        this.#offered.push(peer.member.peer);
        const offer = {
          round: this.#round,
          openSeq: this.#openSeq,
          tokens: 65_536,
          loss: this.#lossAt(this.#round),
          bytes: 1_840_000,
        };
        this.rounds.heard(peer.member.peer, { type: "offer", offer } as PeerMessage, Math.round(this.#now));
      }
      const links = peer.links.map((link) => ({
        ...link,
        bytesSent: link.bytesSent + Math.floor(REPORT_MS * 90 * this.#random()),
        bytesReceived: link.bytesReceived + Math.floor(REPORT_MS * 90 * this.#random()),
      }));
      const bytes = REPORT_MS * 500 * this.#random();
      const state = this.#offered.includes(peer.member.peer)
        ? "offered"
        : peer.state === "paused"
          ? "paused"
          : "training";
      this.#peers[i] = {
        ...peer,
        step,
        links,
        state,
        bytesSent: peer.bytesSent + bytes,
        bytesReceived: peer.bytesReceived + bytes,
      };
    }
    if (this.#offered.length >= drawn.length && this.#sinceOpenMs > 0.9 * ROUND_MS) {
      this.#finish(drawn, 2_000);
      this.#come(this.#round);
      this.#open();
    }
    for (const listener of this.#listeners) listener.changed?.();
  }

  // ---- documents --------------------------------------------------------------------------------------------------------

  subscribe(listener: RunListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  nameOf(peer: PeerId): string {
    return this.#nameById.get(peer) ?? "";
  }

  summary(): RunSummary {
    const { state = "running", peers } = this.#options;
    return { id: this.id, name: this.spec.name, state, round: this.#round, peers, tokens: this.#tokens };
  }

  detail(from: number, pageSize: number): RunDetail {
    const traffic = {
      of: () => ({ bytesSent: 0, bytesReceived: 0, bytesRelayed: 0, bytesFromHost: 0, bytesToHost: 0 }),
    };
    const rows = peerRows({
      peers: this.#peers,
      log: { contributions: this.#credit },
      traffic,
      memberOf: () => undefined,
    });
    const direct = this.#peers.reduce((sum, { bytesSent }) => sum + bytesSent, 0);
    return {
      ...this.summary(),
      apiVersion: API_VERSION,
      peersAwaited: 0,
      build: "0.1.0",
      phase: this.#options.state === "ended" ? "ended" : "training",
      roster: this.#peers.slice(0, 200).map(({ member }) => member.peer),
      offered: this.#offered,
      spec: this.spec,
      head: {
        round: this.#round,
        anchorHash: this.rounds.sealOf(this.#round)?.anchorHash ?? made("anchor", 0),
        trainLoss: this.series.last("trainLoss"),
        evalLoss: this.series.last("evalLoss"),
        ...measuresOf(this.spec.data, this.series.last("evalLoss")),
        tokens: this.#tokens,
        seq: this.entries.length - 1,
      },
      peers: rows.slice(from, from + pageSize),
      peersTotal: rows.length,
      churn: [...this.#churn],
      traffic: { direct, turn: direct * 0.21, relayed: direct * 0.016, fromHost: 9.1e9, toHost: direct * 0.4 },
      updateBytesServed: this.bytesServed.update,
      endReason: this.#options.state === "ended" ? goalReason({ of: "rounds", count: this.#options.rounds }) : null,
    };
  }

  overview() {
    return { ...overviewOf(this.#peers), ddpBytes: this.#ddp.bytes };
  }

  samples = { prompts: [], samples: [] };
  anchors = { newest: async () => undefined, bytes: () => undefined };
  kindOf = () => "other" as const;
  isOffered = () => false;
  blobStored = () => {};
  blobDropped = () => {};
}
