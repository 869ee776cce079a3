import { randomBytes } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  attributeOf,
  attributes,
  classes,
  credentialKey,
  decodeChannelData,
  decodeEndpoint,
  decodeStun,
  type Endpoint,
  encodeChannelData,
  encodeEndpoint,
  encodeStun,
  errorCode,
  isSignedWith,
  methods,
  type StunMessage,
} from "./stun-message.ts";
import { freshFolder, startTestHost, TestVolunteer, writeRun } from "./test-given.ts";
import { turnPassword } from "./turn.ts";
import { startTurnDev, type TurnDev } from "./turn-dev.ts";

let turn: TurnDev;
let client: Client;
let far: Socket; // the other end
beforeEach(async () => {
  turn = await startTurnDev("127.0.0.1", 0);
  client = await Client.of(turn);
  far = createSocket("udp4");
  far.bind(0, "127.0.0.1");
  await once(far, "listening");
});
afterEach(async () => {
  client.socket.close();
  far.close();
  await turn.close();
});
const farEnd = (): Endpoint => ({ address: "127.0.0.1", port: far.address().port });

class Client {
  readonly socket = createSocket("udp4");
  readonly #turn: TurnDev;
  username = `${Math.floor(Date.now() / 1000) + 60}:ada`;
  realm = "";
  nonce: Buffer = Buffer.alloc(0);
  key: Buffer = Buffer.alloc(0);

  constructor(server: TurnDev) {
    this.#turn = server;
  }

  static async of(server: TurnDev): Promise<Client> {
    const client = new Client(server);
    client.socket.bind(0, "127.0.0.1");
    await once(client.socket, "listening");
    return client;
  }

