// Desk and edges on a bus that a test owns: it loses what the test says, and time is the test's.
import { describe, expect, test } from "vitest";
import { type HostMessage, identityFrom, type Member, type PeerId, peerIdOf, presets, type RunSpec } from "#wire";
import type { Hello, Room } from "../signal.ts";
import { helloOf } from "../test-given.ts";
import type { Bus } from "./bus.ts";
import { Desk } from "./desk.ts";
import { Edge } from "./edge.ts";
import { BEAT_MS, SILENCE_MS, subjectsOf } from "./words.ts";

const run = "ab".repeat(32);
const subjects = subjectsOf("test", run);
const { corpus: _, ...draft } = presets.nano;
const spec = { ...draft, hostKey: "k", data: { train: [], evaluation: [] } } as unknown as RunSpec;
const keyOf = (seed: number) => identityFrom(new Uint8Array(32).fill(seed));
const peerOf = (seed: number): PeerId => peerIdOf(keyOf(seed).volunteer, 0);
const settle = () => new Promise((resolve) => setImmediate(resolve));

class TestBus implements Bus {
  readonly #listeners = new Map<string, (message: unknown, answer: (message: object) => void) => void>();
  /** What is lost: by what is said, and to whom. */
  loses: (subject: string, says: string) => boolean = () => false;

  publish(subject: string, message: object): void {
    const says = (message as { says?: { type: string } }).says?.type ?? "";
    if (!this.loses(subject, says)) this.#listeners.get(subject)?.(structuredClone(message), () => {});
  }

  subscribe(subject: string, heard: (message: unknown, answer: (message: object) => void) => void): () => void {
    this.#listeners.set(subject, heard);
    return () => void this.#listeners.delete(subject);
  }

  request(subject: string, message: object): Promise<unknown> {
    const listener = this.#listeners.get(subject);
    if (listener === undefined || this.loses(subject, "")) return Promise.reject(new Error("nobody answers"));
    return new Promise((resolve) => listener(structuredClone(message), resolve));
  }
}

/** A run that only writes down what it is told. */
class TestRoom implements Room {
  readonly run = run;
  readonly here = new Set<PeerId>();
  readonly heard: string[] = [];
  refuses: PeerId | undefined;
  reach = true;
  refusal({ volunteer, slot }: Hello) {
    return peerIdOf(volunteer, slot) === this.refuses ? ({ code: "full", message: "no room" } as const) : undefined;
  }
  welcome(peer: PeerId, session: string): HostMessage {
    const base = { protocol: 2, build: "b", relay: false, headSeq: 4, headHash: run, members: [] };
    return { type: "welcome", peer, run, spec, session, iceServers: [], ...base };
  }
  connected({ peer }: Member): void {
    expect(this.here.has(peer)).toBe(false);
    this.here.add(peer);
  }
  disconnected(peer: PeerId, reason: string): void {
    expect(this.here.delete(peer)).toBe(true);
    this.heard.push(`left: ${reason}`);
  }
  mayReach(): boolean {
    return this.reach;
  }
  message(from: PeerId, { type }: { type: string }): void {
    expect(this.here.has(from)).toBe(true);
    this.heard.push(type);
  }
}

class World {
  now = 0;
  readonly bus = new TestBus();
  readonly later: (() => void)[] = [];
  readonly desks = new Map<string, { desk: Desk; room: TestRoom }>();
  readonly edges = new Map<string, { edge: Edge; told: Map<PeerId, HostMessage[]> }>();

  lead(host: string): TestRoom {
    const room = new TestRoom();
    const desk = new Desk({ bus: this.bus, subjects, host, room, now: () => this.now, stored: async () => {} });
    this.desks.set(host, { desk, room });
    return room;
  }

  edge(host: string) {
    const told = new Map<PeerId, HostMessage[]>();
    const say = (peer: PeerId, message: HostMessage) => told.set(peer, [...(told.get(peer) ?? []), message]);
    const edge = new Edge({
      ...{ bus: this.bus, subjects, host, run, spec, now: () => this.now, report: () => {}, sentAway: () => {} },
      after: (_, again) => this.later.push(again),
      sockets: {
        send: say,
        broadcast(message, except) {
          for (const peer of told.keys()) if (peer !== except) say(peer, message);
        },
        disconnect: (peer, code, message) => say(peer, { type: "refuse", code, message }),
        iceServers: () => [{ urls: "stun:here" }],
      },
    });
    this.edges.set(host, { edge, told });
    return { edge, told };
  }

  async pass(ms: number): Promise<void> {
    for (const until = this.now + ms; this.now < until; ) {
      this.now += BEAT_MS;
      for (const { desk } of this.desks.values()) desk.beat();
      for (const { edge } of this.edges.values()) edge.beat();
      for (const again of this.later.splice(0)) again();
      await settle();
    }
  }
}

function join(edge: Edge, seed: number): string {
  const identity = keyOf(seed);
  const hello = helloOf(identity, "nonce");
  const token = String(seed).padStart(64, "0");
  edge.connected({ peer: peerOf(seed), name: "", adapter: hello.adapter }, hello, token);
  return token;
}

