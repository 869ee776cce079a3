// What messages and the log say of islands.
import * as z from "zod/mini";
import { hashSchema } from "./hash.ts";
import { peerIdSchema } from "./identity.ts";
import { ISLANDS_MAX, type IslandPlan, RANKS_MAX } from "./islands.ts";

const exchange = z.enum(["f32", "int8"]);

/** A stage for each member; the longest model has 128 layers. */
const stagesSchema = z.array(z.int().check(z.minimum(1), z.maximum(128))).check(z.minLength(2), z.maxLength(RANKS_MAX));

export const islandPlanSchema: z.ZodMiniType<IslandPlan> = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("tensor"), exchange, form: z.enum(["direct", "reduce-scatter", "star"]) }),
  z.strictObject({ kind: z.literal("pipeline"), layers: stagesSchema, exchange }),
  z.strictObject({ kind: z.literal("sequence") }),
]);

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
