// What of an island's exchange is hidden: while one microbatch's sums cross, the device computes the other one.
//
//   computing    queued or the segment before it over ──── its sum has left
//   exchanging                                             left ──── back
/** Between two exchange points of one microbatch. Times in ms of one clock. */
export interface Span {
  /** The segment's dispatches were queued. */
  readonly queuedAt: number;
  /** They were done, and the sum left the device. */
  readonly leftAt: number;
  /** The others' parts were there, and the next segment may be queued. */
  readonly backAt: number;
}

export interface Overlap {
  readonly exchangeMs: number;
  /** Of it, while a segment was computed. */
  readonly hiddenMs: number;
}

export function overlapOf(spans: readonly Span[]): Overlap {
  const busy: { from: number; to: number }[] = [];
  for (const { queuedAt, leftAt } of [...spans].sort((a, b) => a.leftAt - b.leftAt))
    busy.push({ from: Math.max(queuedAt, busy.at(-1)?.to ?? queuedAt), to: leftAt }); // one after the other: a device has one queue
  let [exchangeMs, hiddenMs] = [0, 0];
  for (const { leftAt, backAt } of spans) {
    exchangeMs += backAt - leftAt;
    for (const { from, to } of busy) hiddenMs += Math.max(0, Math.min(to, backAt) - Math.max(from, leftAt));
  }
  return { exchangeMs, hiddenMs };
}
