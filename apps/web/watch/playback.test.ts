import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Moment } from "#wire";
import type { ReaderTell } from "../window/types.ts";
import { Playback } from "./playback.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A run of so many rounds, which tells a moment when it is let. */
function playbackOf(rounds: number) {
  const told: ReaderTell[] = [];
  const asked: { round: number; answer: () => void; refuse: () => void }[] = [];
  const playback = new Playback({
    load: (round) =>
      new Promise((resolve, reject) => {
        asked.push({ round, answer: () => resolve({ round } as Moment), refuse: () => reject(new Error("404")) });
      }),
    headRound: () => rounds,
    tell: (change) => void told.push(change),
  });
  const moments = () => told.flatMap(({ moment }) => (moment === undefined ? [] : [moment?.round ?? null]));
  return { playback, asked, told, moments };
}
const settled = () => vi.advanceTimersByTimeAsync(0);

test("while a hand drags, one moment is under way, and the newest wish comes after it", async () => {
  const { playback, asked, moments } = playbackOf(100);
  for (const round of [10, 20, 30]) playback.goTo(round);
  expect(asked.map(({ round }) => round)).toEqual([10]);
  asked[0].answer();
  await settled();
  expect(asked.map(({ round }) => round)).toEqual([10, 30]);
  asked[1].answer();
  await settled();
  expect(moments()).toEqual([10, 30]);
});

test("back to live, a late answer shows nothing", async () => {
  const { playback, asked, moments } = playbackOf(100);
  playback.goTo(10);
  playback.goTo(null);
  asked[0].answer();
  await settled();
  expect(moments()).toEqual([null]);
});

test("a replay of 100 rounds a second leaves rounds out, and is live at its end", async () => {
  const { playback, asked, moments, told } = playbackOf(60);
  playback.goTo(1);
  asked[0].answer();
  await settled();
  playback.play(100);
  for (let frame = 1; frame <= 4; frame++) {
    await vi.advanceTimersByTimeAsync(250);
    asked[frame]?.answer();
    await settled();
  }
  expect(moments()).toEqual([1, 26, 51, null]);
  expect(told.at(-2)).toEqual({ roundsPerSecond: 0 });
  await vi.advanceTimersByTimeAsync(5_000);
  expect(asked).toHaveLength(3);
});

test("a round that is not there stops the replay, and what is shown stays", async () => {
  const { playback, asked, told } = playbackOf(100);
  playback.goTo(50);
  asked[0].refuse();
  await settled();
  expect(told).toEqual([{ roundsPerSecond: 0 }]);
});
