// One contestant on its page, and what it has shown so far.
import type { Page } from "playwright-core";
import type { MatmulShape } from "#engine";
import type { Entrant } from "./field.ts";
import { lossFault } from "./gate.ts";
import type { Readings } from "./meters.ts";
import type { Measured } from "./report.ts";
import type { ShapeName } from "./shapes.ts";

const NOTHING_READ: Readings = { bytesCreated: 0, bytesLive: 0, bytesPeak: 0, dispatches: 0, submits: 0, errors: [] };

export class Runner {
  readonly entrant: Entrant;
  readonly page: Page;
  readonly #losses: number[] = [];
  readonly #stepsMs: number[] = [];
  readonly #matmulsMs: (readonly number[])[] = []; // by round
  #steps = 0; // since `#first` was read
  #failure: string | undefined;
  #first: Readings | undefined;
  #last: Readings | undefined;
  #msByKernel: Readonly<Record<string, number>> | undefined;

  constructor(entrant: Entrant, page: Page) {
    this.entrant = entrant;
    this.page = page;
  }

  /** Opens the contestant and makes its first step. @returns milliseconds; undefined, here and below: it has failed */
  begin(shape: ShapeName): Promise<number | undefined> {
    return this.#attempt(async () => {
      const { ms, loss } = await this.page.evaluate((name) => globalThis.stand.begin(name), shape);
      this.#losses.push(loss);
      this.#first = await this.#read();
      return ms;
    });
  }

  /** What it does to be faster later; its steps do not count. */
  settle(): Promise<unknown> {
    return this.#attempt(async () => {
      await this.page.evaluate(() => globalThis.stand.settle());
      this.#first = await this.#read();
    });
  }

  step(timed: boolean): Promise<number | undefined> {
    return this.#attempt(async () => {
      const { ms, loss } = await this.page.evaluate(() => globalThis.stand.step());
      this.#steps++;
      this.#losses.push(loss);
      if (timed) this.#stepsMs.push(ms);
      return ms;
    });
  }

  /** Ends the steps: what comes after allocates and dispatches for itself. */
  endSteps(): Promise<unknown> {
    return this.#attempt(async () => {
      this.#last = await this.#read();
    });
  }

  prepare(matmuls: readonly MatmulShape[]): Promise<unknown> {
    return this.#attempt(() => this.page.evaluate((shapes) => globalThis.stand.prepare(shapes), matmuls));
  }

  matmuls(): Promise<unknown> {
    return this.#attempt(async () => {
      this.#matmulsMs.push(await this.page.evaluate(() => globalThis.stand.matmuls()));
    });
  }

  /** The last act: a profile ruins what was trained. */
  profile(): Promise<unknown> {
    return this.#attempt(async () => {
      this.#msByKernel = await this.page.evaluate(() => globalThis.stand.profile());
    });
  }

  async measured(reference: readonly number[], coldMs: readonly number[]): Promise<Measured> {
    const [first, last] = [this.#first ?? NOTHING_READ, this.#last ?? NOTHING_READ];
    const { errors } = await this.#read();
    const ofDevice = errors.length > 0 ? `errors of the device: ${errors.join("; ")}` : undefined;
    const fault = this.#failure ?? ofDevice ?? lossFault(this.#losses, reference);
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

  /** A contestant that fails is out, and the others go on. */
  async #attempt<T>(work: () => Promise<T>): Promise<T | undefined> {
    if (this.#failure !== undefined) return undefined;
    try {
      return await work();
    } catch (error) {
      if (this.page.isClosed()) throw error; // the browser went: nobody's own failure
      this.#failure = `it failed: ${(error instanceof Error ? error.message : String(error)).split("\n")[0]}`;
      return undefined;
    }
  }

  #read(): Promise<Readings> {
    return this.page.evaluate(() => globalThis.stand.readings());
  }
}
