import { describe, expect, test } from "vitest";
import {
  type Identity,
  identityFrom,
  type PeerMessage,
  PROTOCOL_VERSION,
  peerIdOf,
  presets,
  type RunSpec,
  verify,
} from "#wire";
import {
  hostDialect,
  roomDialect,
  type Scheduler,
  Signaling,
  type SocketEvents,
  type SocketLike,
} from "./signaling.ts";

const identity: Identity = identityFrom(new Uint8Array(32).fill(7));
const nonce = "ab".repeat(32);
const run = "cd".repeat(32);
const hash = "ef".repeat(32);

class FakeSocket implements SocketLike {
  bufferedAmount = 0;
  readonly events: SocketEvents;
  readonly sent: PeerMessage[] = [];
  closed = false;
  constructor(events: SocketEvents) {
    this.events = events;
  }
  send(text: string) {
    this.sent.push(JSON.parse(text) as PeerMessage);
  }
  close() {
    this.closed = true;
  }
  say(message: unknown) {
    this.events.onMessage(typeof message === "string" ? message : JSON.stringify(message));
  }
}

/** Timers that run when the test says so. */
class FakeScheduler implements Scheduler {
  nowMs = 0;
  readonly timers: { at: number; run: () => void }[] = [];
  now = () => this.nowMs;
  random = () => 1;
  after = (ms: number, run: () => void) => {
    const timer = { at: this.nowMs + ms, run };
    this.timers.push(timer);
    return () => {
      const index = this.timers.indexOf(timer);
      if (index >= 0) this.timers.splice(index, 1);
    };
  };
  pass(ms: number) {
    const until = this.nowMs + ms;
    for (;;) {
      const next = this.timers.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.timers.splice(this.timers.indexOf(next), 1);
      this.nowMs = next.at;
      next.run();
    }
    this.nowMs = until;
  }
}

function setUp() {
  const sockets: FakeSocket[] = [];
  const scheduler = new FakeScheduler();
  const heard: string[] = [];
  const signaling = new Signaling({
    url: "ws://host/signal",
    dialect: hostDialect,
    run: () => "default",
    identity,
    slot: 2,
    name: () => "Ada",
    build: "test",
    adapter: { backend: "webgpu", vendor: "v", architecture: "a", description: "d", isFallback: true },
    openSocket: (_url, events) => {
      sockets.push(new FakeSocket(events));
      return sockets.at(-1)!;
    },
    scheduler,
    onOpen: () => heard.push("welcome"),
    onMessage: (message) => heard.push(message.type),
    onClosed: (reason) => heard.push(`closed: ${reason}`),
    onRefused: (code) => heard.push(`refused: ${code}`),
  });
  return { signaling, sockets, scheduler, heard };
}

const { corpus: _, ...draft } = presets.nano;
const welcome = {
  type: "welcome",
  protocol: PROTOCOL_VERSION,
  build: "test",
  peer: peerIdOf(identity.volunteer, 2),
  run,
  session: "token",
  iceServers: [{ urls: "stun:127.0.0.1:3478" }],
  relay: false,
  headSeq: -1,
  headHash: run,
  members: [],
  spec: {
    ...draft,
    data: {
      source: "s",
      licence: "CC0",
      tokenizer: "bytes",
      train: [{ hash, bytes: 1, tokens: 1 }],
      evaluation: [{ hash, bytes: 1, tokens: 1 }],
    },
    hostKey: identity.volunteer,
  } satisfies RunSpec,
};

function opened() {
  const all = setUp();
  all.signaling.start();
  all.sockets[0].say({ type: "challenge", nonce });
  all.sockets[0].say(welcome);
  return all;
}

