// The side of the port that owns the connections: does what the peer asks of its links, and tells it what happens to them.
//
//   ToWindow -> take -> Links -> post -> ToWorker
import { Links } from "./links.ts";
import type { ToWindow, ToWorker } from "./port.ts";

export { Links };

export interface LinkSide {
  readonly links: Links;
  take(message: ToWindow): void;
}

/** @param post false: the peer takes nothing any more */
export function openLinkSide(now: () => number, post: (message: ToWorker) => boolean): LinkSide {
  const links = new Links({
    now,
    onSignal: (to, data) => post({ type: "signal", peer: to, data }),
    onUp: (peer) => post({ type: "up", peer }),
    onConnections: (peer, counts) => post({ type: "connections", peer, ...counts }),
    onDown: (peer, reason) => post({ type: "down", peer, reason }),
    onFrame: (from, bytes) => {
      // A peer that takes nothing while somebody floods it: that link ends.
      if (!post({ type: "frame", peer: from, bytes })) links.close(from, "sends more than this peer can take");
    },
  });
  const take = (message: ToWindow): void => {
    switch (message.type) {
      case "ice":
        return links.setIceServers(message.servers);
      case "open":
        return links.open(message.peer, message.initiator);
      case "signal":
        return links.signal(message.peer, message.data);
      case "frame":
        return void links.send(message.peer, message.bytes);
      case "close":
        return links.close(message.peer, message.reason);
      case "close-all":
        return links.closeAll(message.reason);
      case "find-paths":
        return links.findPaths();
      case "measure":
        return void post({ type: "meters", meters: links.meters() });
    }
  };
  return { links, take };
}
