// DDP: a gradient is of one anchor, whatever is late, lost or away. [R47]
import { expect, test } from "vitest";
import { Simulation, type SimulationOptions } from "./simulation.ts";

const rounds = { quorum: 32, maxContributors: 32, deadlineMinMs: 500, deadlineMaxMs: 20_000 };
const ofGradients = (options: Partial<SimulationOptions> = {}): Simulation =>
  new Simulation({
    seed: 50,
    peers: 4,
    stepMs: [600, 1_200],
    ...options,
    spec: { rounds, gradients: true, ...options.spec },
  }).startAll();

test("every peer's gradient is in every commit, and nobody is out of step", () => {
  const sim = ofGradients();
  sim.runRounds(12);
  sim.checkAll();
  for (const { contributors } of sim.commits().slice(1)) expect(contributors).toHaveLength(4);
  expect(sim.peers.every(({ peer }) => peer!.view().desyncs === 0)).toBe(true);
});

test("who is too late for a quorum drops its gradient and takes the next anchor's", () => {
  const sim = ofGradients({ seed: 51, spec: { rounds: { ...rounds, quorum: 2 } } });
  sim.peers[0].stepMs = 2_500;
  sim.runRounds(20);
  sim.peers[0].stepMs = 600;
  const from = sim.round;
  sim.runRounds(8);
  sim.checkAll();
  const slow = ({ contributors }: { contributors: readonly { peer: string }[] }): boolean =>
    contributors.some(({ peer }) => peer === sim.peers[0].id);
  expect(sim.commits().slice(1, from).filter(slow).length).toBeLessThan(from - 5);
  expect(sim.commits().slice(from).some(slow)).toBe(true);
});

test("a host that is away for a while, and tabs that crash: rounds go on from where they were", () => {
  const sim = ofGradients({ seed: 52 });
  sim.runRounds(3);
  sim.host.crash();
  sim.runFor(10_000);
  sim.host.start();
  sim.peers[1].crash();
  sim.runRounds(3);
  sim.peers[1].start();
  sim.runRounds(6);
  sim.checkAll();
  expect(sim.commits().at(-1)!.contributors).toHaveLength(4);
});
