// The course of a comparison: a run's corpus as tokens, once, and for each lesson the spec that its method, seed and rate make of the draft.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decodeShard, TokenSource } from "#data";
import { type Method, withMethod } from "#outer";
import type { Course, Lesson } from "#sim";
import { DiskBlobStore, openDataFolder } from "#store/disk";
import type { RunDraft, RunSpec } from "#wire";
import { checkDraft, type LoadedDraft, makeSpec, SpecError } from "../../host/load-run.ts";
import { readEvaluationSet } from "../replay.ts";

/** No peer checks a signature here. */
const hostKey = "0".repeat(64);
/** Of the tokens: the learning rate rises over the first part, and falls to its least over the last. */
const WARMUP_PART = 0.05;
const DECAY_PART = 0.3;

export interface CourseBook {
  readonly draft: RunDraft;
  readonly spec: RunSpec;
  readonly source: TokenSource;
  readonly windows: readonly Uint16Array[];
}

/** @throws SpecError */
export async function openCourse(loaded: LoadedDraft): Promise<CourseBook> {
  const data = await mkdtemp(join(tmpdir(), "gossamer-course-"));
  const folder = await openDataFolder(data);
  try {
    const blobs = await DiskBlobStore.open(data, { owner: true });
    const spec = await makeSpec(loaded, hostKey, folder, blobs);
    const shards = await Promise.all(
      spec.data.train.map(async ({ hash }) => decodeShard((await blobs.get(hash))!).ids),
    );
    const { windows } = await readEvaluationSet(spec, blobs);
    return { draft: loaded.draft, spec, source: new TokenSource(shards), windows };
  } finally {
    await folder.close();
    await rm(data, { recursive: true, force: true });
  }
}

interface CourseLength {
  readonly tokens: number;
  /** H, instead of the draft's. */
  readonly steps: number | undefined;
}

/** The run that learns so much of it by that method. @throws SpecError when the method and the draft do not go together */
export function draftOf(
  draft: RunDraft,
  method: Method,
  { seed, rate }: Pick<Lesson, "seed" | "rate">,
  { tokens, steps }: CourseLength,
): RunDraft {
  const { inner } = draft;
  const shaped: RunDraft = {
    ...draft,
    seed,
    inner: {
      ...inner,
      steps: steps ?? inner.steps,
      learningRate: inner.learningRate * rate,
      learningRateMin: inner.learningRateMin * rate,
      warmupTokens: Math.round(tokens * WARMUP_PART),
      decayTokens: Math.round(tokens * DECAY_PART),
    },
    end: { tokensMax: tokens },
  };
  return checkDraft(withMethod(shaped, method), `${draft.name} with ${method.name}`);
}

/** @throws SpecError when the method and the draft do not go together */
export function courseOf(
  { draft, spec: { data }, source, windows }: CourseBook,
  method: Method,
  lesson: Pick<Lesson, "seed" | "rate">,
  length: CourseLength,
): Course {
  const { corpus: _, base, ...rest } = draftOf(draft, method, lesson, length);
  if (base !== undefined)
    throw new SpecError(`${draft.name}: the instrument trains from the seed. Leave base and lora out of the spec.`);
  return { spec: { ...rest, data, hostKey }, source, windows };
}
