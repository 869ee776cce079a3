import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { identityFrom, MESSAGE_BYTES_MAX } from "#wire";
import { startSignaling } from "./host.ts";
import type { RunningHost } from "./network.ts";
import type { HostedRun } from "./run.ts";
import { freshFolder, helloOf, startTestHost, TestSocket, TestVolunteer, writeRun } from "./test-given.ts";
import { turnPassword } from "./turn.ts";

let host: RunningHost & { readonly run: HostedRun };
beforeAll(async () => {
  const data = await freshFolder();
  host = await startTestHost({ data, run: await writeRun(data) });
});
afterAll(() => host.close());

const someone = identityFrom(new Uint8Array(32).fill(99));

describe("hello", () => {
  test("a signed hello is welcomed with the spec, who is here, and STUN under the name that the browser used", async () => {
    const volunteer = await TestVolunteer.join(host.url, 1);
    expect(volunteer.welcome).toMatchObject({
      peer: volunteer.peer,
      run: host.run.id,
      spec: { name: "tiny" },
      headSeq: host.run.view.headSeq,
      iceServers: [{ urls: `stun:localhost:${host.stunPort}` }],
    });
    volunteer.socket.close();
  });

  test.each([
    ["another's signature", "signature", { signature: "00".repeat(64) }],
    ["a protocol of tomorrow", "version", { protocolMin: 7, protocolMax: 9 }],
    ["a protocol of tomorrow with a field of tomorrow", "version", { protocolMin: 3, protocolMax: 3, mood: "good" }],
    ["another run", "run-unknown", { run: "ab".repeat(32) }],
    ["a slot out of range", "invalid", { slot: 16 }],
  ] as const)("%s is refused by name", async (_, code, changed) => {
    const socket = new TestSocket(`${host.url}/signal`);
    const { nonce } = await socket.next("challenge");
    socket.send(helloOf(someone, nonce, changed));
    expect((await socket.next("refuse")).code).toBe(code);
    expect((await socket.whenClosed()).code).toBe(1008);
  });

  test("a hello of an earlier connection is worthless: the nonce differs", async () => {
    const [first, second] = [new TestSocket(`${host.url}/signal`), new TestSocket(`${host.url}/signal`)];
    const { nonce } = await first.next("challenge");
    await second.next("challenge");
    second.send(helloOf(someone, nonce));
    expect((await second.next("refuse")).code).toBe("signature");
    first.socket.close();
  });

  test("nothing else counts before it", async () => {
    const socket = new TestSocket(`${host.url}/signal`);
    await socket.next("challenge");
    socket.send({ type: "pause", reason: "" });
    expect((await socket.next("refuse")).message).toBe("pause before hello");
  });

  test("the same volunteer and slot again supersedes the old socket", async () => {
    const old = await TestVolunteer.join(host.url, 2);
    const again = await TestVolunteer.join(host.url, 2);
    expect((await old.next("refuse")).code).toBe("superseded");
    expect(host.run.view.peers.map(({ member }) => member.peer)).toContain(again.peer);
    expect((await old.upload(Uint8Array.of(1))).status).toBe(401);
    again.socket.close();
  });
});

test("[R22] after the end who took part is welcomed once more, and nobody else", async () => {
  const data = await freshFolder();
  const over = await startTestHost({ data, run: await writeRun(data) });
  const ada = await TestVolunteer.join(over.url, 1);
  await ada.playRound(0, over.run.started.genesisHash);
  over.run.end("a test");
  const { seq } = await ada.entry("end");
  ada.socket.close();
  const again = await TestVolunteer.join(over.url, 1);
  expect(again.welcome.headSeq).toBe(seq);
  const socket = new TestSocket(`${over.url}/signal`);
  const { nonce } = await socket.next("challenge");
  socket.send(helloOf(someone, nonce));
  expect((await socket.next("refuse")).code).toBe("run-ended");
  again.socket.close();
  await over.close();
});

