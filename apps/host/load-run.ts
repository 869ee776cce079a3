// From `--run NAME | FILE.json` to a RunSpec: the draft is checked, its corpus becomes shards (once), and the host's key is filled in.
import { totalmem } from "node:os";
import { dirname, resolve } from "node:path";
import {
  codecOf,
  type Method,
  methods,
  parameterTable,
  sharedTable,
  UPDATE_HEADER_BYTES,
  updateBytesMax,
  withMethod,
} from "#outer";
import type { DataFolder, HostBlobs } from "#store/disk";
import { draftSchema, explainSpecError, presets, type RunDraft, type RunSpec, specSchema } from "#wire";
import { completedByBase, storeBase } from "./base.ts";
import { makeData } from "./data-part.ts";
import { type LoadedDraft, readGiven, SpecError } from "./given.ts";
import { hubPlace } from "./hub-place.ts";
import type { PrepareOptions } from "./parts-data.ts";

export { type LoadedDraft, SpecError };

const quietly: PrepareOptions = { hub: hubPlace({}), report: () => {} };

/** A checkpoint holds the parameters in one file, and so does an update of codec f32 behind its header, and Node reads files below 2 GiB whole. */
const PARAMETERS_MAX = (2 ** 31 - 1 - UPDATE_HEADER_BYTES) >> 2;

const isPreset = (name: string): name is keyof typeof presets => Object.hasOwn(presets, name);

/**
 * @param run preset or file; with "+METHOD" behind it by that method: nano+sparseloco
 * @param from the folder that a relative file name starts from
 * @throws SpecError
 */
export async function loadDraft(run: string, from: string): Promise<LoadedDraft> {
  const plus = run.lastIndexOf("+");
  const name = run.slice(plus + 1);
  if (plus === -1 || !/^[a-z0-9-]+$/.test(name)) return loadPlain(run, from); // a file name may have a plus too
  const { draft, folder } = await loadPlain(run.slice(0, plus), from);
  return { draft: checkDraft(withMethod(draft, methodOf(name)), run), folder };
}

/** @throws SpecError that lists the methods */
export function methodOf(name: string): Method {
  const found = methods.find((method) => method.name === name);
  if (found === undefined)
    throw new SpecError(`There is no method "${name}"; there are ${methods.map((method) => method.name).join(", ")}.`);
  return found;
}

/**
 * A preset, perhaps with "+METHOD": what needs no file.
 * @param folder that corpus.path is relative to
 * @throws SpecError
 */
export function loadPreset(run: string, folder: string): LoadedDraft {
  const [name, method, ...more] = run.split("+");
  if (!isPreset(name) || more.length > 0)
    throw new SpecError(`There is no preset "${run}"; there are ${Object.keys(presets).join(", ")}.`);
  const draft = method === undefined ? presets[name] : withMethod(presets[name], methodOf(method));
  return { draft: checkDraft(draft, `preset ${run}`), folder };
}

async function loadPlain(run: string, from: string): Promise<LoadedDraft> {
  if (isPreset(run)) return loadPreset(run, from);
  const names = Object.keys(presets).join(", ");
  const path = resolve(from, run);
  const content = await readGiven(path);
  if (content === undefined)
    throw new SpecError(`--run ${run}: neither a preset (${names}) nor a file. Looked for ${path}.`);
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(content).toString());
  } catch (error) {
    throw new SpecError(`${path} is not JSON: ${(error as Error).message}`);
  }
  const folder = dirname(path);
  return { draft: checkDraft(await completedByBase(value, folder), path), folder };
}

/** Not every run that the simulator plays can be trained in browsers. @throws SpecError */
export function checkForBrowsers({ draft }: LoadedDraft, where: string): void {
  const { outer, inner } = draft;
  if (outer.extract === "tracked")
    throw new SpecError(
      `${where}: browsers do not track gradients: two vectors at every step are more than their lines carry. See it in: npm run sim -- compare --methods dsgt`,
    );
  if ((inner.growth ?? inner.lateExchanges) !== undefined)
    throw new SpecError(
      `${where}: rounds in browsers have one length, without inner.growth and inner.lateExchanges. See them in: npm run sim -- compare --methods qsr,late-merge`,
    );
}

/** @param where for the message: what was read. @throws SpecError */
export function checkDraft(value: unknown, where: string): RunDraft {
  const parsed = draftSchema.safeParse(value);
  if (!parsed.success) throw new SpecError(`${where} is no valid run:\n${explainSpecError(parsed.error)}`);
  const { length } = parameterTable(parsed.data.model);
  if (length > PARAMETERS_MAX)
    throw new SpecError(
      `${where} is no valid run:\nmodel: has ${inWords(length)} parameters; a host holds ${inWords(PARAMETERS_MAX)} at most. Make dModel or layers smaller.`,
    );
  return parsed.data;
}

/** @throws SpecError when the witness could not fold on this machine; found out here, not in the first round. */
function checkMemory(draft: RunDraft): void {
  const { length } = sharedTable(draft);
  // Parameters, velocity, accumulator and a checkpoint being written, in f32; the updates of a commit.
  const bytes = 4 * 4 * length + draft.rounds.maxContributors * updateBytesMax(codecOf(draft));
  if (bytes > totalmem())
    throw new SpecError(
      `model: ${inWords(length)} shared parameters take a host ${gibibytes(bytes)}, this machine has ${gibibytes(totalmem())}. Make dModel, layers or rounds.maxContributors smaller, or name a codec of fewer bytes.`,
    );
}

const inWords = (count: number): string => `${(count / 1e6).toFixed(count < 1e7 ? 2 : 0)} million`;
const gibibytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;

/**
 * The run's spec. What it is made of is made on first use, and remembered.
 * @throws SpecError
 */
export async function makeSpec(
  loaded: LoadedDraft,
  hostKey: string,
  data: DataFolder,
  blobs: HostBlobs,
  options: PrepareOptions = quietly,
): Promise<RunSpec> {
  const { draft } = loaded;
  checkMemory(draft);
  const { corpus: _, base: __, ...rest } = draft;
  const base = await storeBase(loaded, blobs);
  const spec = { ...rest, ...(base && { base }), data: await makeData(loaded, { data, blobs }, options), hostKey };
  const parsed = specSchema.safeParse(spec);
  if (!parsed.success) throw new SpecError(`the run's spec is not valid:\n${explainSpecError(parsed.error)}`);
  checkLengths(parsed.data);
  return parsed.data;
}

/** Training windows shift by up to T tokens from epoch to epoch, so one needs 2 T; an evaluation window is T + 1. */
function checkLengths({ data, model }: RunSpec): void {
  const needed = { train: 2 * model.contextLength, evaluation: model.contextLength + 1 };
  for (const part of ["train", "evaluation"] as const) {
    const tokens = data[part].reduce((sum, shard) => sum + shard.tokens, 0);
    if (tokens < needed[part])
      throw new SpecError(
        `corpus: the ${part} part has ${tokens} tokens, but needs ${needed[part]}. Give a longer text or a smaller model.contextLength.`,
      );
  }
}
