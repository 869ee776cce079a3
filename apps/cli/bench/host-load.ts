// Many sockets of one process, each a peer that speaks the handshake and then only listens: what a load on a host's signaling is made of.
import { randomBytes } from "node:crypto";
import { WebSocket } from "ws";
import { type Identity, identityFrom, type PeerId, PROTOCOL_VERSION, peerIdOf, SLOTS_MAX, sign } from "#wire";

/** A host takes 256 sockets of one address; loopback has as many addresses as one likes (Linux). */
const SOCKETS_PER_ADDRESS = 200;
/** More at once would only wait in the kernel's queue. */
const OPENING_AT_ONCE = 64;

/** As the host writes them. */
const ENTRIES = '{"type":"entries"';
const COMMIT = '"type":"commit"';

export interface LoadEvents {
  /** A peer has heard what another one sent through the host, so long after. */
  onRelayed(ms: number): void;
  /** A peer has heard the commit with that place in the log. */
  onCommit(seq: number): void;
}

interface LoadPeer {
  readonly socket: WebSocket;
  readonly peer: PeerId;
  neighbours: readonly PeerId[];
}

export class HostLoad {
  readonly #url: string;
  readonly #events: LoadEvents;
  readonly #peers: LoadPeer[] = [];
  #identity: Identity = identityFrom(randomBytes(32));
  #opened = 0;
  #closed = 0;

  constructor(url: string, events: LoadEvents) {
    this.#url = `${url.replace(/^http/, "ws")}/signal`;
    this.#events = events;
  }

  /** Sockets that are in. */
  get size(): number {
    return this.#peers.length;
  }

  /** Sockets that the host closed. */
  get lost(): number {
    return this.#closed;
  }

  async open(count: number): Promise<void> {
    let left = count;
    const opener = async () => {
      while (left-- > 0) this.#peers.push(await this.#join());
    };
    await Promise.all(Array.from({ length: OPENING_AT_ONCE }, opener));
  }

  /** The oldest one leaves, and another one comes. */
  async replaceOne(): Promise<void> {
    const oldest = this.#peers.shift();
    if (oldest) {
      const closed = new Promise((resolve) => oldest.socket.once("close", resolve));
      oldest.socket.close(1000);
      await closed;
      this.#closed--;
    }
    this.#peers.push(await this.#join());
  }

  /** From one drawn peer to one of its neighbours. */
  relay(): void {
    const { socket, neighbours } = this.#peers[Math.floor(Math.random() * this.#peers.length)];
    if (neighbours.length === 0) return;
    const to = neighbours[Math.floor(Math.random() * neighbours.length)];
    socket.send(JSON.stringify({ type: "signal", to, data: `sent ${performance.now()}` }));
  }

  close(): void {
    for (const { socket } of this.#peers) socket.terminate();
  }

  /** Ten thousand ears of one process: none of them parses a commit. */
  #heardEntries(text: string): void {
    if (!text.includes(COMMIT)) return;
    const seq = /"seq":(\d+)/.exec(text)?.[1];
    if (seq !== undefined) this.#events.onCommit(Number(seq));
  }

  #join(): Promise<LoadPeer> {
    const number = this.#opened++;
    if (number % SLOTS_MAX === 0) this.#identity = identityFrom(randomBytes(32));
    const [identity, slot] = [this.#identity, number % SLOTS_MAX];
    const place = Math.floor(number / SOCKETS_PER_ADDRESS);
    const localAddress = `127.0.${1 + (Math.floor(place / 250) % 250)}.${1 + (place % 250)}`;
    const socket = new WebSocket(this.#url, { localAddress, perMessageDeflate: false });
    const made: LoadPeer = { socket, peer: peerIdOf(identity.volunteer, slot), neighbours: [] };
    return new Promise((resolve, reject) => {
      socket.on("error", reject);
      socket.on("close", (code) => {
        this.#closed++;
        reject(new Error(`the host closed a socket with ${code}`));
      });
      socket.on("message", (data) => {
        const text = String(data);
        if (text.startsWith(ENTRIES)) return this.#heardEntries(text);
        const message = JSON.parse(text);
        switch (message.type) {
          case "challenge":
            return socket.send(JSON.stringify(helloOf(identity, slot, message.nonce)));
          case "refuse":
            return reject(new Error(`the host refuses a peer (${message.code}): ${message.message}`));
          case "welcome":
            made.neighbours = message.members.map(({ peer }: { peer: PeerId }) => peer);
            return resolve(made);
          case "joined":
            made.neighbours = [...made.neighbours, message.member.peer];
            return;
          case "left":
          case "parted":
            made.neighbours = made.neighbours.filter((peer) => peer !== message.peer);
            return;
          case "signal":
            return this.#events.onRelayed(performance.now() - Number(String(message.data).slice("sent ".length)));
        }
      });
    });
  }
}

function helloOf(identity: Identity, slot: number, nonce: string): object {
  return {
    type: "hello",
    protocolMin: PROTOCOL_VERSION,
    protocolMax: PROTOCOL_VERSION,
    build: "bench",
    run: "default",
    volunteer: identity.volunteer,
    slot,
    name: "",
    adapter: { backend: "webgpu", vendor: "bench", architecture: "", description: "", isFallback: true },
    signature: sign(identity, "gossamer hello v1", [nonce, "default", slot]),
  };
}
