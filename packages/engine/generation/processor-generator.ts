// The generator where there is no GPU: the readable reference in f32, on the thread that calls it. For small models.
import { parameterTable } from "#outer";
import type { ModelShape } from "#wire";
import { ReferenceGenerator } from "../reference/generator.ts";
import { checkIds, type Generator } from "./generator.ts";

export class ProcessorGenerator implements Generator {
  readonly adapter = undefined;
  readonly model: ModelShape;
  readonly allocatedBytes: number;
  readonly lost = new Promise<never>(() => {});
  #reference: ReferenceGenerator<Float32Array> | undefined;

  constructor(model: ModelShape) {
    this.model = model;
    const cache = 2 * model.layers * model.contextLength * model.kvHeads * (model.dModel / model.heads);
    this.allocatedBytes = 4 * (parameterTable(model).length + cache);
  }

  get length(): number {
    return this.#reference?.length ?? 0;
  }

  /** @param parameters not copied */
  async load(parameters: Float32Array): Promise<void> {
    this.#reference = new ReferenceGenerator(this.model, parameters);
  }

  async prefill(ids: ArrayLike<number>): Promise<Float32Array> {
    checkIds(ids, 0, this.model);
    const reference = this.#loaded();
    reference.clear();
    return reference.append(ids);
  }

  async decode(id: number): Promise<Float32Array> {
    checkIds([id], this.length, this.model);
    return this.#loaded().append([id]);
  }

  destroy(): void {
    this.#reference = undefined;
  }

  #loaded(): ReferenceGenerator<Float32Array> {
    if (!this.#reference) throw new Error("load() the parameters first");
    return this.#reference;
  }
}
