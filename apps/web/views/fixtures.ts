// Snapshots for the view tests: one run with three peers (one of them hostile in its name), and this browser in every state.

import type { Moment, Overview, PeerId, PeerRow, RoundPeer, RoundTimes, RunDetail, RunSpec } from "#wire";
import { emptyWatcher, idleDonor, type PageActions, type PageSnapshot } from "../page-state.ts";
import { runSizes } from "../watch/run-sizes.ts";
import { type DonorSnapshot, linkKey, type Problem, type SeriesPoint, type WatcherSnapshot } from "../window/types.ts";
import { en } from "../words/en.ts";
import { tried } from "./fixtures-try.ts";
import { volunteer } from "./fixtures-volunteer.ts";

const hex = (digit: string, length = 64) => digit.repeat(length);
/** 2026-11-21 03:00:00 UTC. */
const START = Date.UTC(2026, 10, 21, 3);

const peerA: PeerId = `${hex("a")}00`;
const peerB: PeerId = `${hex("b")}00`;
const peerC: PeerId = `${hex("c")}01`;
/** A stranger's name is text only: it must come out escaped. */
export const HOSTILE_NAME = '<img src=x onerror="alert(1)">';

export const spec: RunSpec = {
  version: 1,
  mathVersion: 1,
  name: "State of the Union, micro",
  operator: "The library of Exampleton, hello@example.org",
  purpose:
    "Learns to continue speeches of two centuries, byte by byte, to show that borrowed browsers can train one model.",
  modelLicence: "CC0-1.0",
  seed: 7,
  data: {
    source: "State of the Union addresses, 1790 to 2016",
    licence: "public domain",
    tokenizer: "bytes",
    train: [{ hash: hex("1"), bytes: 19_200_000, tokens: 9_600_000 }],
    evaluation: [{ hash: hex("2"), bytes: 2_100_000, tokens: 1_050_000 }],
  },
  hostKey: hex("d"),
  model: {
    vocabSize: 256,
    dModel: 192,
    layers: 4,
    heads: 6,
    kvHeads: 6,
    dFfn: 512,
    contextLength: 256,
    ropeTheta: 10_000,
    normEps: 1e-5,
    tiedEmbedding: true,
  },
  inner: {
    steps: 32,
    windowsPerStep: 16,
    learningRate: 3e-3,
    learningRateMin: 3e-4,
    warmupTokens: 100_000,
    decayTokens: 0,
    beta1: 0.9,
    beta2: 0.95,
    eps: 1e-8,
    weightDecay: 0.1,
    clipNorm: 1,
  },
  outer: {
    method: "diloco",
    learningRate: 0.7,
    momentum: 0.9,
    codec: "int8-block",
    blockSize: 256,
    clipToMedianNorm: true,
  },
  rounds: { quorum: 8, maxContributors: 32, deadlineMinMs: 5_000, deadlineMaxMs: 120_000 },
  evaluation: { everyRounds: 5, windows: 64 },
  checkpoint: { everyRounds: 10, retain: "window" },
  end: { tokensMax: 200_000_000 },
};

const gpu = { backend: "webgpu", vendor: "nvidia", architecture: "ada", description: "", isFallback: false } as const;
export const software = {
  backend: "webgpu",
  vendor: "google",
  architecture: "swiftshader",
  description: "",
  isFallback: true,
} as const;

export const processor = {
  backend: "wasm",
  vendor: "cpu",
  architecture: "wasm",
  description: "2 threads, relaxed SIMD",
  isFallback: true,
} as const;

const peerRow = (row: Partial<PeerRow> & Pick<PeerRow, "id" | "name">): PeerRow => ({
  state: "training",
  adapter: gpu,
  tokens: 0,
  rounds: 0,
  refused: 0,
  loss: null,
  step: 0,
  tokensPerSecond: 0,
  bytesSent: 0,
  bytesReceived: 0,
  bytesRelayed: 0,
  bytesFromHost: 0,
  bytesToHost: 0,
  links: [],
  ...row,
});

const link = (peer: PeerId, kind: "direct" | "turn" | "relayed", bytesSent: number, bytesReceived: number) => ({
  peer,
  kind,
  bytesSent,
  bytesReceived,
  rttMs: 23.4,
});

