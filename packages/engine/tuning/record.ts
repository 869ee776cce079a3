// What was measured on this device, kept from one start to the next: which variant each workload takes, and what must not be tried again.
//
//   { gains: adapter, text of the kernel and shape -> tile and gain · trying · refused }
//
// What is about to run for the first time is written down before. If nobody wrote down that it ended, it took the device or the page with it:
// it is not tried again.
/** Where a peer keeps it: IndexedDB in the page, a file in Node. */
export interface TuningStore {
  get(key: string): Promise<unknown>;
  set(key: string, value: unknown): Promise<void>;
}

/** Keeps it as long as it lives: for benches and tests. */
export function memoryTuning(): TuningStore {
  const content = new Map<string, unknown>();
  return {
    get: async (key) => structuredClone(content.get(key)),
    set: async (key, value) => void content.set(key, structuredClone(value)),
  };
}

const KEY = "tuning";
const VERSION = 1;
/** Several models of some 18 workloads each; the oldest go first. */
const GAINS_MAX = 200;
const REFUSED_MAX = 100;

export interface Gain {
  /** The variant's name; "default": none was faster. */
  readonly tile: string;
  /** Time of the default over the time of this one. */
  readonly gain: number;
}

interface Content {
  readonly version: typeof VERSION;
  gains: Record<string, Gain>;
  trying: string | null;
  refused: string[];
}

export class TuningRecord {
  readonly #store: TuningStore;
  readonly #content: Content;

  private constructor(store: TuningStore, content: Content) {
    this.#store = store;
    this.#content = content;
  }

  static async load(store: TuningStore): Promise<TuningRecord> {
    const stored = await store.get(KEY).catch(() => undefined);
    const content: Content = isContent(stored)
      ? structuredClone(stored)
      : { version: VERSION, gains: {}, trying: null, refused: [] };
    if (content.trying !== null) content.refused.push(content.trying);
    content.trying = null;
    return new TuningRecord(store, content);
  }

  gainOf(workload: string): Gain | undefined {
    return this.#content.gains[workload];
  }

  /** A workload or a variant of a kernel that ended badly. */
  isRefused(name: string): boolean {
    return this.#content.refused.includes(name);
  }

  measured(workload: string, gain: Gain): Promise<void> {
    const { [workload]: _, ...others } = this.#content.gains;
    this.#content.gains = Object.fromEntries([...Object.entries(others).slice(1 - GAINS_MAX), [workload, gain]]);
    return this.#save();
  }

  /** Resolves when it is written down that `name` runs now. */
  trying(name: string): Promise<void> {
    this.#content.trying = name;
    return this.#save();
  }

  ended(refused: boolean): Promise<void> {
    const { trying } = this.#content;
    if (refused && trying !== null) this.#content.refused = [...this.#content.refused, trying].slice(-REFUSED_MAX);
    this.#content.trying = null;
    return this.#save();
  }

  #save(): Promise<void> {
    return this.#store.set(KEY, structuredClone(this.#content));
  }
}

/** What lies in the store was written by us, but perhaps by another version, or it was damaged: then it is measured again. */
function isContent(value: unknown): value is Content {
  if (typeof value !== "object" || value === null) return false;
  const { version, gains, trying, refused } = value as Partial<Content>;
  if (version !== VERSION || typeof gains !== "object" || gains === null) return false;
  const isGain = (gain: unknown): boolean =>
    typeof gain === "object" && gain !== null && "tile" in gain && "gain" in gain;
  if (!Object.values(gains).every(isGain)) return false;
  return (trying === null || typeof trying === "string") && Array.isArray(refused);
}
