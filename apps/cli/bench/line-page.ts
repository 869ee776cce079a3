// What the line's bench runs in each of its two browsers: links and the exchange, wired as window and worker are. Node carries the
// signals; updates are random bytes, made at one end and fetched by name at the other.
import { BatchPort, BlobExchange, Heartbeat, type ToWindow, type ToWorker } from "#mesh";
import { Links } from "#mesh/links";
import { BLOB_BYTES_MAX, encodePieceList, type PeerId, pieceListName } from "#wire";

export interface LineFetch {
  readonly ms: number;
  readonly connections: number; // that carried the link at the end, at the side that sends
}

declare global {
  /** Bound by Node: carries a signal to the other browser. */
  var signalOut: (data: string) => Promise<void>;
  var signalIn: (data: string) => void;
  /** Resolves when the link is up. */
  var begin: (initiator: boolean) => Promise<void>;
  /** Makes an update of so many bytes and returns its name. */
  var make: (bytes: number) => string;
  var fetchUpdate: (name: string, bytes: number) => Promise<number>;
  var connections: () => number;
}

const other: PeerId = `${"0b".repeat(32)}00`;
const blobs = new Map<string, Uint8Array>();
const now = () => performance.now();
const nobody = () => Promise.reject(new Error("there is no host"));
const channel = new MessageChannel();
let count = 1;
let up: () => void = () => {};

const links = new Links({
  now,
  onSignal: (_, data) => void globalThis.signalOut(data),
  onUp: (peer) => toWorker.post({ type: "up", peer }),
  onConnections: (peer, counts) => toWorker.post({ type: "connections", peer, ...counts }),
  onDown: (peer, reason) => toWorker.post({ type: "down", peer, reason }),
  onFrame: (peer, bytes) => toWorker.post({ type: "frame", peer, bytes }),
});
const toWorker = new BatchPort<ToWorker, ToWindow>(channel.port1, (message) => {
  if (message.type === "frame") links.send(message.peer, message.bytes);
  if (message.type === "close") links.close(message.peer, message.reason);
});
const port = {
  send: (peer: PeerId, bytes: Uint8Array) => void toWindow.post({ type: "frame", peer, bytes }),
  close: (peer: PeerId, reason: string) => void toWindow.post({ type: "close", peer, reason }),
};
const heartbeat = new Heartbeat(port, now);
const exchange = new BlobExchange({
  ...{ port, now, seed: 1 },
  host: { pieceList: nobody, pieces: nobody },
  has: async (name) => blobs.has(name),
  read: async (name) => blobs.get(name),
});
const toWindow = new BatchPort<ToWindow, ToWorker>(channel.port2, (message) => {
  switch (message.type) {
    case "frame":
      if (!heartbeat.receive(message.peer, message.bytes)) exchange.receive(message.peer, message.bytes);
      break;
    case "connections":
      count = message.sending;
      exchange.connections(message.peer, message);
      break;
    case "up":
      heartbeat.linkUp(message.peer);
      exchange.linkUp(message.peer);
      up();
      break;
    case "down":
      heartbeat.linkDown(message.peer);
      exchange.linkDown(message.peer);
      console.error(`the link went down: ${message.reason}`);
      break;
  }
});
setInterval(() => heartbeat.tick(false), 500);

globalThis.signalIn = (data) => links.signal(other, data);
globalThis.begin = (initiator) =>
  new Promise((resolve) => {
    up = resolve;
    links.open(other, initiator);
  });
globalThis.make = (bytes) => {
  if (bytes > BLOB_BYTES_MAX) throw new RangeError(`an update of ${bytes} bytes: ${BLOB_BYTES_MAX} is the most`);
  const blob = new Uint8Array(bytes);
  for (let at = 0; at < bytes; at += 65_536) crypto.getRandomValues(blob.subarray(at, Math.min(at + 65_536, bytes)));
  const list = encodePieceList(blob);
  const name = pieceListName(list);
  blobs.set(name, blob);
  exchange.hold(name, { blob, list });
  return name;
};
globalThis.fetchUpdate = async (name, bytes) => {
  const start = now();
  await exchange.fetch(name, bytes, "never");
  return now() - start;
};
globalThis.connections = () => count;
