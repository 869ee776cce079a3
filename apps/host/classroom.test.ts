// A class behind one address: 200 pages are opened at once, and all donate. No limit of the host is theirs.
import { expect, test } from "vitest";
import { freshFolder, startTestHost, TestVolunteer, writeRun } from "./test-given.ts";

const PUPILS = 200;
/** The page's files, its events, and some questions about the run. */
const REQUESTS_EACH = 30;

test(`${PUPILS} pupils behind one address open the page and come in`, async () => {
  const data = await freshFolder();
  const host = await startTestHost({ data, run: await writeRun(data) });
  try {
    const refused = new Map<number, number>();
    const ask = async () => {
      const { status } = await fetch(`${host.url}/healthz`);
      if (status !== 200) refused.set(status, (refused.get(status) ?? 0) + 1);
    };
    for (let request = 0; request < REQUESTS_EACH; request++) await Promise.all(Array.from({ length: PUPILS }, ask));
    expect([...refused]).toEqual([]);
    const pupils = await Promise.all(Array.from({ length: PUPILS }, (_, i) => TestVolunteer.join(host.url, 1 + i)));
    expect(new Set(pupils.map(({ peer }) => peer)).size).toBe(PUPILS);
    // What a page says while it trains: progress and links, every two seconds, for two minutes.
    for (const pupil of pupils)
      for (let i = 0; i < 120; i++) pupil.send({ type: "progress", round: 0, step: i, loss: 5, tokensPerSecond: 100 });
    for (const pupil of pupils) pupil.send({ type: "bye", reason: "the lesson is over" });
    const codes = await Promise.all(pupils.map(async (pupil) => (await pupil.whenClosed()).code));
    expect(new Set(codes)).toEqual(new Set([1000]));
  } finally {
    await host.close();
  }
});
