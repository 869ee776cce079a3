// Passes of a model that is cut among several devices: plans one behind the other, and between two of them what must be exchanged first.
import { type ExchangePoint, Plan, type Recorder } from "./plan.ts";

export interface Segment {
  readonly plan: Plan;
  /** Undefined behind the last one. */
  readonly point: ExchangePoint | undefined;
}

export class Segments implements Recorder {
  readonly #make: () => Plan;
  readonly #segments: Segment[] = [];
  #plan: Plan;

  constructor(...given: ConstructorParameters<typeof Plan>) {
    this.#make = () => new Plan(...given);
    this.#plan = this.#make();
  }

  get all(): readonly Segment[] {
    return this.#segments;
  }

  get dispatches(): number {
    return this.#segments.reduce((sum, { plan }) => sum + plan.dispatches, 0);
  }

  add: Recorder["add"] = (kernel, shape, views, flops) => this.#plan.add(kernel, shape, views, flops);

  exchange(point: ExchangePoint): void {
    this.#end(point);
    this.#plan = this.#make();
  }

  finish(): void {
    this.#end(undefined);
  }

  #end(point: ExchangePoint | undefined): void {
    this.#plan.finish();
    this.#segments.push({ plan: this.#plan, point });
  }
}

export type Passes<P extends string> = Readonly<Record<P, (plan: Recorder) => void>>;

export function recorded<P extends string, R extends Plan | Segments>(passes: Passes<P>, make: () => R): Record<P, R> {
  const all = {} as Record<P, R>;
  for (const pass in passes) {
    all[pass] = make();
    passes[pass](all[pass]);
    all[pass].finish();
  }
  return all;
}
