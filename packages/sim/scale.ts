// What a swarm costs each peer as it grows: the protocol alone, rounds of the same length, no faults.
//
//   peers -> a few rounds, measured -> per peer and round: control bytes and update bytes, sent and received, and messages
//
// Control is everything but the payload of updates: messages as JSON, log entries in them, headers of chunks, wants and haves, reports for people,
// heartbeats. What a request carries is a blob: an update to the host, a checkpoint from it.
import { isGroup } from "#wire";
import { HOST } from "./network.ts";
import { Simulation } from "./simulation.ts";

/** A round of half a minute, the length that rounds have on slow devices: reports and heartbeats go by time. */
const STEP_MS = 3_500;
const STEPS = 8;
/** Of the contributions a commit names, and of a group, unless asked otherwise: a peer takes 15 updates a round at most. */
const MAX_CONTRIBUTORS = 8;
/** Rounds that are averaged; of a swarm with more peers than this one will do. */
const ROUNDS = 3;
const PEERS_MANY = 1_000;
/** Of fewer peers a difference of heaps says more of the engine than of them. */
const HEAP_PEERS_MIN = 100;
/** Joining, links, a first evaluation. */
const ROUNDS_BEFORE = 2;
/** As the page measures and reports its links. */
const LINKS_EVERY_MS = 2_000;
/** A ping and its pong, each way, as the heartbeat sends them. */
const PING_EVERY_MS = 2_000;
const PING_BYTES = 12;
/** Request line and headers of a browser, and the host's answer: what Chromium sends to this host, about. */
const HTTP_BYTES = 600;
const UPDATE_BYTES = 1_000;
/** Less than this of all control is not worth a line. */
const KIND_SHARE_MIN = 0.01;
/** By the frame's first byte. */
const frameNames = ["", "want", "unwant", "have", "ask", "cancel", "chunk headers", "ack", "refuse"];
const CHUNK = frameNames.indexOf("chunk headers");
const CHUNK_HEADER_BYTES = 12;

export interface Scale {
  readonly peers: number;
  readonly roundMs: number;
  /** Bytes of each peer and round, on average. */
  readonly controlSent: number;
  readonly controlReceived: number;
  readonly updateSent: number;
  readonly updateReceived: number;
  /** The most that one peer received of updates, in updates, per round. */
  readonly updatesMost: number;
  readonly messages: number;
  /** Offers behind a commit. */
  readonly offers: number;
  /** Control bytes, sent and received, by what carries them; the most first. */
  readonly kinds: readonly (readonly [string, number])[];
  /** Heap that goes with a peer's core and exchange, and with the host's core for each peer; undefined when nobody looked. */
  readonly peerHeapBytes: number | undefined;
  readonly hostHeapBytesEach: number | undefined;
}

export interface ScaleOptions {
  readonly rounds?: number;
  readonly seed?: number;
  readonly maxContributors?: number;
  /** What is in use, after a collection. */
  readonly heapBytes?: () => number;
}

