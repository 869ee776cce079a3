// Faults from a seed: everything that can go wrong does for a while, then nothing does, and the swarm must go on.
import { Simulation } from "./simulation.ts";

export interface FuzzResult {
  readonly rounds: number;
  readonly faults: Readonly<Record<Fault, number>>;
  readonly lost: number;
}

const faults = [
  "crash-peer",
  "cut-control",
  "drop-link",
  "restart-host",
  "long-offline",
  "bad-update",
  "wrong-fold",
  "pause",
  "slow",
] as const;
type Fault = (typeof faults)[number];

/** Virtual time in which faults happen. */
const STORM_MS = 25_000;
/** After the last fault: the longest deadline (20 s), the longest backoffs (10 s), and some rounds. */
const CALM_MS = 120_000;
const ROUNDS_AFTER = 4;

export function fuzz(seed: number): FuzzResult {
  const shape = seed % 7;
  const sim = new Simulation({
    seed,
    peers: 1 + (seed % 4),
    validate: false,
    network: {
      delayMs: shape === 0 ? [50, 400] : [2, 60],
      faults: shape === 1 ? { frameLost: 0.15, requestFailed: 0.1 } : {},
    },

    unlinkable: shape === 2 ? 0.5 : 0,
    spec: { checkpoint: { everyRounds: 1 + (seed % 5), retain: seed % 3 === 0 ? "all" : "window" } },
  }).startAll();
  const { random, clock, host, peers } = sim;
  const count = Object.fromEntries(faults.map((fault) => [fault, 0])) as Record<Fault, number>;
  let stormOver = false;

  const strike = (): void => {
    if (clock.now > STORM_MS) {
      stormOver = true;
      return;
    }
    const fault = random.pick(faults);
    const peer = random.pick(peers);
    const backMs = random.between(100, 6_000);
    switch (fault) {
      case "crash-peer":
        if (!peer.up) break;
        count[fault] += 1;
        peer.crash();
        clock.after(backMs, () => peer.start());
        break;
      case "cut-control":
        if (peer.socket === undefined) break;
        count[fault] += 1;
        peer.cutControl();
        break;
      case "drop-link": {
        const [other] = peer.linked.keys();
        if (other === undefined) break;
        count[fault] += 1;
        sim.network.unlink(peer.id, other);
        break;
      }
      case "restart-host":
        if (!host.up) break;
        count[fault] += 1;
        host.crash();
        clock.after(backMs, () => host.start());
        break;
      case "long-offline":
        if (!peer.up || peer.offline) break;
        count[fault] += 1;
        peer.offline = true;
        peer.cutControl();
        clock.after(2 * backMs, () => {
          peer.offline = false;
        });
        break;
      case "bad-update":
        if (peer.bad || sim.commits().length === 0) break;
        count[fault] += 1;
        peer.bad = true;
        clock.after(backMs / 4, () => {
          peer.bad = false;
        });
        break;
      case "wrong-fold":
        if (!peer.up) break;
        count[fault] += 1;
        peer.wrongFolds = 1;
        break;
      case "pause":
        if (!peer.up) break;
        count[fault] += 1;
        peer.input({ type: "pause", reason: "the person asked" });
        clock.after(backMs, () => peer.input({ type: "donate" }));
        break;
      case "slow": {
        const before = peer.stepMs;
        if (before > 1_000) break;
        count[fault] += 1;
        peer.stepMs = before * 20;
        clock.after(backMs, () => {
          peer.stepMs = before;
        });
        break;
      }
    }
    clock.after(random.between(100, 3_000), strike);
  };
  clock.after(1_500, strike);
  sim.runUntil(() => stormOver, 2 * STORM_MS, "the end of the storm");
  sim.runFor(13_000); // everybody who was to come back is back
  for (const peer of peers) peer.start(); // those whom the swarm refused, with a reloaded page
  sim.runRounds(ROUNDS_AFTER, CALM_MS);
  sim.runUntil(
    ({ peers, state }) =>
      peers.every(({ peer }) => {
        const view = peer?.view();
        return (
          view !== undefined &&
          view.round >= state.round - 1 &&
          (view.phase === "training" || view.phase === "exchange")
        );
      }),
    CALM_MS,
    "everybody training together",
  );
  sim.checkAll();
  return { rounds: sim.round, faults: count, lost: sim.network.struck.lostWithSocket };
}
