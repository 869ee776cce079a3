// Connections to other peers: the only file that knows simple-peer. Runs in the window, where RTCPeerConnection exists.
//
//   open(peer, initiator) / signal(from, data) -> onSignal(to, data) ... -> onUp -> onFrame, send -> onDown(reason)
//
// Signalling data is JSON {link, signal}: the initiator's random `link` names one attempt, so that a candidate of an attempt that is
// over is never fed to its successor (the other tab reloaded; both sides gave up at different moments).
import SimplePeer from "simple-peer/simplepeer.min.js";
import { FRAME_BYTES_MAX, type LinkReport, type PeerId } from "#wire";

/** ICE may sit for 15 s without reporting failure; pairs that connect do so within two. */
const CONNECT_DEADLINE_MS = 10_000;
/** Browsers cap connections, and pages with more become slow; a roster larger than this is met partly. */
export const LINKS_MAX = 24;
/** The channel's own queue fails at 16 MiB. Windows keep it near 256 KiB, so half of that is a broken link or a bug. */
const QUEUE_BYTES_MAX = 8 * 2 ** 20;

export interface LinkMeter {
  readonly peer: PeerId;
  readonly kind: LinkReport["kind"];
  readonly bytesSent: number;
  readonly bytesReceived: number;
}

export interface LinksOptions {
  readonly onSignal: (to: PeerId, data: string) => void;
  readonly onUp: (peer: PeerId) => void;
  /** Also for an attempt that never came up. */
  readonly onDown: (peer: PeerId, reason: string) => void;
  readonly onFrame: (from: PeerId, frame: Uint8Array<ArrayBuffer>) => void;
}

interface Link {
  readonly id: string;
  readonly peer: PeerId;
  readonly connection: SimplePeer.Instance;
  readonly deadline: ReturnType<typeof setTimeout>;
  up: boolean;
  kind: "direct" | "turn";
  bytesSent: number;
  bytesReceived: number;
}

export class Links {
  readonly #options: LinksOptions;
  readonly #linkByPeer = new Map<PeerId, Link>();
  #iceServers: RTCIceServer[] = [];

  constructor(options: LinksOptions) {
    this.#options = options;
  }

  /** Only the host names servers: no third party learns who volunteers. Counts for links opened from now on. */
  setIceServers(servers: RTCIceServer[]): void {
    this.#iceServers = servers;
  }

