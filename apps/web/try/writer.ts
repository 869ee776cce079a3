// Continues texts with one checkpoint, or with two at once: fetches what it needs, keeps it for the next time, tells what it has written.
//
//   write {prompt, rounds} -> checkpoints -> parameters -> a generator for each side -> tokens -> text, some times a second
import {
  continuation,
  DeviceLostError,
  type Generator,
  type GeneratorOptions,
  LogitsError,
  ModelTooLargeError,
  OutOfMemoryError,
} from "#engine/generation";
import { mergeAdapters } from "#outer";
import { openTokenizer, type Tokenizer } from "#tokenizer";
import type { CheckpointRow } from "#wire";
import {
  askOffered,
  askSamples,
  CheckpointError,
  fetchBase,
  fetchBlob,
  fetchParameters,
  parametersBlob,
  type RunPlace,
} from "./checkpoints.ts";
import type { TriedRun, TryFault, TryProblem, TrySide, TrySnapshot, TryTell, TryWish } from "./types.ts";
import { emptyTry } from "./types.ts";

/** Text reaches the page so often: quicker than one reads. */
const TELL_EVERY_MS = 60;
/** The processor computes on this thread: so often it lets a wish to stop come in. */
const BREATHE_EVERY_MS = 30;

export interface WriterPorts {
  readonly tell: (change: TryTell) => void;
  readonly createGenerator: (options: GeneratorOptions) => Promise<Generator>;
  /** Lets what has arrived be heard. */
  readonly breathe: () => Promise<void>;
  readonly now: () => number;
}

/** A generator, and whose parameters it has. */
interface Pen {
  readonly generator: Generator;
  readonly backend: TryWish["backend"];
  round: number | null;
}

export class Writer {
  readonly #place: RunPlace;
  readonly #spec: TriedRun;
  readonly #ports: WriterPorts;
  #tokenizer: Promise<Tokenizer> | undefined;
  /** Of a run with adapters: fetched once, for all of its checkpoints. */
  #base: Promise<Float32Array> | undefined;
  readonly #pens: (Pen | undefined)[] = [];
  #snapshot: TrySnapshot = emptyTry;
  #abort: AbortController | undefined;
  #breathedAt = 0;

  constructor(place: RunPlace, spec: TriedRun, ports: WriterPorts) {
    this.#place = place;
    this.#spec = spec;
    this.#ports = ports;
  }

