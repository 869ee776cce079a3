// What `gossamer sim` prints: one seed in full, a fuzz over many, the planted bugs.
import { bugs, type Drawn, draw, faultKinds, faultRates, fuzz, noneStruck, type Struck } from "#sim";
import { type PoolOptions, trySeeds } from "./pool.ts";

type Out = (line: string) => void;

/** Below this many seeds a rare fault may well not have struck. */
const RATES_FROM_RUNS = 200;
const PROGRESS_MS = 5_000;

export interface SeedOptions {
  readonly seed: number;
  readonly peers?: number;
  readonly bug?: string;
  readonly islands?: boolean;
  readonly trace: boolean;
}

/** @returns whether everything held */
export function replaySeed({ seed, peers, bug, islands = false, trace }: SeedOptions, out: Out): boolean {
  const plant = bugs.find(({ name }) => name === bug);
  for (const line of drawnLines(draw(seed, peers))) out(line);
  if (plant !== undefined) out(`  planted bug     ${plant.name}: ${plant.what}`);
  out("");
  const tell = (atMs: number, what: string): void => {
    if (trace || !what.startsWith("message")) out(`${(atMs / 1000).toFixed(3).padStart(9)} s  ${what}`);
  };
  const given = { seed, islands, trace: tell, ...(peers === undefined ? {} : { peers }), ...(plant ? { plant } : {}) };
  try {
    const { rounds, events, struck } = fuzz(given);
    out("");
    out(`Everything held: ${rounds} rounds, ${events} events. Faults that struck: ${struckLine(struck)}`);
    return true;
  } catch (error) {
    out("");
    out((error as Error).message);
    return false;
  }
}

export interface FuzzRunOptions {
  readonly seed: number;
  readonly runs: number;
  readonly peers?: number;
  readonly islands?: boolean;
}

/** @returns whether no seed failed, and each kind of fault struck as often as it must */
export async function fuzzSeeds({ seed, runs, peers, islands = false }: FuzzRunOptions, out: Out): Promise<boolean> {
  const struck = noneStruck();
  const begun = performance.now();
  let tried = 0;
  let rounds = 0;
  let events = 0;
  let toldAt = begun;
  const done: PoolOptions["done"] = (answer) => {
    tried += 1;
    rounds += answer.rounds;
    events += answer.events;
    for (const kind of faultKinds) struck[kind] += answer.struck?.[kind] ?? 0;
    if (performance.now() < toldAt + PROGRESS_MS) return;
    toldAt = performance.now();
    const each = (toldAt - begun) / tried;
    out(`${tried} of ${runs} seeds, ${each.toFixed(1)} ms each, ${Math.ceil(((runs - tried) * each) / 1000)} s to go`);
  };
  const failed = await trySeeds({ seed, runs, peers, islands, done });
  const seconds = ((performance.now() - begun) / 1000).toFixed(1);
  if (failed !== undefined) {
    out(`\n${failed.fault}\n`);
    const shape = (peers === undefined ? "" : ` --peers ${peers}`) + (islands ? " --islands" : "");
    out(`Seed ${failed.seed} fails, after ${tried} seeds in ${seconds} s. The whole story:`);
    out(`  npm run sim -- --seed ${failed.seed}${shape}`);
    return false;
  }
  out(`${tried} seeds from ${seed} in ${seconds} s: nothing found. ${rounds} rounds, ${events} events.`);
  const rare = runs < RATES_FROM_RUNS ? [] : faultKinds.filter((kind) => struck[kind] / runs < faultRates[kind]);
  for (const kind of faultKinds)
    out(
      `  ${kind.padEnd(18)}${String(struck[kind]).padStart(9)}${(struck[kind] / runs).toFixed(2).padStart(9)} a seed`,
    );
  if (rare.length > 0) out(`Struck too rarely to mean anything: ${rare.join(", ")}`);
  return rare.length === 0;
}

/** @returns whether each planted bug was found within `runs` seeds */
export async function findBugs({ seed, runs }: FuzzRunOptions, out: Out): Promise<boolean> {
  let missed = 0;
  for (const { name } of bugs) {
    const failed = await trySeeds({ seed, runs, bug: name, done: () => {} });
    if (failed === undefined) missed += 1;
    const why = failed?.fault?.split("\n")[0].replace(/^seed \d+ at \d+ ms: /, "") ?? "";
    const found = failed === undefined ? `not in ${runs} seeds` : `in ${failed.seed - seed + 1} seeds`;
    out(`${name.padEnd(28)} ${found.padEnd(18)} ${why.slice(0, 120)}`);
  }
  out(missed === 0 ? `All ${bugs.length} planted bugs are found.` : `${missed} of ${bugs.length} are not found.`);
  return missed === 0;
}

function drawnLines({
  seed,
  peers,
  delayMs,
  shares,
  lineMbit,
  unlinkable,
  spec,
  faults,
  inPieces,
  ...drawn
}: Drawn): string[] {
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
  const shareList = Object.entries(shares).filter(([, share]) => share > 0);
  return [
    `Seed ${seed}`,
    `  peers           ${peers}, ${percent(unlinkable)} of pairs cannot be linked, ${drawn.relay ? "the host relays" : "no relay"}`,
    `  delay           ${delayMs[0]} to ${delayMs[1]} ms`,
    `  lines           ${lineMbit === undefined ? "wide" : `${lineMbit.toFixed(1)} Mbit/s`}`,
    `  network         ${shareList.map(([kind, share]) => `${kind} ${percent(share)}`).join(", ") || "good"}`,
    `  spec            ${JSON.stringify(spec)}`,
    `  an update       ${inPieces ? "of several pieces" : "of one piece"}`,
    `  faults          ${[...new Set(faults)].join(", ") || "none"}`,
    `  a fault every   ${Math.round(drawn.everyMs)} ms, for ${(drawn.stormMs / 1000).toFixed(1)} s${drawn.settles ? "; then watched until deadlines settle" : ""}`,
    ...(drawn.entriesLost > 0 ? [`  afterwards      the host's backup lacks ${drawn.entriesLost} entries`] : []),
  ];
}

const struckLine = (struck: Struck): string =>
  faultKinds
    .filter((kind) => struck[kind] > 0)
    .map((kind) => `${kind} ${struck[kind]}`)
    .join(", ") || "none";
