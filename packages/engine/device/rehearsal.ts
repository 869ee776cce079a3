// Records passes without a device: what their uniforms will take, and the widest range that any of them binds of each buffer.
//
// What WebGPU would refuse is our own mistake, and stops here with the kernel's name.
import { type Access, accessesOf, type Kernel } from "./kernel.ts";
import { ALIGN_BYTES, type ExchangePoint, elementBytes, type Recorder, shapesBytes, type View } from "./plan.ts";

export class Rehearsal implements Recorder {
  readonly #widestByName = new Map<string, number>();
  #dispatches = [0]; // of the pass under way, plan by plan: an exchange ends one

  /** What the plans of such passes will make for their uniforms. */
  uniformBytesOf(passes: Readonly<Record<string, (plan: Recorder) => void>>): number {
    let bytes = 0;
    for (const record of Object.values(passes)) {
      this.#dispatches = [0];
      record(this);
      bytes += this.#dispatches.reduce((sum, dispatches) => sum + shapesBytes(dispatches), 0);
    }
    return bytes;
  }

  /** Floats (4-byte words) by the buffer's name. */
  get widestByName(): ReadonlyMap<string, number> {
    return this.#widestByName;
  }

  exchange(point: ExchangePoint): void {
    this.#dispatches.push(0);
    if (!("to" in point)) return;
    const { from, to } = point;
    if (from && from.half !== to.half)
      throw new Error(`${from.buffer.label} and ${to.buffer.label} hold other numbers`);
  }

  add<S extends string, B extends string>(
    kernel: Kernel<S, B>,
    _shape: Readonly<Record<S, number>>,
    views: Readonly<Record<B, View>>,
  ): void {
    this.#dispatches[this.#dispatches.length - 1]++;
    const uses = accessesOf(kernel).map(([name, access]) => ({ name, access, view: views[name] }));
    for (const [i, { name, access, view }] of uses.entries()) {
      const { buffer, offset, length, half = false } = view;
      const bytes = elementBytes(view);
      const wrong = (what: string): Error => new Error(`kernel "${kernel.label}", binding "${name}": ${what}`);
      if (half && !kernel.stored?.includes(name)) throw wrong(`${buffer.label} is f16, and never so for this kernel`);
      if ((offset * bytes) % ALIGN_BYTES !== 0) throw wrong(`starts at float ${offset}, off the boundary`);
      if (length <= 0 || (offset + length) * bytes > buffer.size)
        throw wrong(`floats ${offset} to ${offset + length} of ${buffer.label} are not all there`);
      for (const other of uses.slice(0, i))
        if (clash({ access, view }, other)) throw wrong(`shares ${buffer.label} with "${other.name}"`);
      const floats = (length * bytes) / 4;
      this.#widestByName.set(buffer.label, Math.max(this.#widestByName.get(buffer.label) ?? 0, floats));
    }
  }
}

interface Use {
  readonly access: Access;
  readonly view: View;
}

/** A dispatch may read a buffer twice, or write two ranges of it that do not overlap; it may not read and write one buffer. */
function clash(a: Use, b: Use): boolean {
  if (a.view.buffer !== b.view.buffer || (a.access === "read" && b.access === "read")) return false;
  if (a.access !== b.access) return true;
  return a.view.offset < b.view.offset + b.view.length && b.view.offset < a.view.offset + a.view.length;
}
