// Who takes part in a run that nobody trains: names, adapters and links, from a seed.
import type { ConnectedPeer } from "#swarm";
import type { LinkReport, PeerId, RunSpec } from "#wire";

export type { ConnectedPeer };

/** 64 hex digits that name a thing of that kind and number. */
export function made(kind: string, n: number): string {
  let hash = 2_166_136_261;
  for (const letter of `${kind} ${n}`) hash = Math.imul(hash ^ letter.charCodeAt(0), 16_777_619);
  return Array.from({ length: 8 }, () => {
    hash = Math.imul(hash ^ (hash >>> 15), 2_246_822_519);
    hash = Math.imul(hash ^ (hash >>> 13), 3_266_489_917);
    return (hash >>> 0).toString(16).padStart(8, "0");
  }).join("");
}

/** mulberry32: small, and good enough for pictures. */
export function prng(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const names = [
  "Ada",
  "Grace",
  "Katherine",
  "Edsger",
  "Barbara",
  "Alan",
  "Hedy",
  "Mary",
  "",
  "Emmy",
  "Sofia",
  "Annie",
  "Radia",
  "Tim",
  "Lise",
  "Chien-Shiung",
  "Noether’s laptop",
  "lab 3, desk 7",
];
const webgpu = (vendor: string, architecture: string, isFallback = false) =>
  ({ backend: "webgpu", vendor, architecture, description: "", isFallback }) as const;
const adapters = [
  webgpu("nvidia", "ada"),
  webgpu("nvidia", "ampere"),
  webgpu("apple", "metal-3"),
  webgpu("intel", "xe"),
  webgpu("amd", "rdna-3"),
  webgpu("nvidia", "ada"),
  {
    backend: "wasm",
    vendor: "cpu",
    architecture: "wasm",
    description: "8 threads, relaxed SIMD",
    isFallback: true,
  } as const,
  webgpu("google", "swiftshader", true),
];
const speeds = [41_000, 28_000, 17_500, 6_200, 24_000, 39_000, 900, 310];

/** As the mesh plan has it, a peer has at most eight neighbours. */
const NEIGHBOURS = [1, 2, 5, 11];

export function syntheticPeers(count: number, spec: RunSpec, random: () => number): ConnectedPeer[] {
  const ids = Array.from({ length: count }, (_, i): PeerId => `${made("peer", i)}00`);
  const steps = NEIGHBOURS.filter((step) => 2 * step < count || step === 1);
  return ids.map((peer, i) => {
    const kind = i % adapters.length;
    return {
      member: { peer, name: names[i % names.length] + (i < names.length ? "" : ` ${i}`), adapter: adapters[kind] },
      state: i % 29 === 13 ? "paused" : "training",
      refused: 0,
      loss: null,
      step: Math.floor(random() * spec.inner.steps),
      tokensPerSecond: speeds[kind] * (0.9 + 0.2 * random()),
      bytesSent: 4e8 * random(),
      bytesReceived: 4e8 * random(),
      bytesRelayed: i % 17 === 5 ? 2e6 : 0,
      bytesFromHost: 2.2e7,
      bytesToHost: 1.1e8 * random(),
      links: count < 2 ? [] : syntheticLinks(ids, i, steps, random),
    };
  });
}

function syntheticLinks(
  ids: readonly PeerId[],
  i: number,
  steps: readonly number[],
  random: () => number,
): LinkReport[] {
  const around = steps.flatMap((step) => [(i + step) % ids.length, (i - step + ids.length) % ids.length]);
  return [...new Set(around)]
    .filter((other) => other !== i)
    .map((other) => {
      const pair = Math.min(i, other) * 31 + Math.max(i, other);
      const kind = pair % 19 === 7 ? "relayed" : pair % 7 === 3 ? "turn" : "direct";
      return {
        peer: ids[other],
        kind,
        bytesSent: Math.floor(6e7 * random()),
        bytesReceived: Math.floor(6e7 * random()),
        rttMs: 12 + (pair % 90),
      };
    });
}
