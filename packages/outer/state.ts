// Shared state: what every peer holds with the same bits between two rounds, and the hash that proves it.
//
//   section  = "codec" | "parameters" | "variance" | "velocity", as the method has them, f32 little-endian, -0 written as +0; all but "codec" have N floats
//   leaf     = SHA-256 of 1 MiB of one section (the last leaf is shorter)
//   root     = | "GANC" | version u16 | mathVersion u16 | sections u32 | then per section, in name order:
//              | name length u16 | name | floats u64 | leaf 0 | leaf 1 | ...
//   anchorHash = SHA-256(root)
//
// Two peers that differ compare leaves and know where.
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, concatBytes, utf8ToBytes } from "@noble/hashes/utils.js";
import { hashHex, MATH_VERSION, type RunSpec } from "#wire";
import { assert } from "./assert.ts";
import { startsFromBase } from "./base.ts";
import { copyCanonical } from "./canonical.ts";
import { codecOf } from "./codec/index.ts";
import { genesisParameters } from "./genesis.ts";
import { genesisAdapters, sharedTable } from "./lora.ts";
import { hasVariance } from "./optimizer/index.ts";

export const ANCHOR_VERSION = 1;
/** 1 MiB: 1,000 leaves at 124M parameters with velocity, and a differing one costs half a second to fetch at 20 Mbit/s. */
const LEAF_FLOATS = (1024 * 1024) / 4;
const SECTIONS = ["codec", "parameters", "variance", "velocity"] as const; // in name order

export type SectionName = (typeof SECTIONS)[number];

/** The anchor, the outer optimizer's moments, and what the codec shares, flat vectors in parameterTable order. The fold changes them in place. */
export interface SharedState {
  parameters: Float32Array;
  velocity: Float32Array;
  /** Of adaptive methods alone. */
  variance?: Float32Array;
  /** Of codecs that share state alone; its length and order are the codec's. */
  codec?: Float32Array;
}

/**
 * The state before round 0: parameters of the seed, the base's, or adapters.
 * @param base the run's base, checked (loadBase); only runs that start from it ask for one
 */
export function genesisState(spec: RunSpec, base?: Float32Array): SharedState {
  if (!startsFromBase(spec))
    return stateOf(
      spec,
      spec.lora ? genesisAdapters(spec.model, spec.lora, spec.seed) : genesisParameters(spec.model, spec.seed),
    );
  assert(base !== undefined, "this run starts from its base, which was not given");
  assert(base.length === sharedTable(spec).length, "the base has the model's parameters");
  return stateOf(spec, base.slice());
}

/** A state of the run's form, its parameters zero: to be filled from a checkpoint. */
export const blankState = (spec: RunSpec): SharedState => stateOf(spec, new Float32Array(sharedTable(spec).length));

function stateOf(spec: RunSpec, parameters: Float32Array): SharedState {
  const zeros = () => new Float32Array(parameters.length);
  const codec = codecOf(spec).genesis?.();
  return {
    parameters,
    velocity: zeros(),
    ...(hasVariance(spec.outer) && { variance: zeros() }),
    ...(codec && { codec }),
  };
}

/** What a state has, in name order: its hash and its checkpoints are made of these. */
export const sectionsOf = (state: SharedState): { name: SectionName; values: Float32Array }[] =>
  SECTIONS.flatMap((name) => {
    const values = state[name];
    return values === undefined ? [] : [{ name, values }];
  });

/** SHA-256 over all shared state, 64 hex digits. Throws on a non-finite value: the fold never makes one, so it is our bug. */
export function anchorHashOf(state: SharedState): string {
  return rootOf(
    state,
    sectionsOf(state).map(({ name, values }) => Array.from(leavesOf(values, name), (leaf) => sha256(leaf))),
  );
}

/** SHA-256 of the bytes as they are when it is called. */
export type Digest = (bytes: Uint8Array<ArrayBuffer>) => Promise<Uint8Array>;

/**
 * The same by the platform's own SHA-256, several times as fast: hashing is most of what a fold takes. The state must not change meanwhile.
 * Rejects where anchorHashOf throws.
 */
export async function anchorHashBy(digest: Digest, state: SharedState): Promise<string> {
  const hashes: Uint8Array[][] = [];
  for (const { name, values } of sectionsOf(state)) {
    const own: Uint8Array[] = [];
    for (const leaf of leavesOf(values, name)) own.push(await digest(leaf));
    hashes.push(own);
  }
  return rootOf(state, hashes);
}

/** Hash of every 1 MiB leaf, 64 hex digits each: where two states differ. */
export const leafHashes = (state: SharedState): Record<string, string[]> =>
  Object.fromEntries(
    sectionsOf(state).map(({ name, values }) => [
      name,
      Array.from(leavesOf(values, name), (leaf) => bytesToHex(sha256(leaf))),
    ]),
  );

/** @param hashes of each section's leaves, sections in name order */
function rootOf(state: SharedState, hashes: readonly (readonly Uint8Array[])[]): string {
  const sections = sectionsOf(state);
  assert(
    sections.every(({ name, values }) => name === "codec" || values.length === state.parameters.length),
    "all sections but the codec's have one length",
  );
  const parts = sections.flatMap(({ name, values }, s) => [sectionHeader(name, values.length), ...hashes[s]]);
  return hashHex(concatBytes(rootHeader(sections.length), ...parts));
}

function rootHeader(sections: number): Uint8Array {
  const header = new Uint8Array(12);
  const view = new DataView(header.buffer);
  header.set(utf8ToBytes("GANC"));
  view.setUint16(4, ANCHOR_VERSION, true);
  view.setUint16(6, MATH_VERSION, true);
  view.setUint32(8, sections, true);
  return header;
}

function sectionHeader(name: SectionName, floats: number): Uint8Array {
  const header = new Uint8Array(2 + name.length + 8);
  const view = new DataView(header.buffer);
  view.setUint16(0, name.length, true);
  header.set(utf8ToBytes(name), 2);
  view.setUint32(2 + name.length, floats % 2 ** 32, true);
  view.setUint32(6 + name.length, Math.floor(floats / 2 ** 32), true);
  return header;
}

/** The bytes of each leaf, one after the other in one buffer: a leaf is overwritten by the next. */
function* leavesOf(values: Float32Array, name: SectionName): Generator<Uint8Array<ArrayBuffer>> {
  const leaf = new Float32Array(Math.min(LEAF_FLOATS, values.length));
  for (let start = 0; start < values.length; start += LEAF_FLOATS) {
    const length = Math.min(LEAF_FLOATS, values.length - start);
    const bad = copyCanonical(values, start, leaf, length);
    assert(bad === -1, `${name}[${bad}] is ${values[bad]}; shared state is finite`);
    yield new Uint8Array(leaf.buffer, 0, length * 4);
  }
}
