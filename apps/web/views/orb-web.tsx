// The swarm as an orb web: one radial thread per peer, one drop on it. The drop starts at the rim and runs to the hub as the peer's
// inner steps go by; an offer sits on the hub's ring. States differ by shape, not by colour alone.
import { memo } from "react";
import type { PeerId, PeerRow, RunDetail } from "#wire";
import { useWords } from "../words/index.ts";
import { peersHere } from "./presence.ts";

/** More threads than this are a grey disc: the table below names everybody. */
const DROPS_MAX = 60;
/** A web with fewer threads does not look like one: empty threads fill up. */
const THREADS_MIN = 9;
const RIM = 178;
const HUB = 34;
const RINGS = 6;

const at = (angle: number, radius: number): readonly [x: number, y: number] => [
  Math.cos(angle) * radius,
  Math.sin(angle) * radius,
];
const point = ([x, y]: readonly [number, number]): string => `${x.toFixed(1)} ${y.toFixed(1)}`;

/** One turn of the web: every span sags towards the hub as silk does. */
function ringPath(angles: readonly number[], radius: number): string {
  const spans = angles.map((angle, i) => {
    const next = angles[(i + 1) % angles.length] + (i === angles.length - 1 ? 2 * Math.PI : 0);
    return `Q ${point(at((angle + next) / 2, radius * Math.cos((next - angle) / 2) * 0.93))} ${point(at(next, radius))}`;
  });
  return `M ${point(at(angles[0], radius))} ${spans.join(" ")}`;
}

function progressOf(peer: PeerRow, run: RunDetail): number {
  if (run.offered.includes(peer.id) || peer.state === "offered") return 1;
  if (peer.state !== "training") return 0;
  return Math.min(1, peer.step / run.spec.inner.steps) * 0.94;
}

interface DropProps {
  readonly peer: PeerRow;
  readonly progress: number;
  readonly angle: number;
  readonly self: boolean;
}

const Drop = memo(({ peer, progress, angle, self }: DropProps) => {
  const words = useWords();
  const [x, y] = at(angle, RIM - (RIM - HUB) * progress);
  const size = self ? 8 : 6;
  return (
    <g
      className={self ? "drop self" : "drop"}
      data-state={peer.state}
      style={{ transform: `translate(${x}px, ${y}px)` }}
    >
      <title>{`${words.nameOf(peer.id, peer.name)}${self ? ` ${words.now.youInBrackets}` : ""}: ${words.states.peer[peer.state]}`}</title>
      {peer.state === "paused" ? (
        <rect x={-size + 1} y={-size + 1} width={2 * size - 2} height={2 * size - 2} />
      ) : (
        <circle r={peer.state === "joining" ? size - 2 : size} />
      )}
      {peer.state === "offered" ? <circle className="halo" r={size + 4} /> : null}
    </g>
  );
});

// Peers are spread over the threads, so that two of them do not sit side by side on a wide web.
const anglesOf = (threads: number): number[] =>
  Array.from({ length: threads }, (_, i) => (i / threads) * 2 * Math.PI - Math.PI / 2);

/** Spun anew when a thread comes or goes, and not with every step. */
const Silk = memo(({ threads }: { threads: number }) => {
  const angles = anglesOf(threads);
  return (
    <g className="silk">
      {angles.map((angle) => (
        <path key={angle} d={`M ${point(at(angle, HUB * 0.45))} L ${point(at(angle, 196))}`} />
      ))}
      {Array.from({ length: RINGS }, (_, i) => HUB + ((RIM - HUB) * i) / (RINGS - 1)).map((radius) => (
        <path key={radius} className={radius === HUB ? "hub" : ""} d={ringPath(angles, radius)} />
      ))}
    </g>
  );
});

export const OrbWeb = ({ run, self }: { run: RunDetail; self: PeerId | null }) => {
  const { now, states } = useWords();
  const here = peersHere(run).slice(0, DROPS_MAX);
  const threads = Math.max(THREADS_MIN, here.length);
  const angles = anglesOf(threads);
  const threadOf = (i: number) => Math.floor((i * threads) / Math.max(1, here.length));
  const tally = Object.entries(states.peer)
    .map(([state, words]) => ({ words, peers: here.filter((peer) => peer.state === state).length }))
    .filter(({ peers }) => peers > 0)
    .map(({ words, peers }) => `${peers} ${words}`);
  const label = here.length === 0 ? now.webEmpty : now.webLabel(peersHere(run).length, tally.join(", "));
  return (
    <svg className="orb" viewBox="-200 -200 400 400" role="img" aria-label={label}>
      <Silk threads={threads} />
      {here.map((peer, i) => (
        <Drop
          key={peer.id}
          peer={peer}
          progress={progressOf(peer, run)}
          angle={angles[threadOf(i)]}
          self={peer.id === self}
        />
      ))}
    </svg>
  );
};
