import { describe, expect, test } from "vitest";
import { Lease, type LeaseBucket, LeaseTakenError } from "./lease.ts";

const times = { ttlMs: 5_000, marginMs: 1_000, everyMs: 1_000 };

/** Time that a test moves, and a server that forgets by it. */
class World {
  now = 0;
  isAway = false;
  /** What the server stores, and then does not answer. */
  losesAnswers = false;
  readonly #timers: { at: number; run: () => void }[] = [];
  #held: { value: string; revision: number; at: number } | undefined;
  #revision = 0;

  readonly after = (ms: number, run: () => void): (() => void) => {
    const timer = { at: this.now + ms, run };
    this.#timers.push(timer);
    return () => {
      const place = this.#timers.indexOf(timer);
      if (place >= 0) this.#timers.splice(place, 1);
    };
  };

  async pass(ms: number): Promise<void> {
    for (const end = this.now + ms; ; ) {
      for (let i = 0; i < 20; i++) await Promise.resolve(); // what answers are, is heard
      const next = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) {
        this.now = end;
        return;
      }
      this.now = next.at;
      this.#timers.splice(this.#timers.indexOf(next), 1);
      next.run();
    }
  }

  #stored(): { value: string; revision: number } | undefined {
    if (this.#held !== undefined && this.now - this.#held.at >= times.ttlMs) this.#held = undefined;
    return this.#held;
  }

  #write(value: string): number {
    this.#held = { value, revision: ++this.#revision, at: this.now };
    if (this.losesAnswers) throw new Error("timeout");
    return this.#revision;
  }

  readonly bucket: LeaseBucket = {
    create: async (value) => {
      if (this.isAway) throw new Error("timeout");
      if (this.#stored() !== undefined) throw new LeaseTakenError();
      return this.#write(value);
    },
    update: async (value, revision) => {
      if (this.isAway) throw new Error("timeout");
      if (this.#stored()?.revision !== revision) throw new LeaseTakenError();
      return this.#write(value);
    },
    read: async () => {
      if (this.isAway) throw new Error("timeout");
      return this.#stored();
    },
    release: async (revision) => {
      if (this.#stored()?.revision === revision) this.#held = undefined;
    },
  };
}

class Contender {
  readonly said: string[] = [];
  readonly lease: Lease;

  constructor(world: World, value: string, bucket = world.bucket) {
    this.lease = new Lease({
      ...times,
      bucket,
      value,
      now: () => world.now,
      after: world.after,
      onHeld: () => this.said.push("held"),
      onLost: (why) => this.said.push(`lost: ${why}`),
      onHolder: (holder) => {
        if (this.said.at(-1) !== `by ${holder}`) this.said.push(`by ${holder}`);
      },
      onAnswer: () => {},
    });
  }
}

describe("lease", () => {
  test("one holds it as long as it renews; the other one hears who", async () => {
    const world = new World();
    const [ada, bob] = [new Contender(world, "ada"), new Contender(world, "bob")];
    await world.pass(60_000);
    expect(ada.said).toEqual(["held", "by ada"]);
    expect(bob.said).toEqual(["by ada"]);
  });

  test("given back, it moves at the next look; not renewed, once the server has forgotten it", async () => {
    const world = new World();
    const ada = new Contender(world, "ada");
    await world.pass(100);
    const bob = new Contender(world, "bob");
    await world.pass(3_000);
    await ada.lease.stop();
    await world.pass(times.everyMs);
    expect(bob.lease.isHeld).toBe(true);
  });

  test("a holder that cannot use it leaves it to others for a while, and takes it again when nobody wants it", async () => {
    const world = new World();
    const ada = new Contender(world, "ada");
    await world.pass(100);
    await ada.lease.rest(4_000);
    await world.pass(3_000);
    expect(ada.lease.isHeld).toBe(false);
    await world.pass(2_000);
    expect(ada.said).toEqual(["held", "by ada", "by undefined", "held", "by ada"]);
  });

  test("whoever gets no answer stops before the server may give it to another", async () => {
    const world = new World();
    let adaIsCut = false;
    const cut = async <T>(answer: () => Promise<T>): Promise<T> => {
      if (adaIsCut) throw new Error("timeout");
      return answer();
    };
    const ada = new Contender(world, "ada", {
      create: (value) => cut(() => world.bucket.create(value)),
      update: (value, revision) => cut(() => world.bucket.update(value, revision)),
      read: () => cut(() => world.bucket.read()),
      release: world.bucket.release,
    });
    await world.pass(100);
    const bob = new Contender(world, "bob");
    await world.pass(10_000);
    adaIsCut = true;
    let both = 0;
    let none = 0;
    for (let ms = 0; ms < 20_000; ms += 10) {
      await world.pass(10);
      if (ada.lease.isHeld && bob.lease.isHeld) both++;
      if (!ada.lease.isHeld && !bob.lease.isHeld) none += 10;
    }
    expect(both).toBe(0);
    expect(bob.lease.isHeld).toBe(true);
    expect(none).toBeLessThanOrEqual(times.marginMs + times.everyMs);
    expect(ada.said.at(-1)).toMatch(/did not answer in time/);
    adaIsCut = false;
    await world.pass(2_000);
    expect(ada.said.at(-1)).toBe("by bob");
  });

  test("an answer that is lost costs nothing: what was stored is found to be its own", async () => {
    const world = new World();
    world.losesAnswers = true;
    const ada = new Contender(world, "ada");
    await world.pass(2_500);
    expect(ada.lease.isHeld).toBe(false);
    world.losesAnswers = false;
    await world.pass(1_000);
    expect(ada.lease.isHeld).toBe(true);
    world.losesAnswers = true;
    await world.pass(1_000);
    world.losesAnswers = false;
    await world.pass(10_000);
    expect(ada.said).toEqual(["held", "by ada"]);
  });

  test("a server that is away for a while: nobody holds it, then somebody does", async () => {
    const world = new World();
    const ada = new Contender(world, "ada");
    await world.pass(100);
    world.isAway = true;
    await world.pass(times.ttlMs);
    expect(ada.lease.isHeld).toBe(false);
    world.isAway = false;
    await world.pass(2 * times.everyMs);
    expect(ada.lease.isHeld).toBe(true);
  });
});
