// A tab that seeks company, with a host that the test plays, ports that it ends and engines that it makes.
import { expect, test } from "vitest";
import { DeviceLostError, type Engine, IslandLostError, ModelTooLargeError } from "#engine";
import type { MembersPort } from "#mesh";
import type { HostMessage, PeerMessage } from "#wire";
import { Board } from "./board.ts";
import { BlockedError, type EngineWish } from "./gpu.ts";
import { Islands, type IslandsOptions } from "./islands.ts";
import { problems } from "./problems.ts";
import { FakeEngine, peerOf, spec } from "./test-given.ts";

const [self, other] = [peerOf("b"), peerOf("c")];
const plan = { kind: "tensor", exchange: "int8", form: "direct" } as const;
const idOf = (letter: string) => letter.repeat(64);
const settle = () => new Promise((resolve) => setTimeout(resolve));
const wish: EngineWish = { spec, adapter: new FakeEngine().adapter, build: "", settings: {} as never };
const tooLarge = new BlockedError(problems.modelTooLarge(new ModelTooLargeError("it needs 9 MiB and may use 4 MiB")));

function portOf(rank: number): MembersPort & { over: string } {
  let say!: (reason: string) => void;
  const ended = new Promise<string>((resolve) => (say = resolve));
  const port = {
    ...{ rank, ranks: 2, ended, over: "", send: () => {} },
    receive: () => new Promise<never>(() => {}),
    end(reason: string) {
      port.over ||= reason;
      say(port.over);
    },
  };
  return port;
}

const pace = { rest: async () => {}, worked: () => {} };
const capacity = {
  tensorRanksMin: 3,
  stageLayersMax: [
    [1, 1],
    [0, 0, 0],
    [0, 0, 0, 0],
  ],
  flopsPerSecond: 1e12,
};

function given(change: Partial<IslandsOptions> & { needs?: { ranksMin: number } | undefined } = {}) {
  const sent: PeerMessage[] = [];
  const [measured, pinged]: string[][] = [[], []];
  const ports: ReturnType<typeof portOf>[] = [];
  const served: { destroyed: boolean }[] = [];
  const totals = { exchanges: 0, bytes: 0, ms: 0, hiddenMs: 0 };
  const led: FakeEngine[] = [];
  const board = new Board(() => {});
  board.set({ status: "starting" });
  const clock = { now: 0 };
  const islands = new Islands({
    ...{ self, wishes: 2, planFor: (plan) => plan, now: () => clock.now, send: (message) => void sent.push(message) },
    board,
    pace,
    heartbeat: { ping: (peer) => void pinged.push(peer[0]), rttLeastMs: () => 4 },
    lines: {
      async measure(peer, rttMs) {
        measured.push(`${peer[0]} ${rttMs}`);
        return peer === other ? 1e6 + 0.4 : undefined;
      },
      open(_, members, own) {
        ports.push(portOf(members.indexOf(own)));
        return ports[ports.length - 1];
      },
    },
    alone: async () => {
      throw tooLarge;
    },
    engines: {
      ...notAsked,
      needs: async () => ("needs" in change ? change.needs : { ranksMin: 3, capacity }),
      lead: async () => {
        led.push(new FakeEngine());
        return { engine: led[led.length - 1] as Engine, totals: () => ({ ...totals }) };
      },
      async serve(_wish, _plan, port, its) {
        expect(its).toBe(pace);
        const one = { destroyed: false };
        served.push(one);
        return {
          finished: port.ended,
          totals,
          coldBytes: 12e6,
          destroy: () => {
            one.destroyed = true;
          },
        };
      },
    },
    ...change,
  });
  islands.hear({ type: "welcome" } as HostMessage);
  const form = (letter: string, members = [self, other]): void =>
    islands.hear({ type: "island", island: idOf(letter), members, plan });
  return {
    islands,
    sent,
    measured,
    pinged,
    ports,
    served,
    led,
    form,
    clock,
    totals,
    view: () => board.get().island,
    status: () => board.get().status,
    notices: () => board.get().notices.map(({ code }) => code),
  };
}

const part = { kind: "layers", first: 1, count: 1, of: 2 } as const;
const notAsked: IslandsOptions["engines"] = {
  needs: async () => ({ ranksMin: 2, capacity }),
  partOf: () => part,
  lead: () => Promise.reject(new Error("not asked")),
  serve: () => Promise.reject(new Error("not asked")),
};

