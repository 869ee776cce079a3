// Which fields of a run spec do not go together, with the reason and the remedy: plug-ins that compose are many, those that do not are listed here.
import type * as z from "zod/mini";
import type { RunDraft } from "./spec.ts";

type Stack = Pick<RunDraft, "model" | "inner" | "outer" | "rounds" | "end" | "evaluation">;

interface Rule {
  readonly path: readonly string[];
  readonly broken: (stack: Stack) => boolean;
  readonly message: string;
}

const sendsGradients = ({ outer }: Stack): boolean => outer.extract === "gradient";

const rules: readonly Rule[] = [
  {
    path: ["inner", "steps"],
    broken: (stack) => sendsGradients(stack) && stack.inner.steps !== 1,
    message:
      'must be 1 with extract "gradient": the gradient is the anchor\'s, and a step would leave it; for example 1',
  },
  {
    path: ["inner", "resetMoments"],
    broken: (stack) => sendsGradients(stack) && stack.inner.resetMoments !== undefined,
    message: 'means nothing with extract "gradient": peers take no steps of their own; leave it out',
  },
  {
    path: ["rounds", "overlap"],
    broken: (stack) => sendsGradients(stack) && stack.rounds.overlap === true,
    message:
      'does not go with extract "gradient": what is trained meanwhile would be an older anchor\'s; for example false',
  },
  {
    path: ["outer", "method"],
    broken: (stack) => sendsGradients(stack) !== (stack.outer.method === "adamw"),
    message: 'is "adamw" where extract is "gradient", and only there; for example "diloco" without extract',
  },
  {
    path: ["outer", "fragments"],
    broken: (stack) => sendsGradients(stack) && stack.outer.fragments !== undefined,
    message: 'does not go with extract "gradient": AdamW clips by the norm of the whole gradient; leave it out',
  },
  {
    path: ["outer", "fragments"],
    broken: ({ model, outer }) => (outer.fragments ?? 0) > model.layers + 1,
    message: "must be at most the model's layers and one more, which holds the embedding; for example 2",
  },
  {
    path: ["outer", "fragments"],
    broken: ({ outer }) =>
      outer.fragments !== undefined && outer.codec !== "int8-block" && outer.codec.name === "power-sgd",
    message: 'does not go with codec "power-sgd", whose factors are of the whole model; leave it out',
  },
  {
    path: ["outer", "merge"],
    broken: (stack) => sendsGradients(stack) && stack.outer.merge !== undefined,
    message: 'means nothing with extract "gradient": what trains is the anchor; leave it out',
  },
  {
    path: ["outer", "learningRate"],
    broken: ({ outer }) => outer.method === "adamw" && outer.learningRate !== 1,
    message: 'must be 1 with method "adamw", whose rate and schedule are those of inner; for example 1',
  },
  {
    path: ["outer", "momentum"],
    broken: ({ outer }) => outer.method === "adamw" && outer.momentum !== 0,
    message: 'must be 0 with method "adamw", whose betas are those of inner; for example 0',
  },
];

/** CO2's. */
const ofLateMeans: readonly Rule[] = [
  {
    path: ["rounds", "overlap"],
    broken: ({ outer, rounds }) => outer.method === "co2" && rounds.overlap !== true,
    message:
      'must be true with outer.method "co2", whose penalty is for means that come a round late; for example true',
  },
  {
    path: ["outer", "fragments"],
    broken: ({ outer }) => outer.method === "co2" && outer.fragments !== undefined,
    message: 'does not go with outer.method "co2", whose penalty is of whole tensors; leave it out',
  },
];

const grows = ({ inner }: Stack): boolean => inner.growth !== undefined;
const concentrates = ({ inner }: Stack): boolean => inner.lateExchanges !== undefined;
const variesLength = (stack: Stack): boolean => grows(stack) || concentrates(stack);

/** Of rounds whose length varies: QSR's, and those that come late. */
const ofLengths: readonly Rule[] = [
  {
    path: ["inner", "lateExchanges"],
    broken: (stack) => grows(stack) && concentrates(stack),
    message: "does not go with growth: each says how long rounds are; leave one out",
  },
  {
    path: ["inner"],
    broken: (stack) => variesLength(stack) && stack.inner.steps === 1 && (sendsGradients(stack) || tracks(stack)),
    message: "has no growth and no lateExchanges where gradients cross at every step; leave them out",
  },
  {
    path: ["end", "tokensMax"],
    broken: (stack) => concentrates(stack) && stack.end.tokensMax === undefined,
    message: "is required with inner.lateExchanges, which is about a run's last tenth; for example 3000000",
  },
  {
    path: ["outer", "momentum"],
    broken: (stack) => variesLength(stack) && stack.outer.momentum !== 0,
    message: "must be 0 where rounds vary in length: it would mix means of many steps and of few; for example 0",
  },
  {
    path: ["outer", "fragments"],
    broken: (stack) => variesLength(stack) && stack.outer.fragments !== undefined,
    message: "does not go with rounds that vary in length: a fragment's turn comes at even distances; leave it out",
  },
];

