// `gossamer bench rivals`: our engine beside TensorFlow.js and jax-js, the same decoder, weights and batch, in one Chromium.
//
//   install -> build pages -> per shape: cold starts, each in a fresh browser -> one browser, a page each: steps, then products, in turn -> report
import type { Server } from "node:http";
import { availableParallelism, loadavg } from "node:os";
import type { Browser } from "playwright-core";
import { installPackages, versionsOf } from "../install.ts";
import { adapterOf, openBrowser, openPage, serveContestants } from "./rivals/browser.ts";
import { FIELD } from "./rivals/field.ts";
import { GATE_STEPS_MIN, referenceCurve } from "./rivals/gate.ts";
import { matmulsToTime, type RivalsReport, reportLines, reportShape, type ShapeReport } from "./rivals/report.ts";
import { Runner } from "./rivals/runner.ts";
import { SHAPES, type ShapeName } from "./rivals/shapes.ts";

export interface RivalsOptions {
  readonly shapes: readonly ShapeName[];
  /** Timed steps of each contestant, and timed rounds of the products. */
  readonly repeats: number;
  /** Cold starts of each contestant. */
  readonly colds: number;
  /** Ours tunes before its steps are timed, as a peer's engine does beside its first minute of training. */
  readonly tune: boolean;
  readonly json: boolean;
}

type Say = (line: string) => void;

const PACKAGES = { manifests: "bench/rivals/packages", name: "rivals", what: "the rivals' packages (90 MB)" };

/** The first step compiles, the second may still fill caches. */
const WARM_STEPS = 2;

/** Progress goes to `say`, the result to `out`: tables, or one JSON object. Exit code 1 when a contestant is refused. */
export async function benchRivals(options: RivalsOptions, out: Say, say: Say): Promise<RivalsReport> {
  const packages = await installPackages(PACKAGES, say);
  say("building the pages");
  const server = await serveContestants(
    FIELD.map(({ page }) => page),
    packages,
  );
  const loadBefore = loadavg()[0];
  try {
    const { browser, adapter } = await inBrowser(async (opened) => ({
      browser: opened.version(),
      adapter: await adapterOf(opened, server),
    }));
    const shapes: ShapeReport[] = [];
    for (const name of options.shapes) shapes.push(await measureShape(name, options, server, say));
    const report: RivalsReport = {
      ...{
        browser,
        adapter,
        cores: availableParallelism(),
        repeats: options.repeats,
        colds: options.colds,
        tuned: options.tune,
      },
      loadAverage: [loadBefore, loadavg()[0]],
      versions: await versionsOf(packages),
      shapes,
    };
    for (const line of options.json ? [JSON.stringify(report)] : reportLines(report)) out(line);
    if (shapes.some(({ entrants }) => entrants.some(({ fault }) => fault !== undefined))) process.exitCode = 1;
    return report;
  } finally {
    server.close();
  }
}

async function measureShape(
  name: ShapeName,
  { repeats, colds, tune }: RivalsOptions,
  server: Server,
  sayAll: Say,
): Promise<ShapeReport> {
  const shape = SHAPES[name];
  const say: Say = (line) => sayAll(`shape ${name}: ${line}`);
  const steps = Math.max(GATE_STEPS_MIN, 1 + WARM_STEPS + repeats);
  say(`${steps} steps on the CPU reference`);
  const reference = referenceCurve(shape, steps);
  const coldMs = FIELD.map((): number[] => []);
  for (let round = 1; round <= colds; round++) {
    for (const [i, entrant] of FIELD.entries()) {
      const ms = await inBrowser(async (browser) => {
        const runner = new Runner(entrant, await openPage(browser, server, entrant.page));
        return runner.begin(name);
      });
      if (ms !== undefined) coldMs[i].push(ms);
      const what = ms === undefined ? "it failed" : `${(ms / 1000).toFixed(1)} s to the first loss`;
      say(`cold start ${round} of ${colds}: ${entrant.name}: ${what}`);
    }
  }
  return inBrowser(async (browser) => {
    const runners: Runner[] = [];
    for (const entrant of FIELD) runners.push(new Runner(entrant, await openPage(browser, server, entrant.page)));
    const inTurn = async (what: string, act: (runner: Runner) => Promise<unknown>): Promise<void> => {
      const times: string[] = [];
      for (const runner of runners) {
        const ms = await act(runner);
        if (typeof ms === "number") times.push(`${runner.entrant.name} ${ms.toFixed(0)} ms`);
      }
      say([what, ...times].join(", "));
    };
    await inTurn(`step 1 of ${steps}`, (runner) => runner.begin(name));
    if (tune) await inTurn("tuning", (runner) => runner.settle());
    for (let step = 2; step <= steps; step++)
      await inTurn(`step ${step} of ${steps}`, (runner) => runner.step(step > steps - repeats));
    for (const runner of runners) await runner.endSteps();
    await inTurn("operands of the matrix products", (runner) => runner.prepare(matmulsToTime(shape)));
    for (let round = 1; round <= repeats; round++)
      await inTurn(`matrix products, round ${round} of ${repeats}`, (runner) => runner.matmuls());
    await inTurn("kernels alone", (runner) => runner.profile());
    const measured = await Promise.all(runners.map((runner, i) => runner.measured(reference, coldMs[i])));
    return reportShape(name, shape, measured, reference);
  });
}

/** Closes the browser whatever happens; its profile goes with it. */
async function inBrowser<T>(work: (browser: Browser) => Promise<T>): Promise<T> {
  const browser = await openBrowser();
  try {
    return await work(browser);
  } finally {
    await browser.close();
  }
}
