// Model sizes to begin with, and which of them a volunteer's machine holds. The vocabulary is the bytes, unless a tokenizer says otherwise.
//
//   device -> memory for training -> the largest size whose plan fits with one sequence at once
import { planModel } from "#engine";
import { type ModelShape, type PresetName, presets, type RunDraft } from "#wire";

export interface Size {
  readonly name: string;
  readonly model: ModelShape;
  readonly inner: Pick<RunDraft["inner"], "steps" | "windowsPerStep" | "learningRate" | "learningRateMin">;
  /** For a full-speed peer's round, with room. */
  readonly deadlineMaxMs: number;
}

const bytesModel = { vocabSize: 256, ropeTheta: 10_000, normEps: 1e-5, tiedEmbedding: true } as const;
const rates = (learningRate: number) => ({ learningRate, learningRateMin: learningRate / 10 });

function ofPreset(name: PresetName): Size {
  const { model, inner, rounds } = presets[name];
  return { name, model, inner, deadlineMaxMs: rounds.deadlineMaxMs };
}

/**
 * Nano and micro are the presets, tried again and again. Shapes and rates of the others are where common practice begins (the rate falls about as the
 * root of the width grows): to be tuned for a text of one's own.
 */
export const sizes: readonly Size[] = [
  ofPreset("nano"),
  ofPreset("micro"),
  {
    name: "small",
    model: { ...bytesModel, dModel: 320, layers: 8, heads: 5, kvHeads: 5, dFfn: 864, contextLength: 256 },
    inner: { steps: 30, windowsPerStep: 8, ...rates(1.5e-3) },
    deadlineMaxMs: 300_000,
  },
  {
    name: "medium",
    model: { ...bytesModel, dModel: 512, layers: 12, heads: 8, kvHeads: 8, dFfn: 1376, contextLength: 512 },
    inner: { steps: 30, windowsPerStep: 8, ...rates(1e-3) },
    deadlineMaxMs: 600_000,
  },
  {
    name: "large",
    model: { ...bytesModel, dModel: 768, layers: 12, heads: 12, kvHeads: 12, dFfn: 2048, contextLength: 1024 },
    inner: { steps: 50, windowsPerStep: 8, ...rates(6e-4) },
    deadlineMaxMs: 900_000,
  },
];

/** What may be used for training: less than is there, since a step should take seconds and the person goes on working. */
export const devices = {
  any: { title: "any machine: phones, and processors without a GPU", memoryGb: 0.1 },
  laptop: { title: "laptops with an integrated GPU", memoryGb: 0.5 },
  desktop: { title: "desktops with a GPU", memoryGb: 1.2 },
  large: { title: "GPUs of 8 GB and more", memoryGb: 4 },
} as const;
export type Device = keyof typeof devices;

/** Of GPU memory, with one sequence at once: the fewest layers recomputed with which it fits. */
export const bytesOf = ({ model }: Size): number => planModel({ model, microbatch: 1 }).totalBytes;

/** A larger vocabulary has more parameters, in the embedding. */
export const withVocabulary = (size: Size, vocabSize = size.model.vocabSize): Size => ({
  ...size,
  model: { ...size.model, vocabSize },
});

/** The largest that fits, with that vocabulary; the smallest there is when none does. */
export const sizeFor = (memoryGb: number, vocabSize?: number): Size =>
  sizes.findLast(
    (size) =>
      planModel({ model: withVocabulary(size, vocabSize).model, microbatch: 1, memoryBytes: memoryGb * 1e9 })
        .problem === undefined,
  ) ?? sizes[0];
