// One round, read off its times: what each peer did for how long, who was waited for, what of the exchange was hidden.
//
//   opened ---- train ---- offered -- hidden | wait -- committed -- fetch and fold -- folded          sealed: everybody's
import type { RoundPeer, RoundTimes } from "#wire";
import type { Words } from "../words/index.ts";

export interface PeerSpans {
  readonly trainMs: number | null; //   null: this host did not see when it ended
  readonly hiddenMs: number; //         after its offer, training on
  readonly waitMs: number | null; //    after its offer, for the commit, with nothing to do
  readonly foldMs: number | null; //    from the commit to its own fold
  readonly totalMs: number; //          of the round, as the picture's width
}

export function spansOf({ openedAt, committedAt, sealedAt, peers }: RoundTimes, peer: RoundPeer): PeerSpans {
  const known = [sealedAt, committedAt, ...peers.flatMap(({ offeredAt, foldedAt }) => [offeredAt, foldedAt])];
  const totalMs = Math.max(1, ...known.map((at) => (at === null ? 0 : at - openedAt)));
  const { offeredAt, busyUntil, foldedAt } = peer;
  const pending = offeredAt === null || committedAt === null ? null : Math.max(0, committedAt - offeredAt);
  const hiddenMs = pending === null ? 0 : Math.min(pending, Math.max(0, Number(busyUntil) - Number(offeredAt)));
  return {
    trainMs: offeredAt === null ? null : Math.max(0, offeredAt - openedAt),
    hiddenMs,
    waitMs: pending === null ? null : pending - hiddenMs,
    foldMs: foldedAt === null || committedAt === null ? null : Math.max(0, foldedAt - committedAt),
    totalMs,
  };
}

/** A round whose last offer came this much after the one before it was one peer's to wait for. */
const ALONE_LAST_MS = 500;

/** From its offer to the round's end a peer's update is under way: so much of that time it trained on. null: nobody has offered. */
export function hiddenShare({ committedAt, sealedAt, peers }: RoundTimes): number | null {
  const end = sealedAt ?? committedAt;
  const offers = peers.filter(({ offeredAt }) => offeredAt !== null && end !== null && offeredAt < end);
  const all = offers.reduce((sum, { offeredAt }) => sum + (Number(end) - Number(offeredAt)), 0);
  if (all === 0) return null;
  const hidden = offers.reduce((sum, { offeredAt, busyUntil }) => {
    const until = Math.min(Number(end), busyUntil ?? Number(offeredAt));
    return sum + Math.max(0, until - Number(offeredAt));
  }, 0);
  return hidden / all;
}

export function storyOf({ rounds, format, nameOf }: Words, times: RoundTimes): string {
  const { round, openedAt, committedAt, sealedAt, voided, peers, rosterSize } = times;
  const offers = peers.filter(({ named, offeredAt }) => named && offeredAt !== null);
  const inOrder = [...offers].sort((a, b) => Number(a.offeredAt) - Number(b.offeredAt));
  const last = inOrder.at(-1);
  const before = inOrder.at(-2);
  const hidden = hiddenShare(times);
  const sentences = [
    voided === null
      ? sealedAt === null
        ? rounds.open(round + 1, rosterSize)
        : rounds.took(round + 1, format.duration(sealedAt - openedAt))
      : rounds.voided(round + 1),
    ...(committedAt === null || sealedAt === null ? [] : [rounds.exchanged(format.duration(sealedAt - committedAt))]),
    ...(last && before && Number(last.offeredAt) - Number(before.offeredAt) >= ALONE_LAST_MS
      ? [
          rounds.waitedFor(
            nameOf(last.peer, last.name),
            format.duration(Number(last.offeredAt) - Number(before.offeredAt)),
          ),
        ]
      : []),
    ...(hidden === null || hidden === 0 ? [] : [rounds.hidden(format.share(hidden, 1))]),
    ...(sealedAt !== null && offers.length === 0 ? [rounds.fromLog] : []),
  ];
  return sentences.join(" ");
}
