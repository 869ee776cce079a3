// Direct and relayed ways of one link, with a fake window and a fake relay socket.
import { describe, expect, test } from "vitest";
import { decodeRelay, decodeRelayHello, encodeRelay } from "#wire";
import { Paths } from "./paths.ts";
import type { ToWindow } from "./port.ts";
import type { RelaySocketEvents } from "./relay-line.ts";

const bob = `${"b0".repeat(32)}00`;
const carol = `${"c0".repeat(32)}01`;

function given() {
  const told: string[] = [];
  const frames: number[] = [];
  const window: ToWindow[] = [];
  const sockets: {
    sent: (string | Uint8Array)[];
    events: RelaySocketEvents;
    closed: boolean;
    bufferedAmount: number;
  }[] = [];
  const timers: { ms: number; run: () => void }[] = [];
  const paths = new Paths({
    relay: {
      url: "ws://host/relay",
      session: () => "token",
      openSocket: (_, events) => {
        const socket = {
          sent: [] as (string | Uint8Array)[],
          events,
          closed: false,
          bufferedAmount: 0,
          send: (data: string | Uint8Array) => void socket.sent.push(data),
          close: () => {
            socket.closed = true;
          },
        };
        sockets.push(socket);
        return socket;
      },
      scheduler: {
        after: (ms, run) => {
          const timer = { ms, run };
          timers.push(timer);
          return () => void timers.splice(timers.indexOf(timer), 1);
        },
      },
    },
    toWindow: (message) => window.push(message),
    onUp: (peer) => told.push(`up ${peer.slice(0, 2)}`),
    onDown: (peer) => told.push(`down ${peer.slice(0, 2)}`),
    onFrame: (_, frame) => frames.push(frame[0]),
    onPath: ({ type, peer }) => told.push(`${type} ${peer.slice(0, 2)}`),
  });
  const hear = (...given: Parameters<typeof encodeRelay>) =>
    sockets.at(-1)?.events.onMessage(encodeRelay(...given).buffer);
  const said = () =>
    sockets
      .at(-1)!
      .sent.map((data) =>
        typeof data === "string"
          ? decodeRelayHello(data)
          : `${decodeRelay(data)?.kind} ${decodeRelay(data)?.peer.slice(0, 2)}`,
      );
  return { paths, told, frames, window, sockets, timers, hear, said };
}

describe("[R42] ways of one link", () => {
  test("over the relay: hello, ask, open, frames both ways", () => {
    const { paths, told, frames, sockets, hear, said } = given();
    paths.askRelay(bob);
    paths.askRelay(carol);
    expect(sockets).toHaveLength(1);
    sockets[0].events.onOpen();
    expect(said()).toEqual(["token", "ask b0", "ask c0"]);
    hear("frame", bob, Uint8Array.of(1)); // before it is open: nothing
    hear("ask", bob);
    hear("frame", bob, Uint8Array.of(2));
    paths.send(bob, Uint8Array.of(3, 4));
    expect(told).toEqual(["up b0", "relay-up b0"]);
    expect(frames).toEqual([2]);
    expect(said().at(-1)).toBe("frame b0");
    expect(paths.meters([])).toEqual([{ peer: bob, kind: "relayed", bytesSent: 2, bytesReceived: 1 }]);
  });

  test("a direct connection takes over; the link begins anew, and again when it falls back", () => {
    const { paths, told, window, sockets, hear } = given();
    paths.askRelay(bob);
    sockets[0].events.onOpen();
    hear("ask", bob);
    paths.directUp(bob);
    paths.send(bob, Uint8Array.of(1));
    expect(window).toMatchObject([{ type: "frame", peer: bob }]);
    const meter = { peer: bob, kind: "direct", bytesSent: 5, bytesReceived: 5 } as const;
    expect(paths.meters([meter])).toEqual([meter]);
    paths.directDown(bob);
    expect(told).toEqual(["up b0", "relay-up b0", "up b0", "link-up b0", "up b0", "link-down b0"]);
    paths.directUp(bob);
    paths.leaveRelay(bob);
    expect(sockets[0].closed).toBe(true); // nobody else is asked for
    paths.disconnect(bob);
    expect(told.slice(6)).toEqual(["up b0", "link-up b0", "down b0"]);
  });

  test("a failed attempt beside a relayed link takes nothing away", () => {
    const { paths, told, sockets, hear } = given();
    paths.askRelay(bob);
    sockets[0].events.onOpen();
    hear("ask", bob);
    paths.disconnect(bob);
    paths.directDown(bob);
    expect(told).toEqual(["up b0", "relay-up b0", "link-down b0"]);
  });

  test("a dead link is closed on the way that it uses", () => {
    const { paths, told, window, sockets, hear, said } = given();
    paths.askRelay(bob);
    paths.askRelay(carol);
    sockets[0].events.onOpen();
    hear("ask", bob);
    paths.close(bob, "silent");
    expect(said().at(-1)).toBe("leave b0");
    expect(told).toEqual(["up b0", "relay-up b0", "down b0", "relay-down b0"]);
    paths.directUp(bob);
    paths.close(bob, "silent");
    expect(window).toEqual([{ type: "close", peer: bob, reason: "silent" }]);
    expect(told.slice(4)).toEqual(["up b0", "link-up b0", "down b0", "link-down b0"]);
  });

  test("the other end leaves; the socket breaks: all that was asked is down, and may be asked again", () => {
    const { paths, told, sockets, hear } = given();
    paths.askRelay(bob);
    paths.askRelay(carol);
    sockets[0].events.onOpen();
    hear("ask", bob);
    hear("leave", bob);
    expect(told).toEqual(["up b0", "relay-up b0", "down b0", "relay-down b0"]);
    sockets[0].events.onClose();
    expect(told.slice(4)).toEqual(["relay-down c0"]);
    paths.askRelay(carol);
    expect(sockets).toHaveLength(2);
    sockets[0].events.onClose(); // the old one, again
    expect(told).toHaveLength(5);
  });

  test("a relay that does not open, talks nonsense or does not drain is given up", () => {
    const { paths, told, sockets, timers, hear } = given();
    paths.askRelay(bob);
    expect(timers[0].ms).toBe(10_000);
    timers[0].run();
    expect(told).toEqual(["relay-down b0"]);
    paths.askRelay(bob);
    sockets[1].events.onOpen();
    expect(timers).toEqual([]);
    sockets[1].events.onMessage("text");
    expect(sockets[1].closed).toBe(true);
    paths.askRelay(bob);
    sockets[2].events.onOpen();
    hear("ask", bob);
    sockets[2].bufferedAmount = 8 * 2 ** 20;
    paths.send(bob, Uint8Array.of(1));
    expect(told.slice(1)).toEqual(["relay-down b0", "up b0", "relay-up b0", "down b0", "relay-down b0"]);
    paths.stop("done");
    expect(told).toHaveLength(6);
  });
});
