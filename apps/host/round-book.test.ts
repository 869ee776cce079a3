import { expect, test } from "vitest";
import { type LogEntry, type PeerId, type PeerMessage, presets, type RunSpec } from "#wire";
import { RoundBook } from "./round-book.ts";
import { Standings } from "./standings.ts";

const peer = (n: number): PeerId => `${n.toString(16).padStart(64, "0")}00`;
const hash = (n: number): string => n.toString(16).padStart(64, "0");

/** A log of so many rounds, each with so many contributors of one token. */
function logOf(rounds: number, contributors: number): LogEntry[] {
  const entries: object[] = [];
  const add = (entry: object) => entries.push({ seq: entries.length, ...entry });
  for (let round = 0; round < rounds; round++) {
    const time = round * 1000;
    add({ type: "open", round, time, roster: Array.from({ length: contributors }, (_, i) => peer(i)) });
    const openSeq = entries.length - 1;
    const named = Array.from({ length: contributors }, (_, i) => ({ peer: peer(i), tokens: 1, loss: 2, bytes: 3 }));
    add({ type: "commit", round, time: time + 500, openSeq, contributors: named });
    if (round % 7 === 0) add({ type: "eval", round, time });
    const refused = round === 3 ? [{ peer: peer(0), reason: "not finite" }] : [];
    add({ type: "seal", round, time: time + 800, anchorHash: hash(round), attesters: [peer(0)], refused });
  }
  return entries as LogEntry[];
}

const specOf = (overlap: boolean) => ({ rounds: { ...presets.nano.rounds, overlap } }) as RunSpec;

function bookOf(entries: LogEntry[], overlap = false): RoundBook {
  const book = new RoundBook(entries, specOf(overlap), () => "");
  for (const entry of entries) book.apply(entry);
  return book;
}

test("rounds older than memory are what the log has of them", () => {
  const book = bookOf(logOf(1_000, 2));
  expect(book.length).toBe(1_000);
  expect(book.of(14)).toMatchObject({ openedAt: 14_000, committedAt: 14_500, sealedAt: 14_800, rosterSize: 2 });
  expect(book.of(14)?.peers.map(({ offeredAt, named }) => [offeredAt, named])).toEqual([
    [null, true],
    [null, true],
  ]);
  expect(book.of(1_000)).toBeUndefined();
  expect(book.page(998, 10)).toHaveLength(2);
});

test("a peer that folds another anchor disagrees, and a second offer changes nothing", () => {
  const [open, commit, , seal] = logOf(1, 1);
  const entries = [open];
  const book = bookOf(entries);
  const offer = { round: 0, openSeq: 0, tokens: 9, loss: 1, bytes: 4 };
  const heard = (message: object, at: number) => book.heard(peer(0), message as PeerMessage, at);
  heard({ type: "offer", offer }, 100);
  heard({ type: "offer", offer }, 200);
  heard({ type: "attest", round: 0, anchorHash: hash(77) }, 300); // before any commit: of no round that is being folded
  book.apply(commit);
  heard({ type: "attest", round: 0, anchorHash: hash(77) }, 600);
  expect(book.of(0)?.peers[0]).toMatchObject({ offeredAt: 100, foldedAt: 600, agrees: null });
  book.apply(seal);
  expect(book.of(0)?.peers[0]).toMatchObject({ agrees: false });
  expect(book.takeMoved()).toHaveLength(1);
  expect(book.takeMoved()).toEqual([]);
});

test.each([
  [true, 900],
  [false, null],
])("training after an offer hides the exchange where rounds overlap (%s)", (overlap, busyUntil) => {
  const [open] = logOf(1, 1);
  const book = bookOf([open], overlap);
  book.heard(peer(0), { type: "offer", offer: { round: 0, openSeq: 0 } } as PeerMessage, 100);
  book.heard(peer(0), { type: "progress", round: 0, step: 3 } as PeerMessage, 900);
  expect(book.of(0)?.peers[0].busyUntil).toBe(busyUntil);
});

test("of a large round so many peers are told, and all counted", () => {
  const book = bookOf(logOf(1, 100));
  expect(book.of(0)).toMatchObject({ peersTotal: 100, rosterSize: 100 });
  expect(book.of(0)?.peers).toHaveLength(64);
});

test("standings after any round are the fold of the log so far, also when few pages are kept", () => {
  const entries = logOf(1_700, 3);
  for (const rowsMax of [500_000, 4]) {
    const standings = new Standings(entries, () => undefined, rowsMax);
    for (const rounds of [1_700, 1, 3, 4, 499, 500, 501, 1_234])
      expect(standings.after(rounds).map(({ tokens }) => tokens)).toEqual([
        rounds,
        rounds,
        rounds > 3 ? rounds - 1 : rounds, // one was refused
      ]);
  }
});

test("[R55] members of an island have their parts of its tokens at every moment, and in what is signed about the model", () => {
  const entries = logOf(3, 2);
  const led = { leader: peer(0), members: [peer(0), peer(8)] };
  for (const entry of entries)
    if (entry.type === "open" && entry.round > 0) entry.islands = [led];
    else if (entry.type === "commit") for (const each of entry.contributors) each.tokens = 10;
  const standings = new Standings(entries, () => undefined);
  const after = (rounds: number) => standings.after(rounds).map(({ peer, tokens }) => [peer, tokens]);
  expect(after(1)).toEqual([
    [peer(0), 10],
    [peer(1), 10],
  ]);
  expect(after(3)).toEqual([
    [peer(1), 30],
    [peer(0), 20],
    [peer(8), 10],
  ]);
});
