// A course that takes no engine: parameters that go down by whole numbers, so that every method's trajectory is exact and the same everywhere.
import { TokenSource } from "#data";
import { type Method, methods, withMethod } from "#outer";
import { draftSchema, presets, type RunSpec } from "#wire";
import { simulatedSpec } from "../given.ts";
import type { Setting, Trainers } from "./swarm.ts";
import type { Course, Trainer } from "./trainer.ts";

/** Each value goes down by 0, 1 or 2 in a step, by its place and by what was read; and by 1 more in the first step without moments. */
class Arithmetic implements Trainer {
  private parameters = new Float32Array();
  load(parameters: Float32Array): void {
    this.parameters = parameters.slice();
  }
  private fresh = 1;
  resetMoments(): void {
    this.fresh = 1;
  }
  async step(ids: Uint16Array): Promise<number> {
    for (let i = 0; i < this.parameters.length; i++) this.parameters[i] -= ((ids[0] + i) % 3) + this.fresh;
    this.fresh = 0;
    return 1;
  }
  async gradient(ids: Uint16Array): Promise<{ loss: number; gradient: Float32Array }> {
    return { loss: 1, gradient: this.parameters.map((_, i) => (ids[0] + i) % 3) };
  }
  async read(): Promise<Float32Array> {
    return this.parameters.slice();
  }
  async evaluate(): Promise<number> {
    return this.parameters.reduce((sum, value) => sum + value, 0) / this.parameters.length;
  }
  end(): void {}
}

export const arithmeticTrainers = (peers: number): Trainers => ({
  peers: Array.from({ length: peers }, () => new Arithmetic()),
  evaluator: new Arithmetic(),
});

export const setting: Setting = {
  peers: 4,
  tokens: 4 * 10 * 8 * 2 * 8,
  link: { mbit: 20, delayMs: 20 },
  stepMs: 100,
  spread: 0,
  churn: 0,
  points: 4,
};

/** Rounds of 8 steps, each of 2 windows of 8 tokens: ten of them for four peers, unless somebody is away. */
export function arithmeticCourse(method: Method, change: Partial<RunSpec["outer"]> = {}, seed = 1): Course {
  const { corpus, ...rest } = presets.nano;
  const draft = draftSchema.parse({
    ...withMethod(
      {
        ...rest,
        corpus,
        seed,
        model: { ...rest.model, dModel: 16, layers: 1, heads: 1, kvHeads: 1, dFfn: 16, contextLength: 8 },
        inner: { ...rest.inner, steps: 8, windowsPerStep: 2 },
      },
      method,
    ),
  });
  const { corpus: _, base: _fromScratch, ...composed } = { ...draft, outer: { ...draft.outer, ...change } };
  const { data, hostKey } = simulatedSpec();
  const ids = Uint16Array.from({ length: 50_000 }, (_, i) => (i * i) % 256);
  return { spec: { ...composed, data, hostKey }, source: new TokenSource([ids]), windows: [] };
}

export const methodOf = (name: string): Method => methods.find((method) => method.name === name)!;

/** The same, whose rate falls from the first token to the last. */
export function fallingCourse(method: Method, tokensMax: number): Course {
  const { spec, ...rest } = arithmeticCourse(method);
  return { ...rest, spec: { ...spec, inner: { ...spec.inner, decayTokens: tokensMax }, end: { tokensMax } } };
}
