// What this host's process counts and times of its runs, its signaling and its requests, for GET /metrics.
import type { LogEntry } from "#wire";
import { Counter, Histogram } from "./instruments.ts";
import type { HostedRun, RunListener } from "./run.ts";

/** Rounds last from a second to the largest deadline, ten minutes. */
const ROUND_S = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600];
/** A synced append takes a millisecond on flash, tens on a disk that turns; seconds are a disk in trouble. */
const APPEND_S = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5];
const SIGNAL_S = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1];
const UPLOAD_S = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

type FollowedRun = Pick<HostedRun, "id" | "subscribe">;

export class Measures {
  readonly roundSeconds = new Histogram(ROUND_S);
  readonly contributions = new Counter();
  readonly offersRefused = new Counter();
  readonly contributionsRefused = new Counter();
  readonly appendSeconds = new Histogram(APPEND_S);
  readonly uploadBytes = new Counter();
  readonly uploadSeconds = new Histogram(UPLOAD_S);
  readonly signalSeconds = new Histogram(SIGNAL_S);
  readonly refusals = new Counter();
  readonly requests = new Counter();
  readonly #unfollowByRun = new Map<FollowedRun, () => void>();

  follow(run: FollowedRun): void {
    const labels = { run: run.id };
    let openedAt: number | undefined;
    const listener: RunListener = {
      entry: (entry: LogEntry) => {
        if (entry.type === "open") openedAt = entry.time;
        if (entry.type === "commit") this.contributions.add(labels, entry.contributors.length);
        if (entry.type !== "seal") return;
        if (openedAt !== undefined) this.roundSeconds.observe((entry.time - openedAt) / 1000, labels);
        if (entry.refused.length > 0) this.contributionsRefused.add(labels, entry.refused.length);
      },
      appended: (ms) => this.appendSeconds.observe(ms / 1000, labels),
      offerRefused: (reason) => this.offersRefused.add({ ...labels, reason: wordOf(reason) }),
      uploaded: (bytes, ms) => {
        this.uploadBytes.add(labels, bytes);
        this.uploadSeconds.observe(ms / 1000, labels);
      },
    };
    this.#unfollowByRun.set(run, run.subscribe(listener));
  }

  unfollow(run: FollowedRun): void {
    this.#unfollowByRun.get(run)?.();
    this.#unfollowByRun.delete(run);
  }
}

/** A sentence of ours as a label: what it says of this one offer (numbers, names) is left out. */
const wordOf = (reason: string): string =>
  reason
    .toLowerCase()
    .replace(/[0-9a-f]{8,}|\d+/g, "")
    .replace(/[^a-z]+/g, "-")
    .replace(/^-|-$/g, "")
    .slice(0, 48);
