// What each link moves: the window's meters, turned into reports for the host and rates for the page.
import type { LinkMeter } from "#mesh";
import type { LinkReport, Member, PeerId } from "#wire";
import type { LinkView } from "../window/types.ts";

/** Rates are means over about this long: updates come in bursts, once a round. */
const RATE_SPAN_MS = 10_000;

interface Sample {
  readonly atMs: number;
  readonly meterByPeer: ReadonlyMap<PeerId, LinkMeter>;
}

export class LinkViews {
  #samples: Sample[] = []; // oldest first, at most RATE_SPAN_MS long
  #closedBytes = { sent: 0, received: 0 };

  take(nowMs: number, meters: readonly LinkMeter[]): void {
    const meterByPeer = new Map(meters.map((meter) => [meter.peer, meter]));
    for (const [peer, last] of this.#samples.at(-1)?.meterByPeer ?? []) {
      const meter = meterByPeer.get(peer);
      const same = meter && (meter.kind === "relayed") === (last.kind === "relayed"); // else one link after another
      if (same && meter.bytesSent >= last.bytesSent && meter.bytesReceived >= last.bytesReceived) continue;
      this.#closedBytes = {
        sent: this.#closedBytes.sent + last.bytesSent,
        received: this.#closedBytes.received + last.bytesReceived,
      };
    }
    this.#samples.push({ atMs: nowMs, meterByPeer });
    while (this.#samples.length > 2 && nowMs - this.#samples[1].atMs >= RATE_SPAN_MS) this.#samples.shift();
  }

  /** Of all links since the page was opened, closed ones too. */
  totals(): { bytesSent: number; bytesReceived: number } {
    let { sent: bytesSent, received: bytesReceived } = this.#closedBytes;
    for (const meter of this.#samples.at(-1)?.meterByPeer.values() ?? []) {
      bytesSent += meter.bytesSent;
      bytesReceived += meter.bytesReceived;
    }
    return { bytesSent, bytesReceived };
  }

  reports(rttMs: (peer: PeerId) => number | null): LinkReport[] {
    const meters = [...(this.#samples.at(-1)?.meterByPeer.values() ?? [])];
    return meters.map((meter) => ({ ...meter, rttMs: rttMs(meter.peer) }));
  }

  views(rttMs: (peer: PeerId) => number | null, members: readonly Member[]): LinkView[] {
    const nameByPeer = new Map(members.map(({ peer, name }) => [peer, name]));
    const [first, last] = [this.#samples.at(0), this.#samples.at(-1)];
    const seconds = first && last ? (last.atMs - first.atMs) / 1000 : 0;
    return this.reports(rttMs).map((report) => {
      const before = first?.meterByPeer.get(report.peer);
      const rate = (now: number, then: number) => (seconds > 0 ? Math.max(0, now - then) / seconds : 0);
      return {
        ...report,
        name: nameByPeer.get(report.peer) ?? "",
        sendBytesPerSecond: rate(report.bytesSent, before?.bytesSent ?? 0),
        receiveBytesPerSecond: rate(report.bytesReceived, before?.bytesReceived ?? 0),
      };
    });
  }
}