describe("signaling", () => {
  test("[R52] a welcome on the open line opens it anew: another host of a cluster orders the run from now on", () => {
    const { sockets, heard, signaling } = opened();
    sockets[0].say(welcome);
    expect(heard).toEqual(["welcome", "welcome"]);
    expect(signaling.isOpen).toBe(true);
    expect(sockets).toHaveLength(1);
  });

  test("answers the challenge with a signed hello, and is open after the welcome", () => {
    const { signaling, sockets, heard } = setUp();
    signaling.start();
    expect(signaling.send({ type: "bye", reason: "" })).toBe(false);
    sockets[0].say({ type: "challenge", nonce });
    const [hello] = sockets[0].sent;
    if (hello.type !== "hello") throw new Error(`sent ${hello.type}`);
    expect(verify(identity.volunteer, "gossamer hello v1", [nonce, "default", 2], hello.signature)).toBe(true);
    expect(hello.name).toBe("Ada");
    sockets[0].say(welcome);
    expect(heard).toEqual(["welcome"]);
    expect(signaling.send({ type: "pause", reason: "lid" })).toBe(true);
    sockets[0].say({ type: "left", peer: welcome.peer, reason: "gone" });
    expect(heard).toEqual(["welcome", "left"]);
  });

  test("messages before the welcome are not passed on", () => {
    const { signaling, sockets, heard } = setUp();
    signaling.start();
    sockets[0].say({ type: "left", peer: welcome.peer, reason: "gone" });
    expect(heard).toEqual([]);
  });

  test("a broken line is opened again, later each time, and at once after a nudge", () => {
    const { signaling, sockets, scheduler, heard } = opened();
    sockets[0].events.onClose();
    expect(heard.at(-1)).toMatch(/^closed/);
    expect(signaling.isOpen).toBe(false);
    scheduler.pass(499);
    expect(sockets.length).toBe(1);
    scheduler.pass(1);
    expect(sockets.length).toBe(2);
    sockets[1].events.onClose();
    scheduler.pass(500);
    expect(sockets.length).toBe(3);
    sockets[2].events.onClose();
    scheduler.pass(500);
    expect(sockets.length).toBe(3); // now a second
    signaling.nudge();
    expect(sockets.length).toBe(4);
    for (let attempt = 3; attempt < 12; attempt++) {
      sockets[attempt].events.onClose();
      scheduler.pass(15_000); // never longer
      expect(sockets.length).toBe(attempt + 2);
    }
  });

  test("a host that does not answer is left after ten seconds", () => {
    const { signaling, sockets, scheduler, heard } = setUp();
    signaling.start();
    scheduler.pass(10_000);
    expect(sockets[0].closed).toBe(true);
    expect(heard).toHaveLength(1);
    scheduler.pass(1_000);
    expect(sockets.length).toBe(2);
  });

  test.each([
    ["not JSON", "{"],
    ["an unknown type", { type: "hack" }],
    ["an unknown field", { type: "challenge", nonce, extra: 1 }],
    ["too much", JSON.stringify({ type: "challenge", nonce: "a".repeat(300_000) })],
  ])("%s from the host breaks the line, and it is tried again", (_name, message) => {
    const { sockets, scheduler, heard } = opened();
    sockets[0].say(message);
    expect(heard.at(-1)).toMatch(/^closed: the host sent/);
    scheduler.pass(1_000);
    expect(sockets.length).toBe(2);
  });

  test("a refusal is final, unless waiting can help", () => {
    const final = setUp();
    final.signaling.start();
    final.sockets[0].say({ type: "refuse", code: "version", message: "reload" });
    final.scheduler.pass(60_000);
    expect(final.heard).toEqual(["refused: version"]);
    expect(final.sockets.length).toBe(1);
    const later = setUp();
    later.signaling.start();
    later.sockets[0].say({ type: "refuse", code: "slot-taken", message: "the old tab" });
    later.scheduler.pass(1_000);
    expect(later.heard).toEqual(["closed: the old tab"]);
    expect(later.sockets.length).toBe(2);
  });

  test("a line that does not drain is dropped; what is only for display is not queued on a slow one", () => {
    const { signaling, sockets, scheduler, heard } = opened();
    sockets[0].bufferedAmount = 100_000;
    expect(signaling.send({ type: "progress", round: 0, step: 1, loss: 5, tokensPerSecond: 1 })).toBe(false);
    expect(signaling.send({ type: "attest", round: 0, anchorHash: hash })).toBe(true);
    scheduler.pass(15_000);
    expect(signaling.isOpen).toBe(true);
    scheduler.pass(10_000);
    expect(heard.at(-1)).toBe("closed: nothing reaches the host any more");
  });

  test("stop says goodbye and stays closed", () => {
    const { signaling, sockets, scheduler, heard } = opened();
    signaling.stop("the person stopped");
    expect(sockets[0].sent.at(-1)).toEqual({ type: "bye", reason: "the person stopped" });
    expect(sockets[0].closed).toBe(true);
    scheduler.pass(60_000);
    expect(sockets.length).toBe(1);
    expect(heard).toEqual(["welcome"]);
  });

  test("a host that only signals is understood by its own dialect, and its room is no welcome", () => {
    const room = { ...{ type: "room", protocol: 1, build: "b", peer: welcome.peer, run }, iceServers: [], members: [] };
    expect(roomDialect(JSON.stringify(room))).toEqual({ means: "open", opening: room });
    expect(typeof hostDialect(JSON.stringify(room))).toBe("string");
    expect(typeof roomDialect(JSON.stringify(welcome))).toBe("string");
    expect(roomDialect(JSON.stringify({ type: "signal", from: welcome.peer, data: "x" }))).toMatchObject({
      means: "message",
    });
    expect(roomDialect(JSON.stringify({ type: "refuse", code: "full", message: "no" }))).toMatchObject({
      means: "refuse",
    });
  });
});