export function scale(peers: number, options: ScaleOptions = {}): Scale {
  const { rounds = peers > PEERS_MANY ? 1 : ROUNDS, seed = 1, maxContributors = MAX_CONTRIBUTORS, heapBytes } = options;
  const zero = () => ({ sent: 0, received: 0 });
  const updates = new Map<string, ReturnType<typeof zero>>();
  const kinds = new Map<string, number>();
  let control = zero();
  let messages = 0;
  let measuring = false;
  const of = (end: string) => {
    const known = updates.get(end) ?? zero();
    updates.set(end, known);
    return known;
  };
  const sim: Simulation = new Simulation({
    seed,
    peers,
    validate: false,
    updateBytes: UPDATE_BYTES,
    stepMs: [0.9 * STEP_MS, 1.1 * STEP_MS],
    stepSpread: [0.95, 1.05],
    spec: {
      steps: STEPS,
      rounds: { quorum: 32, maxContributors, deadlineMinMs: 20_000, deadlineMaxMs: 90_000 },
      evaluation: { everyRounds: 5, windows: 8 },
      checkpoint: { everyRounds: 10, retain: "window" },
    },
    network: {
      delayMs: [20, 60],
      meter: (from, to, kind, bytes, what) => {
        if (!measuring) return;
        messages += kind === "request" ? 0 : 1;
        const payload = kind === "request" ? bytes : what === CHUNK ? bytes - CHUNK_HEADER_BYTES : 0;
        const rest = kind === "request" ? HTTP_BYTES : bytes - payload;
        const name = kind === "frame" ? (frameNames[Number(what)] ?? "frame") : String(what);
        const ends = (from === HOST ? 0 : 1) + (to === HOST ? 0 : 1);
        kinds.set(name, (kinds.get(name) ?? 0) + ends * rest);
        if (from !== HOST) {
          control.sent += rest;
          of(from).sent += payload;
        }
        if (to !== HOST) {
          control.received += rest;
          of(to).received += payload;
        }
      },
    },
  }).startAll();
  const report = (): void => {
    for (const peer of sim.peers) {
      const links = [...sim.network.linksOf(peer.id).keys()].map((other) => ({
        ...{ peer: other, kind: "direct" as const },
        ...{ bytesSent: 123_456, bytesReceived: 123_456, rttMs: 40.5 },
      }));
      if (measuring) {
        const pings = (2 * links.length * PING_BYTES * LINKS_EVERY_MS) / PING_EVERY_MS;
        control = { sent: control.sent + pings, received: control.received + pings };
        kinds.set("heartbeat", (kinds.get("heartbeat") ?? 0) + 2 * pings);
      }
      peer.input({ type: "links", links, bytesFromHost: 123_456, bytesToHost: 123_456 });
    }
    sim.clock.after(LINKS_EVERY_MS, report);
  };
  sim.clock.after(LINKS_EVERY_MS, report);

  sim.runRounds(ROUNDS_BEFORE, 10 * 60_000);
  measuring = true;
  const startedAt = sim.clock.now;
  sim.runRounds(rounds, 10 * 60_000);
  const each = (sum: number): number => sum / (peers * rounds);
  const sums = [...updates].filter(([end]) => end !== HOST).map(([, moved]) => moved);
  const commits = sim.commits().slice(ROUNDS_BEFORE);
  const offers =
    commits.flatMap(({ contributors }) => contributors).reduce((sum, c) => sum + (isGroup(c) ? c.members : 1), 0) /
    commits.length;
  return {
    peers,
    roundMs: (sim.clock.now - startedAt) / rounds,
    controlSent: each(control.sent),
    controlReceived: each(control.received),
    updateSent: each(sums.reduce((sum, { sent }) => sum + sent, 0)),
    updateReceived: each(sums.reduce((sum, { received }) => sum + received, 0)),
    updatesMost: Math.max(...sums.map(({ received }) => received)) / rounds / UPDATE_BYTES,
    messages: each(messages),
    offers,
    kinds: [...kinds].map(([name, bytes]) => [name, each(bytes)] as const).sort(([, a], [, b]) => b - a),
    ...heapOf(sim, heapBytes),
  };
}

/** By dropping them. Entries of the log are the simulation's, shared by all, and so is the spec. */
function heapOf(
  sim: Simulation,
  heapBytes: (() => number) | undefined,
): Pick<Scale, "peerHeapBytes" | "hostHeapBytesEach"> {
  if (heapBytes === undefined || sim.peers.length < HEAP_PEERS_MIN)
    return { peerHeapBytes: undefined, hostHeapBytesEach: undefined };
  const all = heapBytes();
  sim.host.sequencer = undefined;
  const withoutHost = heapBytes();
  for (const peer of sim.peers) peer.dropCores();
  const withoutPeers = heapBytes();
  const { length } = sim.peers;
  return { peerHeapBytes: (withoutHost - withoutPeers) / length, hostHeapBytesEach: (all - withoutHost) / length };
}

const kB = (bytes: number | undefined): string => (bytes === undefined ? "–" : (bytes / 1_000).toFixed(1));

