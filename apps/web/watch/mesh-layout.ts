// The mesh as a picture: who is linked with whom, placed by forces, so that neighbours stand together. Places stay while links stay.
//
//   RunDetail -> MeshView, or undefined when nothing that it shows has changed
import { forceLink, forceManyBody, forceSimulation, forceX, forceY, type SimulationNodeDatum } from "d3-force";
import type { PeerId, RunDetail } from "#wire";
import { linkKey, type MeshEdge, type MeshView, type Rate } from "../window/types.ts";

/** A wall shows no more of them apart; the table and the totals have all. */
const NODES_MAX = 200;
/** Enough to untangle 200 nodes, in some 60 ms of the reader's thread; a newcomer to a known mesh needs fewer. */
const TICKS_FIRST = 200;
const TICKS_NEXT = 60;

/** Peers report as often; a picture of hundreds of links is not drawn for less. */
const TOLD_EVERY_MS = 2_000;

/** A third of the way between others: members of an island stand together. */
const WITHIN_ISLAND = 20;

interface Node extends SimulationNodeDatum {
  readonly id: PeerId;
  x: number;
  y: number;
}

export class MeshLayout {
  #nodeById = new Map<PeerId, Node>();
  #shape = "";
  #shown = "";
  #toldAt = Number.NEGATIVE_INFINITY;

  take(run: RunDetail, rateByLink: ReadonlyMap<string, Rate>, nowMs: number): MeshView | undefined {
    const here = run.peers.filter(({ state }) => state !== "left").slice(0, NODES_MAX);
    const places = new Map(here.map(({ id }, i) => [id, i]));
    const edges = new Map<string, MeshEdge>();
    for (const [from, { id, links }] of here.entries())
      for (const { peer, kind, rttMs } of links) {
        const to = places.get(peer);
        if (to === undefined) continue;
        const rate = rateByLink.get(linkKey(id, peer));
        const bytesPerSecond = (rate?.sent ?? 0) + (rate?.received ?? 0);
        const key = id < peer ? `${id} ${peer}` : `${peer} ${id}`;
        if (!edges.has(key)) edges.set(key, { from, to, kind, rttMs, bytesPerSecond });
      }
    const islands = (run.islands ?? [])
      .map(({ members }) => members.flatMap((peer) => places.get(peer) ?? []))
      .filter(({ length }) => length > 1);
    const shape = `${[...places.keys()].join()} ${[...edges.keys()].join()} ${islands.join(";")}`;
    if (shape === this.#shape && nowMs < this.#toldAt + TOLD_EVERY_MS) return undefined;
    const shown = JSON.stringify([here.map(({ name, state }) => [name, state]), [...edges.values()]]);
    if (shape === this.#shape && shown === this.#shown) return undefined;
    if (shape !== this.#shape) this.#place([...places.keys()], [...edges.values()], islands);
    this.#shape = shape;
    this.#shown = shown;
    this.#toldAt = nowMs;
    const nodes = here.map(({ id, name, state }) => {
      const { x, y } = this.#nodeById.get(id)!;
      return { id, name, state, x, y };
    });
    return { nodes, edges: [...edges.values()], islands };
  }

  /** Without chance: the same mesh gets the same picture. */
  #place(ids: readonly PeerId[], edges: readonly MeshEdge[], islands: MeshView["islands"]): void {
    const known = this.#nodeById;
    const nodes = ids.map((id, i): Node => {
      const angle = (i / ids.length) * 2 * Math.PI;
      return { id, x: known.get(id)?.x ?? Math.cos(angle), y: known.get(id)?.y ?? Math.sin(angle) };
    });
    const spread = Math.sqrt(nodes.length);
    for (const node of nodes) Object.assign(node, { x: node.x * 40 * spread, y: node.y * 40 * spread });
    forceSimulation(nodes)
      .force(
        "link",
        forceLink<Node, { source: number; target: number; within: boolean }>(
          edges.map(({ from, to }) => ({
            ...{ source: from, target: to },
            within: islands.some((members) => members.includes(from) && members.includes(to)),
          })),
        ).distance(({ within }) => (within ? WITHIN_ISLAND : 60)),
      )
      .force("apart", forceManyBody().strength(-120))
      .force("x", forceX().strength(0.06))
      .force("y", forceY().strength(0.06))
      .stop()
      .tick(ids.some((id) => !known.has(id)) && known.size === 0 ? TICKS_FIRST : TICKS_NEXT);
    const radius = Math.max(1, ...nodes.map(({ x, y }) => Math.hypot(x, y)));
    this.#nodeById = new Map(nodes.map((node) => [node.id, { ...node, x: node.x / radius, y: node.y / radius }]));
  }
}