describe("between peers", () => {
  test("joined, signals both ways, left with the reason that was given", async () => {
    const ada = await TestVolunteer.join(host.url, 10);
    const bob = await TestVolunteer.join(host.url, 11);
    expect((await ada.next("joined")).member.peer).toBe(bob.peer);
    expect(bob.welcome.members.map(({ peer }) => peer)).toContain(ada.peer);
    ada.send({ type: "signal", to: bob.peer, data: "offer" });
    expect(await bob.next("signal")).toEqual({ type: "signal", from: ada.peer, data: "offer" });
    bob.send({ type: "signal", to: ada.peer, data: "answer" });
    expect((await ada.next("signal")).data).toBe("answer");
    bob.send({ type: "bye", reason: "tab closed" });
    expect(await ada.next("left")).toEqual({ type: "left", peer: bob.peer, reason: "tab closed" });
    ada.socket.close();
  });

  test("a socket that dies without a word is a crash", async () => {
    const ada = await TestVolunteer.join(host.url, 12);
    const bob = await TestVolunteer.join(host.url, 13);
    bob.socket.terminate();
    expect((await ada.next("left")).reason).toBe("connection closed");
    expect(host.run.detail(0, 100).churn.at(-1)).toMatchObject({ kind: "crashed", peer: bob.peer, name: "Ada" });
    ada.socket.close();
  });
});

describe("limits", () => {
  test.each([
    ["not JSON", "{"],
    ["an unknown type", '{"type":"nonsense"}'],
  ])("%s is refused", async (_, text) => {
    const socket = new TestSocket(`${host.url}/signal`);
    await socket.next("challenge");
    socket.socket.send(text);
    expect((await socket.next("refuse")).code).toBe("invalid");
  });

  test("binary data is refused, and a message too large ends the connection", async () => {
    const binary = new TestSocket(`${host.url}/signal`);
    await binary.next("challenge");
    binary.socket.send(Uint8Array.of(1));
    expect((await binary.next("refuse")).code).toBe("invalid");
    const large = new TestSocket(`${host.url}/signal`);
    await large.next("challenge");
    large.socket.send("x".repeat(MESSAGE_BYTES_MAX + 1));
    expect((await large.whenClosed()).code).toBe(1009);
  });

  test("a flood of messages is refused", async () => {
    const data = await freshFolder();
    const strict = await startTestHost({
      data,
      run: await writeRun(data),
      limits: { messages: { perSecond: 0.001, burst: 5 } },
    });
    const volunteer = await TestVolunteer.join(strict.url, 1);
    for (let i = 0; i < 5; i++) volunteer.send({ type: "pause", reason: "" });
    expect((await volunteer.next("refuse")).code).toBe("rate");
    await strict.close();
  });

  test("connections of one address are counted, and a closed one makes room", async () => {
    const data = await freshFolder();
    const strict = await startTestHost({ data, run: await writeRun(data), limits: { connectionsPerAddressMax: 1 } });
    const first = await TestVolunteer.join(strict.url, 1);
    const second = new TestSocket(`${strict.url}/signal`);
    await second.whenClosed();
    first.socket.close();
    await first.whenClosed();
    (await TestVolunteer.join(strict.url, 1)).socket.close();
    await strict.close();
  });

  test("a volunteer's messages are counted over all its sockets, also when it connects anew", async () => {
    const data = await freshFolder();
    const run = await writeRun(data);
    const strict = await startTestHost({ data, run, limits: { volunteerMessages: { perSecond: 0.001, burst: 7 } } });
    const said = async (seed: number, count: number) => {
      const volunteer = await TestVolunteer.join(strict.url, seed); // its head is the first message
      for (let i = 0; i < count; i++) volunteer.send({ type: "pause", reason: "" });
      return volunteer;
    };
    const first = await said(1, 3);
    first.socket.close();
    await first.whenClosed();
    expect((await (await said(1, 3)).next("refuse")).code).toBe("rate");
    const other = await said(2, 3);
    other.send({ type: "bye", reason: "enough" });
    expect((await other.whenClosed()).code).toBe(1000);
    await strict.close();
  });

  test("a socket that answers no ping is found dead in time", async () => {
    const data = await freshFolder();
    const strict = await startTestHost({
      data,
      run: await writeRun(data),
      limits: { pingEveryMs: 10, silenceMaxMs: 300 },
    });
    const ada = await TestVolunteer.join(strict.url, 1);
    const mute = await TestVolunteer.join(strict.url, 2);
    mute.socket.pause(); // reads nothing, so answers nothing, as a machine that has gone to sleep
    expect(await ada.next("left")).toEqual({ type: "left", peer: mute.peer, reason: "no sign of life" });
    await strict.close();
  });

  test("who says no hello is shown out", async () => {
    const data = await freshFolder();
    const strict = await startTestHost({ data, run: await writeRun(data), limits: { helloDeadlineMs: 20 } });
    const socket = new TestSocket(`${strict.url}/signal`);
    expect((await socket.next("refuse")).message).toBe("No hello came in time.");
    await strict.close();
  });
});

