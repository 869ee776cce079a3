// A checkpoint's section: one of the vectors of the shared state, as a blob. The log's checkpoint entry names all of them.
//
//   0        4         6         8       12       16
//   | "GCKP" | version | section | round | floats | values f32 …        little-endian; section 0: parameters, 1: velocity, 2: variance, 3: codec
//            | u16     | u16     | u32   | u32    |
//
// round: rounds folded into it (0: genesis). Whether the values are the right ones, anchorHashOf says.
import type { RunSpec } from "#wire";
import { assert } from "./assert.ts";
import { copyCanonical } from "./canonical.ts";
import { blankState, type SectionName, type SharedState, sectionsOf } from "./state.ts";

export const CHECKPOINT_VERSION = 1;
export const CHECKPOINT_HEADER_BYTES = 16;
const MAGIC = 0x504b_4347; // "GCKP" as a little-endian u32
const names: readonly SectionName[] = ["parameters", "velocity", "variance", "codec"];

export interface CheckpointSection {
  readonly name: SectionName;
  readonly round: number;
  readonly values: Float32Array;
}

/** Throws on a non-finite value: shared state never holds one. */
export function encodeCheckpointSection(name: SectionName, round: number, values: Float32Array): Uint8Array {
  const bytes = new Uint8Array(CHECKPOINT_HEADER_BYTES + 4 * values.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint16(4, CHECKPOINT_VERSION, true);
  view.setUint16(6, names.indexOf(name), true);
  view.setUint32(8, round, true);
  view.setUint32(12, values.length, true);
  const bad = copyCanonical(values, 0, new Float32Array(bytes.buffer, CHECKPOINT_HEADER_BYTES), values.length);
  assert(bad === -1, `${name}[${bad}] is ${values[bad]}; shared state is finite`);
  return bytes;
}

/** The section (own copy of the values), or why the bytes are none. Never throws. */
export function decodeCheckpointSection(bytes: Uint8Array): CheckpointSection | string {
  if (bytes.length < CHECKPOINT_HEADER_BYTES) return `${bytes.length} bytes are too few for a checkpoint section`;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0, true) !== MAGIC) return "not a checkpoint section: wrong magic";
  const version = view.getUint16(4, true);
  if (version !== CHECKPOINT_VERSION)
    return `checkpoint version ${version} is unknown; this build reads ${CHECKPOINT_VERSION}`;
  const name = names[view.getUint16(6, true)];
  if (name === undefined) return `section ${view.getUint16(6, true)} is unknown`;
  const floats = view.getUint32(12, true);
  if (bytes.length !== CHECKPOINT_HEADER_BYTES + 4 * floats)
    return `${bytes.length} bytes, but the header says ${floats} floats`;
  const values = new Float32Array(bytes.slice(CHECKPOINT_HEADER_BYTES).buffer);
  const bad = copyCanonical(values, 0, values, values.length);
  if (bad !== -1) return `${name}[${bad}] is ${values[bad]}`;
  return { name, round: view.getUint32(8, true), values };
}

/**
 * The state that a checkpoint's blobs hold, or what is wrong with them. Never throws.
 * @param round rounds folded into it
 */
export function stateFrom(spec: RunSpec, round: number, blobs: readonly Uint8Array[]): SharedState | string {
  const state = blankState(spec);
  const missing = new Set(sectionsOf(state).map(({ name }) => name));
  for (const bytes of blobs) {
    const section = decodeCheckpointSection(bytes);
    if (typeof section === "string") return section;
    const { name, values } = section;
    if (section.round !== round) return `${name} is of round ${section.round}, not ${round}`;
    const floats = state[name]?.length;
    if (floats === undefined || !missing.delete(name)) return `this run has no ${name}, or it is there twice`;
    if (values.length !== floats) return `${name} has ${values.length} floats, not ${floats}`;
    state[name] = values;
  }
  return missing.size === 0 ? state : `${[...missing].join(" and ")} is missing`;
}
