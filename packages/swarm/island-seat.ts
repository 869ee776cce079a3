// A tab's half of islands: whether it seeks one, is in one, or is done with it. Beside Peer, which knows of none. [R53]
//
//   seek -> seek-island -> island -> form (engine and port, by the adapter) -> over for whatever reason -> dissolve -> free -> seek-island
//
// The adapter gives each message of the host to Peer first, and then to this.
import type { Capacity, HostMessage, IslandPlan, PeerId, PeerMessage } from "#wire";

export type IslandSeatInput =
  /** The model fits not alone here, or its person wants company. Again when ranksMin or what it holds changes. */
  | { type: "seek"; ranksMin: number; reason?: string; capacity?: Capacity }
  /** It trains alone, pauses, or goes. */
  | { type: "stop"; reason: string }
  | { type: "message"; message: HostMessage }
  /** The host forgets what we seek. An island trains on until there is a welcome: then it is over, for the host knows of none. */
  | { type: "host-closed" }
  /** The port ended, or the engine was lost. */
  | { type: "lost"; reason: string }
  /** What `dissolve` asked for is done: the device has room for another island's part. */
  | { type: "free" };

export type IslandSeatOutput =
  | { type: "send"; message: PeerMessage }
  | { type: "form"; island: string; rank: number; members: readonly PeerId[]; plan: IslandPlan }
  /** End the port, let go of the engine; then `free`. */
  | { type: "dissolve"; island: string; reason: string }
  | { type: "waits"; missing: number; because: Extract<HostMessage, { type: "island-waits" }>["because"] };

export class IslandSeat {
  /** The island that this tab is in, from `form` to `dissolve`. */
  island: string | undefined;
  private readonly self: PeerId;
  private wanted: Omit<Extract<PeerMessage, { type: "seek-island" }>, "type"> | undefined;
  private isFree = true; //       no part of an island is on the device
  private connected = false;

  constructor(self: PeerId) {
    this.self = self;
  }

  step(input: IslandSeatInput): IslandSeatOutput[] {
    switch (input.type) {
      case "seek": {
        const { type: _, ...wanted } = input;
        this.wanted = wanted;
        return this.seek();
      }
      case "stop": {
        const { island, wanted } = this;
        this.wanted = undefined;
        if (island !== undefined) return [this.leave(input.reason, island), ...this.dissolve(input.reason)];
        return wanted === undefined || !this.connected ? [] : [this.leave(input.reason)];
      }
      case "lost": {
        const { island } = this;
        return island === undefined ? [] : [this.leave(input.reason, island), ...this.dissolve(input.reason)];
      }
      case "host-closed":
        this.connected = false;
        return [];
      case "free":
        this.isFree = true;
        return this.seek();
      case "message":
        return this.message(input.message);
    }
  }

  private message(message: HostMessage): IslandSeatOutput[] {
    switch (message.type) {
      case "welcome":
        this.connected = true;
        return [...this.dissolve("the line to the host was renewed"), ...this.seek()];
      case "island": {
        const { island, members, plan } = message;
        const rank = members.indexOf(this.self);
        // It was on its way when we changed our mind.
        if (this.wanted === undefined || !this.isFree || rank < 0) return [this.leave("it is busy", island)];
        this.island = island;
        this.isFree = false;
        return [{ type: "form", island, rank, members, plan }];
      }
      case "island-over":
        return message.island === this.island ? this.dissolve(message.reason) : [];
      case "island-waits": {
        const { missing, because } = message;
        return this.wanted === undefined ? [] : [{ type: "waits", missing, because }];
      }
      default:
        return [];
    }
  }

  private seek(): IslandSeatOutput[] {
    const { connected, wanted, isFree } = this;
    if (!connected || !isFree || wanted === undefined) return [];
    return [{ type: "send", message: { type: "seek-island", ...wanted } }];
  }

  private dissolve(reason: string): IslandSeatOutput[] {
    const { island } = this;
    this.island = undefined;
    return island === undefined ? [] : [{ type: "dissolve", island, reason }];
  }

  private leave(why: string, island?: string): IslandSeatOutput {
    const reason = why.slice(0, 400);
    return { type: "send", message: { type: "leave-island", ...(island !== undefined && { island }), reason } };
  }
}
