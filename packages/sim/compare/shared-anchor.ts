// Methods whose peers share an anchor, bit for bit (parity class "full"): the fold, codec and mark rule that browsers use, with an engine for each peer.
//
//   blocking   train H steps -> encode -> commit -> fold -> next round
//   overlap    the commit of round r arrives while round r + 1 trains: after as many steps as its bytes take on the line
import {
  anchorHashOf,
  applyCommit,
  codecOf,
  type Decoded,
  type Extract,
  encodeCheckpointSection,
  extractOf,
  genesisState,
  mergeOf,
  type SharedState,
  sectionsOf,
  stateFrom,
} from "#outer";
import type { RunSpec } from "#wire";
import { Offers } from "./offers.ts";
import { type Setting, Swarm, type SwarmPeer, type Trained, type Trainers } from "./swarm.ts";
import { allGather, ringAllReduce } from "./traffic.ts";
import type { Course } from "./trainer.ts";

/** A round in so many is also folded by somebody who joins from a checkpoint; every round in which somebody really joins. */
const CHECK_EVERY_ROUNDS = 16;

/** A commit that was folded, and reaches the peers while they train. */
interface Sealed {
  readonly round: number;
  readonly anchor: Float32Array;
  /** Whose offers it names, and what they decode to. Who left and came back has another extract by now. */
  readonly sentBy: ReadonlyMap<Extract, Decoded>;
  readonly delayMs: number;
}

export async function trainSharedAnchor(course: Course, setting: Setting, trainers: Trainers): Promise<Trained> {
  const { spec } = course;
  const overlap = spec.rounds.overlap === true;
  const runCodec = codecOf(spec);
  // Gradients that nothing was left out of can be added on their way, as DDP does: it is counted at its best. Browsers gather them.
  const ring =
    spec.outer.extract === "gradient" && typeof spec.outer.codec === "object" && spec.outer.codec.name === "f32";
  const swarm = new Swarm(course, setting, trainers);
  const state = genesisState(spec);
  const stateBytes = 4 * sectionsOf(state).reduce((sum, { values }) => sum + values.length, 0);
  const extractBy = new Map<SwarmPeer, Extract>();
  const merge = mergeOf(spec);
  /** Else what trains is the anchor after each seal: nothing was trained since, and no fragment waits for its turn. */
  const goesOnApart = overlap || spec.outer.fragments !== undefined || spec.outer.merge !== undefined;
  let arriving: Sealed | undefined;

  const enter = (peer: SwarmPeer): boolean => {
    if (extractBy.has(peer)) return false;
    extractBy.set(peer, extractOf(spec, state.parameters));
    peer.trainer.resetMoments();
    peer.trainer.load(state.parameters);
    if (swarm.rounds === 0) return false;
    swarm.joins += 1;
    swarm.moved(peer, { sent: 0, received: stateBytes });
    return true;
  };
  const seal = async (peer: SwarmPeer, { round, anchor, sentBy }: Sealed): Promise<void> => {
    const extract = extractBy.get(peer);
    const sent = extract && sentBy.get(extract);
    if (sent === undefined) return; // it joined since
    const from = extract!.sealed(anchor, true, sent, round);
    const goesOn = goesOnApart && from;
    peer.trainer.load(goesOn ? merge(await peer.trainer.read(), { round, anchor, from, named: true }) : anchor);
  };
  const train = async (peer: SwarmPeer, position: number, roster: number, stepMs: number): Promise<Float32Array> => {
    const { steps } = swarm;
    const sealed = arriving;
    const sealAt = sealed === undefined ? -1 : Math.min(steps, Math.ceil(sealed.delayMs / stepMs));
    if (spec.outer.extract === "gradient")
      return (await peer.trainer.gradient(swarm.lesson(position, roster, 0).ids)).gradient;
    if (spec.inner.resetMoments) peer.trainer.resetMoments();
    for (let innerStep = 0; innerStep < steps; innerStep++) {
      if (innerStep === sealAt) await seal(peer, sealed!);
      const { ids, learningRate } = swarm.lesson(position, roster, innerStep);
      await peer.trainer.step(ids, { ...spec.inner, learningRate });
    }
    if (sealAt === steps) await seal(peer, sealed!);
    return peer.trainer.read();
  };

  while (!swarm.over) {
    const here = swarm.here();
    const { steps } = swarm;
    const joined = here.map(enter).includes(true);
    const stepMsOf = here.map(() => swarm.stepMs());
    const locals = await Promise.all(here.map((peer, at) => train(peer, at, here.length, stepMsOf[at])));
    const codec = runCodec.at(swarm.rounds, state.codec);
    const offers = new Offers<SwarmPeer>(codec, swarm.rounds, { tokens: swarm.tokensPerRound, steps });
    const sentBy = new Map<Extract, Decoded>();
    let trainedMs = 0;
    for (const [at, peer] of here.entries()) {
      if (!swarm.stays(peer)) {
        extractBy.delete(peer);
        swarm.leaves += 1;
        continue;
      }
      trainedMs = Math.max(trainedMs, steps * stepMsOf[at]);
      const extract = extractBy.get(peer)!;
      const sent = offers.add(peer, extract.toEncode(locals[at], swarm.rounds));
      if (sent === undefined) return swarm.result(state.parameters, true);
      extract.offered(locals[at], swarm.rounds);
      sentBy.set(extract, sent);
    }
    const joiner = joined || swarm.rounds % CHECK_EVERY_ROUNDS === 0 ? byCheckpoint(spec, state) : undefined;
    const opened = { tokensBefore: swarm.tokens, rosterSize: here.length };
    applyCommit(state, spec, offers.commit(), offers.blobOf, opened);
    if (joiner !== undefined) {
      applyCommit(joiner, spec, offers.commit(true), offers.blobOf, opened);
      if (anchorHashOf(joiner) !== anchorHashOf(state))
        throw new Error(`seed ${spec.seed}, round ${swarm.rounds}: who joins by the checkpoint folds another anchor`);
      swarm.checks += 1;
    }

    const sizes = [...offers.bytesBy.values()];
    let exchangeMs = 0;
    for (const [peer, bytes] of offers.bytesBy) {
      const cost = ring ? ringAllReduce(setting.link, sizes.length, bytes) : allGather(setting.link, sizes, bytes);
      swarm.moved(peer, cost);
      exchangeMs = Math.max(exchangeMs, cost.ms);
    }
    const lateMs = Math.max(0, (arriving?.delayMs ?? 0) - trainedMs); // the offer before is not through yet: the next one waits
    const roundMs = trainedMs + (overlap ? lateMs : exchangeMs);
    for (const [at, peer] of here.entries()) {
      peer.presentMs += roundMs;
      if (extractBy.has(peer)) peer.meter.trainedMs += steps * stepMsOf[at];
    }
    swarm.nowMs += roundMs;
    const sealed = { round: swarm.rounds, anchor: state.parameters, sentBy, delayMs: overlap ? exchangeMs : 0 };
    if (overlap) arriving = { ...sealed, anchor: state.parameters.slice() };
    else for (const peer of extractBy.keys()) await seal(peer, sealed);
    await swarm.advance(here.length, sizes.length, () => state.parameters);
  }
  return swarm.result(state.parameters);
}

/** The state as somebody reads it who joins now. */
function byCheckpoint(spec: RunSpec, state: SharedState): SharedState {
  const blobs = sectionsOf(state).map(({ name, values }) => encodeCheckpointSection(name, 0, values));
  const read = stateFrom(spec, 0, blobs);
  if (typeof read === "string") throw new Error(read);
  return read;
}
