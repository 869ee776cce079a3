// The runs of one data directory that this host serves, and what its operator decides about them.
//
//   draft | stored spec -> start -> served <-> paused -> end -> archive -> start ...       served ones come again with the next start
//
// DATA/runs/<id>/state.json holds the decisions: whether it is served without being named, paused, put away. No file: none was made.
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod/mini";
import { DataError, type DataFolder, type DiskBlobStore, readFileIfThere, writeFileWhole } from "#store/disk";
import { type AdminRun, type Identity, type PeerId, type RunSpec, runIdOf, specSchema } from "#wire";
import { ApiError } from "./answer.ts";
import { BUILD } from "./build.ts";
import { hubPlace } from "./hub-place.ts";
import { checkForBrowsers, type LoadedDraft, makeSpec } from "./load-run.ts";
import type { Report } from "./report.ts";
import { HostedRun, type RunPorts } from "./run.ts";
import { type MakeSamplePort, RunSamples } from "./samples/run-samples.ts";
import type { ServedRuns } from "./served-runs.ts";
import type { WitnessPort } from "./witness.ts";

/** Each has an anchor and a velocity in memory, and a thread that folds. */
export const RUNS_MAX = 16;
/** Words of an operator, in a log entry. */
const REASON_LENGTH_MAX = 200;
/** As long as an operator waits for an answer; the end comes anyway. */
const END_WAIT_MS = 10_000;

const stateSchema = z.strictObject({
  format: z.literal("gossamer run state"),
  version: z.literal(1),
  /** With the host, also when nobody names it. */
  served: z.boolean(),
  paused: z.boolean(),
  archived: z.boolean(),
});
type RunState = Omit<z.infer<typeof stateSchema>, "format" | "version">;
const undecided: RunState = { served: false, paused: false, archived: false };

export interface HostedRunsOptions {
  readonly data: DataFolder;
  readonly blobs: DiskBlobStore;
  readonly identity: Identity;
  readonly witness: (spec: RunSpec, data: DataFolder, blobs: DiskBlobStore) => WitnessPort;
  readonly samples: MakeSamplePort;
  /** How many must be ready before the first round opens; 1 unless given. */
  readonly startPeers?: number | undefined;
  readonly sentAway: (peer: PeerId, reason: string) => void;
  readonly report: Report;
  readonly fatal: (error: Error) => void;
}

/** How runs reach who is connected: once the host listens. */
export interface HostedRunsPorts {
  portsOf(run: HostedRun): RunPorts;
  added(run: HostedRun): void;
  /** Its peers have been told and are gone. */
  removed(run: HostedRun, reason: string): void;
}

export class HostedRuns implements ServedRuns<HostedRun> {
  readonly #options: HostedRunsOptions;
  readonly #runs: HostedRun[] = []; // the first is "default"
  #ports: HostedRunsPorts | undefined;
  #turn: Promise<unknown> = Promise.resolve(); // one decision at a time

  constructor(options: HostedRunsOptions) {
    this.#options = options;
  }

  list(): readonly HostedRun[] {
    return this.#runs;
  }

  find(id: string): HostedRun | undefined {
    return id === "default" ? this.#runs[0] : this.#runs.find((run) => run.id === id);
  }

  /** Connects those that are here, and all that come, with their peers: their clocks start. */
  attach(ports: HostedRunsPorts): void {
    this.#ports = ports;
    for (const run of this.#runs) this.#attach(run, ports);
  }

  #attach(run: HostedRun, ports: HostedRunsPorts): void {
    ports.added(run);
    run.attach(ports.portsOf(run));
  }

