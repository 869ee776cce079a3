// The mesh as a picture on canvas, which draws hundreds of links without a thought: who is linked with whom, by which way, how fast, how
// far. Ways differ by stroke, as everywhere: direct solid, TURN dashed, relayed dotted. In words: its label, and the table of links.
import { Fragment, memo, useEffect, useRef } from "react";
import type { PeerId } from "#wire";
import type { MeshView } from "../window/types.ts";
import { useWords } from "../words/index.ts";
import { Rich } from "../words/rich.tsx";
import { PeerName } from "./peers.tsx";

const HEIGHT_PX = 380;
const DASHES = { direct: [], turn: [7, 5], relayed: [1.5, 5] } as const;
/** More names than this cover the picture. */
const NAMES_MAX = 24;
const MARGIN_PX = 34;
/** Around the peers' circles. */
const ISLAND_WIDTH_PX = 36;
/** A link at this rate or above is drawn at full width. */
const RATE_FULL = 2e6;

interface MeshProps {
  readonly mesh: MeshView | null;
  readonly self: PeerId | null;
  /** Peers in all: the picture has the first of them. */
  readonly peers: number;
}

/** The land under its members, which are linked each with each. */
function drawIsland(context: CanvasRenderingContext2D, at: readonly (readonly [number, number])[], tone: string): void {
  context.beginPath();
  for (const from of at)
    for (const to of at) {
      context.moveTo(...from);
      context.lineTo(...to);
    }
  context.setLineDash([]);
  context.strokeStyle = tone;
  context.globalAlpha = 0.22;
  context.lineWidth = ISLAND_WIDTH_PX;
  context.lineCap = "round";
  context.lineJoin = "round";
  context.stroke();
  context.lineCap = "butt";
}

const property = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function draw(
  canvas: HTMLCanvasElement,
  { mesh, self }: MeshProps,
  nameOf: (id: PeerId, name: string) => string,
): void {
  const context = canvas.getContext("2d");
  if (context === null || mesh === null) return;
  const width = canvas.clientWidth;
  const scale = devicePixelRatio;
  canvas.width = width * scale;
  canvas.height = HEIGHT_PX * scale;
  context.scale(scale, scale);
  const at = mesh.nodes.map(
    ({ x, y }) => [width / 2 + x * (width / 2 - MARGIN_PX), HEIGHT_PX / 2 + y * (HEIGHT_PX / 2 - MARGIN_PX)] as const,
  );
  for (const members of mesh.islands)
    drawIsland(
      context,
      members.map((place) => at[place]),
      property("--amber"),
    );
  const tone = { direct: property("--dew"), turn: property("--ink-soft"), relayed: property("--amber") };
  for (const { from, to, kind, bytesPerSecond } of mesh.edges) {
    const share = Math.min(1, bytesPerSecond / RATE_FULL);
    context.beginPath();
    context.setLineDash([...DASHES[kind]]);
    context.strokeStyle = tone[kind];
    context.globalAlpha = 0.45 + 0.55 * share;
    context.lineWidth = 1 + 3 * Math.sqrt(share);
    context.moveTo(...at[from]);
    context.lineTo(...at[to]);
    context.stroke();
  }
  context.globalAlpha = 1;
  context.setLineDash([]);
  const radius = mesh.nodes.length > 60 ? 3.5 : 6;
  context.font = `12px ${property("--sans")}`;
  context.textAlign = "center";
  for (const [i, { id, name, state }] of mesh.nodes.entries()) {
    const [x, y] = at[i];
    context.beginPath();
    context.arc(x, y, id === self ? radius + 2 : radius, 0, 2 * Math.PI);
    context.fillStyle =
      id === self
        ? property("--amber")
        : state === "training" || state === "offered"
          ? property("--dew")
          : property("--paper");
    context.strokeStyle = property("--dew");
    context.lineWidth = 1.5;
    context.fill();
    context.stroke();
    if (mesh.nodes.length > NAMES_MAX) continue;
    context.fillStyle = property("--ink");
    context.fillText(nameOf(id, name), x, y + radius + 15);
  }
}

const Picture = (props: MeshProps & { label: string }) => {
  const { nameOf } = useWords();
  const canvas = useRef<HTMLCanvasElement>(null);
  const newest = useRef(props);
  newest.current = props;
  useEffect(() => {
    const element = canvas.current;
    if (!element) return;
    let frame = 0;
    const again = () => {
      cancelAnimationFrame(frame);
      frame = requestAnimationFrame(() => draw(element, newest.current, nameOf));
    };
    const resized = new ResizeObserver(again);
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    resized.observe(element);
    scheme.addEventListener("change", again);
    return () => {
      cancelAnimationFrame(frame);
      resized.disconnect();
      scheme.removeEventListener("change", again);
    };
  }, [nameOf]);
  useEffect(() => {
    if (canvas.current) draw(canvas.current, props, nameOf);
  });
  return <canvas ref={canvas} className="mesh-canvas" role="img" aria-label={props.label} />;
};

const Islands = ({ mesh: { nodes, islands } }: { mesh: MeshView }) => {
  const { mesh } = useWords();
  const name = (place: number) => <PeerName id={nodes[place].id} name={nodes[place].name} self={null} />;
  return islands.map(([leader, ...others]) => (
    <p key={nodes[leader].id} className="island-line">
      <Rich
        text={mesh.island(others.length + 1)}
        leader={name(leader)}
        others={others.map((place) => <Fragment key={nodes[place].id}> {name(place)}</Fragment>)}
      />
    </p>
  ));
};

export const Mesh = memo(({ mesh, self, peers }: MeshProps) => {
  const { mesh: words, bandwidth, format } = useWords();
  const kinds = (["direct", "turn", "relayed"] as const).map((kind) => ({
    kind,
    links: mesh?.edges.filter((edge) => edge.kind === kind).length ?? 0,
  }));
  const trips = (mesh?.edges ?? []).flatMap(({ rttMs }) => rttMs ?? []).sort((a, b) => a - b);
  const tally = kinds
    .filter(({ links }) => links > 0)
    .map(({ kind, links }) => `${format.count(links)} ${bandwidth.kinds[kind]}`)
    .join(", ");
  return (
    <section aria-labelledby="mesh" className="mesh">
      <h2 id="mesh">{words.title}</h2>
      {mesh === null || mesh.edges.length === 0 ? (
        <p className="empty">{words.empty}</p>
      ) : (
        <figure>
          <Picture
            mesh={mesh}
            self={self}
            peers={peers}
            label={words.label(mesh.nodes.length, mesh.edges.length, tally)}
          />
          <figcaption>
            <ul className="legend">
              {kinds.map(({ kind, links }) => (
                <li key={kind} data-way={kind}>
                  <span className="stroke" aria-hidden="true" />
                  {words.kind(links, bandwidth.kinds[kind])}
                </li>
              ))}
              {trips.length > 0 ? (
                <li>{words.roundTrip(format.duration(trips[Math.floor(trips.length / 2)]))}</li>
              ) : null}
            </ul>
            <Islands mesh={mesh} />
            {peers > mesh.nodes.length ? words.some(mesh.nodes.length, peers) : words.caption}
          </figcaption>
        </figure>
      )}
    </section>
  );
});
