// An engine on paper: where everything lies and what every pass binds. The engine is made from it, and the planner reads its numbers, so
// that what was predicted is what is allocated.
import type { RankShape } from "#outer";
import { type BytesByPart, type MemoryPlan, MIB, PARTS, type Part } from "../device/memory.ts";
import { Rehearsal } from "../device/rehearsal.ts";
import { REPORT_FLOATS } from "../kernels/optimizer.ts";
import { type AdapterLayout, adapterLayoutOf } from "./adapters.ts";
import {
  type Cut,
  coldBlocksOf,
  coldBytesOf,
  inFlightOf,
  islandStagingBytes,
  momentWords,
  planMemory,
  type Sizes,
  sizesOf,
  trainedOf,
} from "./buffers.ts";
import { type Layout, layoutOf } from "./layout.ts";
import { markPassesOf, markStagingBytes, wantMark } from "./mark-passes.ts";
import { microbatchPassesOf, stagePassesOf } from "./passes.ts";
import { messageElements } from "./sequence-passes.ts";
import { coldPassesOf, squaresPassOf, stepPassesOf } from "./step-passes.ts";

/** Steps queued before the first is read: run-ahead hides the readback, and more than two steps only grow memory. */
export const STEPS_IN_FLIGHT = 2;
/** Blocks of cold moments that leave at once: one waits for the device, one for the disk. */
export const COLD_BLOCKS_LEAVING = 2;
/** Messages of a rank to others that wait for the device at once: one leaves while the next is made. */
export const MESSAGES_IN_FLIGHT = 2;
export const REPORT_BYTES = 4 * REPORT_FLOATS;
/**
 * Parameters cross to and from the device in pieces of at most this size, so that reading or loading a large model does not need as much
 * memory again, in the GPU's process and in the page's.
 */
const PIECE_BYTES = 64 * MIB;

export interface Outline {
  readonly layout: Layout;
  /** Where adapters are what is trained. */
  readonly adapters: AdapterLayout | undefined;
  readonly sizes: Sizes;
  readonly memory: MemoryPlan;
  /** Vectors cross to the device in pieces of so many floats. */
  readonly pieceFloats: number;
  /** And what is trained, or its gradient, back in pieces of so many. */
  readonly readFloats: number;
  /** The widest range that a dispatch binds, in floats, by the buffer's name. */
  readonly widestByName: ReadonlyMap<string, number>;
  /** Everything that the engine creates, at the moment when it holds most: while parameters or an update are read. */
  readonly bytesByPart: BytesByPart;
  readonly totalBytes: number;
  /** What lies outside of the device, and comes and leaves with each step: cold moments. */
  readonly coldBytes: number;
}

export function outlineOf(model: RankShape, cut: Cut): Outline {
  const layout = layoutOf(model);
  const sizes = sizesOf(model, layout, cut);
  const adapters = cut.lora && adapterLayoutOf(model, layout, cut.lora);
  const memory = planMemory(model, { layout, adapters }, sizes);
  if (sizes.keepsMark) wantMark(memory, layout, sizes);
  const pieceFloats = Math.min(layout.length, Math.floor((cut.pieceBytes ?? PIECE_BYTES) / 4));
  const readFloats = Math.min(pieceFloats, trainedOf({ layout, adapters }).length);
  const rehearsal = new Rehearsal();
  const context = { model, layout, adapters, sizes, memory: memory.blank() };
  const squares = sizes.island || sizes.stage ? squaresPassOf(context) : {};
  const ofMicrobatch = sizes.stage ? stagePassesOf(context) : microbatchPassesOf(context);
  const uniformBytes =
    rehearsal.uniformBytesOf({
      ...stepPassesOf(context),
      ...coldPassesOf(context),
      ...squares,
      ...markPassesOf(context),
    }) +
    inFlightOf(sizes) * rehearsal.uniformBytesOf(ofMicrobatch);
  const { widestByName } = rehearsal;
  const reports = sizes.sequence ? 1 : STEPS_IN_FLIGHT; // of ranks that share sequences one step at a time
  const messagesBytes = sizes.sequence ? MESSAGES_IN_FLIGHT * 4 * messageElements(sizes) : 0;
  const [block] = coldBlocksOf(context, sizes);
  const coldStaging = block ? COLD_BLOCKS_LEAVING * 8 * momentWords(block.length, sizes.moments) : 0;
  const bytesOf = (part: Part): number => {
    const planned = memory.bytesOf(part);
    if (part === "scratch") return planned + uniformBytes;
    const crossing = Math.max(readFloats * 4, sizes.keepsMark ? markStagingBytes(layout, sizes) : 0);
    if (part === "staging")
      return (
        reports * REPORT_BYTES + crossing + coldStaging + islandStagingBytes(sizes, layout, memory) + messagesBytes
      );
    return planned;
  };
  const bytesByPart = Object.fromEntries(PARTS.map((part) => [part, bytesOf(part)])) as BytesByPart;
  const totalBytes = Object.values(bytesByPart).reduce((a, b) => a + b);
  return {
    layout,
    adapters,
    sizes,
    memory,
    pieceFloats,
    readFloats,
    widestByName,
    bytesByPart,
    totalBytes,
    coldBytes: coldBytesOf(context, sizes),
  };
}

