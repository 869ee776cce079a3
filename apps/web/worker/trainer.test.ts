import { sha256 } from "@noble/hashes/sha2.js";
import type { Remote } from "comlink";
import { beforeAll, describe, expect, test } from "vitest";
import { TokenSource } from "#data";
import { codecOf, type Decoded, encodeUpdate, foldCommit, fragmentsOf, gather, genesisState, readUpdate } from "#outer";
import type { Assignment } from "#swarm";
import { blobName, type EntryOf, type RunSpec } from "#wire";
import type { Dataset } from "./dataset.ts";
import { Duty } from "./duty.ts";
import type { FoldApi } from "./fold-api.ts";
import { FoldService } from "./fold-service.ts";
import { Holds } from "./holds.ts";
import { FakeEngine, peerOf, spec as plainSpec } from "./test-given.ts";
import { type StepDone, Trainer, type Training } from "./trainer.ts";

const H = plainSpec.inner.steps;
const TOKENS = H * 4 * 4;
const dataset: Dataset = {
  train: new TokenSource([new Uint16Array(1000)]),
  plan: { seed: 1, trainTokens: 1000, contextLength: 4 },
  evaluation: async () => ({ windows: [new Uint16Array(5), new Uint16Array(5)], setHash: "5".repeat(64) }),
};
const assignment: Assignment = {
  round: 0,
  cursor: 0,
  rosterSize: 1,
  position: 0,
  steps: H,
  windowsPerStep: 4,
  tokensBefore: 0,
  deadlineMs: 10_000,
};

const opened = { tokensBefore: 0, rosterSize: 1 };

/** All inner steps of a round, unless told otherwise. */
const steps = (change: Partial<Assignment> = {}, firstStep = 0, until = change.steps ?? H): Training => ({
  ...{ job: 0, firstStep, until },
  assignment: { ...assignment, ...change },
});

/** Every test is run twice: the engine keeps the mark, or the CPU does. */
let keepsMark = false;
const anEngine = (microbatch?: number) => new FakeEngine(microbatch, keepsMark);

async function setUp({
  restored = true,
  engine = anEngine(),
  stepMs = (_windows: number): number => 100,
  spec = plainSpec,
} = {}) {
  const service = new FoldService(async (bytes) => sha256(bytes)); // in microtasks, like all that is faked here
  service.begin(spec);
  const stepsDone: StepDone[] = [];
  let nowMs = 0;
  const listen = (given: FakeEngine) => {
    given.onStep = (windows) => {
      nowMs += stepMs(windows);
    };
    given.onEvaluate = () => {
      nowMs += 5_000;
    };
    return given;
  };
  const engines = [listen(engine)];
  const rests: number[] = [];
  const duty = new Duty({
    now: () => nowMs,
    after: (ms, run) => {
      rests.push(ms);
      nowMs += ms;
      queueMicrotask(run);
      return () => {};
    },
  });
  const trainer = new Trainer({
    spec,
    duty,
    fold: service as unknown as Remote<FoldApi>, // comlink's promises or plain values: both are awaited
    holds: new Holds(),
    now: () => nowMs,
    reopen: async (microbatch) => {
      engines.push(listen(anEngine(microbatch)));
      return engines[engines.length - 1];
    },
    onStep: (step) => stepsDone.push(step),
  });
  trainer.use(engine, dataset);
  const anchorHash = restored ? await trainer.restore(0, []) : "";
  const commitOf = (update: Uint8Array, tokens = TOKENS): EntryOf<"commit"> => {
    const offer = { round: 0, openSeq: 0, baseHash: anchorHash, peer: peerOf("a"), update: blobName(update) };
    const contributor = { ...offer, bytes: update.length, tokens, steps: H, loss: 1, signature: "0".repeat(128) };
    return {
      ...{ version: 1, seq: 1, prevHash: anchorHash, time: 0, signature: "0".repeat(128) },
      ...{ type: "commit", round: 0, openSeq: 0, baseHash: anchorHash, contributors: [contributor] },
    };
  };
  const foldOwn = async (named: boolean) => {
    const update = await trainer.encode(0, anchorHash, TOKENS);
    return {
      update,
      ...(await trainer.fold({ commit: commitOf(update), opened, named }, new Map([[blobName(update), update]]))),
    };
  };
  return { trainer, engine, engines, stepsDone, service, anchorHash, commitOf, foldOwn, duty, rests };
}

