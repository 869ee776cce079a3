// What each member has of the model's flat vector, by the island's plan.
import type { ModelShape } from "#wire";
import type { IslandPlan } from "#wire/islands";
import { joinParts, partOf, sharesOf } from "./parts.ts";
import { joinStages, stagePart } from "./stages.ts";

export interface Sharing {
  /** Every member has all of it. */
  readonly whole: boolean;
  /** @throws RangeError on a vector of a wrong length */
  part(rank: number, flat: Float32Array): Float32Array;
  /** By rank. */
  joined(parts: readonly Float32Array[]): Float32Array;
}

export function sharingOf(model: ModelShape, plan: IslandPlan, ranks: number): Sharing {
  switch (plan.kind) {
    case "tensor": {
      const shares = sharesOf(model, ranks);
      const part = (rank: number, flat: Float32Array): Float32Array => partOf(model, shares[rank], flat);
      return { whole: false, part, joined: (parts) => joinParts(model, parts) };
    }
    case "pipeline": {
      const part = (rank: number, flat: Float32Array): Float32Array => stagePart(model, plan, rank, flat);
      return { whole: false, part, joined: (parts) => joinStages(model, plan, parts) };
    }
    case "sequence":
      return { whole: true, part: (_, flat) => flat, joined: ([first]) => first };
  }
}
