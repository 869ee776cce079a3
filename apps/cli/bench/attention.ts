// `gossamer bench attention`: does attention earn its place? The same run twice on the CPU reference, without browsers: once as the spec
// says, once with the output projections of attention held at zero, so that nothing of it reaches the residual stream.
//
//   spec -> rounds of two peers (ReferenceTrainer, data's assignment, outer's codec and fold) -> evaluation loss every few rounds
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decodeShard, microbatchIds, TokenSource, windowsPerRound } from "#data";
import { ReferenceTrainer } from "#engine/reference";
import { anchorHashOf, encodeUpdate, foldCommit, genesisState, learningRateAt, parameterTable } from "#outer";
import { DiskBlobStore, openDataFolder } from "#store/disk";
import { blobName, type Contribution, type EntryOf, type RunSpec } from "#wire";
import { loadDraft, makeSpec } from "../../host/load-run.ts";
import { readEvaluationSet } from "../replay.ts";

/** As in the main job: two volunteers. */
const PEERS = ["0".repeat(66), `${"0".repeat(63)}100`];

export interface AttentionReport {
  readonly run: string;
  readonly arms: readonly {
    readonly attention: boolean;
    readonly points: readonly { readonly round: number; readonly tokens: number; readonly evalLoss: number }[]; // nats per token
  }[];
}

export async function benchAttention(
  { run, rounds, from, json }: { run: string; rounds: number; from: string; json: boolean },
  out: (line: string) => void,
): Promise<AttentionReport> {
  const data = await mkdtemp(join(tmpdir(), "gossamer-attention-"));
  const folder = await openDataFolder(data);
  try {
    const blobs = await DiskBlobStore.open(data, { owner: true });
    const spec = await makeSpec(await loadDraft(run, from), "0".repeat(64), folder, blobs);
    const shards = await Promise.all(
      spec.data.train.map(async ({ hash }) => decodeShard((await blobs.get(hash))!).ids),
    );
    const evaluation = await readEvaluationSet(spec, blobs);
    const arms = [true, false].map((attention) => {
      if (!json) out(`${spec.name}, two peers, ${attention ? "as it is" : "attention zeroed"}`);
      const points = trainArm(
        spec,
        new TokenSource(shards),
        evaluation.windows,
        rounds,
        attention,
        json ? () => {} : out,
      );
      return { attention, points };
    });
    const report = { run: spec.name, arms };
    if (json) out(JSON.stringify(report));
    return report;
  } finally {
    await folder.close();
    await rm(data, { recursive: true, force: true });
  }
}

function trainArm(
  spec: RunSpec,
  train: TokenSource,
  windows: readonly Uint16Array[],
  rounds: number,
  attention: boolean,
  out: (line: string) => void,
): AttentionReport["arms"][number]["points"] {
  const { steps, windowsPerStep } = spec.inner;
  const state = genesisState(spec);
  const zeroed = attention
    ? []
    : parameterTable(spec.model).tensors.filter(({ name }) => name.endsWith("o_proj.weight"));
  const zero = (parameters: Float32Array): void => {
    for (const { offset, length } of zeroed) parameters.fill(0, offset, offset + length);
  };
  zero(state.parameters);
  const plan = { seed: spec.seed, trainTokens: train.length, contextLength: spec.model.contextLength };
  const trainers = PEERS.map(() => new ReferenceTrainer(spec.model, state.parameters));
  const points: { round: number; tokens: number; evalLoss: number }[] = [];
  let tokensBefore = 0;
  let cursor = 0;
  for (let round = 0; round < rounds; round++) {
    const baseHash = anchorHashOf(state);
    const blobByName = new Map<string, Uint8Array>();
    const contributors = PEERS.map((peer, position): Contribution => {
      const trainer = trainers[position]!;
      const place = { cursor, rosterSize: PEERS.length, position, windowsPerStep };
      trainer.load(state.parameters);
      let loss = 0;
      for (let innerStep = 0; innerStep < steps; innerStep++) {
        const ids = microbatchIds(train, plan, place, { innerStep, firstSlot: 0, count: windowsPerStep });
        const learningRate = learningRateAt(spec, tokensBefore, innerStep, PEERS.length);
        loss += trainer.step([ids], { ...spec.inner, learningRate }).loss / steps;
        zero(trainer.parameters);
      }
      const tokens = steps * windowsPerStep * spec.model.contextLength;
      const delta = state.parameters.map((value, i) => value - trainer.parameters[i]!);
      const bytes = encodeUpdate({ round, baseHash, tokens, delta, blockSize: spec.outer.blockSize });
      const update = blobName(bytes);
      blobByName.set(update, bytes);
      return { round, openSeq: 0, baseHash, peer, update, bytes: bytes.length, tokens, steps, loss, signature: "" };
    });
    const commit = { round, baseHash, contributors } as unknown as EntryOf<"commit">; // the fold reads nothing else
    foldCommit(state, spec, commit, (name) => blobByName.get(name));
    tokensBefore += contributors.reduce((sum, { tokens }) => sum + tokens, 0);
    cursor += windowsPerRound({ rosterSize: PEERS.length, windowsPerStep, steps });
    if ((round + 1) % spec.evaluation.everyRounds !== 0) continue;
    const judge = new ReferenceTrainer(spec.model, state.parameters);
    const evalLoss = judge.evaluate(windows);
    points.push({ round: round + 1, tokens: tokensBefore, evalLoss });
    out(`  round ${round + 1}, ${tokensBefore} tokens: evaluation ${evalLoss.toFixed(4)} nats per byte`);
  }
  return points;
}
