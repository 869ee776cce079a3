// Peers that lie: what an honest peer would send goes in, what this one sends comes out. Signatures are its own, so they hold.
//
//   what it has to offer, or attest -> the lie, beside or instead of the truth
import type { Offer, PeerId, PeerMessage } from "#wire";
import { peerIdOfIndex, signatureOf } from "./given.ts";
import { fakeHash, type Random } from "./random.ts";

export const lies = [
  "wrong-attest",
  "stale-base",
  "inflated-tokens",
  "withheld-blob",
  "equivocation",
  "garbage",
  "garbage-frame",
] as const;
export type Lie = (typeof lies)[number];

const offered = (offer: Offer): PeerMessage => ({ type: "offer", offer: { ...offer, signature: signatureOf(offer) } });

/** @returns what it sends instead, and which of it are lies */
export function lyingMessages(
  lie: Lie,
  message: PeerMessage,
  random: Random,
): { message: PeerMessage; lie: boolean }[] {
  const truth = { message, lie: false };
  switch (lie) {
    case "wrong-attest":
      if (message.type === "attest-group")
        return [{ message: { ...message, update: fakeHash("lie", message.update) }, lie: true }];
      if (message.type !== "attest") return [truth];
      return [{ message: { ...message, anchorHash: fakeHash("lie", message.anchorHash) }, lie: true }];
    case "stale-base": {
      if (message.type !== "offer") return [truth];
      const { signature: _, ...offer } = message.offer;
      return [{ message: offered({ ...offer, baseHash: fakeHash("an anchor of old", offer.baseHash) }), lie: true }];
    }
    case "inflated-tokens": {
      if (message.type !== "offer") return [truth];
      const { signature: _, ...offer } = message.offer;
      return [{ message: offered({ ...offer, tokens: offer.tokens * 1_000 }), lie: true }];
    }
    case "equivocation": {
      if (message.type !== "offer") return [truth];
      const { signature: _, ...offer } = message.offer;
      const other = { message: offered({ ...offer, update: fakeHash("another", offer.update) }), lie: true };
      return random.chance(0.5) ? [truth, other] : [other, truth];
    }
    case "garbage":
      return random.chance(0.5) ? [truth] : [truth, { message: garbage(message, random), lie: true }];
    case "withheld-blob":
    case "garbage-frame":
      return [truth]; // not with its messages
  }
}

/** Well formed and out of place. */
function garbage(message: PeerMessage, random: Random): PeerMessage {
  const anchorHash = fakeHash("nothing", random.unit());
  const round = random.int(1_000);
  const offer = {
    round,
    openSeq: random.int(100),
    baseHash: anchorHash,
    peer: message.type === "offer" ? peerIdOfIndex(random.int(12)) : peerIdOfIndex(0),
    update: fakeHash("no blob", random.unit()),
    bytes: 1 + random.int(10_000),
    tokens: 1 + random.int(1_000_000),
    steps: 1 + random.int(10_000),
    loss: 0,
  };
  return random.pick<PeerMessage>([
    // Of a round far off: of the one under way it is a vote, which a peer that is alone wins where peers vote on seals (seed 1016573).
    { type: "attest", round: 1_000 + round, anchorHash },
    { type: "ready", round, anchorHash, stepMs: random.chance(0.5) ? null : Number.MAX_SAFE_INTEGER },
    { type: "evaluation", round, anchorHash, setHash: anchorHash, loss: 0 },
    { type: "signal", to: peerIdOfIndex(random.int(20)) as PeerId, data: "no call" },
    { type: "progress", round, step: round, loss: null, tokensPerSecond: Number.MAX_SAFE_INTEGER },
    { type: "links", links: [], bytesFromHost: Number.MAX_SAFE_INTEGER, bytesToHost: 0 },
    offered(offer),
  ]);
}

/** Bytes that no exchange sends, and some that begin like one's. */
export function garbageFrame(random: Random): Uint8Array {
  const bytes = new Uint8Array(random.int(200));
  for (let i = 0; i < bytes.length; i++) bytes[i] = random.int(256);
  if (bytes.length > 1 && random.chance(0.5)) {
    bytes[0] = random.int(12);
    bytes[1] = 1 + random.int(2);
  }
  return bytes;
}
