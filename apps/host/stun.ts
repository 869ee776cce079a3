// A STUN server that knows one thing (RFC 8489): Binding, which tells a browser the address its packets come from.
// The host runs its own so that no third party learns who volunteers.
import { createSocket } from "node:dgram";
import { isIPv6 } from "node:net";
import { attributes, classes, decodeStun, encodeEndpoint, encodeStun, methods } from "./stun-message.ts";

/** The answer to a Binding request from that address, or undefined for anything else: noise gets no answer. */
export function bindingResponse(request: Buffer, address: string, port: number): Buffer | undefined {
  if (port === 0) return undefined; // RFC 768 allows port 0, but sending there throws
  const message = decodeStun(request);
  if (message?.method !== methods.binding || message.class !== classes.request) return undefined;
  const { transaction } = message;
  const mapped = encodeEndpoint({ address, port }, transaction);
  return encodeStun({
    method: methods.binding,
    class: classes.success,
    transaction,
    attributes: [[attributes.mappedAddress, mapped]],
  });
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
