// A TURN server (RFC 8656) to develop and test with, in the host's own process: UDP over IPv4, for peers on this machine and its networks.
// A deployed swarm has coturn, which does more, faster (docs/HOSTING.md).
//
//   client ── allocate (login as turn.ts makes them) ──> an address of its own ── send, channel data ──> the other end, if it is near
import { createHmac, randomBytes } from "node:crypto";
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { once } from "node:events";
import { lanAddresses } from "./certificate.ts";
import { TokenBucket } from "./rate.ts";
import { bindingResponse } from "./stun.ts";
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
import { turnPassword } from "./turn.ts";

const REALM = "gossamer-dev";
/** Each is a socket: some browsers with some links each. */
const ALLOCATIONS_MAX = 128;
/** More than the links of one peer. */
const PEERS_MAX = 64;
/** RFC 8656's own. */
const LIFETIME_S = 600;
const PERMISSION_MS = 300_000;
const CHANNEL_MS = 600_000;
const UDP = 17;
/** Of one allocation, both ways: a development machine has other things to do. */
const rate = { perSecond: 8 * 2 ** 20, burst: 8 * 2 ** 20 };

interface Allocation {
  readonly client: Endpoint;
  readonly username: string;
  readonly key: Buffer;
  readonly socket: Socket;
  readonly relayed: Endpoint;
  readonly transaction: Buffer;
  readonly permittedUntil: Map<string, number>; //           address -> ms
  readonly peerByChannel: Map<number, Endpoint>;
  readonly channelByPeer: Map<string, { channel: number; until: number }>;
  readonly bytes: TokenBucket;
  until: number;
}

export interface TurnDev {
  readonly port: number;
  /** Logins are made with it, as for coturn. */
  readonly secret: string;
  readonly allocations: number;
  close(): Promise<void>;
}

const keyOf = ({ address, port }: Endpoint): string => `${address}:${port}`;
const now = (): number => performance.now();
/** This machine, and networks that nobody routes: what is further away is no business of a development server. */
const isNear = (address: string): boolean =>
  /^(127\.|10\.|192\.168\.|169\.254\.|172\.(1[6-9]|2\d|3[01])\.)/.test(address) || lanAddresses().includes(address);

/** @param host as the page listens. @throws the socket's error, for example EADDRINUSE */
export async function startTurnDev(host: string, port: number): Promise<TurnDev> {
  const server = new Server(host);
  await server.listen(port);
  return server;
}

class Server implements TurnDev {
  readonly secret = randomBytes(32).toString("hex");
  readonly #host: string;
  readonly #socket = createSocket("udp4");
  readonly #nonceKey = randomBytes(32);
  readonly #allocations = new Map<string, Allocation>(); // by the client's endpoint
  readonly #sweep: NodeJS.Timeout;
  #closed = false;

  constructor(host: string) {
    this.#host = host === "localhost" ? "127.0.0.1" : host;
    this.#sweep = setInterval(() => this.#endOld(), 10_000);
    this.#sweep.unref();
  }

  get port(): number {
    return this.#socket.address().port;
  }

  get allocations(): number {
    return this.#allocations.size;
  }

