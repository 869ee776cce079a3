// A run's numbers by round, for charts: a fold of the log, kept while the host runs.
import { type LogEntry, type Series, type seriesMetrics, sizeOfRoster } from "#wire";

export type Metric = (typeof seriesMetrics)[number];
type Point = Series["points"][number];

/** A screen is about 2,000 pixels wide. */
export const POINTS_MAX = 2_000;

export class SeriesStore {
  readonly #points: Record<Metric, Point[]> = {
    trainLoss: [],
    evalLoss: [],
    tokensPerSecond: [],
    contributors: [],
    updateBytes: [],
    roster: [],
    roundMs: [],
  };
  #tokens = 0;
  #openedAt: number | undefined;
  #rosterSize = 0;
  #commit: Extract<LogEntry, { type: "commit" }> | undefined;

  apply(entry: LogEntry): void {
    if (entry.type === "open") {
      this.#openedAt = entry.time;
      this.#rosterSize = sizeOfRoster(entry.roster);
    }
    if (entry.type === "commit") this.#commit = entry;
    if (entry.type === "seal" && this.#commit !== undefined) this.#sealed(this.#commit, entry);
    if (entry.type === "eval") this.#add("evalLoss", entry.round, entry.time, entry.loss);
  }

  #sealed(commit: Extract<LogEntry, { type: "commit" }>, seal: Extract<LogEntry, { type: "seal" }>): void {
    const refused = new Set(seal.refused.map(({ peer }) => peer));
    const counted = commit.contributors.filter(({ peer }) => !refused.has(peer));
    const tokens = counted.reduce((sum, c) => sum + c.tokens, 0);
    this.#tokens += tokens;
    const round = commit.round + 1; // rounds sealed: what an eval of this anchor says too
    const add = (metric: Metric, value: number) => this.#add(metric, round, seal.time, value);
    if (tokens > 0) add("trainLoss", counted.reduce((sum, c) => sum + c.tokens * c.loss, 0) / tokens);
    const seconds = this.#openedAt === undefined ? 0 : (seal.time - this.#openedAt) / 1000;
    if (seconds > 0) {
      add("tokensPerSecond", tokens / seconds);
      add("roundMs", seconds * 1000);
    }
    add("roster", this.#rosterSize);
    add("contributors", counted.length);
    add(
      "updateBytes",
      commit.contributors.reduce((sum, c) => sum + c.bytes, 0),
    );
    this.#commit = undefined;
  }

  #add(metric: Metric, round: number, time: number, value: number): void {
    if (!Number.isFinite(value)) return; // losses near the largest double: JSON could not tell their sum
    this.#points[metric].push({ round, tokens: this.#tokens, time, value });
  }

  last(metric: Metric): number | null {
    return this.#points[metric].at(-1)?.value ?? null;
  }

  /** The newest point of that round or an earlier one. */
  at(metric: Metric, round: number): Point | undefined {
    const points = this.#points[metric];
    let low = 0;
    let high = points.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (points[middle].round <= round) low = middle + 1;
      else high = middle;
    }
    return points[low - 1];
  }

  /** @param points at most so many: neighbours are averaged, the last round of each group names it */
  query(metric: Metric, from: number, to: number, points: number): Series {
    const inside = this.#points[metric].filter(({ round }) => round >= from && round <= to);
    const size = Math.max(1, Math.ceil(inside.length / points));
    const grouped: Point[] = [];
    for (let start = 0; start < inside.length; start += size) {
      const group = inside.slice(start, start + size);
      const mean = group.reduce((sum, point) => sum + point.value, 0) / group.length;
      grouped.push({ ...group[group.length - 1], value: mean });
    }
    return { metric, points: grouped };
  }
}

/** Numbers alone, so that nothing in it needs quotes. */
export const csvOf = ({ metric, points }: Series): string =>
  [
    `round,tokens,time,${metric}`,
    ...points.map(({ round, tokens, time, value }) => [round, tokens, new Date(time).toISOString(), value].join()),
    "",
  ].join("\r\n");