const seeks = (ranksMin: number) => ({ type: "seek-island", ranksMin, capacity });

test("what fits is trained alone; what does not is sought company for, with the planner's words", async () => {
  const engine = new FakeEngine();
  const alone = given({ wishes: null, alone: async () => engine });
  expect(await alone.islands.open(wish)).toBe(engine);
  expect(alone.sent).toEqual([]);
  expect(alone.view()).toBeNull();

  const { islands, sent, view } = given({ wishes: null });
  void islands.open(wish);
  await settle();
  expect(sent).toEqual([seeks(3)]);
  expect(view()).toMatchObject({ state: "waiting", isWished: false, ranksMin: 3, why: tooLarge.problem.message });
  islands.hear({ type: "island-waits", missing: 2, because: "too-few" });
  expect(view()).toMatchObject({ waits: { missing: 2, because: "too-few" } });
});

test("links to others who seek are measured once each, and reported while it seeks", async () => {
  const { islands, measured, pinged, form } = given();
  void islands.open(wish);
  await settle();
  const seekers = [other, peerOf("d")];
  islands.hear({ type: "island-waits", missing: 0, because: "measuring", seekers });
  islands.hear({ type: "island-waits", missing: 0, because: "measuring", seekers });
  await settle();
  expect(measured).toEqual(["c 4", "d 4"]);
  const report = (peer: string) => ({ peer, kind: "direct", bytesSent: 1, bytesReceived: 1, rttMs: 60 }) as const;
  const reports = seekers.map(report);
  expect(islands.reported(reports)).toEqual([{ ...reports[0], rttMs: 4, bytesPerSecond: 1e6 }, reports[1]]);
  expect(pinged).toEqual(["c"]);
  form("1");
  await settle();
  expect(islands.reported(reports)).toEqual(reports);
});

test("what fits not even in parts, and what fails otherwise, is told as before", async () => {
  await expect(given({ wishes: null, needs: undefined }).islands.open(wish)).rejects.toBe(tooLarge);
  const lost = new BlockedError(problems.deviceLost("gone"));
  const alone = () => Promise.reject(lost);
  await expect(given({ wishes: null, alone }).islands.open(wish)).rejects.toBe(lost);
});

test("rank 0 gets an engine; when it is over it asks for another one, and nothing of the last is on the device", async () => {
  const { islands, sent, ports, led, form, view } = given();
  const opening = islands.open(wish);
  await settle();
  form("1");
  expect(await opening).toBe(led[0]);
  expect([islands.leads, islands.isSeeking]).toEqual([true, false]);
  expect(view()).toMatchObject({ state: "training", rank: 0, members: [self, other], part });
  islands.hear({ type: "island-over", island: idOf("1"), reason: "a member left" });
  expect(ports[0].over).toBe("a member left");
  expect(view()).toMatchObject({ state: "waiting", members: [], over: "a member left" });
  form("2");
  expect(sent.at(-1)).toMatchObject({ type: "leave-island", island: idOf("2") }); // its engine is not gone yet
  const again = islands.open(wish);
  await settle();
  expect(sent.at(-1)).toEqual(seeks(3));
  form("3");
  expect(await again).toBe(led[1]);
});

test("another rank serves until it is over, then seeks again; its opening waits all the while", async () => {
  const { islands, sent, ports, served, form, status, view, notices } = given();
  let opened = false;
  void islands.open(wish).then(() => (opened = true));
  await settle();
  form("1", [other, self]);
  await settle();
  expect([status(), view()?.rank, view()?.state]).toEqual(["donating", 1, "training"]);
  expect(notices()).toEqual(["moments-on-disk"]);
  ports[0].end("the link to cccccccc is down");
  await settle();
  expect(notices()).toEqual([]);
  expect(sent.slice(1)).toEqual([
    { type: "leave-island", island: idOf("1"), reason: "the link to cccccccc is down" },
    seeks(3),
  ]);
  expect([served[0].destroyed, opened]).toEqual([true, false]);
  form("2");
  await settle();
  expect(opened).toBe(true);
});