  async listen(port: number): Promise<void> {
    this.#socket.bind(port, this.#host);
    await once(this.#socket, "listening");
    this.#socket.on("error", () => undefined); // an ICMP answer to one client's packet is not our failure
    this.#socket.on("message", (bytes, from) => this.#receive(bytes, from));
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#sweep);
    for (const allocation of this.#allocations.values()) this.#end(allocation);
    await new Promise<void>((done) => this.#socket.close(() => done()));
  }

  #receive(bytes: Buffer, from: RemoteInfo): void {
    if (from.port === 0) return;
    const allocation = this.#allocations.get(keyOf(from));
    const channelled = decodeChannelData(bytes);
    if (channelled !== undefined) {
      const to = allocation?.peerByChannel.get(channelled.channel);
      if (allocation !== undefined && to !== undefined) this.#relay(allocation, to, channelled.data);
      return;
    }
    const message = decodeStun(bytes);
    if (message === undefined) return; // noise gets no answer
    if (message.class === classes.indication && message.method === methods.send) {
      const to = decodeEndpoint(attributeOf(message, attributes.peerAddress) ?? Buffer.alloc(0));
      const data = attributeOf(message, attributes.data);
      if (allocation !== undefined && to !== undefined && data !== undefined) this.#relay(allocation, to, data);
      return;
    }
    if (message.class === classes.request) void this.#request(message, bytes, from);
  }

  async #request(message: StunMessage, bytes: Buffer, from: RemoteInfo): Promise<void> {
    const binding = bindingResponse(bytes, from.address, from.port);
    if (binding !== undefined) return this.#socket.send(binding, from.port, from.address);
    const login = this.#login(message, bytes, from);
    if (login === undefined) return;
    const { key } = login;
    const refuse = (code: number, reason: string): void =>
      this.#answer(message, from, classes.error, [[attributes.errorCode, errorCode(code, reason)]], key);
    const allocation = this.#allocations.get(keyOf(from));
    if (message.method === methods.allocate) return this.#allocate(message, from, login, refuse);
    if (allocation === undefined) return refuse(437, "Allocation Mismatch");
    if (allocation.username !== login.username) return refuse(441, "Wrong Credentials");
    switch (message.method) {
      case methods.refresh: {
        const lifetime = lifetimeOf(message);
        if (lifetime === 0) this.#end(allocation);
        else allocation.until = now() + lifetime * 1000;
        return this.#answer(message, from, classes.success, [[attributes.lifetime, u32(lifetime)]], key);
      }
      case methods.createPermission:
      case methods.channelBind: {
        const peers = message.attributes
          .filter(([type]) => type === attributes.peerAddress)
          .map(([, value]) => decodeEndpoint(value));
        if (peers.length === 0 || peers.some((peer) => peer === undefined)) return refuse(400, "Bad Request");
        if (peers.some((peer) => !isNear(peer!.address))) return refuse(403, "Forbidden: a development server");
        const { permittedUntil } = allocation;
        for (const [address, until] of permittedUntil) if (until <= now()) permittedUntil.delete(address);
        const fresh = peers.filter((peer) => !permittedUntil.has(peer!.address));
        if (permittedUntil.size + fresh.length > PEERS_MAX) return refuse(508, "Insufficient Capacity");
        if (message.method === methods.channelBind && !bindChannel(allocation, message, peers[0]!))
          return refuse(400, "Bad Request");
        for (const peer of peers) permittedUntil.set(peer!.address, now() + PERMISSION_MS);
        return this.#answer(message, from, classes.success, [], key);
      }
      default:
        return refuse(400, "Bad Request");
    }
  }

  /** Whose it is; else the client has been told what is missing. */
  #login(message: StunMessage, bytes: Buffer, from: RemoteInfo): { username: string; key: Buffer } | undefined {
    const nonce = createHmac("sha256", this.#nonceKey).update(keyOf(from)).digest("hex").slice(0, 32);
    const challenge = (code: number, reason: string): undefined =>
      void this.#answer(message, from, classes.error, [
        [attributes.errorCode, errorCode(code, reason)],
        [attributes.realm, Buffer.from(REALM)],
        [attributes.nonce, Buffer.from(nonce)],
      ]);
    const username = attributeOf(message, attributes.username)?.toString();
    if (username === undefined || attributeOf(message, attributes.integrity) === undefined)
      return challenge(401, "Unauthorized");
    if (attributeOf(message, attributes.nonce)?.toString() !== nonce) return challenge(438, "Stale Nonce");
    const key = credentialKey(username, REALM, turnPassword(this.secret, username));
    const ended = !(Number(username.split(":", 1)[0]) * 1000 > Date.now());
    if (ended || !isSignedWith(bytes, key)) return challenge(401, "Unauthorized");
    return { username, key };
  }

  async #allocate(
    message: StunMessage,
    from: RemoteInfo,
    { username, key }: { username: string; key: Buffer },
    refuse: (code: number, reason: string) => void,
  ): Promise<void> {
    const there = this.#allocations.get(keyOf(from));
    if (there !== undefined)
      return there.transaction.equals(message.transaction)
        ? this.#allocated(message, there)
        : refuse(437, "Allocation Mismatch");
    if (attributeOf(message, attributes.requestedTransport)?.[0] !== UDP) return refuse(442, "Unsupported Transport");
    if (this.#allocations.size >= ALLOCATIONS_MAX) return refuse(508, "Insufficient Capacity");
    const socket = createSocket("udp4");
    const address = this.#relayAddress(from.address);
    // Known before its socket listens: the client asks again when it hears nothing for half a second.
    const allocation: Allocation = {
      client: { address: from.address, port: from.port },
      username,
      key,
      socket,
      get relayed() {
        return { address, port: socket.address().port };
      },
      transaction: message.transaction,
      permittedUntil: new Map(),
      peerByChannel: new Map(),
      channelByPeer: new Map(),
      bytes: new TokenBucket(rate, now()),
      until: now() + lifetimeOf(message) * 1000,
    };
    socket.bind(0, address);
    try {
      await once(socket, "listening");
    } catch {
      return refuse(508, "Insufficient Capacity");
    }
    // It asked twice meanwhile, or the host stops.
    if (this.#allocations.has(keyOf(from)) || this.#closed) return void socket.close();
    socket.on("error", () => undefined);
    socket.on("message", (data, peer) => this.#arrived(allocation, data, peer));
    this.#allocations.set(keyOf(from), allocation);
    this.#allocated(message, allocation);
  }

  #allocated(message: StunMessage, { client, relayed, key, until }: Allocation): void {
    this.#answer(
      message,
      client,
      classes.success,
      [
        [attributes.relayedAddress, encodeEndpoint(relayed)],
        [attributes.lifetime, u32(Math.round((until - now()) / 1000))],
        [attributes.mappedAddress, encodeEndpoint(client)],
      ],
      key,
    );
  }

  /** Where others reach it: as the client reached us. */
  #relayAddress(client: string): string {
    if (this.#host !== "0.0.0.0" && this.#host !== "::") return this.#host;
    return client.startsWith("127.") ? "127.0.0.1" : (lanAddresses()[0] ?? "127.0.0.1");
  }

  /** From the client to the other end. */
  #relay(allocation: Allocation, to: Endpoint, data: Buffer): void {
    const permitted = (allocation.permittedUntil.get(to.address) ?? 0) > now();
    if (!permitted || to.port === 0 || !allocation.bytes.take(data.length, now())) return; // dropped, as on a bad line
    allocation.socket.send(data, to.port, to.address);
  }

  /** From the other end to the client. */
  #arrived(allocation: Allocation, data: Buffer, peer: RemoteInfo): void {
    const { client, permittedUntil, channelByPeer, bytes } = allocation;
    if ((permittedUntil.get(peer.address) ?? 0) <= now() || !bytes.take(data.length, now())) return;
    const bound = channelByPeer.get(keyOf(peer));
    const packet =
      bound !== undefined && bound.until > now()
        ? encodeChannelData(bound.channel, data)
        : encodeStun({
            method: methods.data,
            class: classes.indication,
            transaction: randomBytes(12),
            attributes: [
              [attributes.peerAddress, encodeEndpoint(peer)],
              [attributes.data, data],
            ],
          });
    this.#socket.send(packet, client.port, client.address);
  }

  #answer(
    { method, transaction }: StunMessage,
    to: Endpoint,
    kind: number,
    said: StunMessage["attributes"],
    key?: Buffer,
  ): void {
    const packet = encodeStun({ method, class: kind, transaction, attributes: said }, key);
    this.#socket.send(packet, to.port, to.address);
  }

  #end(allocation: Allocation): void {
    this.#allocations.delete(keyOf(allocation.client));
    allocation.socket.close();
  }

  #endOld(): void {
    for (const allocation of this.#allocations.values()) if (allocation.until < now()) this.#end(allocation);
  }
}

function bindChannel(allocation: Allocation, message: StunMessage, peer: Endpoint): boolean {
  const value = attributeOf(message, attributes.channelNumber);
  const channel = value?.length === 4 ? value.readUInt16BE(0) : 0;
  const { peerByChannel, channelByPeer } = allocation;
  if (channel < 0x4000 || channel > 0x7fff || peerByChannel.size >= PEERS_MAX) return false;
  const [other, own] = [peerByChannel.get(channel), channelByPeer.get(keyOf(peer))?.channel];
  if ((other !== undefined && keyOf(other) !== keyOf(peer)) || (own !== undefined && own !== channel)) return false;
  peerByChannel.set(channel, peer);
  channelByPeer.set(keyOf(peer), { channel, until: now() + CHANNEL_MS });
  return true;
}

function lifetimeOf(message: StunMessage): number {
  const value = attributeOf(message, attributes.lifetime);
  return value?.length === 4 ? Math.min(value.readUInt32BE(0), LIFETIME_S) : LIFETIME_S;
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value, 0);
  return bytes;
}
