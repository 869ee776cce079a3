// A second implementation of the formats, written from docs/FORMATS.md alone: it imports nothing of this project, only Node's crypto.
// It is there so that the page stays enough for one; formats.test.ts gives it a signed run.
//
//   (spec, log, blobs) -> chain, signatures, every fold from genesis -> the sealed anchor hashes, or the first fault
import { createHash, createPublicKey, verify } from "node:crypto";
import { type CodecSpec, secondCodec, type Tensor } from "./second-codecs.ts";
import { genesis, type Parameters, tensors } from "./second-parameters.ts";
import { powerAdvance, powerGenesis } from "./second-power-sgd.ts";

const { fround, imul, min, sqrt } = Math;

// What the page names of the documents, and no more.
interface Spec extends Parameters {
  readonly hostKey: string;
  readonly inner: {
    readonly steps: number;
    readonly windowsPerStep: number;
    readonly learningRate: number;
    readonly learningRateMin: number;
    readonly warmupTokens: number;
    readonly decayTokens: number;
    readonly beta1: number;
    readonly beta2: number;
    readonly eps: number;
    readonly weightDecay: number;
    readonly clipNorm: number;
  };
  readonly end: { readonly tokensMax?: number | undefined };
  readonly outer: {
    readonly learningRate: number;
    readonly momentum: number;
    readonly method: string;
    readonly beta2?: number | undefined;
    readonly tau?: number | undefined;
    readonly momentumClip?: number | undefined;
    readonly codec: CodecSpec;
    readonly clipToMedianNorm: boolean;
    readonly fragments?: number | undefined;
  };
}
interface Offer {
  readonly peer: string;
  readonly round: number;
  readonly baseHash: string;
  readonly update: string;
  readonly tokens: number;
  readonly signature: string;
}
/** Many offers as one. */
interface Group {
  readonly peer: string;
  readonly update: string;
  readonly tokens: number;
  readonly members: number;
  readonly refused: readonly string[];
  readonly manifest: string;
}
interface Entry {
  readonly type: string;
  readonly seq: number;
  readonly prevHash: string;
  readonly signature: string;
  readonly baseHash?: string;
  readonly anchorHash?: string;
  readonly round?: number;
  readonly contributors?: readonly (Offer | Group)[];
  readonly tokensBefore?: number;
  readonly roster?: readonly string[] | { readonly size: number };
  readonly refused?: readonly { readonly peer: string }[];
}
interface State {
  readonly codec?: Float32Array;
  readonly parameters: Float32Array;
  readonly variance?: Float32Array;
  readonly velocity: Float32Array;
}

const sha256 = (...parts: (Uint8Array | string)[]): Buffer => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
};

function canonical(value: unknown): string {
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${canonical(member)}`).join(",")}}`;
}

function signed(key: string, purpose: string, value: unknown, signature: string): boolean {
  const spki = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), Buffer.from(key, "hex")]); // RFC 8410
  const publicKey = createPublicKey({ key: spki, format: "der", type: "spki" });
  return verify(null, Buffer.from(canonical([purpose, value])), publicKey, Buffer.from(signature, "hex"));
}

function blobName(blob: Uint8Array): string {
  const pieces: Buffer[] = [];
  for (let start = 0; start === 0 || start < blob.length; start += 262_144)
    pieces.push(sha256(blob.subarray(start, start + 262_144)));
  const header = Buffer.alloc(16);
  header.write("GBLB");
  header.writeUInt16LE(1, 4);
  header.writeBigUInt64LE(BigInt(blob.length), 8);
  return sha256(header, ...pieces).toString("hex");
}

// ---- fold -------------------------------------------------------------------------------------------------------------------

