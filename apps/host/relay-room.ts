// Signaling alone (`--only signaling`): a room is whatever run its members name, and all that happens in it is that they find each other.
import { type IceServers, type Member, type PeerId, PROTOCOL_VERSION, ROOM_MEMBERS_MAX, type RoomMessage } from "#wire";
import type { Hello, RefusalCode, Room } from "./signal.ts";

/** Strangers name rooms: their number is bounded. */
const ROOMS_MAX = 1024;

export interface RelayPorts {
  readonly build: string;
  readonly broadcast: (run: string, message: RoomMessage, except?: PeerId) => void;
}

class RelayRoom implements Room {
  readonly run: string;
  readonly #ports: RelayPorts;
  readonly #members = new Map<PeerId, Member>();
  readonly #rooms: Map<string, RelayRoom>;

  constructor(run: string, ports: RelayPorts, rooms: Map<string, RelayRoom>) {
    this.run = run;
    this.#ports = ports;
    this.#rooms = rooms;
  }

  refusal(_: Hello): { code: RefusalCode; message: string } | undefined {
    if (this.#members.size < ROOM_MEMBERS_MAX) return undefined;
    return { code: "full", message: `This room has ${ROOM_MEMBERS_MAX} members: that is all.` };
  }

  welcome(peer: PeerId, _session: string, iceServers: IceServers): RoomMessage {
    const { build } = this.#ports;
    const members = [...this.#members.values()];
    return {
      type: "room",
      protocol: PROTOCOL_VERSION,
      build,
      peer,
      run: this.run,
      iceServers,
      members,
    };
  }

  connected(member: Member): void {
    this.#members.set(member.peer, member);
    this.#rooms.set(this.run, this); // only now: who fails at the door leaves no room behind
    this.#ports.broadcast(this.run, { type: "joined", member }, member.peer);
  }

  disconnected(peer: PeerId, reason: string): void {
    this.#members.delete(peer);
    this.#ports.broadcast(this.run, { type: "left", peer, reason });
    if (this.#members.size === 0) this.#rooms.delete(this.run);
  }

  mayReach(_: PeerId, to: PeerId): boolean {
    return this.#members.has(to);
  }

  message(): void {} // no log here: a member that speaks of rounds speaks to nobody
}

/** Rooms come with their first member and go with their last. */
export function relayRooms(ports: RelayPorts): (run: string) => Room | undefined {
  const rooms = new Map<string, RelayRoom>();
  return (run) => {
    const known = rooms.get(run);
    if (known !== undefined) return known;
    if (!/^[0-9a-f]{64}$/.test(run) || rooms.size >= ROOMS_MAX) return undefined; // "default" means nothing without a host
    return new RelayRoom(run, ports, rooms);
  };
}
