// `gossamer bench run`: how a run learns, without browsers: to choose a preset's numbers, and to see what attention adds
// (`--zero-attention` holds its output projections at zero, so that nothing of it reaches the residual stream).
//
//   spec -> rounds of N peers (an engine each, data's assignment, outer's codec, mark and fold) -> evaluation loss every few rounds
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { decodeShard, microbatchIds, TokenSource, windowsPerRound } from "#data";
import { createEngine, type Engine, type EngineOptions, type Gradient, type Moments, type Precision } from "#engine";
import { openDawn } from "#engine/dawn";
import { ReferenceTrainer } from "#engine/reference";
import {
  applyCommit,
  codecOf,
  type Decoded,
  extractOf,
  genesisState,
  learningRateAt,
  mergeOf,
  parameterTable,
  readOwn,
  updateOf,
} from "#outer";
import { DiskBlobStore, openDataFolder } from "#store/disk";
import { blobName, type Contribution, type EntryOf, peerIdOf, type RunSpec } from "#wire";
import { checkDraft, loadDraft, makeSpec, SpecError } from "../../host/load-run.ts";
import { changedDraft } from "../changed-draft.ts";
import { readEvaluationSet } from "../replay.ts";
import { findDawn } from "./engine.ts";

export interface BenchRunOptions {
  readonly run: string; // preset or file
  readonly from: string; // folder that a relative file name starts from
  readonly peers: number;
  readonly rounds: number;
  /** Fields of the spec to change, as "outer.momentum=0.9"; "outer.blockSize=" removes one. */
  readonly set: readonly string[];
  readonly zeroAttention: boolean;
  readonly moments?: Moments;
  /** The engine on WASM, on WebGPU through Dawn, or the CPU reference: some 15 times slower, the same losses on every machine. */
  readonly engine: "wasm" | "dawn" | "reference";
  readonly precision?: Precision;
  readonly json: boolean;
}

export interface RunReport {
  readonly run: string;
  readonly engine: BenchRunOptions["engine"];
  readonly precision: Precision;
  readonly peers: number;
  readonly set: readonly string[];
  readonly attention: boolean;
  readonly points: readonly { readonly round: number; readonly tokens: number; readonly evalLoss: number }[]; // nats per token
}

/** @throws SpecError when the run, or what `set` makes of it, is not valid */
export async function benchRun(
  options: BenchRunOptions,
  out: (line: string) => void,
  say: (line: string) => void = out,
): Promise<RunReport> {
  if (options.engine === "wasm" && options.moments === "8bit")
    throw new SpecError("--moments 8bit: the engine on WASM keeps moments in f32. Add --engine reference or dawn.");
  if (options.engine !== "dawn" && options.precision === "f16")
    throw new SpecError("--precision f16: only WebGPU has it. Add --engine dawn, on an adapter with shader-f16.");
  if (options.engine === "dawn") await openDawn((await findDawn(say)).folder);
  const data = await mkdtemp(join(tmpdir(), "gossamer-bench-"));
  const folder = await openDataFolder(data);
  try {
    const blobs = await DiskBlobStore.open(data, { owner: true });
    const loaded = await loadDraft(options.run, options.from);
    const draft = checkDraft(changedDraft(loaded.draft, options.set), [options.run, ...options.set].join(", "));
    if (draft.rounds.topology === "pairs")
      throw new SpecError(
        'rounds.topology "pairs": this bench has one anchor for all peers. `npm run sim -- compare` has one for each.',
      );
    const spec = await makeSpec({ ...loaded, draft }, "0".repeat(64), folder, blobs);
    const shards = await Promise.all(
      spec.data.train.map(async ({ hash }) => decodeShard((await blobs.get(hash))!).ids),
    );
    const { windows } = await readEvaluationSet(spec, blobs);
    const points = await train(spec, new TokenSource(shards), windows, options, options.json ? () => {} : out);
    const { peers, set, zeroAttention, engine, precision = "f32" } = options;
    const report = { run: spec.name, engine, precision, peers, set, attention: !zeroAttention, points };
    if (options.json) out(JSON.stringify(report));
    return report;
  } finally {
    await folder.close();
    await rm(data, { recursive: true, force: true });
  }
}

/** What a peer of the bench trains with. */
interface Trainer {
  load(parameters: Float32Array): void;
  resetMoments(): void;
  step(ids: Uint16Array, options: Parameters<Engine["step"]>[1]): Promise<number>; // its loss
  gradient(ids: Uint16Array): Promise<Gradient>;
  read(): Promise<Float32Array>;
  evaluate(windows: readonly Uint16Array[]): Promise<number>;
  end(): void;
}

function referenceTrainer(spec: RunSpec, moments?: Moments): Trainer {
  const trainer = new ReferenceTrainer(spec.model, new Float32Array(parameterTable(spec.model).length), moments);
  return {
    load: (parameters) => trainer.load(parameters),
    resetMoments: () => trainer.resetMoments(),
    step: async (ids, options) => trainer.step([ids], options).loss,
    gradient: async (ids) => trainer.gradient([ids]),
    read: async () => trainer.parameters.slice(),
    evaluate: async (windows) => trainer.evaluate(windows),
    end: () => {},
  };
}

async function engineTrainer(spec: RunSpec, options: Partial<EngineOptions>, onSkip: () => void): Promise<Trainer> {
  const engine = await createEngine({ ...options, model: spec.model, microbatch: spec.inner.windowsPerStep });
  return {
    load: (parameters) => engine.load(parameters),
    resetMoments: () => engine.resetMoments(),
    step: async (ids, options) => {
      const { loss, skipped } = await engine.step([ids], options);
      if (skipped) onSkip();
      return loss;
    },
    gradient: (ids) => engine.gradient([ids]),
    read: () => engine.read(),
    evaluate: (windows) => engine.evaluate(windows),
    end: () => engine.destroy(),
  };
}