  send(bytes: Buffer): void {
    this.socket.send(bytes, this.#turn.port, "127.0.0.1");
  }

  async next(): Promise<Buffer> {
    const [bytes] = (await once(this.socket, "message")) as [Buffer];
    return bytes;
  }

  async ask(method: number, given: StunMessage["attributes"] = [], signed = true): Promise<StunMessage> {
    const login: StunMessage["attributes"] = signed
      ? [
          [attributes.username, Buffer.from(this.username)],
          [attributes.realm, Buffer.from(this.realm)],
          [attributes.nonce, this.nonce],
        ]
      : [];
    const message = { method, class: classes.request, transaction: randomBytes(12), attributes: [...given, ...login] };
    this.send(encodeStun(message, signed ? this.key : undefined));
    const bytes = await this.next();
    const answer = decodeStun(bytes)!;
    expect(answer.transaction).toEqual(message.transaction);
    if (signed && answer.class === classes.success) expect(isSignedWith(bytes, this.key)).toBe(true);
    return answer;
  }

  /** What a browser does: asks, is challenged, asks with its login. @returns the relayed address */
  async allocate(password = turnPassword(this.#turn.secret, this.username)): Promise<StunMessage> {
    const transport: StunMessage["attributes"] = [[attributes.requestedTransport, Buffer.from([17, 0, 0, 0])]];
    const challenge = await this.ask(methods.allocate, transport, false);
    expect(codeOf(challenge)).toBe(401);
    this.realm = String(attributeOf(challenge, attributes.realm));
    this.nonce = attributeOf(challenge, attributes.nonce)!;
    this.key = credentialKey(this.username, this.realm, password);
    return this.ask(methods.allocate, transport);
  }
}

const codeOf = (answer: StunMessage): number | undefined => {
  const value = attributeOf(answer, attributes.errorCode);
  return value && value[2] * 100 + value[3];
};
const relayedOf = (answer: StunMessage): Endpoint =>
  decodeEndpoint(attributeOf(answer, attributes.relayedAddress)!) as Endpoint;
const peer = (end: Endpoint): [number, Buffer] => [attributes.peerAddress, encodeEndpoint(end)];
async function heard(socket: Socket): Promise<{ data: string; from: Endpoint }> {
  const [data, { address, port }] = (await once(socket, "message")) as [Buffer, Endpoint];
  return { data: String(data), from: { address, port } };
}

test("packets go both ways, as indications and over a channel, and come from the relayed address", async () => {
  const relayed = relayedOf(await client.allocate());
  expect((await client.ask(methods.createPermission, [peer(farEnd())])).class).toBe(classes.success);
  const send = (data: string) =>
    encodeStun({
      method: methods.send,
      class: classes.indication,
      transaction: randomBytes(12),
      attributes: [peer(farEnd()), [attributes.data, Buffer.from(data)]],
    });
  client.send(send("over there"));
  expect(await heard(far)).toEqual({ data: "over there", from: relayed });
  far.send("and back", relayed.port, relayed.address);
  const indication = decodeStun(await client.next())!;
  expect(String(attributeOf(indication, attributes.data))).toBe("and back");
  expect(decodeEndpoint(attributeOf(indication, attributes.peerAddress)!)).toEqual(farEnd());

  const channel: [number, Buffer] = [attributes.channelNumber, Buffer.from([0x40, 0x01, 0, 0])];
  expect((await client.ask(methods.channelBind, [channel, peer(farEnd())])).class).toBe(classes.success);
  client.send(encodeChannelData(0x4001, Buffer.from("shorter")));
  expect((await heard(far)).data).toBe("shorter");
  far.send("too", relayed.port, relayed.address);
  expect(decodeChannelData(await client.next())).toEqual({ channel: 0x4001, data: Buffer.from("too") });
});

describe("refused", () => {
  test("a wrong password, and a login that has ended", async () => {
    expect(codeOf(await client.allocate("guessed"))).toBe(401);
    client.username = `${Math.floor(Date.now() / 1000) - 1}:ada`;
    expect(codeOf(await client.allocate())).toBe(401);
    expect(turn.allocations).toBe(0);
  });

  test("what belongs to an allocation, without one; a second one; another's", async () => {
    await client.allocate();
    const other = await Client.of(turn);
    Object.assign(other, { realm: client.realm, key: client.key });
    other.nonce = attributeOf(await other.ask(methods.refresh, [], false), attributes.nonce)!;
    expect(codeOf(await other.ask(methods.refresh))).toBe(437);
    other.socket.close();
    expect(
      codeOf(await client.ask(methods.allocate, [[attributes.requestedTransport, Buffer.from([17, 0, 0, 0])]])),
    ).toBe(437);
  });

  test("an end that is far away, and a channel that is none or another's", async () => {
    await client.allocate();
    expect(codeOf(await client.ask(methods.createPermission, [peer({ address: "8.8.8.8", port: 53 })]))).toBe(403);
    const bind = (channel: number[], to: Endpoint) =>
      client.ask(methods.channelBind, [[attributes.channelNumber, Buffer.from(channel)], peer(to)]);
    expect(codeOf(await bind([0x30, 0, 0, 0], farEnd()))).toBe(400);
    expect(codeOf(await bind([0x40], farEnd()))).toBe(400);
    expect((await bind([0x40, 1, 0, 0], farEnd())).class).toBe(classes.success);
    expect(codeOf(await bind([0x40, 1, 0, 0], { ...farEnd(), port: 1 }))).toBe(400);
  });
});

test("permissions have an end: whoever asks for ever more of them gets no more", async () => {
  await client.allocate();
  const codes: (number | undefined)[] = [];
  for (let i = 1; i <= 70; i++)
    codes.push(codeOf(await client.ask(methods.createPermission, [peer({ address: `10.0.0.${i}`, port: 1 })])));
  expect(codes.filter((code) => code === undefined)).toHaveLength(64);
  expect(new Set(codes.slice(64))).toEqual(new Set([508]));
});

test("who has no permission reaches nobody, and nothing is sent to whom none was given", async () => {
  const relayed = relayedOf(await client.allocate());
  far.send("unasked", relayed.port, relayed.address);
  expect((await client.ask(methods.refresh)).class).toBe(classes.success); // the next that is heard, not what was unasked
});

test("an allocation ends when it is asked to, and its port with it", async () => {
  await client.allocate();
  expect(turn.allocations).toBe(1);
  await client.ask(methods.refresh, [[attributes.lifetime, Buffer.alloc(4)]]);
  expect(turn.allocations).toBe(0);
});

test("noise ends nothing", async () => {
  await client.allocate();
  for (let length = 0; length < 200; length++) {
    const bytes = randomBytes(length);
    if (length > 8) bytes.writeUInt32BE(0x2112a442, 4);
    if (length > 20) bytes.writeUInt16BE(length - 20, 2);
    client.send(bytes);
  }
  const half = encodeStun({
    method: 3,
    class: 0,
    transaction: randomBytes(12),
    attributes: [[9, errorCode(401, "x")]],
  });
  half.writeUInt16BE(0xffff, 22); // an attribute that is longer than its message
  client.send(half);
  expect((await client.ask(methods.binding, [], false)).class).toBe(classes.success);
});

test("a host with --turn-dev tells each peer a login of its own", async () => {
  const data = await freshFolder();
  const host = await startTestHost({ data, run: await writeRun(data), turnDev: true });
  const ada = await TestVolunteer.join(host.url, 1);
  expect(ada.welcome.iceServers).toMatchObject([
    { urls: expect.stringMatching(/^stun:/) },
    {
      urls: [expect.stringMatching(/^turn:localhost:\d+\?transport=udp$/)],
      username: expect.stringContaining(ada.peer),
    },
  ]);
  expect(await (await fetch(`${host.url}/api/network`)).json()).toMatchObject({ turn: true });
  ada.socket.close();
  await host.close();
});
