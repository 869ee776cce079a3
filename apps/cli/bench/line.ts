// `gossamer bench line`: what an update gets of a shaped line, beside plain UDP over the same line in the same run.
//
//   lab (network namespaces, e2e/nat) -> plain UDP -> Chromium in home A, Chromium at the public address -> one link -> updates, fetched by name
import type { Browser, Page } from "playwright-core";
import { Lab, type Place, shapedLine } from "../../../e2e/nat/lab.ts";
import { plainUdp } from "../../../e2e/nat/plain-udp.ts";
import { EXIT_NOT_HERE, labFault } from "../../../e2e/nat/ready.ts";
import { chromiumFlags, findBrowser } from "../browser.ts";
import type {} from "./line-page.ts";
import { buildPage } from "./page.ts";

export interface LineOptions {
  readonly lossRatios: readonly number[];
  readonly updateBytes: number;
  readonly updates: number;
  readonly json: boolean;
}

interface LineReport {
  readonly lossRatio: number;
  readonly rttMs: number; //          of the idle line
  readonly udpMbit: number; //        payload of plain UDP
  readonly updateMbits: readonly number[]; // of each update, one after the other
  readonly ratio: number; //          bytes of all updates over their time, beside plain UDP
  readonly connections: number;
}

/** Longer than the line's rate times what it is offered: its queue is full for most of the time. */
const UDP_SECONDS = 5;
const UDP_MBIT = 24;

/** Says what a machine lacks that cannot build the lab, and sets the exit code for that. */
export async function benchLine(options: LineOptions, out: (line: string) => void): Promise<void> {
  const fault = labFault();
  if (fault !== undefined) {
    console.error(fault);
    process.exitCode = EXIT_NOT_HERE;
    return;
  }
  const { script } = await buildPage("apps/cli/bench/line-page.ts");
  const reports: LineReport[] = [];
  if (!options.json) out("  loss   RTT ms   plain UDP Mbit/s   update Mbit/s   ratio   connections   each update");
  for (const lossRatio of options.lossRatios) {
    const report = await measure(script, lossRatio, options);
    reports.push(report);
    if (!options.json) out(row(report));
  }
  if (options.json) out(JSON.stringify(reports));
}

function row({ lossRatio, rttMs, udpMbit, updateMbits, ratio, connections }: LineReport): string {
  const loss = `${(100 * lossRatio).toFixed(1)} %`;
  const columns = [loss.padStart(6), rttMs.toFixed(1).padStart(8), udpMbit.toFixed(2).padStart(18)];
  const mean = (ratio * udpMbit).toFixed(2).padStart(15);
  const each = updateMbits.map((mbit) => mbit.toFixed(1)).join(" ");
  return [...columns, mean, ratio.toFixed(2).padStart(7), String(connections).padStart(13), `  ${each}`].join(" ");
}

async function measure(script: string, lossRatio: number, { updateBytes, updates }: LineOptions): Promise<LineReport> {
  const lab = await Lab.open({ A: { nat: "cone", line: shapedLine(lossRatio) }, B: { nat: "cone" } });
  const browsers: Browser[] = [];
  try {
    const { rttMs, mbit: udpMbit } = await plainUdp(lab, "homeA", UDP_MBIT, UDP_SECONDS);
    const pages: Page[] = [];
    for (const place of ["homeA", "pub"] as const) {
      const browser = await openBrowser(lab, place);
      browsers.push(browser);
      pages.push(await openPage(browser, script));
    }
    const [a, b] = pages;
    await a.exposeFunction("signalOut", (data: string) => b.evaluate((text) => globalThis.signalIn(text), data));
    await b.exposeFunction("signalOut", (data: string) => a.evaluate((text) => globalThis.signalIn(text), data));
    await Promise.all([b.evaluate(() => globalThis.begin(false)), a.evaluate(() => globalThis.begin(true))]);
    const ms: number[] = [];
    for (let i = 0; i < updates; i++) {
      const name = await a.evaluate((bytes) => globalThis.make(bytes), updateBytes);
      ms.push(
        await b.evaluate(([hash, bytes]) => globalThis.fetchUpdate(hash, bytes), [name, updateBytes] as [
          string,
          number,
        ]),
      );
    }
    const connections = await a.evaluate(() => globalThis.connections());
    const mbitOf = (bytes: number, overMs: number) => (8 * bytes) / (1e3 * overMs);
    const total = ms.reduce((sum, one) => sum + one, 0);
    return {
      lossRatio,
      rttMs,
      udpMbit,
      updateMbits: ms.map((one) => mbitOf(updateBytes, one)),
      ratio: mbitOf(updates * updateBytes, total) / udpMbit,
      connections,
    };
  } finally {
    for (const browser of browsers) await browser.close();
    await lab.close();
  }
}

async function openBrowser(lab: Lab, place: Place): Promise<Browser> {
  const { chromium } = await import("playwright-core");
  const { path } = await findBrowser();
  return chromium.launch({
    executablePath: lab.browserIn(place, path),
    // Addresses of the lab are nobody's secret, and mDNS does not cross its routers.
    args: [...chromiumFlags(), "--disable-features=WebRtcHideLocalIpsWithMdns"],
  });
}

/** Served without a network: the browsers' own is the lab's. Localhost, because only secure pages draw random ids. */
async function openPage(browser: Browser, script: string): Promise<Page> {
  const page = await browser.newPage();
  page.on("console", (message) => {
    if (message.type() === "error") console.error(`page: ${message.text()}`);
  });
  page.on("pageerror", (error) => console.error(`page: ${error.message}`));
  const html = '<!doctype html><title>bench</title><script type="module" src="/bench.js"></script>';
  await page.route("http://localhost/**", (route) =>
    route.request().url().endsWith("/bench.js")
      ? route.fulfill({ contentType: "text/javascript", body: script })
      : route.fulfill({ contentType: "text/html", body: html }),
  );
  await page.goto("http://localhost/");
  await page.waitForFunction(() => "make" in globalThis);
  return page;
}
