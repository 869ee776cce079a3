import { expect, test } from "vitest";
import type { LinkReport, PeerRow, RunDetail } from "#wire";
import { linkKey } from "../window/types.ts";
import { Rates } from "./rates.ts";

const link = (peer: string, bytesSent: number, bytesReceived: number): LinkReport => ({
  peer,
  kind: "direct",
  bytesSent,
  bytesReceived,
  rttMs: 1,
});
const detail = (peers: Pick<PeerRow, "id" | "bytesSent" | "bytesReceived" | "links">[]) => ({ peers }) as RunDetail;

test("rates are means since about ten seconds, per peer and per link", () => {
  const rates = new Rates();
  const at = (ms: number, sent: number) =>
    rates.take(ms, detail([{ id: "a", bytesSent: sent, bytesReceived: 2 * sent, links: [link("b", sent, 2 * sent)] }]));
  expect(at(0, 0).rateByPeer.get("a")).toEqual({ sent: 0, received: 0 });
  const { rateByPeer, rateByLink } = at(2_000, 4_000);
  expect(rateByPeer.get("a")).toEqual({ sent: 2_000, received: 4_000 });
  expect(rateByLink.get(linkKey("a", "b"))).toEqual({ sent: 2_000, received: 4_000 });
  for (let ms = 4_000; ms <= 30_000; ms += 2_000) at(ms, 4_000);
  expect(at(32_000, 4_000).rateByPeer.get("a")).toEqual({ sent: 0, received: 0 });
});

test("a peer that is new, and a link that began again, have no negative and no huge rate", () => {
  const rates = new Rates();
  rates.take(0, detail([{ id: "a", bytesSent: 9_000, bytesReceived: 0, links: [link("b", 9_000, 0)] }]));
  const { rateByPeer, rateByLink } = rates.take(
    1_000,
    detail([
      { id: "a", bytesSent: 9_010, bytesReceived: 0, links: [link("b", 10, 0)] },
      { id: "c", bytesSent: 1e9, bytesReceived: 1e9, links: [] },
    ]),
  );
  expect(rateByPeer.get("a")).toEqual({ sent: 10, received: 0 });
  expect(rateByLink.get(linkKey("a", "b"))).toEqual({ sent: 0, received: 0 });
  expect(rateByPeer.get("c")).toEqual({ sent: 0, received: 0 });
});