  /** The initiator opens; the other side waits for its signal. A link that is up or on the way stays. */
  open(peer: PeerId, initiator: boolean): void {
    if (!initiator || this.#linkByPeer.has(peer)) return;
    this.#create(peer, crypto.randomUUID(), true);
  }

  /** Signalling from the other side, as it came through the host: a stranger's text. */
  signal(from: PeerId, data: string): void {
    const parsed = parseSignal(data);
    if (!parsed) return;
    const present = this.#linkByPeer.get(from);
    let link = present;
    if (present?.id !== parsed.link) {
      if (parsed.signal.type !== "offer") return; // of an attempt that is over here
      if (present) this.close(from, "the other side started anew");
      link = this.#create(from, parsed.link, false);
    }
    try {
      link?.connection.signal(parsed.signal as SimplePeer.SignalData);
    } catch (error) {
      if (link) this.#drop(link, `signalling failed: ${String(error)}`);
    }
  }

  /** False when there is no open link: the frame is dropped, its sender learns of the loss by onDown. */
  send(to: PeerId, frame: Uint8Array): boolean {
    const link = this.#linkByPeer.get(to);
    if (!link?.up) return false;
    if (frame.length > FRAME_BYTES_MAX)
      throw new RangeError(`a frame of ${frame.length} bytes: at most ${FRAME_BYTES_MAX} fit one send`);
    if (link.connection.bufferSize + frame.length > QUEUE_BYTES_MAX) {
      this.#drop(link, `its queue passed ${QUEUE_BYTES_MAX} bytes`);
      return false;
    }
    try {
      link.connection.send(frame);
    } catch (error) {
      this.#drop(link, `sending failed: ${String(error)}`);
      return false;
    }
    link.bytesSent += frame.length;
    return true;
  }

  close(peer: PeerId, reason: string): void {
    const link = this.#linkByPeer.get(peer);
    if (link) this.#drop(link, reason);
  }

  closeAll(reason: string): void {
    for (const peer of [...this.#linkByPeer.keys()]) this.close(peer, reason);
  }

  /** What open links moved since they opened: frames, both ways. */
  meters(): LinkMeter[] {
    return [...this.#linkByPeer.values()]
      .filter(({ up }) => up)
      .map(({ peer, kind, bytesSent, bytesReceived }) => ({ peer, kind, bytesSent, bytesReceived }));
  }

  #create(peer: PeerId, id: string, initiator: boolean): Link | undefined {
    if (this.#linkByPeer.size >= LINKS_MAX) {
      this.#options.onDown(peer, `no room: ${LINKS_MAX} links are open`);
      return undefined;
    }
    const connection = new SimplePeer({
      initiator,
      objectMode: true, // keeps message boundaries
      config: { iceServers: this.#iceServers },
    });
    const deadline = setTimeout(() => {
      if (!link.up) this.#drop(link, `not connected within ${CONNECT_DEADLINE_MS} ms`);
    }, CONNECT_DEADLINE_MS);
    const link: Link = { id, peer, connection, deadline, up: false, kind: "direct", bytesSent: 0, bytesReceived: 0 };
    this.#linkByPeer.set(peer, link);
    connection.on("signal", (signal) => this.#options.onSignal(peer, JSON.stringify({ link: id, signal })));
    connection.on("connect", () => {
      if (this.#linkByPeer.get(peer) !== link) return;
      link.up = true;
      clearTimeout(deadline);
      this.#options.onUp(peer);
      void this.#learnKind(link);
    });
    connection.on("data", (data: unknown) => {
      if (this.#linkByPeer.get(peer) !== link || !(data instanceof Uint8Array)) return;
      link.bytesReceived += data.length;
      this.#options.onFrame(peer, new Uint8Array(data)); // its own buffer: it is transferred to the worker
    });
    connection.on("error", (error) => this.#drop(link, error.message));
    connection.on("close", () => this.#drop(link, "closed by the other side"));
    return link;
  }

  #drop(link: Link, reason: string): void {
    clearTimeout(link.deadline);
    if (this.#linkByPeer.get(link.peer) === link) {
      this.#linkByPeer.delete(link.peer);
      this.#options.onDown(link.peer, reason);
    }
    link.connection.destroy();
  }

  async #learnKind(link: Link): Promise<void> {
    const connection = link.connection as SimplePeer.Instance & WithStats;
    const reports = await new Promise<Record<string, unknown>[]>((resolve) => {
      connection.getStats((error, list) => resolve(error ? [] : list));
    });
    const byId = new Map(reports.map((report) => [report.id, report]));
    const chosen =
      reports.find((report) => report.type === "transport" && report.selectedCandidatePairId !== undefined)
        ?.selectedCandidatePairId ??
      reports.find(
        (report) => report.type === "candidate-pair" && report.nominated === true && report.state === "succeeded",
      )?.id;
    const pair = byId.get(chosen);
    const ends = [byId.get(pair?.localCandidateId), byId.get(pair?.remoteCandidateId)];
    if (ends.some((candidate) => candidate?.candidateType === "relay")) link.kind = "turn";
  }
}

/** simple-peer's own method, missing from its types: the connection's stats as a flat list. */
interface WithStats {
  getStats(done: (error: Error | null, reports: Record<string, unknown>[]) => void): void;
}

/** {link, signal} of a well-formed message; what is in `signal` is judged by the browser. */
function parseSignal(data: string): { link: string; signal: { type?: unknown } } | undefined {
  try {
    const parsed: unknown = JSON.parse(data);
    if (typeof parsed !== "object" || parsed === null || !("link" in parsed) || !("signal" in parsed)) return undefined;
    const { link, signal } = parsed;
    if (typeof link !== "string" || link.length > 64 || typeof signal !== "object" || signal === null) return undefined;
    return { link, signal };
  } catch {
    return undefined;
  }
}
