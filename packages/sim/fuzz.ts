// One seed: a swarm, a spec, a network and a set of faults are drawn; for a while everything that can go wrong does; then nothing
// does, and the swarm must go on.
import type { Capacity, LogEntry } from "#wire";
import type { Plant } from "./bugs.ts";
import { type FaultName, faultNames, faults } from "./faults.ts";
import type { SpecChange } from "./given.ts";
import type { IslandEnd } from "./island-end.ts";
import { HOST, type Shares } from "./network.ts";
import type { PeerNode } from "./peer-node.ts";
import { Random } from "./random.ts";
import { Simulation, type SimulationOptions } from "./simulation.ts";
import type { Struck } from "./struck.ts";

/** Everything that a seed draws before it begins. */
export interface Drawn {
  readonly seed: number;
  readonly peers: number;
  readonly delayMs: readonly [number, number];
  readonly shares: Shares;
  readonly lineMbit: number | undefined; // of a peer, up and down; the host's is ten times as wide
  readonly unlinkable: number;
  readonly relay: boolean; //       of the host
  readonly spec: SpecChange & Required<Pick<SpecChange, "rounds">>;
  readonly inPieces: boolean; //    an update has several, else one
  readonly faults: readonly FaultName[];
  readonly everyMs: number; //    between two faults, on average
  readonly stormMs: number;
  /** Entries that the host's disk has lost when it comes back once more, from a backup. */
  readonly entriesLost: number;
  /** It is watched for long enough afterwards to see whether deadlines and shares come to rest. */
  readonly settles: boolean;
}

export interface FuzzResult {
  readonly drawn: Drawn;
  readonly rounds: number;
  readonly stormRounds: number; // of those, sealed before the storm was over
  readonly events: number;
  readonly struck: Struck;
  /** Commits of whose contributors one led an island. */
  readonly islandCommits: number;
}

export interface FuzzOptions {
  readonly seed: number;
  /** Instead of the drawn number. */
  readonly peers?: number;
  readonly trace?: SimulationOptions["trace"];
  readonly plant?: Plant;
  /** Some of its peers seek islands. */
  readonly islands?: boolean;
}

const PEERS_MAX = 12;
/** Half of all seeds draw from these, the other half from all sizes: a swarm of twelve costs fifty times one of two. */
const PEERS_FEW_MAX = 6;
/** Some rounds. */
const ENTRIES_LOST_MAX = 25;
/** A storm sees several rounds of these. */
const STEP_STORM_MS = [80, 150] as const;
/** Rounds of two seconds and more: of shorter ones a peer that is behind, and whose links do not have what it lacks, always misses the next open [R40]. */
const STEP_CALM_MS = [250, 400] as const;
/** After the last fault: the longest deadline (20 s), the longest backoffs (10 s, 60 s for a link), and some rounds. */
const CALM_MS = 120_000;
/** A swarm without faults and with those waits behind it needs far less for a round than the longest deadline. */
const ROUNDS_AFTER = 3;
/** And then some, in one seed of four, to see what settles: a peer's five newest samples decide its deadlines. */
const ROUNDS_SETTLED = 10;
const SETTLES = 0.25;
/** Drawn last: the other seeds stay what they were. */
const PAIRS = 0.15;
const GRADIENTS = 0.1;
/** One step then takes as long as a round's eight otherwise. */
const GRADIENT_STEPS = 8;
/** Of the peers, where some seek islands; the first trains alone. */
const SEEKERS = 0.7;
/** Of all: so there are islands of whose members all say what they hold, some, or none. */
const SAY_CAPACITY = 0.6;
/** A link is tried again after a minute at the latest, and each end may be the one that waits. */
const LINKS_MS = 130_000;

/** Updates of four pieces and eight chunks, checkpoints of a few more. */
const IN_PIECES = { pieceBytes: [250, 125], checkpointBytes: 3_000 } as const;

