// How a peer is named: the volunteer's key and the slot. Apart from the schemas, for pages that only show it.
import type { PeerId, VolunteerId } from "./identity.ts";

export const peerIdOf = (volunteer: VolunteerId, slot: number): PeerId =>
  volunteer + slot.toString(16).padStart(2, "0");
export const volunteerOf = (peer: PeerId): VolunteerId => peer.slice(0, 64);
export const slotOf = (peer: PeerId): number => Number.parseInt(peer.slice(64), 16);
