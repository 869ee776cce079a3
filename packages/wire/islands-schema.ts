// What messages and the log say of islands.
import * as z from "zod/mini";
import { hashSchema } from "./hash.ts";
import { peerIdSchema } from "./identity.ts";
import { type Capacity, ISLANDS_MAX, type IslandPlan, RANKS_MAX } from "./islands.ts";

const exchange = z.enum(["f32", "int8"]);

/** A stage for each member; the longest model has 128 layers. */
const stagesSchema = z.array(z.int().check(z.minimum(1), z.maximum(128))).check(z.minLength(2), z.maxLength(RANKS_MAX));

export const islandPlanSchema: z.ZodMiniType<IslandPlan> = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("tensor"), exchange, form: z.enum(["direct", "reduce-scatter", "star"]) }),
  z.strictObject({ kind: z.literal("pipeline"), layers: stagesSchema, exchange }),
  z.strictObject({ kind: z.literal("sequence") }),
]);

/** Ten times what the fastest accelerator computes in f32 (2026): who claims more would have almost all layers of an island. */
const FLOPS_PER_SECOND_MAX = 1e15;

const ranks = z.int().check(z.minimum(2), z.maximum(RANKS_MAX));
const layersByRank = z.array(z.int().check(z.minimum(0), z.maximum(128))).check(z.maxLength(RANKS_MAX));

export const capacitySchema: z.ZodMiniType<Capacity> = z.strictObject({
  tensorRanksMin: z.nullable(ranks),
  stageLayersMax: z.array(layersByRank).check(
    z.length(RANKS_MAX - 1),
    z.refine((most) => most.every(({ length }, i) => length === i + 2), "a number for each stage of 2, 3 and 4"),
  ),
  flopsPerSecond: z.optional(z.number().check(z.positive(), z.maximum(FLOPS_PER_SECOND_MAX))),
});

/** Never the same twice, whatever a host forgets: word of an island that is over means no other. */
export const islandIdSchema = hashSchema;

/** By rank; the leader is rank 0, and the one peer that the swarm knows. */
export const islandMembersSchema = z.array(peerIdSchema).check(
  z.minLength(2),
  z.maxLength(RANKS_MAX),
  z.refine((members) => new Set(members).size === members.length, "a member twice"),
);

/** Of the leaders in a roster: whom a leader's tokens are credited to. */
export const openIslandsSchema = z
  .array(z.strictObject({ leader: peerIdSchema, members: islandMembersSchema }))
  .check(z.minLength(1), z.maxLength(ISLANDS_MAX));
