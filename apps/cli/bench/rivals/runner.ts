// One contestant on its page, and what it has shown so far.
import type { Page } from "playwright-core";
import type { MatmulShape } from "#engine";
import type { Entrant } from "./field.ts";
import { lossFault } from "./gate.ts";
import type { Readings } from "./meters.ts";
import type { Measured } from "./report.ts";
import type { ShapeName } from "./shapes.ts";

export class Runner {
  readonly entrant: Entrant;
  readonly page: Page;
  readonly #losses: number[] = [];
  readonly #stepsMs: number[] = [];
  readonly #matmulsMs: (readonly number[])[] = []; // by round
  #steps = 0; // since `#first` was read
  #first: Readings | undefined;
  #last: Readings | undefined;
  #msByKernel: Readonly<Record<string, number>> | undefined;

  constructor(entrant: Entrant, page: Page) {
    this.entrant = entrant;
    this.page = page;
  }

  /** Opens the contestant and makes its first step. */
  async begin(shape: ShapeName): Promise<number> {
    const { ms, loss } = await this.page.evaluate((name) => globalThis.stand.begin(name), shape);
    this.#losses.push(loss);
    return ms;
  }

  async step(timed: boolean): Promise<number> {
    this.#first ??= await this.#read();
    const { ms, loss } = await this.page.evaluate(() => globalThis.stand.step());
    this.#steps++;
    this.#losses.push(loss);
    if (timed) this.#stepsMs.push(ms);
    return ms;
  }

  /** Ends the steps: what comes after allocates and dispatches for itself. */
  async endSteps(): Promise<void> {
    this.#last = await this.#read();
  }

  async prepare(matmuls: readonly MatmulShape[]): Promise<void> {
    await this.page.evaluate((shapes) => globalThis.stand.prepare(shapes), matmuls);
  }

  async matmuls(): Promise<void> {
    this.#matmulsMs.push(await this.page.evaluate(() => globalThis.stand.matmuls()));
  }

  /** The last act: a profile ruins what was trained. */
  async profile(): Promise<void> {
    this.#msByKernel = await this.page.evaluate(() => globalThis.stand.profile());
  }

  async measured(reference: readonly number[], coldMs: readonly number[]): Promise<Measured> {
    const [first, last] = [this.#first!, this.#last!];
    const { errors } = await this.#read();
    const fault = errors.length > 0 ? `errors of the device: ${errors.join("; ")}` : lossFault(this.#losses, reference);
    const products = this.#matmulsMs[0] ?? [];
    return {
      entrant: this.entrant,
      ...(fault !== undefined && { fault }),
      losses: this.#losses,
      stepsMs: this.#stepsMs,
      coldMs,
      bytesPeak: last.bytesPeak,
      bytesCreated: last.bytesCreated,
      dispatchesPerStep: (last.dispatches - first.dispatches) / this.#steps,
      submitsPerStep: (last.submits - first.submits) / this.#steps,
      matmulsMs: products.map((_, i) => this.#matmulsMs.map((round) => round[i])),
      ...(this.#msByKernel && { msByKernel: this.#msByKernel }),
    };
  }

  #read(): Promise<Readings> {
    return this.page.evaluate(() => globalThis.stand.readings());
  }
}
