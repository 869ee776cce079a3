import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { decodeRelay, encodeRelay, encodeRelayHello, type PeerId, type RelayKind, WINDOW_BYTES } from "#wire";
import type { RunningHost } from "./network.ts";
import { Pacer } from "./rate.ts";
import { freshFolder, startTestHost, TestVolunteer, writeRun } from "./test-given.ts";

let host: RunningHost;
beforeAll(async () => {
  const data = await freshFolder();
  host = await startTestHost({ data, run: await writeRun(data) });
});
afterAll(() => host.close());

/** A peer's end of /relay, whose messages are awaited one by one. */
class TestRelay {
  readonly socket: WebSocket;
  readonly #arrived: { kind: RelayKind; peer: PeerId; frame: number[] }[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  #wake: () => void = () => {};

  constructor(url: string) {
    this.socket = new WebSocket(`${url.replace(/^http/, "ws")}/relay`);
    this.socket.on("message", (data: Buffer) => {
      const { kind, peer, frame } = decodeRelay(data)!;
      this.#arrived.push({ kind, peer, frame: [...frame.subarray(0, 4)] });
      this.#wake();
    });
    this.socket.on("error", () => undefined);
    this.closed = new Promise((resolve) =>
      this.socket.on("close", (code, reason) => resolve({ code, reason: String(reason) })),
    );
  }

  static async open({ url, welcome }: TestVolunteer): Promise<TestRelay> {
    const relay = new TestRelay(url);
    await relay.opened();
    relay.socket.send(encodeRelayHello(welcome.session));
    return relay;
  }

  opened(): Promise<unknown> {
    return new Promise((resolve) => this.socket.once("open", resolve));
  }

  send(...message: Parameters<typeof encodeRelay>): void {
    this.socket.send(encodeRelay(...message));
  }

