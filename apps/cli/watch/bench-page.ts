// `gossamer bench page`: a run of many peers and rounds through the real API, and what it costs the page that watches it.
import { builtPage } from "../../host/host.ts";
import { english } from "../../web/words/format.ts";
import { chromiumFlags, findBrowser } from "../browser.ts";
import { MEASURE_FLAGS, measurePage, type PageCost } from "./measure.ts";
import { serveSynthetic, TICK_MS } from "./serve.ts";

export interface BenchPageOptions {
  readonly peers: number;
  readonly rounds: number;
  readonly seconds: number;
  readonly json: boolean;
}

/** What the page promises for 1,000 peers and 100,000 rounds. */
const PROMISED = { scriptMsP95: 8, interactionMsMax: 100, memoryBytes: 300e6 } as const;

export async function benchPage(
  { peers, rounds, seconds, json }: BenchPageOptions,
  out: (line: string) => void,
): Promise<boolean> {
  const cost = await costOf({ peers, rounds, seconds });
  const kept = Object.entries(PROMISED).every(([name, most]) => cost[name as keyof typeof PROMISED] <= most);
  if (json) out(JSON.stringify({ peers, rounds, ...cost, kept }));
  else
    for (const line of [
      `${english.count(peers)} peers, ${english.count(rounds)} rounds, ${english.count(cost.pushes)} pushes`,
      `script per push      ${cost.scriptMsMedian.toFixed(1)} ms median, ${cost.scriptMsP95.toFixed(1)} ms p95 (at most ${PROMISED.scriptMsP95})`,
      `interaction          ${cost.interactionMsMax.toFixed(0)} ms at most, of ${cost.interactions} (at most ${PROMISED.interactionMsMax})`,
      `memory               ${english.bytes(cost.memoryBytes)} (at most ${english.bytes(PROMISED.memoryBytes)})`,
    ])
      out(line);
  return kept;
}

async function costOf({ peers, rounds, seconds }: Omit<BenchPageOptions, "json">): Promise<PageCost> {
  const host = await serveSynthetic(builtPage(), { peers, rounds, contributors: 4, seed: 7, endsAt: Date.now() });
  try {
    const { chromium } = await import("playwright-core");
    const { path } = await findBrowser();
    const browser = await chromium.launch({ executablePath: path, args: [...chromiumFlags(), ...MEASURE_FLAGS] });
    try {
      return await measurePage(browser, host, (seconds * 1000) / TICK_MS);
    } finally {
      await browser.close();
    }
  } finally {
    await host.close();
  }
}
