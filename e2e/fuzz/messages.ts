// What a stranger may send to a host: anything. Drawn from one seed, so that a message that hurts can be sent again.
import { helloOf } from "../../apps/host/test-given.ts";
import type { Random } from "../../packages/sim/random.ts";
import { type Identity, MESSAGE_BYTES_MAX } from "../../packages/wire/index.ts";

const hash = (random: Random): string => Array.from({ length: 64 }, () => random.int(16).toString(16)).join("");
const signature = (random: Random): string => hash(random) + hash(random);
const peer = (random: Random): string => `${hash(random)}0${random.int(10)}`;

/** Messages of the right form, and of the wrong moment: nobody asked for them, or what they name is not there. */
function wellFormed(random: Random, identity: Identity): object {
  const round = random.int(1_000);
  const offer = () => ({
    round,
    openSeq: random.int(1_000),
    baseHash: hash(random),
    peer: `${identity.volunteer}00`,
    update: hash(random),
    bytes: 1 + random.int(1e6),
    tokens: 1 + random.int(1e6),
    steps: 1 + random.int(100),
    loss: 10 * random.unit(),
    signature: signature(random),
  });
  return random.pick<() => object>([
    () => helloOf(identity, hash(random)),
    () => ({ type: "signal", to: peer(random), data: "x".repeat(random.int(2_000)) }),
    () => ({ type: "ready", round, anchorHash: hash(random), stepMs: random.chance(0.5) ? null : 1e9 * random.unit() }),
    () => ({ type: "pause", reason: "?".repeat(random.int(400)) }),
    () => ({ type: "progress", round, step: random.int(1_000), loss: -1e308, tokensPerSecond: 1e300 }),
    () => ({ type: "offer", offer: offer() }),
    () => ({ type: "attest", round, anchorHash: hash(random), refused: [] }),
    () => ({ type: "kept", hash: hash(random) }),
    () => ({ type: "checkpoint-made", round: 1 + round, anchorHash: hash(random), blobs: [] }),
    () => ({ type: "evaluation", round, anchorHash: hash(random), setHash: hash(random), loss: Number.MIN_VALUE }),
    () => ({ type: "links", links: [], bytesFromHost: 1e15, bytesToHost: 0 }),
    () => ({ type: "head", seq: random.int(1e9), hash: hash(random) }),
    () => ({ type: "given-back", entries: [] }),
    () => ({ type: "lacks", hashes: [hash(random)] }),
    () => ({ type: "bye", reason: "" }),
  ])();
}

const strange = (random: Random): unknown =>
  random.pick<unknown>([
    null,
    -1,
    -1e308,
    0.5,
    "",
    "\u0000",
    "a".repeat(random.int(10_000)),
    [],
    {},
    true,
    { __proto__: null, constructor: 1 },
    Number.MAX_SAFE_INTEGER + 2,
    "\ud800",
  ]);

/** A field somewhere in it is another one, missing, or one too many. */
function mutated(random: Random, message: object): object {
  const copy = structuredClone(message) as Record<string, unknown>;
  const field = random.pick(Object.keys(copy));
  const inner = copy[field];
  const kind = random.unit();
  if (typeof inner === "object" && inner !== null && !Array.isArray(inner) && kind < 0.7)
    copy[field] = mutated(random, inner);
  else if (kind < 0.75) copy[field] = strange(random);
  else if (kind < 0.9) delete copy[field];
  else copy[random.pick(["__proto__", "constructor", "", "type", "\ud800", "x".repeat(1_000)])] = strange(random);
  return copy;
}

/** One message to /signal: text, or bytes. */
export function anyMessage(random: Random, identity: Identity): string | Uint8Array {
  const message = wellFormed(random, identity);
  const kind = random.unit();
  if (kind < 0.45) return JSON.stringify(message);
  if (kind < 0.8) return JSON.stringify(mutated(random, message));
  const text = JSON.stringify(message);
  if (kind < 0.88) return text.slice(0, random.int(text.length)); // cut off
  if (kind < 0.92) return "[".repeat(random.int(20_000));
  if (kind < 0.96) return JSON.stringify(strange(random)) ?? "undefined";
  if (kind < 0.9998) return Uint8Array.from({ length: random.int(200) }, () => random.int(256));
  return "x".repeat(MESSAGE_BYTES_MAX + 1);
}

export interface AnyRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | undefined;
  /** The client goes away in the middle. */
  readonly breaksOff: boolean;
}

/** @param known names of blobs that the host has */
export function anyRequest(random: Random, known: readonly string[]): AnyRequest {
  const blob = random.chance(0.5) && known.length > 0 ? random.pick(known) : hash(random);
  const number = () => String(random.pick<unknown>([0, 1, -1, 1e21, "x", "", 0.5, 2 ** 53]));
  const run = random.pick(["default", hash(random), "..", "%2e%2e%2f", "a".repeat(500), "%00"]);
  const path = random.pick([
    "/",
    "/watch",
    "/healthz",
    "/metrics",
    "/api/runs",
    `/api/runs/${run}`,
    `/api/runs/${run}/log?from=${number()}&limit=${number()}&raw=${number()}`,
    `/api/runs/${run}/series?metric=${random.pick(["evalLoss", "x", "__proto__"])}&points=${number()}`,
    `/api/runs/${run}/rounds?from=${number()}&limit=${number()}`,
    `/api/runs/${run}/rounds/${number()}`,
    `/api/runs/${run}/peers?from=${number()}&limit=${number()}`,
    `/api/runs/${run}/checkpoints/${random.pick(["latest", "x"])}`,
    `/api/blobs/${blob}`,
    `/api/blobs/${random.pick(["x", "../../host.key", "%2e%2e%2fhost.key", blob.slice(1), blob.toUpperCase()])}`,
    `/badge/${run}.svg`,
    `/assets/${random.pick(["../../package.json", "%2e%2e/%2e%2e/package.json", "x.js"])}`,
    `/${"%".repeat(random.int(50))}`,
    `/${"a/".repeat(random.int(2_000))}`,
  ]);
  const method = random.pick(["GET", "GET", "GET", "PUT", "PUT", "HEAD", "POST", "DELETE", "OPTIONS", "PATCH"]);
  const headers: Record<string, string> = {};
  if (random.chance(0.3))
    headers.range = random.pick(["bytes=0-", "bytes=5-2", "bytes=-1", "bytes=0-1,2-3", "x", `bytes=${number()}-`]);
  if (random.chance(0.3)) headers.authorization = random.pick(["Bearer x", `Bearer ${hash(random)}`, "Basic eDp5"]);
  if (random.chance(0.2)) headers.origin = random.pick(["null", "https://evil.example", "http://localhost:1"]);
  if (random.chance(0.1)) headers["accept-encoding"] = random.pick(["br", "gzip;q=0", "*", "x".repeat(1_000)]);
  if (random.chance(0.05)) headers["x-long"] = "y".repeat(20_000);
  const body = method === "PUT" || method === "POST" ? new Uint8Array(random.int(5_000)) : undefined;
  return { method, path, headers, body, breaksOff: random.chance(0.05) };
}