export function draw(seed: number, peersGiven?: number): Drawn {
  const random = new Random(seed ^ 0x5eed);
  const some = (share: number, most: number): number => (random.chance(share) ? random.between(0, most) : 0);
  const peers = 1 + random.int(random.chance(0.5) ? PEERS_FEW_MAX : PEERS_MAX);
  const slowNet = random.chance(0.2);
  // There the host is no way around a link that never comes up, or ended because of what it made of frames. [R39]
  const kept = random.chance(0.15);
  const relay = random.chance(0.5);
  const settles = random.chance(SETTLES);
  const drawn: Drawn = {
    seed,
    peers: peersGiven ?? peers,
    delayMs: slowNet ? [50, 400] : [2, 60],
    shares: {
      "message-late": some(0.4, 0.02),
      "frame-lost": some(0.4, 0.2),
      "frame-doubled": some(0.4, 0.2),
      "frame-late": some(0.4, 0.2),
      "frame-changed": some(kept ? 0 : 0.4, 0.2),
      "frame-cut": some(kept ? 0 : 0.4, 0.2),
      "request-failed": some(0.4, 0.3),
      "request-doubled": some(0.4, 0.2),
    },
    lineMbit: random.chance(0.2) ? random.between(2, 50) : undefined,
    unlinkable: (!kept || relay) && random.chance(0.2) ? random.between(0.1, 1) : 0,
    relay,
    spec: {
      rounds: {
        quorum: random.chance(0.7) ? 32 : 1 + random.int(4),
        maxContributors: random.chance(0.7) ? 32 : 1 + random.int(6),
        deadlineMinMs: random.chance(0.5) ? 500 : 2_000,
        deadlineMaxMs: settles || random.chance(0.2) ? 20_000 : 8_000, // below it a deadline has room to drift
        overlap: random.chance(0.5),
        ...(kept ? { durability: "peers", holders: 2 + random.int(3) } : {}),
      },
      checkpoint: { everyRounds: 1 + random.int(5), retain: random.chance(0.3) ? "all" : "window" },
      steps: 8,
    },
    inPieces: random.chance(0.15),
    faults: faultNames.filter(() => random.chance(0.5)),
    everyMs: 400 * 10 ** random.unit(),
    stormMs: random.between(10_000, 30_000),
    entriesLost: random.chance(0.15) ? 1 + random.int(ENTRIES_LOST_MAX) : 0,
    settles,
  };
  if (!kept && random.chance(PAIRS)) return inPairs(drawn);
  return random.chance(GRADIENTS) ? ofGradients(drawn) : drawn;
}

const inPairs = (drawn: Drawn): Drawn => {
  const { overlap: _, ...rounds } = drawn.spec.rounds;
  return { ...drawn, spec: { ...drawn.spec, rounds: { ...rounds, topology: "pairs" } } };
};

function ofGradients(drawn: Drawn): Drawn {
  const { overlap: _, ...rounds } = drawn.spec.rounds;
  const { steps: __, ...spec } = drawn.spec;
  return { ...drawn, spec: { ...spec, rounds, gradients: true } };
}

const stepMsOf = ({ spec }: Drawn, [least, most]: readonly [number, number]): readonly [number, number] =>
  spec.gradients ? [GRADIENT_STEPS * least, GRADIENT_STEPS * most] : [least, most];

export function fuzz({ seed, peers: peersGiven, trace, plant, islands = false }: FuzzOptions): FuzzResult {
  const drawn = draw(seed, peersGiven);
  const { delayMs, shares, lineMbit: mbit } = drawn;
  const lines =
    mbit === undefined
      ? {}
      : { lineMbit: (end: string) => (end === HOST ? ([10 * mbit, 10 * mbit] as const) : ([mbit, mbit] as const)) };
  const sim = new Simulation({
    seed,
    peers: drawn.peers,
    validate: false,
    stepMs: stepMsOf(drawn, STEP_STORM_MS),
    network: { delayMs, shares, ...lines },
    unlinkable: drawn.unlinkable,
    relay: drawn.relay,
    spec: drawn.spec,
    ...(drawn.inPieces ? IN_PIECES : {}),
    ...(trace === undefined ? {} : { trace }),
    ...(plant === undefined ? {} : { plant }),
  });
  if (islands) seekIslands(sim);
  sim.startAll();
  storm(sim, drawn);
  const stormRounds = sim.round;
  calm(sim, drawn);
  sim.checkAll();
  return {
    drawn,
    rounds: sim.round,
    stormRounds,
    events: sim.clock.events,
    struck: sim.struck,
    islandCommits: islandCommits(sim),
  };
}

function islandCommits({ host }: Simulation): number {
  const leadersBySeq = new Map(
    host.log.flatMap((entry) =>
      entry.type === "open" ? [[entry.seq, entry.islands?.map(({ leader }) => leader) ?? []] as const] : [],
    ),
  );
  const isLed = (entry: LogEntry): boolean =>
    entry.type === "commit" && entry.contributors.some(({ peer }) => leadersBySeq.get(entry.openSeq)?.includes(peer));
  return host.log.filter(isLed).length;
}

/** Drawn apart: the swarm around them stays what it was. */
function seekIslands({ seed, peers }: Simulation): void {
  const random = new Random(seed ^ 0x151a);
  const said = new Random(seed ^ 0xf1095);
  for (const peer of peers.slice(1)) {
    if (random.chance(SEEKERS)) peer.ranksMin = 2 + random.int(2);
    if (said.chance(SAY_CAPACITY)) peer.capacity = anyCapacity(said);
  }
}

/** Of a model of two layers, some of which not even one fits; speeds from a phone's to a workstation's. */
const anyCapacity = (random: Random): Capacity => ({
  tensorRanksMin: random.chance(0.3) ? null : 2 + random.int(3),
  stageLayersMax: [2, 3, 4].map((ranks) => Array.from({ length: ranks }, () => random.int(3))),
  ...(random.chance(0.8) && { flopsPerSecond: 10 ** random.between(10, 13) }),
});

