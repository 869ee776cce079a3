// Methods whose peers keep parameters of their own and exchange with one other each round (parity class "plan"): no barrier, nobody waits for a third.
//
//   NoLoCo   phi --H steps--> theta --codec--> partner;   phi' = outer step towards the mean of both thetas
//   DSGT     x --gradient--> (x − η y, y) --codec--> partner;   x' and y' = the means of both
//
// Judged by the mean of all that was sent: the merged anchor.
import {
  anchorHashOf,
  applyCommit,
  applyPair,
  codecOf,
  genesisState,
  meanOfPair,
  pairOf,
  type SharedState,
  Tracker,
} from "#outer";
import type { EntryOf, PeerId, RunSpec } from "#wire";
import { Offers } from "./offers.ts";
import { type Setting, Swarm, type SwarmPeer, type Trained, type Trainers } from "./swarm.ts";
import { swap } from "./traffic.ts";
import type { Course } from "./trainer.ts";

/** What one peer goes on from, and when it is ready for the next round: peers are not in step. */
interface Own {
  readonly replica: Replica;
  clockMs: number;
}

interface Replica {
  /** From where it trains. */
  readonly parameters: Float32Array;
  /** @param trained parameters, or a gradient */
  toEncode(trained: Float32Array): Float32Array;
  fold(commit: EntryOf<"commit">, pair: readonly PeerId[], blobOf: Offers<SwarmPeer>["blobOf"]): void;
  /** Others take part than in the round before. */
  changed(): void;
}

function replicaOf(spec: RunSpec, anchor: Float32Array): Replica {
  if (spec.outer.extract === "tracked") {
    const tracker = new Tracker(anchor, spec.outer.learningRate);
    return {
      parameters: tracker.parameters,
      toEncode: (gradient) => tracker.toEncode(gradient),
      fold: (commit, pair, blobOf) => tracker.fold(meanOfPair(spec, commit, pair, blobOf)!),
      changed: () => tracker.restart(),
    };
  }
  const own: SharedState = { parameters: anchor.slice(), velocity: new Float32Array(anchor.length) };
  return {
    parameters: own.parameters,
    toEncode: (parameters) => parameters,
    fold: (commit, pair, blobOf) => applyPair(own, spec, commit, pair, blobOf),
    changed: () => {},
  };
}

export async function trainPairs(course: Course, setting: Setting, trainers: Trainers): Promise<Trained> {
  const { spec } = course;
  const runCodec = codecOf(spec);
  const swarm = new Swarm(course, setting, trainers);
  const merged = genesisState(spec);
  const ownBy = new Map<SwarmPeer, Own>();
  let rosterBefore = "";

  const enter = (peer: SwarmPeer): void => {
    if (ownBy.has(peer)) return;
    ownBy.set(peer, { replica: replicaOf(spec, merged.parameters), clockMs: swarm.nowMs });
    peer.trainer.resetMoments();
    if (swarm.rounds === 0) return;
    swarm.joins += 1;
    swarm.moved(peer, { sent: 0, received: 4 * merged.parameters.length });
  };
  const train = async (peer: SwarmPeer, position: number, roster: number): Promise<Float32Array> => {
    peer.trainer.load(ownBy.get(peer)!.replica.parameters);
    if (spec.outer.extract === "tracked")
      return (await peer.trainer.gradient(swarm.lesson(position, roster, 0).ids)).gradient;
    for (let innerStep = 0; innerStep < swarm.steps; innerStep++) {
      const { ids, learningRate } = swarm.lesson(position, roster, innerStep);
      await peer.trainer.step(ids, { ...spec.inner, learningRate });
    }
    return peer.trainer.read();
  };

  while (!swarm.over) {
    const here = swarm.here();
    const { steps } = swarm;
    here.forEach(enter);
    const stayed = here.filter((peer) => swarm.stays(peer));
    const roster = stayed.map(({ id }) => id).join();
    if (roster !== rosterBefore) for (const peer of stayed) ownBy.get(peer)!.replica.changed();
    rosterBefore = roster;
    const locals = await Promise.all(here.map((peer, at) => train(peer, at, here.length)));
    const offers = new Offers<SwarmPeer>(runCodec.at(swarm.rounds), swarm.rounds, {
      tokens: swarm.tokensPerRound,
      steps,
    });
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
      const sent = offers.add(peer, ownBy.get(peer)!.replica.toEncode(locals[at]));
      if (sent === undefined) return swarm.result(merged.parameters, true);
    }

    const commit = offers.commit();
    const elsewhere = offers.commit(true);
    for (const [peer, bytes] of offers.bytesBy) {
      const own = ownBy.get(peer)!;
      const partnerId = pairOf(commit, peer.id, spec.seed);
      const partner = swarm.peers.find(({ id }) => id === partnerId);
      own.replica.fold(commit, partner ? [peer.id, partner.id] : [peer.id], offers.blobOf);
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
    const opened = { tokensBefore: swarm.tokens, rosterSize: here.length };
    applyCommit(merged, spec, commit, offers.blobOf, opened);
    const witness = { parameters: merged.parameters.map(() => 0), velocity: merged.velocity.slice() };
    applyCommit(witness, spec, elsewhere, offers.blobOf, opened); // the merged anchor depends on the commit alone
    if (anchorHashOf(witness) !== anchorHashOf(merged))
      throw new Error(`seed ${spec.seed}, round ${swarm.rounds}: who knows the commit alone merges another anchor`);
    const clocks = [...offers.bytesBy.keys()].map((peer) => ownBy.get(peer)!.clockMs);
    swarm.nowMs = clocks.reduce((sum, clock) => sum + clock, 0) / clocks.length;
    await swarm.advance(here.length, clocks.length, () => merged.parameters);
  }
  return swarm.result(merged.parameters);
}
