import { expect, test } from "vitest";
import { type LinkReport, type PeerId, peerIdOf } from "#wire";
import { PEERS_MAX, TrafficLedger } from "./traffic.ts";

const peerOf = (number: number): PeerId => peerIdOf(number.toString(16).padStart(64, "0"), 0);
const [ada, bob] = [peerOf(1), peerOf(2)];
const link = (peer: PeerId, bytesSent: number, kind: LinkReport["kind"] = "direct"): LinkReport => ({
  peer,
  kind,
  bytesSent,
  bytesReceived: 1,
  rttMs: null,
});
const report = (links: LinkReport[], bytesFromHost = 0, bytesToHost = 0) => ({ links, bytesFromHost, bytesToHost });

test("what a peer moved stays when its links close, when they begin again, and when its page is reloaded", () => {
  const ledger = new TrafficLedger();
  ledger.report(ada, report([link(bob, 100)], 50, 5));
  ledger.report(ada, report([link(bob, 130)], 60, 6));
  ledger.report(ada, report([], 60, 6)); // closed
  expect(ledger.of(ada)).toMatchObject({ bytesSent: 130, bytesFromHost: 60, bytesToHost: 6 });
  ledger.report(ada, report([link(bob, 7)], 10, 1)); // a new page
  expect(ledger.of(ada)).toEqual({
    bytesSent: 137,
    bytesReceived: 2,
    bytesRelayed: 0,
    bytesFromHost: 70,
    bytesToHost: 7,
  });
});

test("the run's totals count each byte once, by the way it took", () => {
  const ledger = new TrafficLedger();
  ledger.report(ada, report([link(bob, 100, "turn"), link(peerOf(3), 10, "relayed")], 3, 2));
  ledger.report(bob, report([link(ada, 200, "turn")], 3, 2));
  expect(ledger.total()).toEqual({ direct: 0, turn: 300, relayed: 10, fromHost: 6, toHost: 4 });
  expect(ledger.of(ada).bytesRelayed).toBe(11);
});

test("[R42] bytes through the relay stay counted when a direct link takes over, however much that moves", () => {
  const ledger = new TrafficLedger();
  ledger.report(ada, report([link(bob, 100, "relayed")]));
  ledger.report(ada, report([link(bob, 500, "direct")]));
  ledger.report(ada, report([link(bob, 600, "turn")])); // the same link: its kind was learned meanwhile
  expect(ledger.total()).toMatchObject({ direct: 0, turn: 600, relayed: 100 });
});

test("of a crowd that came and went the oldest are not kept apart, and nothing is lost from the totals", () => {
  const ledger = new TrafficLedger();
  const crowd = PEERS_MAX + 10;
  for (let i = 0; i < crowd; i++) ledger.report(peerOf(i), report([link(ada, 1)]));
  expect(ledger.of(peerOf(0)).bytesSent).toBe(0);
  expect(ledger.of(peerOf(crowd - 1)).bytesSent).toBe(1);
  expect(ledger.total().direct).toBe(crowd);
});
