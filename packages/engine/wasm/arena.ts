// Linear memory, laid out once: names -> addresses. What does not fit is refused before anything is allocated, with the number that would fit.
import { ModelTooLargeError } from "../errors.ts";

const PAGE_BYTES = 65_536;
const MIB = 2 ** 20;
/** 32-bit addresses; the last page stays free, because some browsers stop short of it. */
const BYTES_MAX = 65_535 * PAGE_BYTES;
/** A cache line, and what a kernel may read beyond a row's end. */
const ALIGN_BYTES = 64;
/** The control words of the threads come first, with cache lines of their own. */
export const CONTROL_AT = 0;
const CONTROL_BYTES = 256;

/** What a buffer is for decides what a refusal tells to make smaller. */
type Purpose = "model" | "microbatch" | "thread";

export class Arena {
  readonly #addressByName = new Map<string, number>();
  readonly #bytesFor: Record<Purpose, number> = { model: 0, microbatch: 0, thread: 0 };
  #end = CONTROL_BYTES;

  want(name: string, floats: number, purpose: Purpose): void {
    const bytes = Math.ceil((4 * floats) / ALIGN_BYTES) * ALIGN_BYTES;
    this.#addressByName.set(name, this.#end);
    this.#bytesFor[purpose] += bytes;
    this.#end += bytes;
  }

  /** Bytes from the start of memory. */
  at(name: string): number {
    const address = this.#addressByName.get(name);
    if (address === undefined) throw new Error(`no buffer "${name}" was planned`);
    return address;
  }

  get pages(): number {
    return Math.ceil((this.#end + ALIGN_BYTES) / PAGE_BYTES);
  }

  get bytes(): number {
    return this.pages * PAGE_BYTES;
  }

  /** Throws ModelTooLargeError with the size that fits. `parameters` and `microbatch` are what the message scales. */
  check(parameters: number, microbatch: number, memoryBytes = BYTES_MAX): void {
    const bytesMax = Math.min(memoryBytes, BYTES_MAX);
    if (this.bytes <= bytesMax) return;
    const { model, microbatch: perStep, thread } = this.#bytesFor;
    const left = bytesMax - thread - PAGE_BYTES;
    const fits = Math.floor((microbatch * (left - model)) / perStep);
    const remedy =
      fits >= 1
        ? `use at most ${fits} sequences per microbatch (asked: ${microbatch})`
        : `a model of this form may have at most about ${Math.floor((parameters * left) / (model + perStep / microbatch)).toLocaleString("en")} parameters here (it has ${parameters.toLocaleString("en")})`;
    throw new ModelTooLargeError(
      `Training on the CPU needs ${Math.ceil(this.bytes / MIB).toLocaleString("en")} MiB and may take ${Math.floor(bytesMax / MIB).toLocaleString("en")} MiB: ${remedy}.`,
    );
  }
}
