// What the leader of an island tells the members, in its own lane, and what they answer: JSON, and numbers behind it.
//
//   0          4            4 + header, padded to 4
//   | u32 header bytes | header, JSON | payload |
import type { StepOptions } from "../engine.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** ids: of microbatches or windows of `width` ids each, one behind the other. */
export type Order =
  | { readonly op: "plan"; readonly microbatch: number }
  | { readonly op: "open"; readonly microbatch: number; readonly recomputedLayers: number }
  | { readonly op: "load" } //                         payload: the member's part of the parameters, f32
  | { readonly op: "reset-moments" | "read" }
  | { readonly op: "step"; readonly width: number; readonly options: StepOptions } //    payload: ids
  | { readonly op: "gradient" | "evaluate"; readonly width: number }; //                 payload: ids

/** To plan, open, read and gradient; in the order of orders. */
export type Answer =
  | { readonly recomputedLayers: number }
  | { readonly problem: string }
  | { readonly opened: true }
  | { readonly part: true }; //                        payload: f32

const OPS: readonly Order["op"][] = ["plan", "open", "load", "reset-moments", "read", "step", "gradient", "evaluate"];

export function pack(header: Order | Answer, payload: Bytes = new Uint8Array()): Bytes {
  const json = new TextEncoder().encode(JSON.stringify(header));
  const start = 4 + Math.ceil(json.length / 4) * 4;
  const bytes = new Uint8Array(start + payload.length);
  new DataView(bytes.buffer).setUint32(0, json.length, true);
  bytes.set(json, 4);
  bytes.set(payload, start);
  return bytes;
}

/** @throws RangeError for what is none: the sender is at fault */
export function unpack(bytes: Bytes): { readonly header: Record<string, unknown>; readonly payload: Bytes } {
  const length = bytes.length < 4 ? -1 : new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const start = 4 + Math.ceil(length / 4) * 4;
  if (length < 0 || start > bytes.length) throw new RangeError(`a message of ${bytes.length} bytes ends in its header`);
  const header: unknown = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  if (typeof header !== "object" || header === null) throw new RangeError("a message's header is no object");
  return { header: header as Record<string, unknown>, payload: bytes.slice(start) };
}

/** @throws RangeError, naming what is wrong */
export function orderFrom(header: Record<string, unknown>): Order {
  const { op } = header;
  if (!OPS.includes(op as Order["op"]))
    throw new RangeError(`the leader ordered ${JSON.stringify(op)}, which is none of ${OPS.join(", ")}`);
  const whole = (name: string): void => {
    if (!Number.isSafeInteger(header[name]) || (header[name] as number) < 0)
      throw new RangeError(`the leader's order "${op}" has no whole number as its ${name}`);
  };
  if (op === "plan" || op === "open") whole("microbatch");
  if (op === "open") whole("recomputedLayers");
  if (op === "step" || op === "gradient" || op === "evaluate") whole("width");
  if (op === "step") {
    const options = header.options as Record<string, unknown> | undefined;
    for (const name of ["learningRate", "beta1", "beta2", "eps", "weightDecay", "clipNorm"])
      if (!Number.isFinite(options?.[name])) throw new RangeError(`the leader's step has no finite ${name}`);
  }
  return header as unknown as Order;
}

export const idsOf = (payload: Bytes, width: number): Uint16Array[] => {
  const ids = new Uint16Array(payload.buffer, payload.byteOffset, payload.byteLength / 2);
  return Array.from({ length: ids.length / width }, (_, i) => ids.slice(i * width, (i + 1) * width));
};

export function idsBytes(ids: readonly Uint16Array[]): Bytes {
  const width = ids[0]?.length ?? 0;
  const all = new Uint16Array(ids.length * width);
  for (const [i, each] of ids.entries()) all.set(each, i * width);
  return new Uint8Array(all.buffer);
}
