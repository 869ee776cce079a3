// What is counted and timed while it happens, and told to Prometheus when it asks.
export type Labels = Readonly<Record<string, string>>;
export type Sample = readonly [labels: Labels, value: number, suffix?: string];

/** Label sets of one instrument: all are our own words, and a mistake of ours must not fill a Prometheus. */
const SETS_MAX = 256;

export class Counter {
  readonly #byLabels = new Map<string, number>();

  add(labels: Labels = {}, amount = 1): void {
    const key = JSON.stringify(labels);
    const value = this.#byLabels.get(key);
    if (value === undefined && this.#byLabels.size >= SETS_MAX) return;
    this.#byLabels.set(key, (value ?? 0) + amount);
  }

  samples(): Sample[] {
    return [...this.#byLabels].map(([labels, value]) => [JSON.parse(labels) as Labels, value]);
  }
}

interface Buckets {
  readonly counts: number[]; // one more than bounds: what is above all
  sum: number;
}

export class Histogram {
  readonly #bounds: readonly number[];
  readonly #byLabels = new Map<string, Buckets>();

  /** @param bounds ascending */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
  }

  observe(value: number, labels: Labels = {}): void {
    const key = JSON.stringify(labels);
    let buckets = this.#byLabels.get(key);
    if (buckets === undefined) {
      if (this.#byLabels.size >= SETS_MAX) return;
      buckets = { counts: new Array<number>(this.#bounds.length + 1).fill(0), sum: 0 };
      this.#byLabels.set(key, buckets);
    }
    const at = this.#bounds.findIndex((bound) => value <= bound);
    buckets.counts[at < 0 ? this.#bounds.length : at] += 1;
    buckets.sum += value;
  }

  samples(): Sample[] {
    return [...this.#byLabels].flatMap(([key, { counts, sum }]) => {
      const labels = JSON.parse(key) as Labels;
      let below = 0;
      const buckets = counts.map((count, i): Sample => {
        below += count;
        return [{ ...labels, le: i < this.#bounds.length ? String(this.#bounds[i]) : "+Inf" }, below, "_bucket"];
      });
      return [...buckets, [labels, sum, "_sum"], [labels, below, "_count"]] as Sample[];
    });
  }
}

export type Kind = "counter" | "gauge" | "histogram";

/** Label values are our own words and hashes: nothing in them needs escaping. */
export function family(name: string, kind: Kind, help: string, samples: readonly Sample[]): string {
  const lines = samples.map(([labels, value, suffix = ""]) => {
    const inside = Object.entries(labels).map(([label, text]) => `${label}="${text}"`);
    return `${name}${suffix}${inside.length > 0 ? `{${inside.join(",")}}` : ""} ${value}\n`;
  });
  return `# HELP ${name} ${help}\n# TYPE ${name} ${kind}\n${lines.join("")}`;
}
