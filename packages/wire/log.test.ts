import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import {
  chainFault,
  entryHash,
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

test("schemas refuse what the chain must never hold", () => {
  const [open, commit] = chain();
  const bad = (entry: LogEntry, change: object) => logEntrySchema.safeParse({ ...entry, ...change }).success;
  expect(bad(open, { version: 2 })).toBe(false);
  expect(bad(open, { extra: 1 })).toBe(false);
  expect(bad(open, { type: "close" })).toBe(false);
  expect(bad(open, { roster: [] })).toBe(false);
  expect(bad(open, { roster: Array(1025).fill(peer(1)) })).toBe(false);
  expect(bad(commit, { contributors: [] })).toBe(false);
  expect(bad(commit, { contributors: Array(33).fill(offerOf(1)) })).toBe(false);
  expect(signedOfferSchema.safeParse({ ...offerOf(1), loss: Number.NaN }).success).toBe(false);
  expect(signedOfferSchema.safeParse({ ...offerOf(1), tokens: 0.5 }).success).toBe(false);
});
