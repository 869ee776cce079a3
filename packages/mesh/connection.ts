// One RTCPeerConnection with one data channel: the only file that knows simple-peer. Runs in the window.
//
//   signal (both ways) -> onUp -> send, onFrame -> onDown(reason)        its path lost -> onTrouble -> restartIce -> onHealed
import SimplePeer from "simple-peer/simplepeer.min.js";

export interface ConnectionEvents {
  readonly onSignal: (signal: object) => void;
  readonly onUp: () => void;
  readonly onFrame: (frame: Uint8Array<ArrayBuffer>) => void;
  /** ICE hears nothing any more on the path that it had: a restart may find another. */
  readonly onTrouble: () => void;
  /** ICE has a path again. */
  readonly onHealed: () => void;
  readonly onDown: (reason: string) => void;
}

/** simple-peer's own, missing from its types: the connection itself (it has no ICE restart), and stats as a flat list. */
interface Hidden {
  readonly _pc: RTCPeerConnection;
  getStats(done: (error: Error | null, reports: Record<string, unknown>[]) => void): void;
}

export class Connection {
  readonly initiator: boolean;
  readonly #peer: SimplePeer.Instance & Hidden;
  readonly #events: ConnectionEvents;
  #up = false;
  #ended = false;

  constructor(initiator: boolean, config: RTCConfiguration, events: ConnectionEvents) {
    this.initiator = initiator;
    this.#events = events;
    const peer = new SimplePeer({
      initiator,
      objectMode: true, // keeps message boundaries
      config,
    }) as SimplePeer.Instance & Hidden;
    this.#peer = peer;
    peer.on("signal", (signal) => this.#tell(() => events.onSignal(signal)));
    peer.on("connect", () => {
      this.#up = true;
      this.#tell(events.onUp);
    });
    peer.on("data", (data: unknown) => {
      if (data instanceof Uint8Array) this.#tell(() => events.onFrame(new Uint8Array(data))); // its own buffer: it is transferred on
    });
    peer.on("error", (error) => this.#end(error.message || "closed by the other side")); // some of its errors say nothing
    peer.on("close", () => this.#end("closed by the other side"));
    this.#surviveLostPaths(peer._pc);
  }

  /** Bytes that the channel has not handed to the network yet: what its congestion window holds back. */
  get queuedBytes(): number {
    return this.#peer.bufferSize;
  }

  /** @throws when the browser refuses it */
  signal(signal: object): void {
    this.#peer.signal(signal as SimplePeer.SignalData);
  }

  /** @throws when the channel is closed */
  send(frame: Uint8Array): void {
    this.#peer.send(frame);
  }

  /** The initiator's: looks for a path anew, with all that is open staying open. Signals follow as for the first one. */
  restartIce(): void {
    const { _pc: pc } = this.#peer;
    // Not through simple-peer's negotiate: an offer that got lost on the way would block it for good.
    const offered = async () => {
      await pc.setLocalDescription(await pc.createOffer({ iceRestart: true }));
      const { type, sdp } = pc.localDescription ?? {};
      this.#tell(() => this.#events.onSignal({ type, sdp }));
    };
    offered().catch((error: unknown) => this.#end(`its ICE restart failed: ${String(error)}`));
  }

  async kind(): Promise<"direct" | "turn"> {
    const reports = await new Promise<Record<string, unknown>[]>((resolve) => {
      this.#peer.getStats((error, list) => resolve(error ? [] : list));
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
    return ends.some((candidate) => candidate?.candidateType === "relay") ? "turn" : "direct";
  }

  /** Nothing is told any more. */
  destroy(): void {
    this.#ended = true;
    this.#peer.destroy();
  }

  /** simple-peer gives up at "failed"; once up, whoever owns this connection decides that. */
  #surviveLostPaths(pc: RTCPeerConnection): void {
    const [iceChanged, changed] = [pc.oniceconnectionstatechange, pc.onconnectionstatechange];
    pc.oniceconnectionstatechange = (event) => {
      const state = pc.iceConnectionState;
      if (this.#up && (state === "disconnected" || state === "failed")) return this.#tell(this.#events.onTrouble);
      if (this.#up && (state === "connected" || state === "completed")) this.#tell(this.#events.onHealed);
      iceChanged?.call(pc, event);
    };
    pc.onconnectionstatechange = (event) => {
      if (!(this.#up && pc.connectionState === "failed")) changed?.call(pc, event);
    };
  }

  #tell(event: () => void): void {
    if (!this.#ended) event();
  }

  #end(reason: string): void {
    this.#tell(() => {
      this.#ended = true;
      this.#peer.destroy();
      this.#events.onDown(reason);
    });
  }
}
