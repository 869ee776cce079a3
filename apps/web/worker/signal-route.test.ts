import { describe, expect, test } from "vitest";
import type { PeerMessage } from "#wire";
import { SignalRoute } from "./signal-route.ts";
import { peerOf } from "./test-given.ts";

const ada = peerOf("a");
const bob = peerOf("b");

function routeGiven() {
  const sent: string[] = [];
  let timer: (() => void) | undefined;
  const line = (name: string) => (signal: Extract<PeerMessage, { type: "signal" }>) => {
    sent.push(`${name} ${signal.to === ada ? "ada" : "bob"} ${signal.data}`);
    return true;
  };
  const route = new SignalRoute({
    room: line("room"),
    host: line("host"),
    after(_, run) {
      timer = run;
      return () => {
        timer = undefined;
      };
    },
  });
  const send = (to: string, data: string) => route.send({ type: "signal", to, data });
  return { sent, route, send, elapse: () => timer?.(), waits: () => timer !== undefined };
}

describe("a signal, when the page has a signaling host elsewhere", () => {
  test("waits until the other is in the room, and keeps its order", () => {
    const { sent, route, send } = routeGiven();
    send(ada, "offer");
    send(ada, "candidate");
    route.entered([bob]);
    expect(sent).toEqual([]);
    route.joined(ada);
    send(ada, "another");
    expect(sent).toEqual(["room ada offer", "room ada candidate", "room ada another"]);
  });

  test("goes through the run's host to one who does not come in time, at once from then on, until it enters", () => {
    const { sent, route, send, elapse, waits } = routeGiven();
    route.entered([]);
    send(ada, "offer");
    elapse();
    send(ada, "candidate");
    expect(waits()).toBe(false);
    route.joined(ada);
    send(ada, "later");
    expect(sent).toEqual(["host ada offer", "host ada candidate", "room ada later"]);
  });

  test("goes through the run's host while the room is away, and what waits goes with it", () => {
    const { sent, route, send } = routeGiven();
    send(ada, "offer");
    route.gone();
    send(bob, "offer");
    route.entered([ada]);
    send(ada, "again");
    route.left(ada);
    send(ada, "kept");
    expect(sent).toEqual(["host ada offer", "host bob offer", "room ada again"]);
  });

  test("is dropped when the donation stops", () => {
    const { sent, route, send, elapse } = routeGiven();
    send(ada, "offer");
    route.stop();
    elapse();
    route.gone();
    expect(sent).toEqual([]);
  });
});