  /** One that the operator names with the host: it is served, whatever was decided before, but stays paused. @throws SpecError, DataError */
  name(loaded: LoadedDraft, where: string): Promise<HostedRun> {
    return this.#inTurn(async () => {
      const spec = await this.#specOf(loaded, where);
      const id = runIdOf(spec);
      const named = this.find(id);
      if (named !== undefined) return named;
      const state = await this.#state(id);
      if (state.archived) {
        this.#options.report(`${where} was archived; named again, it is served again.`);
        await this.#decide(id, { archived: false });
      }
      return this.#open(spec, state.paused);
    });
  }

  /** Those that were started while a host ran. One that cannot be opened is told, and the others are served. */
  async restore(): Promise<void> {
    for (const id of await this.#stored()) {
      if (this.find(id) !== undefined) continue;
      try {
        const state = await this.#state(id);
        if (state.served) await this.#inTurn(async () => this.#open(await this.#storedSpec(id), state.paused));
      } catch (error) {
        if (!(error instanceof DataError) && !(error instanceof ApiError)) throw error;
        this.#options.report(`Run ${id} is not served: ${error.message}`);
      }
    }
  }

  /** @throws SpecError, ApiError */
  start(loaded: LoadedDraft, where: string): Promise<AdminRun> {
    return this.#inTurn(async () => {
      const spec = await this.#specOf(loaded, where);
      return this.#start(runIdOf(spec), spec);
    });
  }

  /** One that lies in the data directory. @throws ApiError */
  startStored(id: string): Promise<AdminRun> {
    return this.#inTurn(async () => this.#start(id, await this.#storedSpec(id)));
  }

  async #start(id: string, spec: RunSpec): Promise<AdminRun> {
    if (this.find(id) !== undefined) throw new ApiError(409, "served", `Run ${id} is served already.`);
    const run = await this.#open(spec, false);
    await this.#decide(id, { served: true, paused: false, archived: false });
    return this.#row(run);
  }

  /** No round opens any more; the open one goes on to its commit. Peers stay. */
  pause(id: string): Promise<AdminRun> {
    return this.#change(id, async (run) => {
      if (run.ended !== undefined) throw new ApiError(409, "ended", `Run ${run.id} has ended: ${run.ended}.`);
      await this.#decide(run.id, { paused: true });
      run.pause();
    });
  }

  resume(id: string): Promise<AdminRun> {
    return this.#change(id, async (run) => {
      await this.#decide(run.id, { paused: false });
      run.resume();
    });
  }

  /** For good: the log gets its end. */
  end(id: string, reason: string): Promise<AdminRun> {
    return this.#change(id, async (run) => {
      if (run.ended !== undefined) throw new ApiError(409, "ended", `Run ${run.id} has ended: ${run.ended}.`);
      await ended(run, reason.slice(0, REASON_LENGTH_MAX));
    });
  }

  /** It is put away: nobody can join or watch it here; everything stays on the disk. */
  archive(id: string): Promise<AdminRun> {
    return this.#inTurn(async () => {
      const run = this.#must(id);
      if (run.ended === undefined && run.summary().state !== "paused")
        throw new ApiError(409, "running", `Run ${run.id} goes on. Pause it or end it, then archive it.`);
      await this.#decide(run.id, { served: false, archived: true });
      this.#runs.splice(this.#runs.indexOf(run), 1);
      this.#ports?.removed(run, "This run is archived: its host does not serve it any more.");
      await run.close();
      return this.#storedRow(run.id);
    });
  }

  /** Served ones first, then what else lies in the data directory. */
  async rows(): Promise<AdminRun[]> {
    const rows = this.#runs.map((run) => this.#row(run));
    for (const id of await this.#stored()) {
      if (this.#runs.some((run) => run.id === id)) continue;
      rows.push(await this.#storedRow(id));
    }
    return rows;
  }

  async close(): Promise<void> {
    await this.#turn.catch(() => undefined);
    for (const run of this.#runs) await run.close();
  }

  // ---- one at a time ----------------------------------------------------------------------------------------------------

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(act, act);
    this.#turn = done.catch(() => undefined);
    return done;
  }

  #change(id: string, act: (run: HostedRun) => Promise<void>): Promise<AdminRun> {
    return this.#inTurn(async () => {
      const run = this.#must(id);
      await act(run);
      return this.#row(run);
    });
  }

  #must(id: string): HostedRun {
    const run = this.find(id);
    if (run !== undefined) return run;
    throw new ApiError(404, "not-found", `This host does not serve run ${id} now. Start it first.`);
  }

  async #specOf(loaded: LoadedDraft, where: string): Promise<RunSpec> {
    const { data, blobs, identity, report } = this.#options;
    checkForBrowsers(loaded, where);
    const hub = hubPlace(process.env);
    return makeSpec(loaded, identity.volunteer, data, blobs, { hub, report });
  }

  async #open(spec: RunSpec, paused: boolean): Promise<HostedRun> {
    const { data, blobs, identity, witness, samples, startPeers, sentAway, report, fatal } = this.#options;
    if (this.#runs.length >= RUNS_MAX)
      throw new ApiError(409, "runs", `This host serves ${RUNS_MAX} runs, which is the most. Archive one first.`);
    const folds = witness(spec, data, blobs);
    const lines = (line: string): void => report(this.#runs.length > 1 ? `${spec.name}: ${line}` : line);
    const neededElsewhere = (hash: string): boolean =>
      this.#runs.some((other) => other.spec !== spec && other.kindOf(hash) !== "other");
    try {
      const run = await HostedRun.open({
        ...{ data, blobs, identity, spec, startPeers, sentAway, fatal, neededElsewhere },
        build: BUILD,
        witness: folds,
        samples: await RunSamples.open({
          folder: this.#path(runIdOf(spec), "."),
          spec,
          report: lines,
          port: samples(spec, data, blobs),
        }),
        report: lines,
      });
      this.#runs.push(run);
      if (paused) run.pause(); // before its clock starts
      if (this.#ports !== undefined) this.#attach(run, this.#ports);
      return run;
    } catch (error) {
      await folds.close();
      throw error;
    }
  }

  // ---- what lies on the disk ----------------------------------------------------------------------------------------------

  async #stored(): Promise<string[]> {
    return (await readdir(join(this.#options.data.path, "runs"))).filter((name) => /^[0-9a-f]{64}$/.test(name)).sort();
  }

  #path(id: string, file: string): string {
    return join(this.#options.data.path, "runs", id, file);
  }

  /** @throws ApiError when there is none. @throws DataError when it cannot be read */
  async #storedSpec(id: string): Promise<RunSpec> {
    if (!(await this.#stored()).includes(id))
      throw new ApiError(404, "not-found", `There is no run ${id} in this host's data directory.`);
    const path = this.#path(id, "spec.json");
    const parsed = specSchema.safeParse(parseJson(await readFileIfThere(path)));
    if (!parsed.success || runIdOf(parsed.data) !== id)
      throw new DataError(`${path} is not the spec of run ${id}. Restore it from a backup.`);
    return parsed.data;
  }

  async #state(id: string): Promise<RunState> {
    const path = this.#path(id, "state.json");
    const content = await readFileIfThere(path);
    if (content === undefined) return undecided;
    const parsed = stateSchema.safeParse(parseJson(content));
    if (!parsed.success)
      throw new DataError(`${path} cannot be read by this build. Use the build that wrote it, or remove the file.`);
    const { served, paused, archived } = parsed.data;
    return { served, paused, archived };
  }

  async #decide(id: string, changed: Partial<RunState>): Promise<void> {
    const state = { ...(await this.#state(id)), ...changed };
    const document = { format: "gossamer run state", version: 1, ...state };
    await writeFileWhole(this.#path(id, "state.json"), `${JSON.stringify(document)}\n`);
  }

  #row(run: HostedRun): AdminRun {
    return { ...run.summary(), isDefault: run === this.#runs[0], problem: null };
  }

  async #storedRow(id: string): Promise<AdminRun> {
    const nothing = { id, name: "", round: 0, peers: 0, tokens: 0, isDefault: false };
    try {
      const [{ name }, { archived }] = [await this.#storedSpec(id), await this.#state(id)];
      return { ...nothing, name, state: archived ? "archived" : "stored", problem: null };
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      return { ...nothing, state: "stored", problem: error.message };
    }
  }
}

/** Orders it, and waits until the log has it: a commit that is being folded comes first, so not for ever. */
function ended(run: HostedRun, reason: string): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(patience);
      unsubscribe();
      resolve();
    };
    const patience = setTimeout(done, END_WAIT_MS);
    const unsubscribe = run.subscribe({ entry: ({ type }) => type === "end" && done() });
    run.end(reason);
  });
}

function parseJson(content: Buffer | undefined): unknown {
  try {
    return JSON.parse(String(content));
  } catch {
    return undefined;
  }
}