/** Stands in for the anchor's hash: nobody else is there to start from another one. */
const baseHash = "0".repeat(64);

/** Stand-ins for volunteers' keys: the fold only sorts by them. */
const peerId = (n: number): string => peerIdOf(n.toString(16).padStart(64, "0"), 0);

async function train(
  spec: RunSpec,
  source: TokenSource,
  windows: readonly Uint16Array[],
  { peers, rounds, zeroAttention, moments = "f32", precision = "f32", engine }: BenchRunOptions,
  out: (line: string) => void,
): Promise<RunReport["points"]> {
  const { steps, windowsPerStep } = spec.inner;
  const state = genesisState(spec);
  const { tensors } = parameterTable(spec.model);
  const zeroed = zeroAttention ? tensors.filter(({ name }) => name.endsWith("o_proj.weight")) : [];
  const zero = (parameters: Float32Array): Float32Array => {
    for (const { offset, length } of zeroed) parameters.fill(0, offset, offset + length);
    return parameters;
  };
  zero(state.parameters);
  const plan = { seed: spec.seed, trainTokens: source.length, contextLength: spec.model.contextLength };
  const runCodec = codecOf(spec);
  const ids = Array.from({ length: peers }, (_, n) => peerId(n));
  const merge = mergeOf(spec);
  const locals: Float32Array[] = ids.map(() => state.parameters.slice());
  const extracts = ids.map(() => extractOf(spec, state.parameters));
  const trainers: Trainer[] = [];
  const points: { round: number; tokens: number; evalLoss: number }[] = [];
  let skipped = 0;
  const trainerOf = {
    reference: async () => referenceTrainer(spec, moments),
    wasm: () => engineTrainer(spec, { backend: "wasm", threads: 1 }, () => {}), // one thread each: peers train side by side
    dawn: () => engineTrainer(spec, { moments, precision }, () => skipped++),
  };
  try {
    for (const _ of ids) trainers.push(await trainerOf[engine]());
    let tokensBefore = 0;
    let cursor = 0;
    for (let round = 0; round < rounds; round++) {
      const blobByName = new Map<string, Uint8Array>();
      const sentBy: Decoded[] = [];
      const codec = runCodec.at(round, state.codec);
      const contribute = async (trainer: Trainer, position: number): Promise<Contribution> => {
        const place = { cursor, rosterSize: peers, position, windowsPerStep };
        trainer.load(locals[position]!);
        if (spec.inner.resetMoments) trainer.resetMoments();
        const batchOf = (innerStep: number): Uint16Array =>
          microbatchIds(source, plan, place, { innerStep, firstSequence: 0, count: windowsPerStep });
        let loss = 0;
        let trained: Float32Array | undefined;
        if (spec.outer.extract === "gradient") {
          const computed = await trainer.gradient(batchOf(0));
          loss = computed.loss;
          trained = zero(computed.gradient);
        } else
          for (let innerStep = 0; innerStep < steps; innerStep++) {
            const learningRate = learningRateAt(spec, tokensBefore, innerStep, peers);
            loss += (await trainer.step(batchOf(innerStep), { ...spec.inner, learningRate })) / steps;
            if (zeroAttention) trainer.load(zero(await trainer.read()));
          }
        if (trained === undefined) {
          trained = await trainer.read();
          locals[position] = trained;
        }
        const tokens = steps * windowsPerStep * spec.model.contextLength;
        const body = codec.encode(extracts[position]!.toEncode(trained, round));
        sentBy[position] = readOwn(codec, body);
        extracts[position]!.offered(trained, round);
        const bytes = updateOf({ round, baseHash, tokens, codec }, body);
        const update = blobName(bytes);
        blobByName.set(update, bytes);
        const offer = { round, openSeq: 0, baseHash, peer: ids[position]!, update, bytes: bytes.length };
        return { ...offer, tokens, steps, loss, signature: "" };
      };
      const contributors = await Promise.all(trainers.map(contribute));
      const commit = { round, baseHash, contributors } as unknown as EntryOf<"commit">; // the fold reads nothing else
      const opened = { tokensBefore, rosterSize: peers };
      applyCommit(state, spec, commit, (name) => blobByName.get(name), opened);
      for (const [position, extract] of extracts.entries()) {
        const from = extract.sealed(state.parameters, true, sentBy[position], round);
        if (from === undefined) locals[position] = state.parameters;
        else merge(locals[position]!, { round, anchor: state.parameters, from, named: true });
      }
      tokensBefore += contributors.reduce((sum, { tokens }) => sum + tokens, 0);
      cursor += windowsPerRound({ rosterSize: peers, windowsPerStep, steps });
      if ((round + 1) % spec.evaluation.everyRounds !== 0) continue;
      trainers[0]!.load(state.parameters); // the next round loads them again
      const evalLoss = await trainers[0]!.evaluate(windows);
      const updateBytes = Math.max(...contributors.map(({ bytes }) => bytes));
      points.push({ round: round + 1, tokens: tokensBefore, evalLoss });
      out(
        `  round ${round + 1}, ${tokensBefore} tokens: evaluation ${evalLoss.toFixed(4)} nats per byte, updates of ${updateBytes} bytes${skipped > 0 ? `, ${skipped} steps skipped` : ""}`,
      );
    }
  } finally {
    for (const trainer of trainers) trainer.end();
  }
  return points;
}
