import fc from "fast-check";
import { expect, test } from "vitest";
import { Replica, rebase } from "./index.ts";

const seal = (replica: Replica, anchor: Float32Array, local: Float32Array, named: boolean): Float32Array =>
  rebase(local, anchor, replica.sealed(anchor, named));

// Toy values are integers, so sums are exact in f32: one parameter, and an outer step that subtracts what it is given.
type Event = { train: number } | { offer: true } | { seal: boolean; others: number } | { rejoin: true };
const work = fc.integer({ min: -1000, max: 1000 });
const event: fc.Arbitrary<Event> = fc.oneof(
  fc.record({ train: work }),
  fc.record({ offer: fc.constant(true as const) }),
  fc.record({ seal: fc.boolean(), others: work }),
);

test("no work is lost or counted twice: trained = applied + still carried, whatever the order of offers and seals", () => {
  let namedSeals = 0;
  let carriedSeals = 0;
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), (events) => {
      let anchor = 100;
      let local: Float32Array = Float32Array.of(anchor);
      const replica = new Replica(Float32Array.of(anchor));
      let trained = 0;
      let applied = 0;
      let othersApplied = 0;
      let inFlight: number | undefined;
      for (const e of events) {
        if ("train" in e) {
          local[0] -= e.train; // descends
          trained += e.train;
        } else if ("offer" in e) {
          if (inFlight !== undefined) continue;
          inFlight = replica.pseudoGradient(local)[0];
          replica.offered(local);
        } else if ("seal" in e) {
          const named = e.seal && inFlight !== undefined;
          const own = named ? inFlight! : 0;
          applied += own;
          othersApplied += e.others;
          anchor -= own + e.others;
          local = seal(replica, Float32Array.of(anchor), local, named);
          if (named) namedSeals++;
          else if (inFlight !== undefined) carriedSeals++;
          inFlight = undefined;
        }
        const carried = (inFlight ?? 0) + replica.pseudoGradient(local)[0];
        expect(applied + carried).toBe(trained);
        if (inFlight === undefined) expect(replica.mark[0]).toBe(anchor);
      }
      expect(anchor).toBe(100 - applied - othersApplied);
      expect(local[0]).toBe(100 - trained - othersApplied); // own work and the others' are both in the replica
    }),
    { numRuns: 500 },
  );
  expect(namedSeals).toBeGreaterThan(100);
  expect(carriedSeals).toBeGreaterThan(100);
});

test("named without an offer in flight (a reload between offer and seal) carries the work since the mark", () => {
  const replica = new Replica(Float32Array.of(10));
  const local = seal(replica, Float32Array.of(5), Float32Array.of(8), true);
  expect([...local]).toEqual([3]);
  expect([...replica.pseudoGradient(local)]).toEqual([2]);
});

test("a second offer in flight is our bug", () => {
  const replica = new Replica(Float32Array.of(0));
  replica.offered(Float32Array.of(1));
  expect(() => replica.offered(Float32Array.of(2))).toThrow(/one offer/);
});

test("the mark is a copy: the fold may change the anchor in place", () => {
  const anchor = Float32Array.of(1, 2);
  const replica = new Replica(anchor);
  anchor.fill(9);
  expect([...replica.pseudoGradient(Float32Array.of(0, 0))]).toEqual([1, 2]);
  const next = Float32Array.of(3, 4);
  replica.sealed(next, false);
  next.fill(9);
  expect([...replica.mark]).toEqual([3, 4]);
});
