// Which way links to other volunteers would take from here, before anybody is asked for one: what this browser's network lets through.
//
//   GET /api/network -> STUN, TURN, relay -> candidates of one connection that is never opened -> "direct", "turn", "relayed" or "none"
//
// One end alone cannot say whether two routers find each other: "direct" is what most pairs then have.
import { type NetworkOffer, networkOfferSchema } from "#wire";
import type { LinkPrognosis } from "./types.ts";

/** Gathering takes a second; a router that drops UDP lets it wait for ever. */
const GATHER_MS = 4_000;

/** Rejects when the host does not say. */
export async function checkLink(hostBase: string, relayOnly: boolean): Promise<LinkPrognosis> {
  const response = await fetch(`${hostBase}/api/network`);
  if (!response.ok) throw new Error(`the host answered ${response.status}`);
  const offer = networkOfferSchema.parse(await response.json());
  const direct = !relayOnly && offer.stun !== null && (await hearsItself(offer.stun, new URL(hostBase).hostname));
  return direct ? "direct" : otherwise(offer);
}

const otherwise = ({ turn, relay }: NetworkOffer): LinkPrognosis => (turn ? "turn" : relay ? "relayed" : "none");

/** Whether UDP reaches the host and comes back. On the host's own machine there is no way to it that a packet could be lost on. */
async function hearsItself(stun: string, hostName: string): Promise<boolean> {
  if (globalThis.RTCPeerConnection === undefined) return false; // a policy, or an extension
  const connection = new RTCPeerConnection({ iceServers: [{ urls: stun }] });
  const local = hostName === "localhost" || hostName === "127.0.0.1";
  try {
    connection.createDataChannel("check");
    const heard = new Promise<boolean>((resolve) => {
      setTimeout(() => resolve(false), GATHER_MS);
      connection.onicecandidate = ({ candidate }) => {
        if (candidate === null) resolve(false);
        else if (candidate.type === "srflx" || (local && candidate.type === "host")) resolve(true);
      };
    });
    await connection.setLocalDescription();
    return await heard;
  } finally {
    connection.close();
  }
}