const typesTo = (told: Map<PeerId, HostMessage[]>, seed: number): string[] =>
  (told.get(peerOf(seed)) ?? []).map(({ type }) => type);

async function threeHosts() {
  const world = new World();
  const room = world.lead("a");
  const [a, b, c] = ["a", "b", "c"].map((host) => world.edge(host));
  for (const { edge } of [a, b, c]) edge.follow({ host: "a", url: "" });
  await settle();
  return { world, room, a, b, c };
}

describe("lines between hosts", () => {
  test("peers of three hosts are in one room: welcome with spec and session, messages, signals, broadcasts", async () => {
    const { world, room, a, b, c } = await threeHosts();
    const tokens = [join(a.edge, 1), join(b.edge, 2), join(c.edge, 3)];
    await settle();
    expect(room.here.size).toBe(3);
    expect(b.told.get(peerOf(2))).toMatchObject([
      {
        type: "welcome",
        headSeq: 4,
        session: tokens[1],
        iceServers: [{ urls: "stun:here" }],
        spec: { name: spec.name },
      },
    ]);
    b.edge.message(peerOf(2), { type: "signal", to: peerOf(3), data: "offer" });
    b.edge.message(peerOf(2), { type: "head", seq: 1, hash: run });
    expect(c.told.get(peerOf(3))?.at(-1)).toEqual({ type: "signal", from: peerOf(2), data: "offer" });
    expect(room.heard).toEqual(["head"]);
    room.reach = false; // no neighbour: it is the run's to count that against him
    b.edge.message(peerOf(2), { type: "signal", to: peerOf(3), data: "offer" });
    expect(room.heard).toEqual(["head", "signal"]);
    world.desks.get("a")!.desk.broadcast({ type: "left", peer: peerOf(9), reason: "r" }, peerOf(1));
    expect([typesTo(a.told, 1).at(-1), typesTo(b.told, 2).at(-1)]).toEqual(["welcome", "left"]);
    expect(await c.edge.peerOfToken(tokens[0])).toBe(peerOf(1));
    expect(await c.edge.peerOfToken("f".repeat(64))).toBeUndefined();
    b.edge.disconnected(peerOf(2), "closed");
    expect([...room.here]).toEqual([peerOf(1), peerOf(3)]);
  });

  test("who may not come in is told so", async () => {
    const { room, b } = await threeHosts();
    room.refuses = peerOf(2);
    join(b.edge, 2);
    await settle();
    expect(b.told.get(peerOf(2))).toMatchObject([{ type: "refuse", code: "full" }]);
    expect(room.here.size).toBe(0);
  });

  test("a message that is lost either way is noticed, and everybody of that host enters again", async () => {
    const { world, room, b } = await threeHosts();
    join(b.edge, 2);
    join(b.edge, 3);
    world.bus.loses = (_, says) => says === "message";
    b.edge.message(peerOf(2), { type: "head", seq: 1, hash: run });
    world.bus.loses = () => false;
    expect(room.heard).toEqual([]);
    await world.pass(2 * BEAT_MS);
    expect(typesTo(b.told, 2)).toEqual(["welcome", "welcome"]);
    expect(room.here.size).toBe(2);
    world.bus.loses = (_, says) => says === "send";
    world.desks.get("a")!.desk.send(peerOf(3), { type: "send-up", hash: "0".repeat(64) });
    world.bus.loses = () => false;
    await world.pass(2 * BEAT_MS);
    expect(typesTo(b.told, 3)).toEqual(["welcome", "welcome", "welcome"]);
    expect(room.here.size).toBe(2);
  });

  test("a host that dies takes its peers out of the room; one that takes a peer over does so at once", async () => {
    const { world, room, b, c } = await threeHosts();
    join(b.edge, 2);
    join(b.edge, 3);
    world.edges.delete("b"); // it says nothing any more
    join(c.edge, 3);
    await settle();
    expect(room.here.size).toBe(2);
    expect(typesTo(c.told, 3)).toEqual(["welcome"]);
    await world.pass(SILENCE_MS + 2 * BEAT_MS);
    expect([...room.here]).toEqual([peerOf(3)]);
    expect(room.heard).toEqual(["left: The same volunteer and slot connected again.", "left: its host is gone"]);
  });

  test("the role moves: sockets stay, everybody is welcomed again, and the old leader is not listened to", async () => {
    const { world, room, a, b } = await threeHosts();
    join(b.edge, 2);
    await settle();
    b.edge.follow(undefined);
    expect(b.edge.fault).toMatch(/no host of the cluster orders the run/);
    b.edge.message(peerOf(2), { type: "head", seq: 1, hash: run }); // lost
    b.edge.follow({ host: "b", url: "" });
    await settle();
    expect(b.edge.fault).toMatch(/does not answer/);
    const other = world.lead("b"); // it has read the log by now
    await world.pass(BEAT_MS);
    expect(b.edge.fault).toBeUndefined();
    expect([...other.here]).toEqual([peerOf(2)]);
    world.desks.get("a")!.desk.send(peerOf(2), { type: "send-up", hash: "0".repeat(64) });
    expect(typesTo(b.told, 2)).toEqual(["welcome", "welcome"]);
    expect(room.heard).toEqual([]);
    a.edge.close();
  });
});
