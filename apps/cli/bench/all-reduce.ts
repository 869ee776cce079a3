// `gossamer bench all-reduce`: one kernel that decodes peers' shards, sums them, adds the residual and normalizes, beside a kernel for each of these.
import { type AllReduceCost, type AllReduceMeasurement, measureAllReduce } from "#engine";
import { english } from "../../web/words/format.ts";
import type {} from "./all-reduce-page.ts";
import { onAdapter } from "./on-adapter.ts";

export interface BenchAllReduceOptions {
  readonly rows: number;
  readonly width: number;
  readonly shards: number;
  readonly rounds: number;
  readonly adapter: string;
  readonly json: boolean;
}

/** Prints through `out`; `say` hears of an installation, and of the page. */
export async function benchAllReduce(
  { rows, width, shards, rounds, adapter, json }: BenchAllReduceOptions,
  out: (line: string) => void,
  say: (line: string) => void,
): Promise<void> {
  const wish = { rows, C: width, shards, rounds };
  const measured = await measure(wish, adapter, say);
  for (const line of json ? [JSON.stringify(measured)] : linesOf(measured)) out(line);
}

const measure = (
  wish: Parameters<typeof measureAllReduce>[0],
  adapter: string,
  say: (line: string) => void,
): Promise<AllReduceMeasurement> =>
  onAdapter(adapter, say, {
    entry: "apps/cli/bench/all-reduce-page.ts",
    inPage: (page) => page.evaluate((given) => globalThis.allReduce(given), wish),
    inNode: () => measureAllReduce(wish),
  });

const costOf = ({ ms, bytes, dispatches }: AllReduceCost): string =>
  `${ms.toFixed(3).padStart(8)} ms ${english.bytes(bytes).padStart(9)} ${String(dispatches).padStart(3)} dispatches`;

const linesOf = ({ adapter, rows, C, shards, forward, backward }: AllReduceMeasurement): string[] => [
  `${english.count(rows)} rows of ${C}, our own part and ${shards} shards of int8, on ${adapter}`,
  ...Object.entries({ forward, backward }).flatMap(([pass, { fused, apart }]) => [
    `  ${pass.padEnd(9)} fused ${costOf(fused)}`,
    `            apart ${costOf(apart)}   fused: ${(fused.bytes / apart.bytes).toFixed(2)} of the bytes, ${(fused.ms / apart.ms).toFixed(2)} of the time`,
  ]),
];
