// A STUN server that knows one thing (RFC 8489): Binding, which tells a browser the address its packets come from.
// The host runs its own so that no third party learns who volunteers.
//
//   0           2         4               8                20
//   | type u16  | length  | 0x2112A442    | transaction 12 | attributes …        big-endian
import { createSocket } from "node:dgram";
import { isIPv6 } from "node:net";

const BINDING_REQUEST = 0x0001;
const BINDING_SUCCESS = 0x0101;
const XOR_MAPPED_ADDRESS = 0x0020;
const MAGIC_COOKIE = 0x2112a442;
const HEADER_BYTES = 20;

function ipv6Bytes(address: string): Buffer {
  const [head, tail] = address.split("%")[0].split("::");
  const groups = (part: string | undefined) => (part ? part.split(":") : []);
  // ::ffff:192.0.2.1 ends in dotted decimals
  const expand = (list: string[]) =>
    list.flatMap((group) => {
      if (!group.includes(".")) return [Number.parseInt(group, 16)];
      const [a, b, c, d] = group.split(".").map(Number);
      return [a * 256 + b, c * 256 + d];
    });
  const left = expand(groups(head));
  const right = expand(groups(tail));
  const words = [...left, ...new Array<number>(Math.max(0, 8 - left.length - right.length)).fill(0), ...right];
  const bytes = Buffer.alloc(16);
  for (let i = 0; i < 8; i++) bytes.writeUInt16BE(words[i] ?? 0, 2 * i);
  return bytes;
}

/** The answer to a Binding request from that address, or undefined for anything else: noise gets no answer. */
export function bindingResponse(request: Uint8Array, address: string, port: number): Uint8Array | undefined {
  if (request.length < HEADER_BYTES || port === 0) return undefined; // RFC 768 allows port 0, but sending there throws
  const view = Buffer.from(request.buffer, request.byteOffset, request.length);
  if (view.readUInt16BE(0) !== BINDING_REQUEST || view.readUInt32BE(4) !== MAGIC_COOKIE) return undefined;
  if (view.readUInt16BE(2) !== request.length - HEADER_BYTES) return undefined;
  const ip = isIPv6(address) ? ipv6Bytes(address) : Buffer.from(address.split(".").map(Number));
  const response = Buffer.alloc(HEADER_BYTES + 8 + ip.length);
  response.writeUInt16BE(BINDING_SUCCESS, 0);
  response.writeUInt16BE(8 + ip.length, 2);
  view.copy(response, 4, 4, HEADER_BYTES); // cookie and transaction
  response.writeUInt16BE(XOR_MAPPED_ADDRESS, HEADER_BYTES);
  response.writeUInt16BE(4 + ip.length, HEADER_BYTES + 2);
  response.writeUInt8(ip.length === 4 ? 1 : 2, HEADER_BYTES + 5);
  response.writeUInt16BE(port ^ (MAGIC_COOKIE >>> 16), HEADER_BYTES + 6);
  // XOR with cookie and transaction: some home routers rewrite addresses that they recognise in a packet
  for (let i = 0; i < ip.length; i++) response[HEADER_BYTES + 8 + i] = ip[i] ^ view[4 + i];
  return response;
}

export interface StunServer {
  readonly port: number;
  close(): Promise<void>;
}

/** @throws the socket's error, for example EADDRINUSE */
export function startStun(host: string, port: number): Promise<StunServer> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(isIPv6(host) ? "udp6" : "udp4");
    socket.once("error", reject);
    socket.on("message", (request, from) => {
      const response = bindingResponse(request, from.address, from.port);
      if (response !== undefined) socket.send(response, from.port, from.address);
    });
    socket.bind(port, host, () => {
      socket.off("error", reject);
      socket.on("error", () => undefined); // an ICMP answer to one client's packet is not our failure
      resolve({ port: socket.address().port, close: () => new Promise((done) => socket.close(() => done())) });
    });
  });
}
