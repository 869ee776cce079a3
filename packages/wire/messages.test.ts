import fc from "fast-check";
import { expect, test } from "vitest";
import {
  ENTRIES_MAX,
  MESSAGE_BYTES_MAX,
  NEIGHBOURS_MAX,
  parseHostMessage,
  parsePeerMessage,
  ROSTER_LISTED_MAX,
  signEntry,
} from "./index.ts";
import { chain, hash, host, offerOf, peer, run, specOf } from "./test-given.ts";

const adapter = { backend: "webgpu", vendor: "google", architecture: "swiftshader", description: "", isFallback: true };
const hello = {
  type: "hello",
  protocolMin: 2,
  protocolMax: 2,
  build: "test",
  run: "default",
  volunteer: hash(1),
  slot: 0,
  name: "",
  adapter,
  signature: "00".repeat(64),
};
const island = (members: string[], plan: object = { kind: "tensor", exchange: "int8", form: "direct" }) => ({
  type: "island",
  island: hash(6),
  members,
  plan,
});
const fromPeer = [
  hello,
  { type: "signal", to: peer(2), data: "{}" },
  { type: "ready", round: 0, anchorHash: hash(1), stepMs: null },
  { type: "pause", reason: "tab hidden" },
  { type: "progress", round: 0, step: 3, loss: 5.1, tokensPerSecond: 900.5 },
  { type: "offer", offer: offerOf(1) },
  {
    type: "attest-group",
    openSeq: 3,
    manifest: hash(4),
    update: hash(5),
    bytes: 10,
    tokens: 10,
    refused: [peer(2)],
  },
  { type: "attest", round: 0, anchorHash: hash(1) },
  { type: "evaluation", round: 1, anchorHash: hash(1), setHash: hash(2), loss: 2 },
  {
    type: "links",
    links: [{ peer: peer(2), kind: "direct", bytesSent: 1, bytesReceived: 2, rttMs: null }],
    bytesFromHost: 0,
    bytesToHost: 0,
  },
  { type: "attest", round: 0, anchorHash: hash(1), refused: [{ peer: peer(2), reason: "a NaN scale" }] },
  { type: "kept", hash: hash(1) },
  {
    type: "checkpoint-made",
    round: 1,
    anchorHash: hash(1),
    blobs: [{ name: "parameters", hash: hash(2), bytes: 1 }],
  },
  { type: "head", seq: -1, hash: run },
  { type: "given-back", entries: chain() },
  { type: "lacks", hashes: [hash(1)] },
  {
    type: "links",
    links: [{ peer: peer(2), kind: "direct", bytesSent: 1, bytesReceived: 2, rttMs: 3, bytesPerSecond: 1e7 }],
    bytesFromHost: 0,
    bytesToHost: 0,
  },
  { type: "seek-island", ranksMin: 2 },
  { type: "seek-island", ranksMin: 4, reason: "1.2 GB where 1 GB is allowed" },
  {
    type: "seek-island",
    ranksMin: 2,
    capacity: {
      tensorRanksMin: null,
      stageLayersMax: [
        [2, 1],
        [2, 2, 0],
        [3, 2, 2, 1],
      ],
      flopsPerSecond: 2.5e11,
    },
  },
  { type: "leave-island", island: hash(6), reason: "a link went down" },
  { type: "leave-island", reason: "paused by the volunteer" },
  { type: "bye", reason: "stop" },
];
const fromHost = [
  { type: "challenge", nonce: hash(1) },
  {
    type: "welcome",
    protocol: 2,
    build: "test",
    peer: peer(1),
    run,
    spec: specOf(),
    session: "s",
    iceServers: [{ urls: "stun:127.0.0.1:3478" }],
    relay: false,
    headSeq: -1,
    headHash: run,
    members: [{ peer: peer(2), name: "two", adapter }],
  },
  { type: "refuse", code: "full", message: "24 peers at most" },
  { type: "ice", iceServers: [{ urls: ["turn:203.0.113.1:3478"], username: "1:ab", credential: "c" }] },
  { type: "joined", member: { peer: peer(2), name: "two", adapter } },
  { type: "left", peer: peer(2), reason: "closed" },
  { type: "parted", peer: peer(2) },
  { type: "seat", openSeq: 3, position: 9_999 },
  {
    type: "reduce",
    openSeq: 3,
    manifest: hash(4),
    members: [1, 2].map((n) => ({ peer: peer(n), update: hash(n), bytes: 10, tokens: 5 })),
  },
  { type: "send-up", hash: hash(5) },
  { type: "signal", from: peer(2), data: "{}" },
  { type: "entries", entries: chain() },
  { type: "keep", blob: { hash: hash(1), bytes: 1, maker: peer(2) } },
  { type: "make-checkpoint", round: 1 },
  { type: "give-back", from: 0 },
  { type: "give-blobs", hashes: [hash(1)] },
  { type: "offer-refused", openSeq: 0, message: "late" },
  { type: "fold-refused", round: 0, peers: [peer(1)], message: "a NaN scale" },
  island([peer(2), peer(1)]),
  island([peer(1), peer(2), peer(3)], { kind: "pipeline", layers: [2, 20, 1], exchange: "f32" }),
  island([peer(1), peer(2)], { kind: "sequence" }),
  { type: "island-over", island: hash(6), reason: "a member left" },
  { type: "island-waits", missing: 1, because: "too-few" },
  { type: "island-waits", missing: 0, because: "measuring", seekers: [peer(2)] },
];

test.each(fromPeer)("peer: $type", (message) => expect(parsePeerMessage(JSON.stringify(message))).toEqual(message));
test.each(fromHost)("host: $type", (message) => expect(parseHostMessage(JSON.stringify(message))).toEqual(message));