export const run: RunDetail = {
  apiVersion: 1,
  peersAwaited: 0,
  build: "0.1.0+test",
  id: hex("e"),
  name: spec.name,
  state: "running",
  round: 41,
  tokens: 5_373_952,
  phase: "training",
  roster: [peerA, peerB, peerC],
  offered: [peerB],
  islands: [
    {
      ...{ island: hex("a"), leader: peerA, members: [peerA, peerB], since: 12 },
      plan: { kind: "tensor", exchange: "int8", form: "direct" },
    },
  ],
  spec,
  head: {
    ...{ round: 41, anchorHash: hex("f"), tokens: 5_373_952, seq: 131 },
    ...{ trainLoss: 1.8342, evalLoss: 1.912, perplexity: 6.767, bitsPerByte: 2.758 },
  },
  peers: [
    peerRow({
      id: peerA,
      name: "Ada",
      tokens: 3_000_000,
      rounds: 41,
      loss: 1.83,
      step: 19,
      tokensPerSecond: 41_200,
      bytesSent: 152_000_000,
      bytesReceived: 148_000_000,
      bytesFromHost: 22_000_000,
      bytesToHost: 76_000_000,
      links: [link(peerB, "direct", 90_000_000, 88_000_000), link(peerC, "turn", 62_000_000, 60_000_000)],
    }),
    peerRow({
      id: peerB,
      name: HOSTILE_NAME,
      state: "offered",
      tokens: 1_900_000,
      rounds: 40,
      loss: 1.85,
      step: 32,
      tokensPerSecond: 28_000,
      bytesSent: 88_000_000,
      bytesReceived: 90_000_000,
      bytesFromHost: 21_500_000,
      bytesToHost: 74_000_000,
      links: [link(peerA, "direct", 88_000_000, 90_000_000)],
    }),
    peerRow({
      id: peerC,
      name: "",
      adapter: software,
      tokens: 473_952,
      rounds: 22,
      loss: 1.9,
      step: 4,
      tokensPerSecond: 310,
      bytesSent: 60_000_000,
      bytesReceived: 62_000_000,
      bytesRelayed: 1_200_000,
      bytesFromHost: 23_000_000,
      bytesToHost: 41_000_000,
      links: [link(peerA, "turn", 60_000_000, 62_000_000)],
    }),
    peerRow({ id: `${hex("9")}00`, name: "Grace", state: "left" }),
  ],
  peersTotal: 4,
  churn: [
    { time: START, kind: "joined", peer: peerA, name: "Ada", reason: "" },
    { time: START + 61_000, kind: "joined", peer: peerB, name: HOSTILE_NAME, reason: "" },
    { time: START + 90_000, kind: "paused", peer: peerB, name: HOSTILE_NAME, reason: "the person pressed Pause" },
    { time: START + 140_000, kind: "resumed", peer: peerB, name: HOSTILE_NAME, reason: "" },
    { time: START + 300_000, kind: "crashed", peer: `${hex("9")}00`, name: "Grace", reason: "connection lost, no bye" },
    { time: START + 310_000, kind: "joined", peer: peerC, name: "", reason: "" },
    { time: START + 360_000, kind: "refused", peer: peerC, name: "", reason: "update has the wrong base" },
  ],
  traffic: { direct: 240_000_000, turn: 122_000_000, relayed: 1_200_000, fromHost: 66_000_000, toHost: 190_000_000 },
  updateBytesServed: 0,
  endReason: null,
};

const series = (every: number, value: (round: number) => number): SeriesPoint[] =>
  Array.from({ length: Math.floor(41 / every) }, (_, i) => {
    const round = (i + 1) * every;
    return { round, tokens: round * 131_072, time: START + round * 30_000, value: value(round) };
  });

const rounds: readonly RoundTimes[] = Array.from({ length: 5 }, (_, i) => {
  const openedAt = START + (36 + i) * 30_000;
  const part = (peer: PeerId, name: string, offeredMs: number, foldedMs: number): RoundPeer => ({
    peer,
    name,
    offeredAt: openedAt + offeredMs,
    busyUntil: null,
    foldedAt: openedAt + foldedMs,
    agrees: i !== 2 || peer !== peerC,
    named: i !== 1 || peer !== peerC,
    tokens: 43_000,
    loss: 1.85,
    bytes: 1_800_000,
  });
  return {
    round: 36 + i,
    openedAt,
    committedAt: openedAt + 24_000,
    sealedAt: openedAt + 26_500,
    voided: null,
    anchorHash: hex(String(i)),
    rosterSize: 3,
    attesters: i === 2 ? 2 : 3,
    peers: [
      part(peerA, "Ada", 19_000, 25_900),
      part(peerB, HOSTILE_NAME, 21_500, 26_400),
      part(peerC, "", 23_900, 26_100),
    ],
    peersTotal: 3,
    refused: i === 3 ? [{ peer: peerC, reason: "update has the wrong base" }] : [],
  };
});