  async next(): Promise<{ kind: RelayKind; peer: PeerId; frame: number[] }> {
    while (this.#arrived.length === 0) await new Promise<void>((wake) => (this.#wake = wake));
    return this.#arrived.shift()!;
  }
}

async function pair(seed: number) {
  const [ada, bob] = [await TestVolunteer.join(host.url, seed), await TestVolunteer.join(host.url, seed + 1)];
  const [adas, bobs] = [await TestRelay.open(ada), await TestRelay.open(bob)];
  return { ada, bob, adas, bobs };
}

async function linked(seed: number) {
  const given = await pair(seed);
  given.adas.send("ask", given.bob.peer);
  given.bobs.send("ask", given.ada.peer);
  expect([await given.adas.next(), await given.bobs.next()]).toMatchObject([{ kind: "ask" }, { kind: "ask" }]);
  return given;
}

describe("[R43] the host's relay", () => {
  test("the welcome says that there is one, and a host without it answers 404", async () => {
    const ada = await TestVolunteer.join(host.url, 1);
    expect(ada.welcome.relay).toBe(true);
    const data = await freshFolder();
    const without = await startTestHost({ data, run: await writeRun(data), relayMbit: 0 });
    expect((await TestVolunteer.join(without.url, 1)).welcome.relay).toBe(false);
    expect((await new TestRelay(without.url).closed).code).toBe(1006);
    await without.close();
  });

  test("a link needs both asks; frames cross unread, in order, and are counted", async () => {
    const { ada, bob, adas, bobs } = await pair(10);
    adas.send("ask", bob.peer);
    adas.send("frame", bob.peer, Uint8Array.of(1)); // nobody takes it yet
    adas.send("ask", ada.peer); // is refused, so that what came before has been read
    expect((await adas.next()).kind).toBe("leave");
    bobs.send("ask", ada.peer);
    expect(await bobs.next()).toEqual({ kind: "ask", peer: ada.peer, frame: [] });
    expect(await adas.next()).toEqual({ kind: "ask", peer: bob.peer, frame: [] });
    adas.send("frame", bob.peer, Uint8Array.of(2, 3));
    adas.send("frame", bob.peer, Uint8Array.of(4));
    expect(await bobs.next()).toEqual({ kind: "frame", peer: ada.peer, frame: [2, 3] });
    expect(await bobs.next()).toEqual({ kind: "frame", peer: ada.peer, frame: [4] });
    const metrics = await (await fetch(`${host.url}/metrics`)).text();
    expect(metrics).toContain("gossamer_relay_links 1\n");
    expect(metrics).toContain("gossamer_relay_bytes_total 3\n");
  });

  test("leaving ends both ends, and a new link needs both asks again", async () => {
    const { ada, bob, adas, bobs } = await linked(20);
    adas.send("leave", bob.peer);
    expect(await bobs.next()).toEqual({ kind: "leave", peer: ada.peer, frame: [] });
    adas.send("ask", bob.peer);
    bobs.send("frame", ada.peer, Uint8Array.of(9)); // of the link that is over
    bobs.send("ask", ada.peer);
    expect((await adas.next()).kind).toBe("ask");
    expect((await bobs.next()).kind).toBe("ask");
  });

  test("a peer whose control line ends is not here any more", async () => {
    const { ada, bob, adas, bobs } = await linked(30);
    ada.send({ type: "bye", reason: "a test" });
    expect(await bobs.next()).toEqual({ kind: "leave", peer: ada.peer, frame: [] });
    expect((await adas.closed).reason).toBe("the session ended");
    expect(bob.closed).toBeUndefined();
  });

  test.each([
    ["a token of nobody", encodeRelayHello("stranger"), "no session of this host"],
    ["no hello", new Uint8Array(34), "no session of this host"],
  ])("%s is turned away", async (_, first, reason) => {
    const relay = new TestRelay(host.url);
    await relay.opened();
    relay.socket.send(first);
    expect(await relay.closed).toEqual({ code: 1008, reason });
  });

  test("what does not decode ends the line, and so does asking without end", async () => {
    const { ada, bob, adas, bobs } = await linked(40);
    adas.socket.send(Uint8Array.of(3));
    expect((await adas.closed).reason).toBe("a message that does not decode");
    expect(await bobs.next()).toEqual({ kind: "leave", peer: ada.peer, frame: [] });
    for (let i = 0; i < 65; i++) bobs.send("leave", bob.peer);
    expect((await bobs.closed).reason).toBe("asks too often");
  });

  test("at most sixteen links are asked for, and none to oneself", async () => {
    const { ada, adas } = await pair(50);
    adas.send("ask", ada.peer);
    expect((await adas.next()).kind).toBe("leave");
    const others = Array.from({ length: 17 }, (_, i) => i.toString(16).padStart(2, "0").repeat(32).concat("00"));
    for (const other of others) adas.send("ask", other);
    expect(await adas.next()).toEqual({ kind: "leave", peer: others[16], frame: [] });
  });

  test("who sends beyond its window to an end that does not read is cut off", async () => {
    const { bob, adas, bobs } = await linked(60);
    bobs.socket.pause();
    const frame = new Uint8Array(16 * 1024);
    let closed = false;
    void adas.closed.then(() => {
      closed = true;
    });
    // The kernel's buffers take some MB before anything queues here.
    for (let sent = 0; sent < 64 * 2 ** 20 && !closed; sent += frame.length) {
      await new Promise<void>((done) => adas.socket.send(encodeRelay("frame", bob.peer, frame), () => done()));
    }
    expect((await adas.closed).reason).toBe("sends more than its window");
    bobs.socket.terminate();
  });
});

test("[R43] the pacer says how long to wait so that the rate holds", () => {
  const pacer = new Pacer(1_000, 0);
  expect(pacer.spend(100, 0)).toBe(100);
  expect(pacer.spend(100, 50)).toBe(150);
  expect(pacer.spend(100, 10_000)).toBe(100); // what was not used is not saved up
});

test("[R43] a rate that is used up holds the sender back, and everything arrives", async () => {
  const data = await freshFolder();
  const slow = await startTestHost({ data, run: await writeRun(data), relayMbit: 40 }); // 20 for one peer: 2.5 bytes a µs
  const [ada, bob] = [await TestVolunteer.join(slow.url, 1), await TestVolunteer.join(slow.url, 2)];
  const [adas, bobs] = [await TestRelay.open(ada), await TestRelay.open(bob)];
  adas.send("ask", bob.peer);
  bobs.send("ask", ada.peer);
  await adas.next();
  await bobs.next();
  const startedAt = performance.now();
  const frames = (2 * WINDOW_BYTES) / (16 * 1024); // twice a window: 0.21 s at that rate
  for (let i = 0; i < frames; i++) adas.send("frame", bob.peer, new Uint8Array(16 * 1024).fill(i));
  for (let i = 0; i < frames; i++) expect((await bobs.next()).frame[0]).toBe(i);
  expect(performance.now() - startedAt).toBeGreaterThan(50);
  await slow.close();
});
