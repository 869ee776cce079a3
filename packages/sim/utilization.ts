// How much of its time a peer trains: four peers on lines of 20 Mbit/s and 40 ms, updates of the micro model, H = 100 steps of 30 ms.
//
//   protocol, exchange and log are the real ones, the sizes are the codec's; a step, a fold and an encode are waits
import { codecOf, updateBytesMax } from "#outer";
import { PIECE_BYTES, presets } from "#wire";
import { HOST } from "./network.ts";
import { Simulation } from "./simulation.ts";

const { micro } = presets;
const PEERS = 4;
const STEPS = 100;
const STEP_MS = 30;
const LINE_MBIT = 20;
const ONE_WAY_MS = 20;
/** A host in a data centre: its own line is not what this is about. */
const HOST_MBIT = 1_000;
const CHUNK_BYTES = 16 * 1024;
/** The first rounds hold joining, links and deadlines that are not measured yet. */
const ROUNDS_BEFORE = 5;

const bothWays = (mbit: number) => [mbit, mbit] as const;

export interface Utilization {
  readonly overlap: boolean;
  readonly share: number; //        of the time, over all peers, in which a step runs
  readonly roundMs: number;
  readonly updateBytes: number;
  readonly contributors: number; // in a commit, on average
}

export interface UtilizationOptions {
  readonly rounds?: number;
  readonly seed?: number;
  /** Updates and lines so many times smaller: the same times for less work, with control messages that weigh as many times more. */
  readonly smaller?: number;
}

export function utilization(
  overlap: boolean,
  { rounds = 30, seed = 1, smaller = 1 }: UtilizationOptions = {},
): Utilization {
  const bytes = Math.ceil(updateBytesMax(codecOf(micro)) / smaller);
  const sim = new Simulation({
    seed,
    peers: PEERS,
    validate: false,
    stepMs: [STEP_MS, STEP_MS],
    stepSpread: [1, 1],
    updateBytes: bytes,
    pieceBytes: [PIECE_BYTES / smaller, CHUNK_BYTES / smaller],
    network: {
      delayMs: [ONE_WAY_MS, ONE_WAY_MS],
      lineMbit: (end) => (end === HOST ? bothWays(HOST_MBIT / smaller) : bothWays(LINE_MBIT / smaller)),
    },
    spec: {
      model: micro.model,
      steps: STEPS,
      rounds: { ...micro.rounds, overlap },
      evaluation: micro.evaluation,
      checkpoint: micro.checkpoint,
    },
  }).startAll();
  sim.runRounds(ROUNDS_BEFORE);
  const startedAt = sim.clock.now;
  const trainedBefore = sim.peers.reduce((sum, { trainedMs }) => sum + trainedMs, 0);
  sim.runRounds(rounds);
  sim.checkAll();
  const tookMs = sim.clock.now - startedAt;
  const trainedMs = sim.peers.reduce((sum, peer) => sum + peer.trainedMs, 0) - trainedBefore;
  const commits = sim.commits().slice(ROUNDS_BEFORE);
  const contributors = commits.reduce((sum, commit) => sum + commit.contributors.length, 0) / commits.length;
  return { overlap, share: trainedMs / (PEERS * tookMs), roundMs: tookMs / rounds, updateBytes: bytes, contributors };
}

export function utilizationLines(rows: readonly Utilization[]): string[] {
  const [{ updateBytes: bytes }] = rows;
  return [
    `${PEERS} peers, ${LINE_MBIT} Mbit/s and ${2 * ONE_WAY_MS} ms each, H = ${STEPS}, ${STEP_MS} ms a step (simulated), updates of ${bytes} bytes`,
    ...rows.map(
      ({ overlap, share, roundMs, contributors }) =>
        `${(overlap ? "overlap" : "blocking").padEnd(10)}trains ${(100 * share).toFixed(1)} % of the time, a round takes ${(roundMs / 1000).toFixed(2)} s, ${contributors.toFixed(2)} contributors a commit`,
    ),
  ];
}
