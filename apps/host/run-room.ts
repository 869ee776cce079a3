// The room of one hosted run: what signaling does with those who say hello to it.
import { PROTOCOL_VERSION, ROSTER_MAX } from "#wire";
import { BUILD } from "./build.ts";
import type { HostedRun } from "./run.ts";
import type { Room } from "./signal.ts";

/** @param relays whether this host relays now what finds no other way */
export function runRoom(run: HostedRun, relays: () => boolean): Room {
  return {
    run: run.id,
    refusal: ({ volunteer }) => {
      // Who took part may come back for the last anchor. [R22]
      if (run.ended !== undefined && !run.hasCredited(volunteer))
        return { code: "run-ended", message: `This run has ended: ${run.ended}.` };
      if (run.peerCount < ROSTER_MAX) return undefined;
      return { code: "full", message: `${ROSTER_MAX} peers are here, and a round takes no more. Try again later.` };
    },
    welcome: (peer, session, iceServers) => ({
      type: "welcome",
      protocol: PROTOCOL_VERSION,
      build: BUILD,
      peer,
      run: run.id,
      spec: run.spec,
      session,
      iceServers,
      relay: relays(),
      ...run.head,
      members: run.neighbours(peer),
    }),
    connected: (member) => run.connected(member),
    disconnected: (peer, reason) => run.disconnected(peer, reason),
    mayReach: (from, to) => run.areNeighbours(from, to),
    message: (from, message) => run.message(from, message),
  };
}