/** A table in Markdown. */
export function scaleLines(rows: readonly Scale[]): string[] {
  const first = rows[0].controlSent + rows[0].controlReceived;
  return [
    "| peers | round, s | control sent, kB | control received, kB | against the first row | messages and frames sent | updates received, mean | … by whom most | offers behind a commit | a peer's core, kB | the host's core, kB a peer |",
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ...rows.map((row) => {
      const ratio = (row.controlSent + row.controlReceived) / first;
      return `| ${row.peers} | ${(row.roundMs / 1_000).toFixed(1)} | ${kB(row.controlSent)} | ${kB(row.controlReceived)} | ${ratio.toFixed(2)} | ${row.messages.toFixed(0)} | ${(row.updateReceived / UPDATE_BYTES).toFixed(1)} | ${row.updatesMost.toFixed(1)} | ${row.offers.toFixed(0)} | ${kB(row.peerHeapBytes)} | ${kB(row.hostHeapBytesEach)} |`;
    }),
  ];
}

/** What control consists of, for the first row, that with the most, and the last. */
export function kindLines(rows: readonly Scale[]): string[] {
  const sum = ({ controlSent, controlReceived }: Scale): number => controlSent + controlReceived;
  const most = rows.reduce((a, b) => (sum(b) > sum(a) ? b : a));
  const shown = [...new Set([rows[0], most, rows[rows.length - 1]])];
  const names = [...new Set(shown.flatMap(({ kinds }) => kinds.map(([name]) => name)))];
  const of = ({ kinds }: Scale, name: string): number => kinds.find(([kind]) => kind === name)?.[1] ?? 0;
  return [
    `| control sent and received, kB | ${shown.map(({ peers }) => `${peers} peers`).join(" | ")} |`,
    `| --- | ${shown.map(() => "---").join(" | ")} |`,
    ...names
      .filter((name) => shown.some((row) => of(row, name) >= KIND_SHARE_MIN * sum(row)))
      .map((name) => `| ${name} | ${shown.map((row) => kB(of(row, name))).join(" | ")} |`),
  ];
}

/** Control bytes per peer and round against the size of the swarm (logarithmic), as SVG; the dashed line is twice the first row. */
export function scalePlot(rows: readonly Scale[]): string {
  const [width, height, left, bottom] = [640, 320, 64, 40];
  const sums = rows.map(({ controlSent, controlReceived }) => (controlSent + controlReceived) / 1_000);
  const most = 2.2 * sums[0];
  const decades = Math.log10(rows[rows.length - 1].peers / rows[0].peers) || 1;
  const x = (peers: number): number => left + (Math.log10(peers / rows[0].peers) / decades) * (width - left - 60);
  const y = (value: number): number => height - bottom - (value / most) * (height - bottom - 20);
  const points = rows.map(({ peers }, i) => `${x(peers).toFixed(1)},${y(sums[i]).toFixed(1)}`);
  const twice = y(2 * sums[0]).toFixed(1);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">`,
    `<title>Control bytes per peer and round, in kB, against the size of the swarm</title>`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    `<line x1="${left}" x2="${width - 20}" y1="${y(0)}" y2="${y(0)}" stroke="#333"/>`,
    `<line x1="${left}" x2="${width - 20}" y1="${twice}" y2="${twice}" stroke="#999" stroke-dasharray="4 4"/>`,
    `<text x="${left}" y="${Number(twice) - 5}" fill="#666">twice the first: ${(2 * sums[0]).toFixed(0)} kB</text>`,
    `<polyline points="${points.join(" ")}" fill="none" stroke="#0a6" stroke-width="2"/>`,
    ...rows.map(({ peers }, i) => {
      const [px, py] = points[i].split(",");
      return `<circle cx="${px}" cy="${py}" r="3" fill="#0a6"/><text x="${px}" y="${Number(py) - 8}" text-anchor="middle">${sums[i].toFixed(0)} kB</text><text x="${px}" y="${height - 16}" text-anchor="middle">${peers} peers</text>`;
    }),
    "</svg>",
    "",
  ].join("\n");
}