  /** Asks the host what it has. Never rejects: what is wrong is told, and what was known before stays. */
  async list(signal?: AbortSignal): Promise<void> {
    try {
      const [offered, samples] = await Promise.all([askOffered(this.#place, signal), askSamples(this.#place, signal)]);
      this.#set({ ...offered, samples, problem: null });
    } catch (error) {
      if (!signal?.aborted) this.#set({ problem: problemOf(error) });
    }
  }

  stop(): void {
    this.#abort?.abort();
  }

  /** One text at a time: another wish waits for none, it is not taken while one is written. */
  async write(wish: TryWish): Promise<void> {
    if (this.#abort) return;
    const abort = new AbortController();
    this.#abort = abort;
    this.#set({ busy: true, problem: null, sides: [] });
    try {
      await this.list(abort.signal);
      if (abort.signal.aborted) return;
      const { checkpoints, newest } = this.#snapshot;
      const rowOf = (round: number | null) =>
        round === null || round === newest?.round ? newest : checkpoints?.find((row) => row.round === round);
      const chosen = wish.rounds.map(rowOf);
      if (newest === null) {
        if (!this.#snapshot.problem)
          this.#set({ problem: { fault: "none", message: "nothing is sealed yet, or nothing kept" } });
        return;
      }
      const missing = wish.rounds.find((_, i) => chosen[i] === undefined);
      if (missing !== undefined) {
        this.#set({
          problem: { fault: "not-kept", message: `the host does not keep the checkpoint of round ${missing}` },
        });
        return;
      }
      this.#set({ sides: chosen.map((row) => newSide(row!, wish.prompt, this.#baseBytes)) });
      await Promise.all(chosen.map((row, side) => this.#writeSide(side, row!, wish, abort.signal)));
    } finally {
      this.#abort = undefined;
      this.#set({ busy: false });
    }
  }

  async #writeSide(side: number, row: CheckpointRow, wish: TryWish, signal: AbortSignal): Promise<void> {
    try {
      const { generator } = await this.#pen(side, row, wish.backend, signal);
      this.#set({ adapter: generator.adapter ?? null });
      this.#setSide(side, { state: "reading" });
      await this.#continue(side, generator, wish, signal);
    } catch (error) {
      if (signal.aborted) return this.#setSide(side, { state: "stopped" });
      this.#drop(side);
      this.#setSide(side, { state: "failed", problem: problemOf(error) });
    }
  }

  async #continue(side: number, generator: Generator, wish: TryWish, signal: AbortSignal): Promise<void> {
    const tokenizer = await this.#openTokenizer();
    const ids = tokenizer.encode(wish.prompt);
    const stream = tokenizer.stream();
    let [text, tokens, startedAt, toldAt] = ["", 0, 0, 0];
    for await (const id of continuation(generator, ids, { ...wish, signal })) {
      const now = this.#ports.now();
      if (tokens === 0) startedAt = now;
      if (id === tokenizer.endOfText) break;
      text += stream.write(id);
      tokens++;
      if (now - toldAt >= TELL_EVERY_MS) {
        this.#setSide(side, { state: "writing", text, tokens, tokensPerSecond: rate(tokens - 1, now - startedAt) });
        toldAt = now;
      }
      if (now - this.#breathedAt >= BREATHE_EVERY_MS) {
        await this.#ports.breathe();
        this.#breathedAt = this.#ports.now();
      }
    }
    text += stream.end();
    const tokensPerSecond = rate(tokens - 1, this.#ports.now() - startedAt);
    this.#setSide(side, { state: signal.aborted ? "stopped" : "done", text, tokens, tokensPerSecond });
  }

  /** Fetched once; after a failure again with the next text. */
  #openTokenizer(): Promise<Tokenizer> {
    const { base } = this.#place;
    this.#tokenizer ??= openTokenizer(this.#spec.tokenizer, (blob) => fetchBlob(base, blob, "the tokenizer"));
    this.#tokenizer.catch(() => {
      this.#tokenizer = undefined;
    });
    return this.#tokenizer;
  }

  /** A generator with that checkpoint: the one of before where it has it, or with other parameters. */
  async #pen(side: number, row: CheckpointRow, backend: TryWish["backend"], signal: AbortSignal): Promise<Pen> {
    let pen = this.#pens[side];
    if (pen?.backend === backend && pen.round === row.round) return pen;
    if (pen && pen.backend !== backend) this.#drop(side);
    const { base } = this.#place;
    let bytes = 0;
    let toldAt = 0;
    const count = (more: number): void => {
      bytes += more;
      const now = this.#ports.now();
      if (now - toldAt < TELL_EVERY_MS) return;
      toldAt = now;
      this.#setSide(side, { bytes });
    };
    const shared = await fetchParameters(base, this.#spec, row, count, signal);
    const parameters = await this.#whole(shared, count, signal);
    this.#setSide(side, { state: "starting", bytes });
    pen = this.#pens[side] ?? (await this.#newPen(side, backend));
    pen.round = null; // half loaded is not loaded
    await pen.generator.load(parameters);
    signal.throwIfAborted();
    pen.round = row.round;
    this.#tellHere();
    return pen;
  }

  async #whole(shared: Float32Array, count: (bytes: number) => void, signal: AbortSignal): Promise<Float32Array> {
    const { model, lora } = this.#spec;
    if (!lora) return shared;
    this.#base ??= fetchBase(this.#place.base, this.#spec, count, signal);
    this.#base.catch(() => {
      this.#base = undefined;
    });
    return mergeAdapters(model, lora, await this.#base, shared);
  }

  async #newPen(side: number, backend: TryWish["backend"]): Promise<Pen> {
    const { createGenerator } = this.#ports;
    const make = async (made: TryWish["backend"]): Promise<Pen> => {
      const generator = await createGenerator({ model: this.#spec.model, backend: made });
      const pen: Pen = { generator, backend, round: null };
      this.#pens[side] = pen;
      void generator.lost.then(() => this.#pens[side] === pen && this.#drop(side));
      return pen;
    };
    try {
      return await make(backend);
    } catch (error) {
      if (backend === "processor" || error instanceof DeviceLostError) throw error;
      this.#set({ insteadOfGpu: messageOf(error) });
      return make("processor");
    }
  }

  /** Still to be fetched beside a checkpoint. */
  get #baseBytes(): number {
    const { lora, base } = this.#spec;
    return lora && base && !this.#base ? base.blobs.reduce((sum, { bytes }) => sum + bytes, 0) : 0;
  }

  #drop(side: number): void {
    const pen = this.#pens[side];
    this.#pens[side] = undefined;
    pen?.generator.destroy();
    this.#tellHere();
  }

  #tellHere(): void {
    this.#set({ here: this.#pens.flatMap((pen) => (pen?.round == null ? [] : [pen.round])) });
  }

  #setSide(side: number, change: Partial<TrySide>): void {
    this.#set({ sides: this.#snapshot.sides.map((each, i) => (i === side ? { ...each, ...change } : each)) });
  }

  #set(change: TryTell): void {
    this.#snapshot = { ...this.#snapshot, ...change };
    this.#ports.tell(change);
  }
}

const newSide = (row: CheckpointRow, prompt: string, baseBytes: number): TrySide => ({
  round: row.round,
  anchorHash: row.anchorHash,
  state: "fetching",
  bytes: 0,
  bytesTotal: (parametersBlob(row)?.bytes ?? 0) + baseBytes,
  prompt,
  text: "",
  tokens: 0,
  tokensPerSecond: null,
  problem: null,
});

const rate = (tokens: number, ms: number): number | null => (tokens > 0 && ms > 0 ? (1000 * tokens) / ms : null);

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function faultOf(error: unknown): TryFault {
  if (error instanceof CheckpointError) return error.fault;
  if (error instanceof DeviceLostError) return "device-lost";
  if (error instanceof ModelTooLargeError) return "too-large";
  if (error instanceof OutOfMemoryError) return "out-of-memory";
  if (error instanceof RangeError && /allocation|Array buffer/i.test(error.message)) return "out-of-memory"; // the engine's own words for a page that is full
  return error instanceof LogitsError ? "diverged" : "failed";
}

const problemOf = (error: unknown): TryProblem => ({ fault: faultOf(error), message: messageOf(error) });
