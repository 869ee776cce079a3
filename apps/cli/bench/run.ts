// `gossamer bench run`: how a run learns, without browsers: to choose a preset's numbers, and to see what attention adds
// (`--zero-attention` holds its output projections at zero, so that nothing of it reaches the residual stream).
//
//   spec -> rounds of N peers (an engine each, data's assignment, outer's codec, mark and fold) -> evaluation loss every few rounds
import { dataPlan, microbatchIds, windowsPerRound } from "#data";
import type { Moments, Precision } from "#engine";
import { openDawn } from "#engine/dawn";
import { ReferenceTrainer } from "#engine/reference";
import {
  applyCommit,
  codecOf,
  extractOf,
  genesisState,
  learningRateAt,
  mergeOf,
  parameterTable,
  stepsAt,
} from "#outer";
import { type Course, Offers, type Trainer } from "#sim";
import { type PeerId, peerIdOf, type RunSpec } from "#wire";
import { checkDraft, loadDraft, SpecError } from "../../host/load-run.ts";
import { changedDraft } from "../changed-draft.ts";
import { findDawn } from "../dawn.ts";
import { openCourse } from "../sim/course.ts";
import { engineTrainer, onProcessor } from "../sim/trainers.ts";

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
  const loaded = await loadDraft(options.run, options.from);
  const draft = checkDraft(changedDraft(loaded.draft, options.set), [options.run, ...options.set].join(", "));
  if (draft.rounds.topology === "pairs")
    throw new SpecError(
      'rounds.topology "pairs": this bench has one anchor for all peers. `npm run sim -- compare` has one for each.',
    );
  const course = await openCourse({ ...loaded, draft });
  const points = await train(course, options, options.json ? () => {} : out);
  const { peers, set, zeroAttention, engine, precision = "f32" } = options;
  const report = { run: course.spec.name, engine, precision, peers, set, attention: !zeroAttention, points };
  if (options.json) out(JSON.stringify(report));
  return report;
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

/** Stand-ins for volunteers' keys: the fold only sorts by them. */
const peerId = (n: number): string => peerIdOf(n.toString(16).padStart(64, "0"), 0);

async function train(
  { spec, source, windows }: Course,
  { peers, rounds, zeroAttention, moments = "f32", precision = "f32", engine }: BenchRunOptions,
  out: (line: string) => void,
): Promise<RunReport["points"]> {
  const { windowsPerStep } = spec.inner;
  const state = genesisState(spec);
  const { tensors } = parameterTable(spec.model);
  const zeroed = zeroAttention ? tensors.filter(({ name }) => name.endsWith("o_proj.weight")) : [];
  const zero = (parameters: Float32Array): Float32Array => {
    for (const { offset, length } of zeroed) parameters.fill(0, offset, offset + length);
    return parameters;
  };
  zero(state.parameters);
  const plan = dataPlan(spec);
  const runCodec = codecOf(spec);
  const swarm = Array.from({ length: peers }, (_, n) => ({ id: peerId(n) }));
  const merge = mergeOf(spec);
  const locals: Float32Array[] = swarm.map(() => state.parameters.slice());
  const extracts = swarm.map(() => extractOf(spec, state.parameters));
  const trainers: Trainer[] = [];
  const points: { round: number; tokens: number; evalLoss: number }[] = [];
  let skipped = 0;
  const trainerOf = {
    reference: async () => referenceTrainer(spec, moments),
    wasm: () => engineTrainer(spec, onProcessor),
    dawn: () => engineTrainer(spec, { moments, precision }, () => skipped++),
  };
  try {
    for (const _ of swarm) trainers.push(await trainerOf[engine]());
    let tokensBefore = 0;
    let cursor = 0;
    for (let round = 0; round < rounds; round++) {
      const opened = { tokensBefore, rosterSize: peers };
      const steps = stepsAt(spec, opened);
      const trainedBy = async (trainer: Trainer, position: number): Promise<Float32Array> => {
        const place = { cursor, rosterSize: peers, position, windowsPerStep };
        trainer.load(locals[position]!);
        if (spec.inner.resetMoments) trainer.resetMoments();
        const batchOf = (innerStep: number): Uint16Array =>
          microbatchIds(source, plan, place, { innerStep, firstSequence: 0, count: windowsPerStep });
        if (spec.outer.extract === "gradient") return zero((await trainer.gradient(batchOf(0))).gradient);
        for (let innerStep = 0; innerStep < steps; innerStep++) {
          const learningRate = learningRateAt(spec, tokensBefore, innerStep, peers);
          await trainer.step(batchOf(innerStep), { ...spec.inner, learningRate });
          if (zeroAttention) trainer.load(zero(await trainer.read()));
        }
        locals[position] = await trainer.read();
        return locals[position]!;
      };
      const tokens = steps * windowsPerStep * spec.model.contextLength;
      const offers = new Offers<{ readonly id: PeerId }>(runCodec.at(round, state.codec), round, { tokens, steps });
      const trained = await Promise.all(trainers.map(trainedBy));
      const sentBy = extracts.map((extract, position) => {
        const sent = offers.add(swarm[position]!, extract.toEncode(trained[position]!, round));
        if (sent === undefined)
          throw new Error(`round ${round + 1}: training diverged. Give a smaller inner.learningRate.`);
        extract.offered(trained[position]!, round);
        return sent;
      });
      applyCommit(state, spec, offers.commit(), offers.blobOf, opened);
      for (const [position, extract] of extracts.entries()) {
        const from = extract.sealed(state.parameters, true, sentBy[position], round);
        if (from === undefined) locals[position] = state.parameters;
        else merge(locals[position]!, { round, anchor: state.parameters, from, named: true });
      }
      tokensBefore += peers * tokens;
      cursor += windowsPerRound({ rosterSize: peers, windowsPerStep, steps });
      if ((round + 1) % spec.evaluation.everyRounds !== 0) continue;
      trainers[0]!.load(state.parameters); // the next round loads them again
      const evalLoss = await trainers[0]!.evaluate(windows);
      const updateBytes = Math.max(...offers.bytesBy.values());
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