export const overview: Overview = {
  peersByState: { joining: 0, ready: 0, training: 2, offered: 1, paused: 0, left: 0 },
  tokensPerSecond: 69_510,
  adapters: [
    { adapter: gpu, peers: 2, training: 2, tokensPerSecond: 69_200 },
    { adapter: software, peers: 1, training: 1, tokensPerSecond: 310 },
  ],
  adaptersTotal: 2,
  linksByKind: { direct: 1, turn: 1, relayed: 0 },
  ddpBytes: 38e9,
  diagnosis: {
    rounds: 20,
    medianRoundMs: 31_000,
    findings: [
      {
        ...{ kind: "peer", peer: peerB, other: null, cause: "trains-slowly", secondsPerRound: 6.2 },
        ...{ rounds: 18, of: 20, name: "", otherName: "" },
      },
    ],
  },
  host: {
    startedAt: START,
    connections: 3,
    watchers: 2,
    relayLinks: 0,
    relayBytes: 1_200_000,
    served: { update: 0, shard: 57_000_000 },
    memoryBytes: 190e6,
    loopDelayMs: 1.4,
    diskFreeBytes: 212e9,
    logEntries: 132,
  },
};

export const moment: Moment = {
  round: 20,
  time: START + 600_000,
  tokens: 2_621_440,
  anchorHash: hex("3"),
  trainLoss: 2.161,
  evalLoss: 2.203,
  times: {
    ...rounds[0],
    round: 19,
    peers: rounds[0].peers.map((row) => ({ ...row, offeredAt: null, foldedAt: null, agrees: null })),
  },
  standings: [
    { peer: peerA, name: "Ada", tokens: 1_400_000, rounds: 20 },
    { peer: peerB, name: HOSTILE_NAME, tokens: 1_221_440, rounds: 19 },
  ],
  standingsTotal: 2,
};

export const watcher: WatcherSnapshot = {
  ...emptyWatcher,
  rounds,
  overview,
  mesh: {
    nodes: [
      { id: peerA, name: "Ada", state: "training", x: -0.7, y: 0.1 },
      { id: peerB, name: HOSTILE_NAME, state: "offered", x: 0.6, y: -0.6 },
      { id: peerC, name: "", state: "training", x: 0.4, y: 0.8 },
    ],
    edges: [
      { from: 0, to: 1, kind: "direct", rttMs: 23.4, bytesPerSecond: 930_000 },
      { from: 0, to: 2, kind: "turn", rttMs: 41, bytesPerSecond: 320_000 },
    ],
    islands: [[0, 1]],
  },
  roster: series(1, () => 3),
  contributors: series(1, (round) => (round % 9 === 0 ? 2 : 3)),
  updateBytes: series(1, (round) => (round % 9 === 0 ? 3.6e6 : 5.4e6)),
  roundMs: series(1, (round) => 26_000 + 1_500 * Math.sin(round)),
  connection: "live",
  hostBase: "https://host.example",
  run,
  otherRuns: [{ id: "cd".repeat(32), name: HOSTILE_NAME, state: "resting", round: 12, peers: 0, tokens: 122_880 }],
  sizes: runSizes(spec),
  trainLoss: series(1, (round) => 1.75 + 3.8 * Math.exp(-round / 9) + 0.03 * Math.sin(round * 1.7)),
  evalLoss: series(5, (round) => 1.82 + 3.7 * Math.exp(-round / 9)),
  tokensPerSecond: series(1, (round) => 52_000 + 17_000 * Math.sin(round / 5)),
  rateByPeer: new Map([
    [peerA, { sent: 1_250_000, received: 640_000 }],
    [peerB, { sent: 320_000, received: 610_000 }],
  ]),
  rateByLink: new Map([
    [linkKey(peerA, peerB), { sent: 610_000, received: 320_000 }],
    [linkKey(peerC, peerA), { sent: 0, received: 320_000 }],
  ]),
};

