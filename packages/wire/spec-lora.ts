// The spec's parts about existing weights: which model a run starts from (`base`), and whether it trains that or adapters beside it (`lora`).
//
//   base alone       the run goes on from those parameters: genesis is the base
//   base and lora    the base stays as it is; the peers share, train and exchange low-rank adapters (Hu et al., 2021)
import * as z from "zod/mini";
import { hashSchema } from "./hash.ts";

/** The linear layers that adapters may stand beside, by their short names. */
export const LORA_TARGETS = ["q", "k", "v", "o", "gate", "up", "down"] as const;
export type LoraTarget = (typeof LORA_TARGETS)[number];

/** Beyond, an adapter of the widest layer that a spec allows is no longer small beside it. */
const RANK_MAX = 256;

export const loraSchema = z
  .strictObject({
    rank: z.int().check(z.minimum(1), z.maximum(RANK_MAX), z.describe("r, rows of A and columns of B")),
    alpha: z
      .number()
      .check(z.positive(), z.maximum(4096), z.describe("adapters count alpha / rank: twice the rank is usual")),
    targets: z
      .array(
        z.enum(LORA_TARGETS, {
          error: ({ input }) =>
            `${JSON.stringify(input)} is no layer of the model: there are ${LORA_TARGETS.join(", ")}`,
        }),
      )
      .check(
        z.minLength(1),
        z.maxLength(LORA_TARGETS.length),
        z.refine((targets) => new Set(targets).size === targets.length, "names a layer twice; leave one out"),
        z.describe("which linear layers get an adapter, for example q and v"),
      ),
  })
  .check(
    z.describe(
      "train adapters of low rank beside the base, which stays: rank r, counted alpha / r, beside the layers of targets; absent: all parameters",
    ),
  );
export type LoraShape = z.infer<typeof loraSchema>;

const about = {
  source: z
    .string()
    .check(z.trim(), z.minLength(1), z.maxLength(400), z.describe("where the weights come from, for people")),
  licence: z.string().check(z.trim(), z.minLength(1), z.maxLength(200), z.describe("of the weights")),
};

/** As an operator writes it. */
export const baseDraftSchema = z
  .strictObject({
    path: z
      .string()
      .check(
        z.minLength(1),
        z.maxLength(4096),
        z.describe("a folder with config.json and safetensors, beside the spec"),
      ),
    ...about,
  })
  .check(
    z.describe(
      "existing weights to start from, a folder with config.json and safetensors beside the spec; absent: weights drawn from the seed",
    ),
  );

/** As a run names it: the parameters, flat and f32, cut into blobs. */
export const baseRefSchema = z.strictObject({
  ...about,
  hash: hashSchema, //                    of all its bytes: the same however they are cut
  blobs: z
    .array(z.strictObject({ hash: hashSchema, bytes: z.int().check(z.positive()) }))
    .check(z.minLength(1), z.maxLength(1024)),
});
export type BaseRef = z.infer<typeof baseRefSchema>;

interface Sizes {
  readonly dModel: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly dFfn: number;
}

/** [out, in] of a layer that adapters may stand beside. */
export function loraLayerShape({ dModel: C, heads, kvHeads, dFfn: F }: Sizes, target: LoraTarget): [number, number] {
  switch (target) {
    case "q":
    case "o":
      return [C, C];
    case "k":
    case "v":
      return [(kvHeads * C) / heads, C];
    case "gate":
    case "up":
      return [F, C];
    case "down":
      return [C, F];
  }
}

interface Adapting {
  readonly model: Sizes & { readonly layers: number; readonly residual?: "ladder" | undefined };
  readonly outer: { readonly fragments?: number | undefined };
  readonly base?: unknown;
  readonly lora?: LoraShape | undefined;
}

/** What of a spec does not go with adapters, with the remedy. */
export function refuseAdapters({ model, outer, base, lora }: Adapting, { addIssue }: z.core.$RefinementCtx): void {
  if (!lora) return;
  const refuse = (path: string[], message: string) => addIssue({ code: "custom", path, message });
  if (base === undefined)
    refuse(["lora"], "needs base: adapters stand beside existing weights; name them, or leave lora out");
  if (model.residual)
    refuse(
      ["model", "residual"],
      "does not go with adapters: a base that was trained without it needs all of its weights retrained; leave lora out, or this",
    );
  for (const target of lora.targets) {
    const most = Math.min(...loraLayerShape(model, target));
    if (lora.rank > most) {
      refuse(
        ["lora", "rank"],
        `is ${lora.rank}, but layer "${target}" has no more than ${most} rows or columns: a higher rank trains more than the layer itself; for example ${Math.min(8, most)}`,
      );
      break;
    }
  }
  if ((outer.fragments ?? 0) > model.layers)
    refuse(["outer", "fragments"], "must be at most the model's layers where adapters are trained; for example 2");
}