function storm(sim: Simulation, { faults: names, everyMs, stormMs }: Drawn): void {
  const { random, clock, peers } = sim;
  let over = false;
  const held = new Set<() => void>();
  const letGo = (ms: number, run: () => void): void => {
    const once = (): void => {
      if (held.delete(once)) run();
    };
    held.add(once);
    clock.after(over ? random.between(0, LET_GO_MS) : ms, once);
  };
  const strike = (): void => {
    if (clock.now > stormMs) {
      over = true;
      return;
    }
    if (names.length > 0) {
      const name = random.pick(names);
      const peer = random.pick(peers);
      const forMs = random.between(100, 6_000);
      sim.tell(() => `${name} ${peer.name} ${Math.round(forMs)} ms`);
      faults[name](sim, peer, forMs, letGo);
    }
    clock.after(random.between(0, 2 * everyMs), strike);
  };
  clock.after(random.between(1_000, 5_000), strike);
  sim.runUntil(() => over, 2 * stormMs, "the end of the storm");
  for (const once of held) clock.after(random.between(0, LET_GO_MS), once);
}

/** What holds on to somebody then lets go within this; the network is good again at once. */
const LET_GO_MS = 3_000;

/** Liveness: without faults the swarm gathers, and goes on round by round. */
function calm(sim: Simulation, drawn: Drawn): void {
  const { unlinkable, relay, entriesLost, settles } = drawn;
  const { peers, host, network } = sim;
  sim.tell(() => "the storm is over");
  network.shares = {};
  sim.runFor(LET_GO_MS);
  host.start();
  for (const peer of peers) {
    if (peer.lied) peer.crash(); // what its lies left behind in it is its own affair: an honest page takes its place
    peer.start(); // those whom the swarm refused, with a reloaded page
    peer.stepMs = sim.random.between(...stepMsOf(drawn, STEP_CALM_MS));
    peer.reloads = true; // who is still sent away for what it did in the storm (seeds 200594, 1008570)
  }
  sim.tell(() => "everybody is back");
  const someSeek = peers.some(({ ranksMin }) => ranksMin !== undefined);
  sim.runRounds(ROUNDS_AFTER, someSeek ? 2 * CALM_MS : CALM_MS); // what only they could fold is void after two minutes [R36] (seed 3028)
  sim.runUntil(({ peers }) => peers.every(takesPart(sim)), CALM_MS, "everybody training together");
  if (entriesLost > 0) restoreBackup(sim, entriesLost);
  if (settles && !someSeek) {
    sim.runRounds(ROUNDS_SETTLED, 2 * CALM_MS); // groups over lines of 0.4 s take twelve seconds a round (seed 301253)
    sim.judge.settled(ROUNDS_SETTLED);
  }
  if (relay || unlinkable === 0)
    sim.runUntil(({ peers }) => peers.every(linked), LINKS_MS, "a link to every neighbour");
}

/** The host's disk comes back from a backup: what it had told, its peers give back. [R33] */
function restoreBackup(sim: Simulation, entriesLost: number): void {
  const { host, peers, random, clock } = sim;
  const allKnown = (): boolean =>
    !host.disk.writing && peers.every(({ peer }) => peer?.log.seq === host.log.length - 1);
  sim.runUntil(allKnown, CALM_MS, "the whole log at every peer");
  sim.strike("backup-restored");
  host.crash();
  sim.judge.blobsLost += 1; // updates of older rounds are forgotten
  const lost = host.disk.restoreBackup(Math.min(entriesLost, host.log.length - 1)); // a host without any log has lost nothing
  clock.after(random.between(0, 5_000), () => host.start());
  const end = host.log.length + lost.length;
  const [first, ...others] = peers;
  if (others.length > 0 && random.chance(0.5)) {
    clock.after(random.between(0, 8_000), () => first.crash());
    clock.after(random.between(8_000, 10_000), () => first.start());
  }
  sim.runUntil(() => host.log.length >= end, CALM_MS, "what the backup lacked, given back");
  for (const entry of lost) sim.check(host.log[entry.seq] === entry, `entry ${entry.seq} is another one than was told`);
  sim.runRounds(2, CALM_MS);
  sim.runUntil(() => peers.every(takesPart(sim)), CALM_MS, "everybody training together again");
}

const linked = ({ peer, linked, relay }: PeerNode): boolean =>
  peer?.view().members.every((member) => linked.has(member.peer) || relay.up.has(member.peer)) ?? false;

const takesPart =
  (sim: Simulation) =>
  ({ peer, island }: PeerNode): boolean => {
    const view = peer?.view();
    if (view === undefined || view.round < sim.state.round - 1) return false;
    if (island !== undefined && !island.stands) return island.isWhole ? isLed(sim, island) : mustWait(island);
    return view.phase === "training" || view.phase === "exchange" || view.phase === "folding";
  };

const isLed = (sim: Simulation, { part }: IslandEnd): boolean => sim.peer(part!.members[0])?.island?.stands === true;

/** It is in none, for a reason that does not pass by itself. */
const mustWait = ({ part, waits = "" }: IslandEnd): boolean =>
  part === undefined && /^(too-few|unlinked|slow|too-small)/.test(waits);