/** What of a device bounds a model. A GPUDevice's limits are of this form, and an adapter's. */
export type MemoryLimits = Pick<
  GPUSupportedLimits,
  "maxBufferSize" | "maxStorageBufferBindingSize" | "maxComputeWorkgroupsPerDimension"
>;

/** What every WebGPU device allows, and small ones allow no more. */
export const DEFAULT_LIMITS: MemoryLimits = {
  maxBufferSize: 256 * MIB,
  maxStorageBufferBindingSize: 128 * MIB,
  maxComputeWorkgroupsPerDimension: 65_535,
};

/** Rows that a workgroup of the kernels over single elements covers: the fewest of all kernels. */
const ROWS_PER_WORKGROUP = 4;

const OF_THE_MODEL: readonly Part[] = ["parameters", "adapters", "gradient", "moments", "mark"];

/** Why a device with such limits cannot hold it, with the size that it can; undefined: it can. */
export function limitProblem(
  { layout, sizes, memory, widestByName }: Outline,
  limits: MemoryLimits,
): string | undefined {
  const { N, B } = sizes;
  const rowsMax = ROWS_PER_WORKGROUP * limits.maxComputeWorkgroupsPerDimension;
  if (N > rowsMax)
    return `A microbatch of ${N.toLocaleString("en")} tokens is more than one dispatch covers on this device (${rowsMax.toLocaleString("en")}): ${fewerSequences(B, N / rowsMax)}.`;
  const over = tooLarge(memory, widestByName, limits);
  if (!over) return undefined;
  const { name, part, needsMib, allowedMib, ratio } = over;
  const fits = OF_THE_MODEL.includes(part)
    ? `a model of this form may have at most about ${Math.floor(layout.parameters / ratio).toLocaleString("en")} parameters here (it has ${layout.parameters.toLocaleString("en")})`
    : fewerSequences(B, ratio);
  return `${name} needs ${needsMib} MiB in one piece and this device allows ${allowedMib} MiB: ${fits}.`;
}

interface TooLarge {
  readonly name: string;
  readonly part: Part;
  readonly needsMib: number;
  readonly allowedMib: number;
  readonly ratio: number;
}

/** The first buffer that is larger, or bound in a wider range, than a device with such limits allows. */
export function tooLarge(
  memory: MemoryPlan,
  widestByName: ReadonlyMap<string, number>,
  limits: MemoryLimits,
): TooLarge | undefined {
  for (const { name, floats, part } of memory.buffers) {
    const overBuffer = (floats * 4) / limits.maxBufferSize;
    const bound = widestByName.get(name) ?? 0;
    const overBinding = (bound * 4) / limits.maxStorageBufferBindingSize;
    const ratio = Math.max(overBuffer, overBinding);
    if (ratio <= 1) continue;
    const needsMib = Math.ceil(((ratio === overBuffer ? floats : bound) * 4) / MIB);
    const allowed = ratio === overBuffer ? limits.maxBufferSize : limits.maxStorageBufferBindingSize;
    return { name, part, needsMib, allowedMib: Math.floor(allowed / MIB), ratio };
  }
  return undefined;
}

function fewerSequences(microbatch: number, over: number): string {
  return microbatch / over >= 1
    ? `use at most ${Math.floor(microbatch / over)} sequences per microbatch (asked: ${microbatch})`
    : `even one sequence does not fit: use a context at most ${Math.floor((100 * microbatch) / over)} % as long`;
}