const inPairs = ({ rounds }: Stack): boolean => rounds.topology === "pairs";
const sendsParameters = ({ outer }: Stack): boolean => outer.extract === "parameters";
/** They keep every value, to a hundredth of the largest near it at least. */
const FOR_PARAMETERS: readonly string[] = ["f32", "f16", "int8-block"];
const nameOf = ({ codec }: Stack["outer"]): string => (typeof codec === "string" ? codec : codec.name);

/** NoLoCo's. */
const ofPairs: readonly Rule[] = [
  {
    path: ["rounds", "topology"],
    broken: (stack) => inPairs(stack) !== (stack.outer.method === "noloco" || tracks(stack)),
    message:
      '"pairs" and outer.method "noloco" or "dsgt" belong together: their steps are of two peers, every other method\'s of all',
  },
  {
    path: ["outer", "extract"],
    broken: (stack) => sendsParameters(stack) !== (stack.outer.method === "noloco"),
    message: 'must be "parameters" with outer.method "noloco", which averages them, and is so with no other method',
  },
  {
    path: ["outer", "codec"],
    broken: (stack) => sendsParameters(stack) && !FOR_PARAMETERS.includes(nameOf(stack.outer)),
    message: `must be one of ${FOR_PARAMETERS.join(", ")} with extract "parameters": what others leave out of a parameter never comes later`,
  },
  {
    path: ["outer", "clipToMedianNorm"],
    broken: (stack) => sendsParameters(stack) && stack.outer.clipToMedianNorm,
    message: 'must be false with extract "parameters": clipped parameters are another model; for example false',
  },
  {
    path: ["outer", "fragments"],
    broken: (stack) => sendsParameters(stack) && stack.outer.fragments !== undefined,
    message: 'does not go with extract "parameters": a pair folds whole models; leave it out',
  },
  {
    path: ["outer", "merge"],
    broken: (stack) => sendsParameters(stack) && stack.outer.merge !== undefined,
    message: 'does not go with extract "parameters": what trains goes on from what the pair folds; leave it out',
  },
  {
    path: ["rounds", "overlap"],
    broken: (stack) => inPairs(stack) && stack.rounds.overlap === true,
    message:
      'does not go with topology "pairs": the next update would be parameters that have not met the partner\'s; for example false',
  },
  {
    path: ["evaluation", "prompts"],
    broken: ({ evaluation, rounds }) => evaluation.prompts !== undefined && rounds.durability === "peers",
    message: 'need a host that keeps checkpoints, which one with durability "peers" does not; leave them out',
  },
  {
    path: ["rounds", "durability"],
    broken: (stack) => inPairs(stack) && stack.rounds.durability === "peers",
    message:
      'must be "host" or absent with topology "pairs": no peer has the merged anchor, so none could vote for its hash; for example "host"',
  },
];

const tracks = ({ outer }: Stack): boolean => outer.method === "dsgt";

/** Gradient tracking's. */
const ofTracking: readonly Rule[] = [
  {
    path: ["outer", "extract"],
    broken: (stack) => tracks(stack) !== (stack.outer.extract === "tracked"),
    message: 'must be "tracked" with outer.method "dsgt", and is so with no other method',
  },
  {
    path: ["inner", "steps"],
    broken: (stack) => tracks(stack) && stack.inner.steps !== 1,
    message: 'must be 1 with outer.method "dsgt": what is tracked is one gradient; for example 1',
  },
  {
    path: ["outer", "codec"],
    broken: (stack) => tracks(stack) && !["f32", "f16"].includes(nameOf(stack.outer)),
    message: 'must be f32 or f16 with outer.method "dsgt": what others leave out breaks the sum that is tracked',
  },
  {
    path: ["outer", "clipToMedianNorm"],
    broken: (stack) => tracks(stack) && stack.outer.clipToMedianNorm,
    message: 'must be false with outer.method "dsgt": clipped parameters are another model; for example false',
  },
  {
    path: ["outer", "momentum"],
    broken: (stack) => tracks(stack) && stack.outer.momentum !== 0,
    message: 'must be 0 with outer.method "dsgt", which has none; for example 0',
  },
  {
    path: ["outer", "fragments"],
    broken: ({ outer }) => outer.method === "dsgt" && (outer.fragments ?? outer.merge) !== undefined,
    message: 'does not go with outer.method "dsgt", nor does merge: a pair folds whole models; leave it out',
  },
];

export function refuseStacks(spec: Stack, { addIssue }: z.core.$RefinementCtx): void {
  for (const { path, broken, message } of [...rules, ...ofLateMeans, ...ofLengths, ...ofPairs, ...ofTracking])
    if (broken(spec)) addIssue({ code: "custom", path: [...path], message });
}