function anchorHash(state: State): string {
  const head = Buffer.alloc(12);
  head.write("GANC");
  head.writeUInt16LE(1, 4);
  head.writeUInt16LE(1, 6);
  const sections = Object.entries(state).sort(([a], [b]) => (a < b ? -1 : 1)) as [string, Float32Array][];
  head.writeUInt32LE(sections.length, 8);
  const parts: Buffer[] = [head];
  for (const [name, values] of sections) {
    const title = Buffer.alloc(2 + name.length + 8);
    title.writeUInt16LE(name.length, 0);
    title.write(name, 2);
    title.writeBigUInt64LE(BigInt(values.length), 2 + name.length);
    parts.push(title);
    const bytes = new Uint8Array(values.buffer);
    for (let start = 0; start < bytes.length; start += 1_048_576)
      parts.push(sha256(bytes.subarray(start, start + 1_048_576)));
  }
  return sha256(...parts).toString("hex");
}

interface Read {
  readonly tokens: number;
  readonly members: number;
  readonly norm: number;
  readonly values: Float32Array;
}

/** Undefined: weight 0. */
function readUpdate(
  bytes: Buffer,
  spec: Spec,
  list: readonly Tensor[],
  { round, tokens, baseHash, members }: Offer & { members: number },
  section: Float32Array | undefined,
): Read | undefined {
  const codec = secondCodec(spec.outer.codec, spec.seed, round);
  const length = list.reduce((sum, [, rows, columns]) => sum + rows * columns, 0);
  const header = [4, 6].map((at) => bytes.readUInt16LE(at)).concat([8, 12, 16, 20].map((at) => bytes.readUInt32LE(at)));
  const expected = [1, codec.id, round, length, codec.block, tokens];
  if (bytes.toString("latin1", 0, 4) !== "GUPD" || header.some((value, i) => value !== expected[i])) return undefined;
  if (bytes.toString("hex", 24, 56) !== baseHash) return undefined;
  const values = new Float32Array(length);
  const squares = codec.read({ bytes: bytes.subarray(56), values, tensors: list, section });
  return squares === undefined ? undefined : { tokens, members, norm: sqrt(squares), values };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

/** What the outer step of AdamW asks of the log. */
interface Place {
  readonly round: number;
  readonly tokensBefore: number;
  readonly rosterSize: number;
}

const rankOf = ({ outer: { codec } }: Spec): number | undefined =>
  codec !== "int8-block" && codec.name === "power-sgd" ? codec.rank : undefined;

/** What a round exchanges: tensors, and the places of their values in the flat vector. */
function fragmentOf(spec: Spec, round: number): { list: Tensor[]; places: number[] } {
  const count = spec.outer.fragments ?? 1;
  const layerOf = (name: string): number => Number(/model\.layers\.(\d+)\./.exec(name)?.[1] ?? -1);
  const sizes = Array.from({ length: count }, () => 0);
  for (const [name, rows, columns] of tensors(spec))
    if (layerOf(name) >= 0) sizes[layerOf(name) % count]! += rows * columns;
  const smallest = sizes.indexOf(min(...sizes));
  const list: Tensor[] = [];
  const places: number[] = [];
  let at = 0;
  for (const tensor of tensors(spec)) {
    const [name, rows, columns] = tensor;
    const own = (layerOf(name) < 0 ? smallest : layerOf(name) % count) === round % count;
    if (own) list.push(tensor);
    for (const end = at + rows * columns; at < end; at++) if (own) places.push(at);
  }
  return { list, places };
}

/** @returns the peers whose weight is 0 */
function fold(
  spec: Spec,
  whole: State,
  offers: readonly (Offer & { members: number })[],
  blobs: Map<string, Uint8Array>,
  at: Place,
): string[] {
  const { list, places } = fragmentOf(spec, at.round);
  const pick = (flat: Float32Array) => Float32Array.from(places, (place) => flat[place]!);
  const state: State = {
    ...{ ...whole, parameters: pick(whole.parameters), velocity: pick(whole.velocity) },
    ...(whole.variance && { variance: pick(whole.variance) }),
  };
  const { parameters } = state;
  const seen = new Set<string>();
  const refused: string[] = [];
  const counted: Read[] = [];
  for (const offer of [...offers].sort((a, b) => (a.peer < b.peer ? -1 : 1))) {
    const bytes = blobs.get(offer.update);
    if (bytes === undefined || blobName(bytes) !== offer.update) throw new Error(`blob ${offer.update} is not here`);
    const update = readUpdate(Buffer.from(bytes), spec, list, offer, state.codec);
    if (update === undefined || seen.has(offer.peer)) refused.push(offer.peer);
    else counted.push(update);
    seen.add(offer.peer);
  }
  if (counted.length === 0) return refused;
  const assignment = spec.inner.steps * spec.inner.windowsPerStep * spec.model.contextLength;
  const most = min(assignment, 2 * median(counted.map(({ tokens, members }) => tokens / members)));
  const middle = median(counted.map(({ norm }) => norm));
  const total = counted.reduce((sum, { tokens, members }) => sum + min(tokens, members * most), 0);
  const mean = new Float32Array(parameters.length);
  for (const { tokens, members, norm, values } of counted) {
    const clip = spec.outer.clipToMedianNorm && norm > middle ? middle / norm : 1;
    const weight = fround((min(tokens, members * most) / total) * clip);
    for (let i = 0; i < mean.length; i++) mean[i] += fround(weight * values[i]);
  }
  const rank = rankOf(spec);
  if (state.codec && rank) powerAdvance(state.codec, mean, tensors(spec), { rank, round: at.round, seed: spec.seed });
  if (state.variance && spec.outer.method === "adamw") adamwStep(spec, state.variance, state, mean, at);
  else if (state.variance) adaptiveStep(spec.outer, state.variance, state, mean);
  else if (spec.outer.method === "co2") co2Step(spec, state, mean);
  else if (spec.outer.method === "noloco") merge(state, mean);
  else nesterovStep(spec.outer, state, mean);
  for (const [i, place] of places.entries())
    for (const name of ["parameters", "velocity", "variance"] as const)
      if (whole[name]) whole[name][place] = state[name]![i]!;
  return refused;
}

function adaptiveStep(
  outer: Spec["outer"],
  variance: Float32Array,
  { parameters, velocity }: State,
  mean: Float32Array,
) {
  const { method, learningRate, momentum, beta2 = 0, tau = 0 } = outer;
  for (let i = 0; i < mean.length; i++) {
    const square = fround(mean[i] * mean[i]);
    const m = fround(fround(fround(momentum) * velocity[i]) + fround(fround(1 - fround(momentum)) * mean[i]));
    const share = fround(fround(1 - fround(beta2)) * square);
    const v = fround(
      method === "fedadagrad"
        ? variance[i] + square
        : method === "fedadam"
          ? fround(fround(beta2) * variance[i]) + share
          : variance[i] - share * Math.sign(variance[i] - square),
    );
    const phi = fround(
      parameters[i] - fround(fround(fround(learningRate) * m) / fround(fround(sqrt(v)) + fround(tau))),
    );
    if (![m, v, phi].every(Number.isFinite)) continue;
    velocity[i] = m + 0;
    variance[i] = v + 0;
    parameters[i] = phi + 0;
  }
}

/** The learning rate of a round's first inner step. */
function rateOf({ inner, model, end }: Spec, { tokensBefore, rosterSize }: Place): number {
  const { learningRate, learningRateMin, warmupTokens, decayTokens } = inner;
  const perStep = rosterSize * inner.windowsPerStep * model.contextLength;
  const warm = warmupTokens > 0 ? min(1, (tokensBefore + perStep) / warmupTokens) : 1;
  const decays = end.tokensMax !== undefined && decayTokens > 0;
  const left = decays ? min(1, Math.max(0, (end.tokensMax! - tokensBefore) / decayTokens)) : 1;
  return warm * (learningRate * left + learningRateMin * (1 - left));
}

function adamwStep(
  spec: Spec,
  variance: Float32Array,
  { parameters, velocity }: State,
  mean: Float32Array,
  at: Place,
): void {
  const { beta1, beta2, eps, weightDecay, clipNorm } = spec.inner;
  let squares = 0;
  for (const d of mean) squares += d * d;
  const norm = sqrt(squares);
  if (!Number.isFinite(norm)) return;
  const clip = norm > clipNorm ? fround(clipNorm / norm) : 1;
  let [power1, power2] = [1, 1];
  for (let t = 0; t <= at.round; t++) [power1, power2] = [power1 * beta1, power2 * beta2];
  const [b1, b2, rate] = [fround(beta1), fround(beta2), fround(rateOf(spec, at))];
  let i = 0;
  for (const [name, rows, columns] of tensors(spec))
    for (const end = i + rows * columns; i < end; i++) {
      const decay = name.endsWith("norm.weight") ? 0 : fround(fround(weightDecay) * parameters[i]);
      const g = fround(mean[i] * clip);
      const m = fround(fround(b1 * velocity[i]) + fround(fround(1 - b1) * g));
      const v = fround(fround(b2 * variance[i]) + fround(fround(1 - b2) * fround(g * g)));
      const root = fround(fround(sqrt(fround(v / fround(1 - power2)))) + fround(eps));
      const direction = fround(fround(m / fround(1 - power1)) / root);
      const phi = fround(parameters[i] - fround(rate * fround(direction + decay)));
      if (![m, v, phi].every(Number.isFinite)) continue;
      velocity[i] = m + 0;
      variance[i] = v + 0;
      parameters[i] = phi + 0;
    }
}

function nesterovStep(outer: Spec["outer"], { parameters, velocity }: State, mean: Float32Array): void {
  const [rate, momentum] = [fround(outer.learningRate), fround(outer.momentum)];
  for (let i = 0; i < mean.length; i++) {
    const m = fround(fround(momentum * velocity[i]) + mean[i]);
    const phi = fround(parameters[i] - fround(rate * fround(mean[i] + fround(momentum * m))));
    if (!Number.isFinite(m) || !Number.isFinite(phi)) continue;
    velocity[i] = m + 0;
    parameters[i] = phi + 0;
  }
}

function co2Step(spec: Spec, { parameters, velocity }: State, mean: Float32Array): void {
  const { learningRate, momentum, momentumClip = Number.POSITIVE_INFINITY } = spec.outer;
  const [rate, most] = [fround(learningRate), fround(momentumClip)];
  let start = 0;
  for (const [, rows, columns] of tensors(spec)) {
    const places = Array.from({ length: rows * columns }, (_, i) => start + i);
    start += places.length;
    const finite = places.filter((i) => Number.isFinite(mean[i]));
    const apart = finite.map((i) => rate * velocity[i] - mean[i]);
    const gap = apart.reduce((sum, x) => sum + x * x, 0);
    const went = finite.reduce((sum, i) => sum + mean[i] * mean[i], 0);
    const penalty = went > 0 ? fround(1 + sqrt(gap) / sqrt(went)) : 1;
    for (const i of places) {
      const m = fround(fround(fround(momentum) * velocity[i]) + fround(mean[i] / penalty));
      const phi = fround(parameters[i] - fround(rate * Math.max(-most, min(most, m))));
      if (!Number.isFinite(m) || !Number.isFinite(phi)) continue;
      velocity[i] = Math.max(-most, min(most, m)) + 0;
      parameters[i] = phi + 0;
    }
  }
}

function merge({ parameters, velocity }: State, mean: Float32Array): void {
  velocity.fill(0);
  for (let i = 0; i < mean.length; i++) if (Number.isFinite(mean[i])) parameters[i] = mean[i] + 0;
}

/** The signed offers of a group. */
function membersOf({ manifest }: Group, blobs: Map<string, Uint8Array>): Offer[] {
  const bytes = blobs.get(manifest);
  if (bytes === undefined || blobName(bytes) !== manifest) throw new Error(`manifest ${manifest} is not here`);
  return JSON.parse(Buffer.from(bytes).toString()) as Offer[];
}

/** Reads a whole run from genesis. @returns the anchor hash after each sealed round. @throws Error at the first fault */
export function readRun(spec: Spec, log: readonly Entry[], blobs: Map<string, Uint8Array>): string[] {
  const run = sha256(canonical(spec)).toString("hex");
  const parameters = genesis(spec, blobs);
  const zeros = () => new Float32Array(parameters.length);
  const rank = rankOf(spec);
  const state = {
    ...(rank && { codec: powerGenesis(tensors(spec), rank, spec.seed) }),
    parameters,
    velocity: zeros(),
    ...(!["diloco", "co2", "noloco"].includes(spec.outer.method) && { variance: zeros() }),
  };
  const sealed: string[] = [];
  let before = run;
  let refused: string[] = [];
  let opened = { tokensBefore: 0, rosterSize: 0 };
  for (const [seq, { signature, ...entry }] of log.entries()) {
    const hash = sha256(canonical(entry)).toString("hex");
    if (entry.seq !== seq || entry.prevHash !== before) throw new Error(`entry ${seq} breaks the chain`);
    if (!signed(spec.hostKey, "gossamer entry v1", hash, signature)) throw new Error(`entry ${seq} is not the host's`);
    before = hash;
    if (entry.type === "open" || entry.type === "commit")
      if (entry.baseHash !== anchorHash(state)) throw new Error(`entry ${seq} starts from another anchor`);
    if (entry.type === "open") {
      const { tokensBefore = 0, roster = [] } = entry;
      opened = { tokensBefore, rosterSize: "size" in roster ? roster.size : roster.length };
    }
    if (entry.type === "commit") {
      const { contributors = [], round = 0, baseHash = "" } = entry;
      for (const contribution of contributors) {
        const offers = "manifest" in contribution ? membersOf(contribution, blobs) : [contribution];
        for (const { signature: own, ...offer } of offers)
          if (!signed(offer.peer.slice(0, 64), "gossamer offer v1", [run, offer], own))
            throw new Error(`an offer of entry ${seq} is not its peer's`);
      }
      const counting = contributors.map((c) =>
        "manifest" in c
          ? { ...c, round, baseHash, signature: "", members: c.members - c.refused.length }
          : { ...c, members: 1 },
      );
      refused = fold(spec, state, counting, blobs, { round, ...opened });
    }
    if (entry.type !== "seal") continue;
    if (entry.anchorHash !== anchorHash(state)) throw new Error(`entry ${seq} seals another anchor`);
    if (canonical(entry.refused?.map(({ peer }) => peer)) !== canonical(refused))
      throw new Error(`entry ${seq} refuses others`);
    sealed.push(anchorHash(state));
  }
  return sealed;
}

// ---- data -------------------------------------------------------------------------------------------------------------------

function hash32(...words: number[]): number {
  let h = 0x9747b28c | 0;
  for (const word of words) {
    let k = imul(word, 0xcc9e2d51);
    k = (k << 15) | (k >>> 17);
    h ^= imul(k, 0x1b873593);
    h = imul((h << 13) | (h >>> 19), 5) + 0xe6546b64;
  }
  h ^= 4 * words.length;
  h = imul(h ^ (h >>> 16), 0x85ebca6b);
  h = imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** First token of the window with that global index. */
export function firstToken(seed: number, tokens: number, T: number, index: number): number {
  const size = Math.floor(tokens / T) - 1;
  const epoch = Math.floor(index / size);
  const key = hash32(seed, epoch, 0);
  let b = 1;
  while (4 ** b < size) b++;
  const mask = 2 ** b - 1;
  let place = index - epoch * size;
  do {
    let [left, right] = [place >>> b, place & mask];
    for (let r = 0; r < 8; r++) [left, right] = [right, left ^ (hash32(key, r, right) & mask)];
    place = left * 2 ** b + right;
  } while (place >= size);
  return place * T + (hash32(seed, epoch, 1) % T);
}
