// What the tests of this package are given: keys, a spec, offers, a chain of entries.
import { type Identity, identityFrom } from "./identity.ts";
import { type EntryBody, type LogEntry, type Offer, type SignedOffer, signEntry, signOffer } from "./log.ts";
import { peerIdOf } from "./peer-id.ts";
import { presets } from "./presets.ts";
import { type RunSpec, runIdOf } from "./spec.ts";

export const identity = (n: number): Identity => identityFrom(new Uint8Array(32).fill(n));
export const host = identity(255);
export const hash = (n: number): string => n.toString(16).padStart(2, "0").repeat(32);
export const peer = (n: number, slot = 0): string => peerIdOf(identity(n).volunteer, slot);

export function specOf(): RunSpec {
  const { corpus, ...draft } = presets.nano;
  const shard = { hash: hash(1), bytes: 1032, tokens: 500 };
  const data = { source: corpus.source, licence: corpus.licence, tokenizer: "bytes" } as const;
  return { ...draft, data: { ...data, train: [shard], evaluation: [shard] }, hostKey: host.volunteer };
}
export const run = runIdOf(specOf());

export function offerOf(n: number, changed: Partial<Offer> = {}): SignedOffer {
  const named = { round: 0, openSeq: 0, baseHash: hash(2), peer: peer(n), update: hash(n), bytes: 1000 };
  return signOffer(identity(n), run, { ...named, tokens: 10_240, steps: 20, loss: 5.5, ...changed });
}

/** One round and its end. */
export const bodies: readonly EntryBody[] = [
  {
    type: "open",
    round: 0,
    roster: [peer(1), peer(2)],
    baseHash: hash(2),
    cursor: 0,
    tokensBefore: 0,
    deadlineMs: 9000,
  },
  { type: "commit", round: 0, openSeq: 0, baseHash: hash(2), contributors: [offerOf(1), offerOf(2)] },
  {
    type: "seal",
    round: 0,
    anchorHash: hash(3),
    attesters: [peer(1)],
    refused: [{ peer: peer(2), reason: "a NaN scale" }],
  },
  { type: "eval", round: 1, anchorHash: hash(3), setHash: hash(4), loss: 5.4, peer: peer(1) },
  { type: "checkpoint", round: 1, anchorHash: hash(3), blobs: [{ name: "parameters", hash: hash(5), bytes: 9 }] },
  { type: "void", round: 1, reason: "blob lost" },
  { type: "end", reason: "tokensMax reached" },
];

export function chain(given: readonly EntryBody[] = bodies): LogEntry[] {
  const entries: LogEntry[] = [];
  for (const body of given) entries.push(signEntry(host, run, entries.at(-1), 1_700_000_000_000, body));
  return entries;
}