const meanOf = (values: Float32Array) => values.reduce((sum, value) => sum + value, 0) / values.length;
const genesisMean = meanOf(genesisState(plainSpec).parameters);

/** The first value that the update decodes to. */
function firstOf(update: Uint8Array, baseHash: string): number {
  const values = new Float32Array(1);
  const decoded = readUpdate(update, {
    round: 0,
    baseHash,
    tokens: TOKENS,
    codec: codecOf(plainSpec).at(0),
  }) as Decoded;
  decoded.addTo(values, 1, 0, 1);
  return values[0];
}

describe.each([
  { keeper: "the engine", keeps: true },
  { keeper: "the CPU", keeps: false },
])("trainer, where $keeper keeps the mark", ({ keeps }) => {
  beforeAll(() => {
    keepsMark = keeps;
  });

  test("a step that was skipped counts as time, and not for the loss", async () => {
    const { trainer, engine, stepsDone } = await setUp();
    engine.skips = (step) => step === 2;
    expect(await trainer.train(steps())).toEqual({ steps: H, tokens: TOKENS, loss: (2 + 4 + 5) / 3 });
    expect(stepsDone.map(({ loss }) => loss)).toEqual([2, null, 4, 5]);
    engine.skips = () => true;
    expect(await trainer.train(steps())).toEqual({ steps: 0, tokens: 0, loss: 0 });
  });

  test("a round: H steps, a ramp after the moments were reset, one update that decodes to mark - local", async () => {
    const { trainer, engine, stepsDone, anchorHash } = await setUp();
    const trained = await trainer.train(steps());
    expect(trained).toEqual({ steps: H, tokens: TOKENS, loss: (2 + 3 + 4 + 5) / 4 });
    expect(engine.rates.map((rate) => Math.round(rate * 1000))).toEqual([10, 20, 30, 40]);
    expect(stepsDone.map(({ step }) => step)).toEqual([1, 2, 3, 4]);
    expect(stepsDone[3].windows).toBe(4);
    expect(stepsDone[3].tokensPerSecond).toBeCloseTo((1000 * 16) / stepsDone[3].stepMs);
    const bytes = await trainer.encode(0, anchorHash, TOKENS);
    expect(firstOf(bytes, anchorHash)).toBeCloseTo(-H * engine.by, 3); // Δ = mark - local: downhill is negative here
  });

  test("a device that may train half of the time rests as long as its step took, one step at a time, and counts that as its pace", async () => {
    const { trainer, engine, stepsDone, duty, rests } = await setUp();
    duty.share = 0.5;
    const trained = await trainer.train(steps());
    expect(trained.steps).toBe(H);
    expect(rests).toEqual(new Array(H - 1).fill(100));
    expect(engine.inFlightMost).toBe(1);
    expect(stepsDone[H - 1].stepMs).toBeGreaterThan(150); // smoothed, on its way from 100 to 200
  });

  describe("in pairs", () => {
    const { blockSize: _, ...outer } = plainSpec.outer;
    const pairs: RunSpec = {
      ...{ ...plainSpec, version: 4, rounds: { ...plainSpec.rounds, topology: "pairs" } },
      outer: {
        ...{ ...outer, method: "noloco", extract: "parameters", learningRate: 0.5, momentum: 0.5 },
        ...{ codec: { name: "f32" }, clipToMedianNorm: false },
      },
    };
    const moved = H * 0.01; // of every parameter, by a round's steps

    /** A round whose commit names us, and a partner whose parameters are `by` away from ours. */
    async function meeting(by: number) {
      const given = await setUp({ spec: pairs });
      await given.trainer.train(steps());
      const own = await given.trainer.encode(0, given.anchorHash, TOKENS);
      const codec = codecOf(pairs).at(0);
      const delta = given.engine.parameters.map((value) => value + by);
      const its = encodeUpdate({ round: 0, baseHash: given.anchorHash, tokens: TOKENS, codec, delta });
      const commit = given.commitOf(own);
      const [mine] = commit.contributors;
      const theirs = { ...mine, peer: peerOf("b"), update: blobName(its) };
      const both = { ...commit, contributors: [mine, theirs] as EntryOf<"commit">["contributors"] };
      return { ...given, commit: both, blobs: new Map([own, its].map((bytes) => [blobName(bytes), bytes])) };
    }

    test("it goes half of the way to the mean of both, with momentum, and sends parameters", async () => {
      const { trainer, engine, commit, blobs } = await meeting(0.2);
      const local = engine.parameters.slice();
      await trainer.foldPair({ commit, pair: [peerOf("a"), peerOf("b")], blobs });
      expect(meanOf(engine.parameters) - genesisMean).toBeCloseTo(0.5 * (moved + 0.1), 5);
      const sent = new Float32Array(1);
      const codec = codecOf(pairs).at(0);
      const about = { round: 0, baseHash: commit.baseHash, tokens: TOKENS, codec };
      (readUpdate(blobs.get(commit.contributors[0].update)!, about) as Decoded).addTo(sent, 1, 0, 1);
      expect(sent[0]).toBe(local[0]);
    });

    test("alone it goes half of the way to what it trained; what was trained since its update comes with it", async () => {
      const { trainer, engine, commit, blobs } = await meeting(0.2);
      await trainer.train(steps({}, 0, 1));
      await trainer.foldPair({ commit, pair: [peerOf("a")], blobs });
      expect(meanOf(engine.parameters) - genesisMean).toBeCloseTo(0.5 * moved + 0.01, 5);
    });

    test("not named it stays where it is; then it evaluates what a commit merges to, and trains on from its own", async () => {
      const { trainer, engine, commit, blobs } = await meeting(0.2);
      const local = meanOf(engine.parameters);
      await trainer.foldPair({ commit, pair: [], blobs: new Map() });
      expect(meanOf(engine.parameters)).toBeCloseTo(local, 5);
      const state = genesisState(pairs);
      const { anchorHash } = foldCommit(state, pairs, commit, (name) => blobs.get(name));
      expect(await trainer.evaluate(1, { commit, blobs })).toMatchObject({ anchorHash });
      expect(meanOf(engine.evaluated[0])).toBeCloseTo(meanOf(state.parameters), 5);
      expect(meanOf(engine.parameters)).toBeCloseTo(local, 5);
    });
  });

  test("where rounds start without moments, each does, with a rate that does not ramp again; a break in a round changes nothing", async () => {
    const spec: RunSpec = { ...plainSpec, version: 4, inner: { ...plainSpec.inner, resetMoments: true } };
    const { trainer, engine } = await setUp({ spec });
    await trainer.train(steps({}, 0, 2));
    await trainer.train(steps({}, 2));
    await trainer.train(steps({ round: 1 }, 1)); // a step that came to no offer carries
    await trainer.train(steps({ round: 2 }, 0, 2 * H)); // the host is away: the next round's steps too
    await trainer.train(steps({ round: 4 }));
    expect(engine.resetAt).toEqual([0, 0, 0, H, 2 * H - 1, 3 * H - 1, 4 * H - 1]); // twice before: a new engine, a restore
    expect(engine.rates[H]).toBeCloseTo(0.05);
    expect(engine.rates.at(-1)).toBeCloseTo(0.1);
    const kept = await setUp();
    await kept.trainer.train(steps());
    await kept.trainer.train(steps({ round: 1 }));
    expect(kept.engine.resetAt).toEqual([0, 0]);
  });

  test("named: training goes on from the new anchor; the fold's hash is everybody's", async () => {
    const { trainer, engine, foldOwn } = await setUp();
    await trainer.train(steps());
    const { anchorHash, refused } = await foldOwn(true);
    expect(refused).toEqual([]);
    expect(meanOf(engine.parameters) - genesisMean).toBeCloseTo(H * engine.by, 3); // outer rate 1, momentum 0: as far as we went
    const other = await setUp();
    await other.trainer.train(steps());
    expect((await other.foldOwn(true)).anchorHash).toBe(anchorHash);
  });

  test("not named: what was trained carries on top of the new anchor", async () => {
    const { trainer, engine, foldOwn } = await setUp();
    await trainer.train(steps());
    await foldOwn(false);
    expect(meanOf(engine.parameters) - genesisMean).toBeCloseTo(2 * H * engine.by, 3);
  });

  test("an offer that came to nothing is part of the next one", async () => {
    const { trainer, engine, anchorHash } = await setUp();
    await trainer.train(steps());
    await trainer.encode(0, anchorHash, TOKENS);
    await trainer.train(steps());
    const bytes = await trainer.encode(0, anchorHash, TOKENS);
    expect(firstOf(bytes, anchorHash)).toBeCloseTo(-2 * H * engine.by, 3);
  });

  test("stop lets the steps in flight end and tells what was done; another training waits for them", async () => {
    const { trainer, engine: slow, stepsDone } = await setUp();
    await trainer.train(steps()); // the first round measures this device, one step at a time
    slow.held = [];
    const stopped = trainer.train(steps());
    while (slow.held.length < 2) await Promise.resolve();
    trainer.stop();
    const next = trainer.train({ ...steps(), job: 1 });
    for (let i = 0; i < 50; i++) await Promise.resolve();
    expect(slow.held).toHaveLength(2); // the second training has not begun
    for (const end of slow.held) end();
    slow.held = undefined;
    expect(await stopped).toMatchObject({ steps: 2, tokens: TOKENS / 2 });
    expect(await next).toMatchObject({ steps: H, tokens: TOKENS });
    expect(stepsDone.map(({ job, step }) => [job, step]).slice(H)).toEqual([
      ...[1, 2].map((step) => [0, step]),
      ...[1, 2, 3, 4].map((step) => [1, step]),
    ]);
    expect(slow.inFlightMost).toBe(2); // one hides the other's readback, a third would only grow memory
  });

  describe("[R30] training beside the exchange", () => {
    test("an encode takes what was trained before it, and the steps behind it wait for nothing", async () => {
      const { trainer, engine, anchorHash, commitOf } = await setUp();
      await trainer.train(steps());
      const encoding = trainer.encode(0, anchorHash, TOKENS);
      engine.held = []; // the next step does not end before the update is made
      const ahead = trainer.train({ ...steps({ round: 1, cursor: 16 }), job: 1 });
      const update = await encoding;
      expect(firstOf(update, anchorHash)).toBeCloseTo(-H * engine.by, 3);
      while (engine.held.length === 0) await Promise.resolve();
      const folding = trainer.fold(
        { commit: commitOf(update), opened, named: true },
        new Map([[blobName(update), update]]),
      );
      const ends = engine.held;
      engine.held = undefined;
      for (const end of ends) end();
      expect(await ahead).toMatchObject({ steps: H });
      await folding;
      expect(meanOf(engine.parameters) - genesisMean).toBeCloseTo(2 * H * engine.by, 3); // anchor' + (local - mark)
    });

    test("a fold moves the parameters between two steps, and no step is lost: what it says is added", async () => {
      const { trainer, engine, anchorHash, commitOf } = await setUp();
      engine.by = 0.015625; // exact in f32
      await trainer.train(steps());
      const update = await trainer.encode(0, anchorHash, TOKENS);
      const ahead = trainer.train({ ...steps({ round: 1, steps: 40 }), job: 1 });
      while (engine.steps < H + 5) await Promise.resolve();
      await trainer.fold({ commit: commitOf(update), opened, named: true }, new Map([[blobName(update), update]]));
      expect(engine.steps).toBeLessThan(H + 40); // it did not wait for the end
      await ahead;
      expect(meanOf(engine.parameters) - genesisMean).toBeCloseTo((H + 40) * engine.by, 3);
    });

    test("the time of an evaluation between two steps is not the step's", async () => {
      const { trainer, engine, stepsDone } = await setUp();
      const training = trainer.train(steps({ steps: 20 }));
      while (engine.steps < 3) await Promise.resolve();
      await trainer.evaluate(0);
      await training;
      expect(engine.evaluated).toHaveLength(1);
      expect(Math.max(...stepsDone.map(({ stepMs }) => stepMs))).toBeLessThanOrEqual(100);
    });
  });

  test("in a run with fragments a fold moves the round's fragment alone, and the others train on", async () => {
    const spec: RunSpec = {
      ...plainSpec,
      version: 4,
      outer: { ...plainSpec.outer, fragments: 2, learningRate: 0.5, merge: { keepLocal: 0.5 } },
    };
    const { trainer, engine, anchorHash, commitOf } = await setUp({ spec, engine: new FakeEngine() });
    engine.by = 0.5;
    const genesis = genesisState(spec).parameters;
    const moved = () =>
      [0, 1].map((p) =>
        meanOf(
          gather(
            engine.parameters.map((x, i) => x - genesis[i]),
            fragmentsOf(spec)(p),
          ),
        ),
      );
    const round = async (round: number, named: boolean) => {
      await trainer.train(steps({ round, steps: 1 }));
      const update = await trainer.encode(round, anchorHash, TOKENS);
      await trainer.train(steps({ round: round + 1, steps: 1 })); // beside the exchange
      const given = commitOf(update);
      const contributors = given.contributors.map((offer) => ({ ...offer, round }));
      await trainer.fold(
        { commit: { ...given, round, contributors }, opened, named },
        new Map([[blobName(update), update]]),
      );
    };
    await round(0, true);
    // Fragment 0: offered 0.5, so the anchor moved 0.25; half of that and of the 1 that was trained.
    expect(moved()[0]).toBeCloseTo(0.625, 2);
    expect(moved()[1]).toBeCloseTo(1, 5);
    await round(1, false);
    // Fragment 1: 1.5 were offered and not named: all 2 that were trained carry, on an anchor that moved by 0.75.
    expect(moved()[0]).toBeCloseTo(1.625, 2);
    expect(moved()[1]).toBeCloseTo(2.75, 2);
    expect(engine.reads).toBe(4); // an offer and a seal each
    const other = await setUp({ spec, engine: new FakeEngine() });
    expect(await other.trainer.restore(0, [])).toBe(anchorHash);
  });

  test("where peers send gradients: one step leaves the anchor as it is, and is lost unless the commit names it", async () => {
    const spec: RunSpec = {
      ...plainSpec,
      version: 4,
      inner: { ...plainSpec.inner, steps: 1 },
      outer: { ...plainSpec.outer, extract: "gradient", method: "adamw", learningRate: 1, momentum: 0 },
    };
    const given = await setUp({ spec });
    const { trainer, engine, anchorHash, commitOf } = given;
    const tokens = TOKENS / H;
    const anchor = engine.parameters.slice();
    expect(await trainer.train(steps({ steps: 1 }))).toEqual({ steps: 1, tokens, loss: 2 });
    expect(engine.parameters).toEqual(anchor);
    const update = await trainer.encode(0, anchorHash, tokens);
    const blobs = new Map([[blobName(update), update]]);
    const commit = commitOf(update, tokens);
    const fold = { commit: { ...commit, contributors: [{ ...commit.contributors[0], steps: 1 }] }, opened };
    await trainer.fold({ ...fold, named: true }, blobs);
    // Every value of the gradient is alike, and so is AdamW's first step: the rate, uphill against -by.
    expect(meanOf(engine.parameters) - meanOf(anchor)).toBeCloseTo(0.1, 5);
    await expect(trainer.encode(1, anchorHash, tokens)).rejects.toThrow("no gradient of this anchor");

    const other = await setUp({ spec });
    await other.trainer.train(steps({ steps: 1 }));
    await other.trainer.fold({ ...fold, named: false }, blobs);
    expect(other.engine.parameters).toEqual(engine.parameters); // one anchor; its own gradient is gone
    await expect(other.trainer.encode(1, anchorHash, tokens)).rejects.toThrow("no gradient of this anchor");
    await other.trainer.train(steps({ round: 1, steps: 1 }));
    other.engine.failure = new Error("device lost");
    other.trainer.engineGone();
    const next = anEngine();
    other.trainer.use(next, dataset);
    expect(next.parameters).toEqual(engine.parameters);
  });

  test("evaluation looks at the anchor and leaves local as it was; at another anchor there is nothing to measure", async () => {
    const { trainer, engine, anchorHash } = await setUp();
    await trainer.train(steps());
    const local = engine.parameters.slice();
    expect(await trainer.evaluate(0)).toEqual({ anchorHash, setHash: "5".repeat(64), loss: 2 });
    expect(meanOf(engine.evaluated[0])).toBeCloseTo(genesisMean, 6);
    expect(engine.parameters).toEqual(local);
    expect(await trainer.evaluate(3)).toBeUndefined();
  });

  test("a peer whose GPU is gone folds from the last parameters that it knows, and goes on with another engine", async () => {
    const { trainer, engine, commitOf, foldOwn } = await setUp();
    await trainer.train(steps());
    const { update } = await foldOwn(true);
    const expected = engine.parameters.slice();
    engine.failure = new Error("device lost");
    await expect(trainer.train(steps())).rejects.toThrow("device lost");
    trainer.engineGone();
    await expect(trainer.train(steps())).resolves.toEqual({ steps: 0, tokens: 0, loss: 0 });
    const next = anEngine();
    trainer.use(next, dataset);
    expect(next.parameters).toEqual(expected);
    expect(next.moments).toBe("reset");
    const fromOther = { ...commitOf(update), round: 1 };
    const { refused } = await trainer.fold(
      { commit: fromOther, opened, named: false },
      new Map([[blobName(update), update]]),
    );
    expect(refused).toHaveLength(1); // made for another round: weight 0 by rule, and the fold goes on
  });

  describe("a device that is lost", () => {
    /** Another engine, after what was asked of the one before. */
    const replaced = ({ trainer, engine }: Awaited<ReturnType<typeof setUp>>) => {
      engine.failure = new Error("device lost");
      trainer.engineGone();
      const next = anEngine();
      trainer.use(next, dataset);
      return next;
    };

    test("with an offer in flight: what was offered carries when it is not named, and is in the anchor when it is", async () => {
      for (const named of [false, true]) {
        const given = await setUp();
        const { trainer, anchorHash, commitOf, engine } = given;
        await trainer.train(steps());
        const update = await trainer.encode(0, anchorHash, TOKENS);
        const next = replaced(given);
        expect(meanOf(next.parameters) - genesisMean).toBeCloseTo(H * engine.by, 3);
        await trainer.fold({ commit: commitOf(update), opened, named }, new Map([[blobName(update), update]]));
        expect(meanOf(next.parameters) - genesisMean).toBeCloseTo((named ? 1 : 2) * H * engine.by, 3);
      }
    });

    test("after a seal: the steps beside the exchange are not lost, and those since are", async () => {
      const given = await setUp();
      const { trainer, anchorHash, commitOf, engine } = given;
      await trainer.train(steps());
      const update = await trainer.encode(0, anchorHash, TOKENS);
      await trainer.train(steps({ round: 1, cursor: 16 }));
      await trainer.fold({ commit: commitOf(update), opened, named: true }, new Map([[blobName(update), update]]));
      await trainer.train(steps({ round: 1, cursor: 16 }));
      const next = replaced(given);
      expect(meanOf(next.parameters) - genesisMean).toBeCloseTo(2 * H * engine.by, 3);
      await expect(trainer.train(steps())).resolves.toMatchObject({ steps: H });
    });

    test("before an offer: there is nothing to offer, and the run goes on", async () => {
      const { trainer, anchorHash } = await setUp();
      await trainer.train(steps());
      trainer.engineGone();
      await expect(trainer.encode(0, anchorHash, TOKENS)).rejects.toThrow("the GPU is gone");
    });
  });

  test("all parameters are read for an offer and a seal where the CPU keeps the mark, and never where the engine does", async () => {
    const { trainer, engine, anchorHash, commitOf } = await setUp();
    await trainer.train(steps());
    const update = await trainer.encode(0, anchorHash, TOKENS);
    await trainer.train(steps({ round: 1, cursor: 16 }));
    await trainer.fold({ commit: commitOf(update), opened, named: true }, new Map([[blobName(update), update]]));
    expect(engine.reads).toBe(keeps ? 0 : 2);
  });

  test("training that diverged has nothing to offer, and a restore starts anew", async () => {
    const { trainer, engine, anchorHash } = await setUp();
    engine.by = Number.NaN;
    await trainer.train(steps());
    await expect(trainer.encode(0, anchorHash, TOKENS)).rejects.toThrow("training diverged");
    expect(await trainer.restore(0, [])).toBe(anchorHash);
    expect(meanOf(engine.parameters)).toBeCloseTo(genesisMean, 6);
    expect(await trainer.restore(3, [new Uint8Array(10)])).toBe(""); // no checkpoint: says so, changes nothing
  });

  describe("a slow device", () => {
    const rowsOf = ({ rows }: FakeEngine) => rows;
    const slow = (windowMs: number) => ({ stepMs: (windows: number) => windows * windowMs });

    test("takes fewer windows a step after its first one, H steps all the same, and offers what it trained", async () => {
      // 4 windows x 4 steps would take 16 s of 10 s; after the first step of 4 s, 70 % of 6 s hold 4.2 windows: one a step.
      const { trainer, engine, engines, stepsDone } = await setUp({ engine: anEngine(1), ...slow(1_000) });
      expect(await trainer.train(steps())).toMatchObject({ steps: H, tokens: (4 + 1 + 1 + 1) * 4 });
      expect(rowsOf(engine)).toEqual([4, 1, 1, 1]);
      expect(stepsDone.map(({ windows }) => windows)).toEqual([4, 1, 1, 1]);
      expect(engines).toHaveLength(1); // its microbatch is small enough
    });

    test("gets an engine with a smaller microbatch when it must, and goes on from the same parameters", async () => {
      const { trainer, engine, engines } = await setUp({ engine: anEngine(4), ...slow(700) });
      await trainer.train(steps());
      expect(engines.map(({ microbatch }) => microbatch)).toEqual([4, 2]);
      expect(rowsOf(engine)).toEqual([4]);
      expect(rowsOf(engines[1])).toEqual([2, 2, 2]);
      expect(meanOf(engines[1].parameters) - genesisMean).toBeCloseTo(H * engine.by, 3);
    });

    test("looks twice when the first step was quick: compilation is not speed", async () => {
      let calls = 0;
      const { trainer, engine } = await setUp({ stepMs: () => (calls++ === 0 ? 900 : 10) });
      await trainer.train(steps({ deadlineMs: 9_500, steps: 20 }));
      expect(engine.rows.slice(0, 3)).toEqual([4, 4, 4]);
    });

    test("takes more again when deadlines grow, never more than it was given", async () => {
      const { trainer, engine } = await setUp({ engine: anEngine(1), ...slow(1_000) });
      await trainer.train(steps());
      await trainer.train(steps({ deadlineMs: 60_000 }));
      expect(rowsOf(engine)).toEqual([4, 1, 1, 1, 4, 4, 4, 4]);
    });

    test("one hiccup moves nothing", async () => {
      let calls = 0;
      const { trainer, engine } = await setUp({ stepMs: () => (calls++ === 2 ? 9_000 : 100) });
      await trainer.train(steps());
      await trainer.train(steps());
      expect(rowsOf(engine)).toEqual([4, 4, 4, 4, 4, 4, 4, 4]);
    });
  });
});
