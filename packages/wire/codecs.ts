// The codecs that a run may name, with their settings. What they mean, and their bytes: outer's codec/ and docs/FORMATS.md.
//
//   outer.codec = "int8-block" | { name, its settings }
import * as z from "zod/mini";

/** Of what a body leaves out, how much is added to the next pseudo-gradient; 1: all of it. */
const feedback = z
  .number({
    error: "is needed: such a codec learns only when what a body leaves out is kept for the next; for example 0.95",
  })
  .check(z.minimum(0), z.maximum(1));

const entropy = z.optional(z.literal("rans"));

/** Without feedback the mean of many updates is right then; absent: to the nearest level. */
const rounding = z.optional(z.literal("stochastic"));

/** Before the choice, where a value waits for its turn (DGC); absent: none. It multiplies a step by 1 / (1 − momentum), as any momentum does. */
const momentum = z.optional(z.number().check(z.minimum(0), z.lt(1)));

/** One value of so many is sent. */
const every = z.int().check(z.minimum(2), z.maximum(4096)); // beyond, a value waits for thousands of rounds

const count = (max: number) => z.int().check(z.minimum(1), z.maximum(max));

/** SparseLoCo's: of each chunk the k largest. */
const chunkTopK = z
  .strictObject({
    name: z.literal("chunk-top-k"),
    chunk: z.union([z.literal(1024), z.literal(4096)], { error: "must be 1024 or 4096" }), // what one workgroup chooses from
    k: count(512), //                       more than an eighth costs more than int8 blocks teach
    feedback: z.number().check(z.minimum(0), z.lt(1)),
  })
  .check(z.refine(({ chunk, k }) => 8 * k <= chunk, { path: ["k"], error: "must be at most an eighth of chunk" }));

const plain = {
  path: ["rounding"],
  error:
    "is of use without feedback alone: with it the error comes later, and to the nearest it is half as large; leave one of them out",
};

const int4Block = z
  .strictObject({
    name: z.literal("int4-block"),
    rotated: z.optional(z.boolean()), //     before it is coded, so that outliers cost less; absent: no
    feedback: z.optional(feedback), //       absent: what a body leaves out is lost
    entropy, //                             how codes are packed; absent: in four bits each
    rounding,
  })
  .check(z.refine((codec) => codec.rounding === undefined || codec.feedback === undefined, plain));

const e3m0 = z
  .strictObject({ name: z.literal("e3m0"), feedback: z.optional(feedback), entropy, rounding })
  .check(z.refine((codec) => codec.rounding === undefined || codec.feedback === undefined, plain));

/** One by name; those but the first came with version 4. */
const named = z.discriminatedUnion("name", [
  chunkTopK,
  z.strictObject({ name: z.literal("f32") }),
  z.strictObject({ name: z.literal("f16") }),
  int4Block,
  e3m0,
  z.strictObject({ name: z.literal("sign"), feedback }),
  z.strictObject({ name: z.literal("two-bit"), feedback }),
  z.strictObject({ name: z.literal("rand-k"), every, feedback, momentum }),
  z.strictObject({ name: z.literal("top-k"), every, feedback, momentum }),
  z.strictObject({ name: z.literal("dynamic8") }),
  z.strictObject({ name: z.literal("power-sgd"), rank: count(64), feedback }), // beyond 64 its products cost more than they save
]);

const names = named.def.options.map(({ shape }) => shape.name.def.values[0]);

export const codecSchema = z.union([z.literal("int8-block"), named], {
  error: ({ input, ...issue }) => {
    const object = typeof input === "object" && input !== null && "name" in input ? input : undefined;
    const ofNamed = issue.code === "invalid_union" ? issue.errors.at(-1) : undefined;
    if (object && names.some((name) => name === object.name) && ofNamed)
      return ofNamed.map(({ path, message }) => `${path.map(String).join(".")}: ${message}`).join("; ");
    return `must be "int8-block", or an object with its settings whose name is one of ${names.join(", ")}; for example {"name": "f32"}`;
  },
});
export type CodecSpec = z.infer<typeof codecSchema>;

/** Those with settings. */
export type NamedCodecSpec = Exclude<CodecSpec, string>;
