// Bandwidth: bytes per second of peers and links, from what they have moved in all.
import type { PeerId, RunDetail } from "#wire";
import { linkKey, type Rate, type WatcherSnapshot } from "../window/types.ts";

/** Rates are means over about this long: peers report every two seconds, updates come in bursts. */
const RATE_SPAN_MS = 10_000;
const SAMPLE_EVERY_MS = 1_000;

export class Rates {
  #samples: { readonly atMs: number; readonly sentAndReceived: ReadonlyMap<string, readonly [number, number]> }[] = [];

  take(atMs: number, detail: RunDetail): Pick<WatcherSnapshot, "rateByPeer" | "rateByLink"> {
    const totals = new Map<string, readonly [number, number]>();
    for (const peer of detail.peers) {
      totals.set(peer.id, [peer.bytesSent, peer.bytesReceived]);
      for (const link of peer.links) totals.set(linkKey(peer.id, link.peer), [link.bytesSent, link.bytesReceived]);
    }
    const newest = this.#samples.at(-1);
    if (!newest || atMs - newest.atMs >= SAMPLE_EVERY_MS) this.#samples.push({ atMs, sentAndReceived: totals });
    while (this.#samples.length > 2 && atMs - this.#samples[1].atMs >= RATE_SPAN_MS) this.#samples.shift();

    const first = this.#samples[0];
    const seconds = (atMs - first.atMs) / 1000;
    const rateOf = (key: string, [sent, received]: readonly [number, number]): Rate => {
      const before = first.sentAndReceived.get(key);
      // Someone new moved everything since; a link that began again counts from zero.
      const since = (now: number, then: number) => (seconds > 0 ? Math.max(0, now - then) / seconds : 0);
      return before ? { sent: since(sent, before[0]), received: since(received, before[1]) } : { sent: 0, received: 0 };
    };
    const rateByPeer = new Map<PeerId, Rate>();
    const rateByLink = new Map<string, Rate>();
    for (const [key, both] of totals) (key.includes(" ") ? rateByLink : rateByPeer).set(key, rateOf(key, both));
    return { rateByPeer, rateByLink };
  }
}