test("what is wrong is said with its field", () => {
  expect(parsePeerMessage("")).toBe("not JSON");
  expect(parsePeerMessage("{")).toBe("not JSON");
  expect(parsePeerMessage("null")).toMatch(/^message: /);
  expect(parsePeerMessage('{"type":"shout"}')).toMatch(/^type: /);
  expect(parsePeerMessage(JSON.stringify({ ...hello, slot: 16 }))).toMatch(/^slot: /);
  expect(parsePeerMessage(JSON.stringify({ ...hello, extra: 1 }))).toMatch(/extra/);
  expect(parsePeerMessage(JSON.stringify({ type: "offer", offer: { ...offerOf(1), tokens: -1 } }))).toMatch(
    /^offer\.tokens: /,
  );
  expect(parseHostMessage(JSON.stringify(hello))).toMatch(/^type: /);
  expect(
    parseHostMessage(JSON.stringify({ type: "entries", entries: Array(ENTRIES_MAX + 1).fill(chain()[0]) })),
  ).toMatch(/^entries: /);
});

test("size is refused before anything is parsed", () => {
  const padded = JSON.stringify(hello).padEnd(MESSAGE_BYTES_MAX, " ");
  expect(parsePeerMessage(padded)).toEqual(hello);
  expect(parsePeerMessage(`${padded} `)).toMatch(/is the most/);
});

test("[R26] the largest open fits a message", () => {
  const roster = Array.from({ length: ROSTER_LISTED_MAX }, () => peer(1));
  const body = {
    type: "open",
    round: 0,
    roster,
    baseHash: hash(2),
    cursor: 0,
    tokensBefore: 0,
    deadlineMs: 1,
  } as const;
  const text = JSON.stringify({ type: "entries", entries: [signEntry(host, run, undefined, 0, body)] });
  expect(text.length).toBeLessThan(3_000);
  expect(parseHostMessage(text)).toBeTypeOf("object");
});

test("a welcome fits a message, with eight neighbours of long names and the longest list of shards", () => {
  const adapter = { vendor: "\0".repeat(80), architecture: "\0".repeat(80), description: "\0".repeat(200) };
  const member = { peer: peer(1), name: "\0".repeat(40), adapter: { backend: "webgpu", ...adapter, isFallback: true } };
  const shard = { hash: hash(1), bytes: 2 ** 52, tokens: 2 ** 51 };
  const { data } = specOf();
  const spec = { ...specOf(), data: { ...data, train: Array(4096).fill(shard), evaluation: Array(256).fill(shard) } };
  const text = JSON.stringify({
    ...fromHost.find(({ type }) => type === "welcome"),
    members: Array(NEIGHBOURS_MAX).fill(member),
    spec,
  });
  expect(parseHostMessage(text)).toBeTypeOf("object");
});

test("what strangers count adds up to a finite number", () => {
  const links = { type: "links", links: [], bytesFromHost: 1e308, bytesToHost: 0 };
  expect(parsePeerMessage(JSON.stringify(links))).toMatch(/^bytesFromHost: /);
  const ready = { type: "ready", round: 0, anchorHash: hash(1), stepMs: 1e308 };
  expect(parsePeerMessage(JSON.stringify(ready))).toMatch(/^stepMs: /);
});

test.each([
  ["one member", island([peer(1)])],
  ["five members", island([1, 2, 3, 4, 5].map(peer))],
  ["a member twice", island([peer(1), peer(2), peer(1)])],
  ["a plan of no kind", island([peer(1), peer(2)], { kind: "ladder" })],
  ["a pipeline of one stage", island([peer(1), peer(2)], { kind: "pipeline", layers: [4], exchange: "int8" })],
  ["a stage without layers", island([peer(1), peer(2)], { kind: "pipeline", layers: [4, 0], exchange: "int8" })],
])("an island with %s is none", (_, message) => {
  expect(parseHostMessage(JSON.stringify(message))).toMatch(/^(members|plan)/);
});

test.each([0, 1, 5, 2.5])("nobody seeks an island of %s", (ranksMin) => {
  expect(parsePeerMessage(JSON.stringify({ type: "seek-island", ranksMin }))).toMatch(/^ranksMin: /);
});

test.each([
  ["one number for two stages", { stageLayersMax: [[2], [2, 2, 2], [2, 2, 2, 2]] }],
  [
    "stages of two and three alone",
    {
      stageLayersMax: [
        [2, 2],
        [2, 2, 2],
      ],
    },
  ],
  [
    "more layers than a model has",
    {
      stageLayersMax: [
        [2, 129],
        [2, 2, 2],
        [2, 2, 2, 2],
      ],
    },
  ],
  ["parts for itself", { tensorRanksMin: 1 }],
  ["no speed", { flopsPerSecond: 0 }],
  ["more speed than there is", { flopsPerSecond: 2e15 }],
])("a capacity with %s is none", (_, change) => {
  const capacity = {
    tensorRanksMin: 2,
    stageLayersMax: [
      [2, 2],
      [2, 2, 2],
      [2, 2, 2, 2],
    ],
    ...change,
  };
  const message = { type: "seek-island", ranksMin: 2, capacity };
  expect(parsePeerMessage(JSON.stringify(message))).toMatch(/^capacity/);
});

test("any text: a message or a reason, never an exception", () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => typeof parsePeerMessage(text) === "string"));
  expect(parsePeerMessage("[".repeat(200_000))).toBeTypeOf("string");
  expect(parseHostMessage(`${'{"a":'.repeat(40_000)}1${"}".repeat(40_000)}`)).toBeTypeOf("string");
});
