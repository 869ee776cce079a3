// Methods whose peers keep parameters of their own and exchange with one other each round (parity class "plan"): no barrier, nobody waits for a third.
//
//   phi --H steps--> theta --codec--> partner;   phi' = outer step towards the mean of both thetas;   judged by: the mean of all thetas
import {
  anchorHashOf,
  applyCommit,
  applyPair,
  codecOf,
  extractOf,
  genesisState,
  pairOf,
  type SharedState,
} from "#outer";
import { Offers } from "./offers.ts";
import { type Setting, Swarm, type SwarmPeer, type Trained, type Trainers } from "./swarm.ts";
import { swap } from "./traffic.ts";
import type { Course } from "./trainer.ts";

/** Parameters and velocity of one peer, and when it is ready for the next round: peers are not in step. */
interface Own {
  readonly state: SharedState;
  clockMs: number;
}

export async function trainPairs(course: Course, setting: Setting, trainers: Trainers): Promise<Trained> {
  const { spec } = course;
  const { steps } = spec.inner;
  const runCodec = codecOf(spec);
  const swarm = new Swarm(course, setting, trainers);
  const merged = genesisState(spec);
  const ownBy = new Map<SwarmPeer, Own>();

  const enter = (peer: SwarmPeer): void => {
    if (ownBy.has(peer)) return;
    const state = { parameters: merged.parameters.slice(), velocity: new Float32Array(merged.velocity.length) };
    ownBy.set(peer, { state, clockMs: swarm.nowMs });
    peer.trainer.resetMoments();
    if (swarm.rounds === 0) return;
    swarm.joins += 1;
    swarm.moved(peer, { sent: 0, received: 4 * merged.parameters.length });
  };
  const train = async (peer: SwarmPeer, position: number, roster: number): Promise<Float32Array> => {
    peer.trainer.load(ownBy.get(peer)!.state.parameters);
    for (let innerStep = 0; innerStep < steps; innerStep++) {
      const { ids, learningRate } = swarm.lesson(position, roster, innerStep);
      await peer.trainer.step(ids, { ...spec.inner, learningRate });
    }
    return peer.trainer.read();
  };

  while (!swarm.over) {
    const here = swarm.here();
    here.forEach(enter);
    const locals = await Promise.all(here.map((peer, at) => train(peer, at, here.length)));
    const offers = new Offers(runCodec.at(swarm.rounds), swarm.rounds, { tokens: swarm.tokensPerRound, steps });
    const readyMsBy = new Map<SwarmPeer, number>();
    for (const [at, peer] of here.entries()) {
      const trainedMs = steps * swarm.stepMs();
      if (!swarm.stays(peer)) {
        ownBy.delete(peer);
        swarm.leaves += 1;
        peer.presentMs += trainedMs;
        continue;
      }
      peer.meter.trainedMs += trainedMs;
      readyMsBy.set(peer, ownBy.get(peer)!.clockMs + trainedMs);
      const sent = offers.add(peer, extractOf(spec, merged.parameters).toEncode(locals[at], swarm.rounds));
      if (sent === undefined) return swarm.result(merged.parameters, true);
    }

    const commit = offers.commit();
    const elsewhere = offers.commit(true);
    for (const [peer, bytes] of offers.bytesBy) {
      const own = ownBy.get(peer)!;
      const partnerId = pairOf(commit, peer.id, spec.seed);
      const partner = swarm.peers.find(({ id }) => id === partnerId);
      applyPair(own.state, spec, commit, partner ? [peer.id, partner.id] : [peer.id], offers.blobOf);
      let nowMs = readyMsBy.get(peer)!;
      if (partner) {
        if (pairOf(elsewhere, partner.id, spec.seed) !== peer.id)
          throw new Error(`seed ${spec.seed}, round ${swarm.rounds}: partners do not choose each other`);
        swarm.checks += 1;
        const cost = swap(setting.link, bytes, offers.bytesBy.get(partner)!);
        swarm.moved(peer, cost);
        nowMs = Math.max(nowMs, readyMsBy.get(partner)!) + cost.ms;
      }
      peer.presentMs += nowMs - own.clockMs;
      own.clockMs = nowMs;
    }
    applyCommit(merged, spec, commit, offers.blobOf);
    const witness = { parameters: merged.parameters.map(() => 0), velocity: merged.velocity.slice() };
    applyCommit(witness, spec, elsewhere, offers.blobOf); // the merged anchor depends on the commit alone
    if (anchorHashOf(witness) !== anchorHashOf(merged))
      throw new Error(`seed ${spec.seed}, round ${swarm.rounds}: who knows the commit alone merges another anchor`);
    const clocks = [...offers.bytesBy.keys()].map((peer) => ownBy.get(peer)!.clockMs);
    swarm.nowMs = clocks.reduce((sum, clock) => sum + clock, 0) / clocks.length;
    await swarm.advance(here.length, clocks.length, () => merged.parameters);
  }
  return swarm.result(merged.parameters);
}
