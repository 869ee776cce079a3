import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import {
  chainFault,
  creditedTo,
  decodeManifest,
  decodeRoster,
  type EntryBody,
  encodeManifest,
  encodeRoster,
  entryHash,
  ISLANDS_MAX,
  type LogEntry,
  logEntrySchema,
  offerSchema,
  signEntry,
  signedOfferSchema,
  verifyOffer,
} from "./index.ts";
import { bodies, chain, hash, host, identity, offerOf, peer, run } from "./test-given.ts";

const faults = (entries: readonly LogEntry[], key = host.volunteer) =>
  entries.map((entry, i) => chainFault(run, key, entries[i - 1], entry)).filter((fault) => fault !== undefined);

test("every kind of entry chains, verifies and survives JSON", () => {
  const entries = chain();
  expect(new Set(entries.map(({ type }) => type)).size).toBe(7);
  expect(faults(entries)).toEqual([]);
  const read = entries.map((entry) => logEntrySchema.parse(JSON.parse(JSON.stringify(entry))));
  expect(read).toEqual(entries);
  expect(faults(read)).toEqual([]);
});

test("an entry's bytes are golden (OpenSSL signs the same): hash and signature are over this JSON", () => {
  const entry = signEntry(host, hash(7), undefined, 1_700_000_000_000, { type: "end", reason: "tokensMax reached" });
  const json = `{"prevHash":"${hash(7)}","reason":"tokensMax reached","seq":0,"time":1700000000000,"type":"end","version":1}`;
  expect(entryHash(entry)).toBe(createHash("sha256").update(json).digest("hex"));
  expect(entry.signature).toBe(
    "a824c7505ff7406cd7cc3f610ed5785f1b6ef14b8106269e7dd11250a334ab11adcdeb65f34df15992cbf7caa4ea0b0227c3d60f90ff84bca7c866b0c9675c0a",
  );
});

test("entry 0 names the run: it belongs to no other", () => {
  expect(chain()[0].prevHash).toBe(run);
  expect(chainFault(hash(9), host.volunteer, undefined, chain()[0])).toMatch(/predecessor/);
});

test("what anybody else changes, drops, swaps or signs shows", () => {
  const entries = chain();
  expect(chainFault(run, host.volunteer, entries[0], { ...entries[1], time: 1 })).toMatch(/not signed/);
  expect(chainFault(run, host.volunteer, entries[0], { ...entries[1], seq: 5 })).toBe("entry 5 where 1 belongs");
  expect(chainFault(run, host.volunteer, entries[0], entries[2])).toBe("entry 2 where 1 belongs");
  expect(chainFault(run, host.volunteer, { ...entries[0], time: 1 }, entries[1])).toMatch(/predecessor/);
  expect(faults(entries, identity(1).volunteer)).toHaveLength(entries.length);
  const signature = `00${entries[1].signature.slice(2)}`;
  expect(chainFault(run, host.volunteer, entries[0], { ...entries[1], signature })).toMatch(/not signed/);
});

test("a changed contributor inside a commit breaks the host's signature", () => {
  const entries = chain();
  const commit = entries[1] as Extract<LogEntry, { type: "commit" }>;
  const changed = { ...commit, contributors: [{ ...commit.contributors[0], tokens: 1 }, commit.contributors[1]] };
  expect(chainFault(run, host.volunteer, entries[0], changed)).toMatch(/not signed/);
});

test("an open may follow an open of the same round: it supersedes it", () => {
  const open = bodies[0];
  expect(faults(chain([open, open, { ...bodies[1], openSeq: 1 } as (typeof bodies)[number]]))).toEqual([]);
});

test("an offer is signed by the volunteer of its peer, for one run", () => {
  const offer = offerOf(1);
  expect(verifyOffer(run, offer)).toBe(true);
  expect(verifyOffer(hash(9), offer)).toBe(false);
  expect(verifyOffer(run, { ...offer, peer: peer(2) })).toBe(false);
  expect(verifyOffer(run, { ...offer, peer: peer(1, 1) })).toBe(false);
  for (const key of Object.keys(offerSchema.shape) as (keyof typeof offer)[]) {
    const value = offer[key];
    expect(verifyOffer(run, { ...offer, [key]: typeof value === "number" ? value + 1 : hash(99) })).toBe(false);
  }
  expect(verifyOffer(run, { ...offer, signature: "zz" })).toBe(false);
});

const group = {
  peer: peer(1),
  update: hash(3),
  bytes: 10,
  tokens: 20,
  loss: 3,
  members: 3,
  attesters: 2,
  manifest: hash(4),
  refused: [],
};

