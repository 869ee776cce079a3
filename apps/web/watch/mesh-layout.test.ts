import { expect, test } from "vitest";
import type { LinkReport, PeerRow, RunDetail } from "#wire";
import { MeshLayout } from "./mesh-layout.ts";

const link = (peer: string, kind: LinkReport["kind"] = "direct"): LinkReport => ({
  peer,
  kind,
  bytesSent: 0,
  bytesReceived: 0,
  rttMs: 20,
});
const peer = (id: string, links: LinkReport[], state: PeerRow["state"] = "training") => ({
  id,
  name: id,
  state,
  links,
});
const none = new Map();
const run = (...peers: object[]) => ({ peers }) as RunDetail;
const pair = run(peer("a", [link("b")]), peer("b", [link("a")]), peer("c", [link("a", "turn"), link("gone")]));

test("a link that both ends report is one, and one to somebody who is not here is none", () => {
  const mesh = new MeshLayout().take(pair, none, 0);
  expect(mesh?.edges.map(({ from, to, kind }) => [from, to, kind])).toEqual([
    [0, 1, "direct"],
    [2, 0, "turn"],
  ]);
  for (const { x, y } of mesh?.nodes ?? []) expect(Math.hypot(x, y)).toBeLessThanOrEqual(1.001);
});

test("the same mesh is the same picture, told once; a state alone moves nobody", () => {
  const [layout, other] = [new MeshLayout(), new MeshLayout()];
  const first = layout.take(pair, none, 0);
  expect(other.take(pair, none, 0)).toEqual(first);
  expect(layout.take(pair, none, 5_000)).toBeUndefined();
  const paused = run(peer("a", [link("b")], "paused"), ...pair.peers.slice(1));
  const places = (mesh: typeof first) => mesh?.nodes.map(({ x, y }) => [x, y]);
  expect(places(layout.take(paused, none, 2_000))).toEqual(places(first));
});

test("what moves is told every other second, and a link that both ends measure has one rate", () => {
  const layout = new MeshLayout();
  layout.take(pair, none, 0);
  const rates = new Map([["a b", { sent: 3, received: 4 }]]);
  expect(layout.take(pair, rates, 1_999)).toBeUndefined();
  expect(layout.take(pair, rates, 2_000)?.edges.map(({ bytesPerSecond }) => bytesPerSecond)).toEqual([7, 0]);
});

test("members of an island stand closer than others, and are drawn as one while two of them are here", () => {
  const island = { island: "i", leader: "b", members: ["b", "a"], plan: { kind: "tensor" }, since: 1 };
  const ring = ["a", "b", "c", "d"].map((id, i, all) => peer(id, [link(all[(i + 1) % 4])]));
  const apart = new MeshLayout().take(run(...ring), none, 0)!;
  const mesh = new MeshLayout().take({ ...run(...ring), islands: [island] } as unknown as RunDetail, none, 0)!;
  expect([apart.islands, mesh.islands]).toEqual([[], [[1, 0]]]);
  const distance = ({ nodes }: typeof mesh, from: number, to: number) =>
    Math.hypot(nodes[from].x - nodes[to].x, nodes[from].y - nodes[to].y);
  expect(distance(mesh, 0, 1)).toBeLessThan(0.7 * distance(mesh, 2, 3));
  const left = { ...run(ring[0], peer("b", [], "left")), islands: [island] } as unknown as RunDetail;
  expect(new MeshLayout().take(left, none, 0)?.islands).toEqual([]);
});

test("who leaves is gone from the picture", () => {
  const layout = new MeshLayout();
  layout.take(pair, none, 0);
  const left = run(peer("a", []), peer("b", [link("a")], "left"));
  expect(layout.take(left, none, 100)).toMatchObject({ nodes: [{ id: "a" }], edges: [] });
});
