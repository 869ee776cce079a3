// A browser killed in each phase of a round: nothing acknowledged is lost, nobody has to help, and the log replays to what was sealed.
//
// `npm test` kills twice, where something is in flight; `npm run proof:kills` in every phase twice.
import { expect, test } from "@playwright/test";
import { type HoldPhase, holdPhases } from "../apps/web/worker/api.ts";
import type { LogEntry } from "../packages/wire/index.ts";
import { openDonor, STEADY_DUTY, startHost, untilRun } from "./support.ts";

const whole = process.env.GOSSAMER_PROOF === "whole";
const phases: readonly HoldPhase[] = whole ? [...holdPhases, ...holdPhases] : ["offered", "fetched"];

/** In the page: the hold is asked for in the same turn in which the worker starts, so no phase can slip by. */
function holdFromTheStart(phase: HoldPhase): void {
  let hooks: Window["__gossamer"];
  Object.defineProperty(window, "__gossamer", {
    get: () => hooks,
    set(value: NonNullable<Window["__gossamer"]>) {
      hooks = value;
      void value.hold(phase);
    },
  });
}

test(`a browser killed ${phases.length} times, held in a phase of a round each time`, async () => {
  test.setTimeout(whole ? 30 * 60_000 : 4 * 60_000);
  const host = await startHost({ run: "e2e/short-rounds.json" });
  const steady = await openDonor(host.url, { duty: STEADY_DUTY });
  try {
    await untilRun(host, "the steady browser trains", ({ round }) => round >= 1);
    let acknowledged: LogEntry[] = [];
    for (const [index, phase] of phases.entries()) {
      const started = performance.now();
      const victim = await openDonor(host.url, { press: false });
      await victim.page.evaluate(holdFromTheStart, phase);
      await victim.donate();
      await victim.page.waitForFunction(() => window.__gossamer !== undefined);
      await victim.page.evaluate((name) => window.__gossamer?.reached(name), phase);
      acknowledged = await host.log();
      victim.kill();
      const before = (await host.run()).round;
      const recovered = performance.now();
      await untilRun(host, `rounds go on after a kill while ${phase}`, ({ round }) => round >= before + 2);
      const log = await host.log();
      expect(log.slice(0, acknowledged.length)).toEqual(acknowledged);
      console.log(
        `kill ${index + 1} of ${phases.length}, ${phase}: reached in ${Math.round(recovered - started)} ms, two rounds later after ${Math.round(performance.now() - recovered)} ms`,
      );
    }
    await steady.close();
    await host.stop();
    expect(host.replays()).toBe(true);
  } finally {
    await steady.close();
    await host.stop();
    host.remove();
  }
});