export const donating: DonorSnapshot = {
  ...idleDonor,
  status: "donating",
  hostConnected: true,
  peer: peerA,
  name: "Ada",
  slot: 0,
  adapter: gpu,
  spec,
  run: run.id,
  phase: "training",
  round: 41,
  anchorHash: hex("f"),
  step: 19,
  steps: 32,
  stepMs: 41,
  trainedMs: 2.5 * 3_600_000,
  tokensPerSecond: 41_200,
  tokensOffered: 1_310_720,
  rounds: 10,
  lossHistory: Array.from({ length: 320 }, (_, step) => ({
    round: 31 + Math.floor(step / 32),
    step,
    loss: 1.82 + 0.5 * Math.exp(-step / 80) + 0.06 * Math.sin(step * 2.3) * Math.cos(step * 0.7),
  })),
  members: [],
  links: [
    {
      ...link(peerB, "direct", 90_000_000, 88_000_000),
      name: HOSTILE_NAME,
      sendBytesPerSecond: 610_000,
      receiveBytesPerSecond: 320_000,
    },
    { ...link(peerC, "turn", 62_000_000, 60_000_000), name: "", sendBytesPerSecond: 320_000, receiveBytesPerSecond: 0 },
  ],
  bytesSent: 152_000_000,
  bytesReceived: 148_000_000,
  bytesFromHost: 22_000_000,
  bytesToHost: 76_000_000,
};

export const machine = { state: "ready", adapter: gpu, limits: null, browser: "chromium" } as const;

/** The page before anything is pressed, with changes. */
export const page = (change: Partial<PageSnapshot> = {}): PageSnapshot => ({
  words: en,
  place: "donate",
  runName: "default",
  forgotten: false,
  lastSeen: null,
  newerPage: false,
  earlier: null,
  axis: "rounds",
  kiosk: false,
  machine,
  memory: { mostBytes: 462e6, leastBytes: 23e6, ranks: 1, problem: null },
  volunteer,
  donor: idleDonor,
  watcher,
  tried,
  ...change,
});

export const emptyRun: RunDetail = {
  ...run,
  state: "resting",
  phase: "waiting",
  round: 0,
  tokens: 0,
  roster: [],
  offered: [],
  peers: [],
  peersTotal: 0,
  churn: [],
  traffic: { direct: 0, turn: 0, relayed: 0, fromHost: 0, toHost: 0 },
  head: { round: 0, anchorHash: hex("0"), trainLoss: null, evalLoss: null, tokens: 0, seq: -1 },
};
export const emptyPage = page({
  watcher: { ...emptyWatcher, connection: "live", run: emptyRun, sizes: runSizes(emptyRun.spec) },
});

export const endedRun: RunDetail = {
  ...run,
  state: "ended",
  phase: "ended",
  roster: [],
  offered: [],
  endReason: "200,000,000 tokens are committed",
};

export const problem = (code: Problem["code"]): Problem => ({
  code,
  message: `What ${code} is.`,
  remedy: `What helps against ${code}.`,
});

const nothing = () => {};
export const actions: PageActions = {
  check: nothing,
  donate: nothing,
  pause: nothing,
  resume: nothing,
  stop: nothing,
  allow: nothing,
  rename: nothing,
  allowNetwork: nothing,
  exportKey: nothing,
  importKey: nothing,
  measureStorage: nothing,
  forget: nothing,
  setAxis: nothing,
  go: nothing,
  loadNewerPage: nothing,
  speak: nothing,
  showRound: nothing,
  play: nothing,
  wantPeers: nothing,
};

/** What strangers, the host and the machine say: not the page's texts, so in nobody's catalogue. */
const data: readonly string[] = [
  spec.name,
  spec.purpose,
  spec.operator,
  "Gossamer",
  "nvidia ada",
  "google swiftshader",
  ...run.churn.map(({ reason }) => reason),
  "200,000,000 tokens are committed.",
  '{"failed": ["rope"]}',
];
const entities = (text: string): string => text.replaceAll("&#x27;", "'").replaceAll("&quot;", '"');
const isHash = (text: string): boolean => /^[0-9a-f]{64,66}$/.test(text);
export const isData = (text: string): boolean => isHash(text) || data.includes(entities(text));