test("[R26] version 2 names what is too long for the log, and version 1 may not", () => {
  const last = chain().at(-1);
  const named = {
    type: "open",
    deadlineMs: 1,
    round: 0,
    roster: { size: 40, blob: hash(1) },
    baseHash: hash(1),
    cursor: 0,
    tokensBefore: 0,
  };
  const grouped = { type: "commit", round: 0, openSeq: 0, baseHash: hash(1), contributors: [group] } as const;
  const attesters = { count: 40, sample: [peer(1)] };
  const counted = { type: "seal", round: 0, anchorHash: hash(1), attesters, refused: [] } as const;
  for (const body of [named, grouped, counted] as unknown as EntryBody[]) {
    const entry = signEntry(host, run, last, 0, body);
    expect(entry.version).toBe(2);
    expect(logEntrySchema.safeParse(entry).success).toBe(true);
    expect(logEntrySchema.safeParse({ ...entry, version: 1 }).success).toBe(false);
  }
  for (const entry of chain()) {
    expect(entry.version).toBe(1);
    expect(logEntrySchema.safeParse(entry).success).toBe(true);
  }
});

test("[R55] version 3 lists the islands of a roster, and older ones may not", () => {
  const islands = [{ leader: peer(1), members: [peer(1), peer(3)] }];
  const [open] = bodies;
  const entry = signEntry(host, run, undefined, 0, { ...open, islands } as EntryBody);
  expect(entry.version).toBe(3);
  const taken = (change: object): boolean => logEntrySchema.safeParse({ ...entry, ...change }).success;
  expect(taken({})).toBe(true);
  expect([1, 2].map((version) => taken({ version }))).toEqual([false, false]);
  for (const members of [[], [peer(1)], [peer(1), peer(1)], [1, 2, 3, 4, 5].map((n) => peer(n))])
    expect(taken({ islands: [{ leader: peer(1), members }] })).toBe(false);
  expect(taken({ islands: [] })).toBe(false);
  expect(taken({ islands: Array(ISLANDS_MAX + 1).fill(islands[0]) })).toBe(false);
});

test("[R55] an island's members are credited in equal parts, the leader with what is left over", () => {
  const open = { islands: [{ leader: peer(1), members: [peer(1), peer(4), peer(2)] }] };
  expect(creditedTo(open, { peer: peer(1), tokens: 11 })).toEqual([
    { peer: peer(1), tokens: 5 },
    { peer: peer(4), tokens: 3 },
    { peer: peer(2), tokens: 3 },
  ]);
  expect(creditedTo(open, { peer: peer(3), tokens: 11 })).toEqual([{ peer: peer(3), tokens: 11 }]);
  expect(creditedTo({}, { peer: peer(1), tokens: 11 })).toEqual([{ peer: peer(1), tokens: 11 }]);
});

test("[R26] rosters and manifests lie aside, and nothing else passes for one", () => {
  const roster = Array.from({ length: 40 }, (_, i) => peer(i)).sort();
  expect(decodeRoster(encodeRoster(roster))).toEqual(roster);
  expect(encodeRoster(roster).length).toBe(40 * 33);
  expect(decodeRoster(encodeRoster([...roster].reverse()))).toBeUndefined();
  expect(decodeRoster(encodeRoster([roster[0], roster[0]]))).toBeUndefined();
  expect(decodeRoster(encodeRoster(roster).subarray(1))).toBeUndefined();
  expect(decodeRoster(new Uint8Array(66).fill(255))).toBeUndefined();
  const offers = [offerOf(1), offerOf(2)];
  expect(decodeManifest(encodeManifest(offers))).toEqual(offers);
  expect(decodeManifest(encodeManifest(offers.slice(1)))).toBeUndefined();
  expect(decodeManifest(Uint8Array.of(255, 1))).toBeUndefined();
});

test("schemas refuse what the chain must never hold", () => {
  const [open, commit] = chain();
  const bad = (entry: LogEntry, change: object) => logEntrySchema.safeParse({ ...entry, ...change }).success;
  expect(bad(open, { version: 4 })).toBe(false);
  expect(bad(open, { extra: 1 })).toBe(false);
  expect(bad(open, { type: "close" })).toBe(false);
  expect(bad(open, { roster: [] })).toBe(false);
  expect(bad(open, { roster: Array(1025).fill(peer(1)) })).toBe(false);
  expect(bad(commit, { contributors: [] })).toBe(false);
  expect(bad(commit, { contributors: Array(33).fill(offerOf(1)) })).toBe(false);
  expect(signedOfferSchema.safeParse({ ...offerOf(1), loss: Number.NaN }).success).toBe(false);
  expect(signedOfferSchema.safeParse({ ...offerOf(1), tokens: 0.5 }).success).toBe(false);
});