test("an engine that fails because the island fell apart is no failure of this device", async () => {
  const { islands, sent, ports, form } = given({
    engines: {
      ...notAsked,
      lead: async (_wish, _plan, port) => {
        port.end("the link to cccccccc is down");
        throw new IslandLostError("the link to cccccccc is down");
      },
    },
  });
  void islands.open(wish);
  await settle();
  form("1");
  await settle();
  expect(ports[0].over).toBe("the link to cccccccc is down");
  expect(sent.at(-1)).toEqual(seeks(2));
});

test("a device that is lost while its part is made ends the island, and is told the second time within a minute", async () => {
  const lost = new DeviceLostError("unknown", "a driver’s whim");
  const { islands, sent, form, clock } = given({ engines: { ...notAsked, serve: () => Promise.reject(lost) } });
  const opening = islands.open(wish);
  opening.catch(() => {});
  await settle();
  form("1", [other, self]);
  await settle();
  expect(sent.at(-2)).toMatchObject({ type: "leave-island", island: idOf("1"), reason: lost.message });
  expect(sent.at(-1)).toEqual(seeks(2));
  clock.now = 50_000;
  form("2", [other, self]);
  await expect(opening).rejects.toBe(lost);
  expect(sent.at(-1)).toMatchObject({ type: "leave-island", island: idOf("2") });
});

test("parts that are too large for a member are sought a larger island for, up to the largest", async () => {
  const lead = () => Promise.reject(new ModelTooLargeError("member 1 needs 9 MiB"));
  const { islands, sent, form } = given({ engines: { ...notAsked, lead } });
  const opening = islands.open(wish);
  opening.catch(() => {});
  await settle();
  const all = [self, other, peerOf("d"), peerOf("e")];
  for (const ranks of [2, 3]) {
    form(`${ranks}`, all.slice(0, ranks));
    await settle();
    expect(sent.at(-1)).toEqual(seeks(ranks + 1));
  }
  form("9", all);
  await expect(opening).rejects.toMatchObject({ problem: { code: "model-too-large" } });
});

test("what crosses is told as it is now, and nothing once it is over", async () => {
  const { islands, form, clock, totals, view } = given();
  void islands.open(wish);
  await settle();
  form("1");
  await settle();
  expect(view()?.exchange).toBeNull();
  Object.assign(totals, { exchanges: 30, bytes: 6_000, ms: 90, hiddenMs: 54 });
  clock.now = 2_000;
  islands.measure();
  expect(view()?.exchange).toEqual({ perSecond: 15, ms: 3, hidden: 0.6, bytesPerSecond: 3_000 });
  clock.now = 4_000;
  islands.measure();
  expect(view()?.exchange).toBeNull();
  islands.hear({ type: "island-over", island: idOf("1"), reason: "a member left" });
  expect(view()).toMatchObject({ members: [], exchange: null });
});

test("who pauses leaves its island and seeks none until it goes on", async () => {
  const { islands, sent, form } = given();
  void islands.open(wish);
  await settle();
  form("1", [other, self]);
  await settle();
  islands.pause("paused by the volunteer");
  await settle();
  expect(sent.at(-1)).toEqual({ type: "leave-island", island: idOf("1"), reason: "paused by the volunteer" });
  form("2");
  expect(sent.at(-1)).toMatchObject({ type: "leave-island", island: idOf("2") });
  islands.resume();
  expect(sent.at(-1)).toEqual(seeks(3));
});

test("who stops says so, and an engine that comes too late is let go", async () => {
  let made!: (engine: Engine) => void;
  const late = new Promise<Engine>((resolve) => (made = resolve)).then((engine) => ({ engine, totals: () => totals }));
  const totals = { exchanges: 0, bytes: 0, ms: 0, hiddenMs: 0 };
  const { islands, sent, form, view } = given({
    engines: { ...notAsked, lead: () => late },
  });
  void islands.open(wish);
  await settle();
  form("1");
  islands.close("the volunteer stopped");
  expect(sent.at(-1)).toMatchObject({ type: "leave-island", reason: "the volunteer stopped" });
  let destroyed = 0;
  made(Object.assign(new FakeEngine(), { destroy: () => void destroyed++ }));
  await settle();
  expect(destroyed).toBe(1);
  expect(view()).toBeNull();
});

test("on the processor nothing is sought", async () => {
  const processor: EngineWish = { ...wish, adapter: { ...wish.adapter, backend: "wasm" } };
  const { islands, sent } = given();
  await expect(islands.open(processor)).rejects.toBe(tooLarge);
  expect(sent).toEqual([]);
});