describe("origins", () => {
  test("our own page is challenged", async () => {
    const socket = new TestSocket(`${host.url}/signal`, { origin: host.url });
    expect((await socket.next("challenge")).nonce).toHaveLength(64);
    socket.socket.close();
  });

  test.each([
    ["another site's page", "https://evil.example", "Pages of https://evil.example may not"],
    ["a sandboxed page", "null", "Pages of that origin may not"],
  ])("%s is told why it may not come in, and nothing else", async (_, origin, message) => {
    const socket = new TestSocket(`${host.url}/signal`, { origin });
    expect(await socket.next("refuse")).toMatchObject({ code: "origin", message: expect.stringContaining(message) });
    expect((await socket.whenClosed()).code).toBe(1008);
    await expect(socket.next("challenge")).rejects.toThrow(/closed with 1008/);
  });

  test("a name that somebody else points at loopback is not ours", async () => {
    const socket = new TestSocket(`${host.url}/signal`, { host: "evil.example" });
    expect((await socket.whenClosed()).code).toBe(1006);
  });
});

describe("TURN", () => {
  const turn = { urls: ["turn:turn.example.org:3478"], secret: "north" };
  const limits = { pingEveryMs: 5, iceRenewMs: 1 };

  test("each peer hears of it in its welcome with a login of its own, and again before that login ends", async () => {
    const data = await freshFolder();
    const relaying = await startTestHost({ data, run: await writeRun(data), turn, limits });
    const volunteer = await TestVolunteer.join(relaying.url, 1);
    const [stun, told] = volunteer.welcome.iceServers;
    expect(stun.urls).toBe(`stun:localhost:${relaying.stunPort}`);
    expect(told.urls).toEqual(turn.urls);
    expect(told.username?.split(":")[1]).toBe(volunteer.peer);
    const again = (await volunteer.next("ice")).iceServers[1];
    expect(Number.parseInt(again.username ?? "", 10)).toBeGreaterThanOrEqual(Number.parseInt(told.username ?? "", 10));
    expect(again.credential).toBe(turnPassword("north", again.username ?? ""));
    volunteer.socket.close();
    await relaying.close();
  });

  test("a host that only signals names it too", async () => {
    const options = { host: "127.0.0.1", port: 0, share: false, report: () => {}, data: await freshFolder() };
    const alone = await startSignaling({ ...options, allowOrigins: [], turn, limits });
    const socket = new TestSocket(`${alone.url}/signal`);
    const { nonce } = await socket.next("challenge");
    socket.send(helloOf(someone, nonce, { run: "aa".repeat(32) }));
    expect((await socket.next("room")).iceServers[1].urls).toEqual(turn.urls);
    expect((await socket.next("ice")).iceServers[1].urls).toEqual(turn.urls);
    await alone.close();
  });
});

describe("signaling alone", () => {
  test("members of a room find each other; rooms do not mix; a page of an allowed origin may come", async () => {
    const options = { host: "127.0.0.1", port: 0, share: false, report: () => {}, data: await freshFolder() };
    const alone = await startSignaling({ ...options, allowOrigins: ["https://page.example"] });
    const enter = async (seed: number, run: string) => {
      const identity = identityFrom(new Uint8Array(32).fill(seed));
      const socket = new TestSocket(`${alone.url}/signal`, { origin: "https://page.example" });
      const { nonce } = await socket.next("challenge");
      socket.send(helloOf(identity, nonce, { run }));
      return { socket, room: await socket.next("room") };
    };
    const ada = await enter(1, "aa".repeat(32));
    const other = await enter(2, "bb".repeat(32));
    const bob = await enter(3, "aa".repeat(32));
    expect(other.room.members).toEqual([]);
    expect(bob.room.members.map(({ peer }) => peer)).toEqual([ada.room.peer]);
    bob.socket.send({ type: "signal", to: ada.room.peer, data: "offer" });
    expect(await ada.socket.next("signal")).toEqual({ type: "signal", from: bob.room.peer, data: "offer" });
    bob.socket.socket.close();
    expect((await ada.socket.next("left")).peer).toBe(bob.room.peer);
    await alone.close();
  });

  test('"default" is no room: a relay has no run of its own', async () => {
    const options = { host: "127.0.0.1", port: 0, share: false, report: () => {}, data: await freshFolder() };
    const alone = await startSignaling({ ...options, allowOrigins: [] });
    const socket = new TestSocket(`${alone.url}/signal`);
    const { nonce } = await socket.next("challenge");
    socket.send(helloOf(someone, nonce));
    expect((await socket.next("refuse")).code).toBe("run-unknown");
    await alone.close();
  });
});
