// The snapshot that the page draws, gathered from everything that happens in this worker and told a few times a second.
import { idleDonor } from "../page-state.ts";
import { type DonorSnapshot, HISTORY_MAX, type LossPoint, type Problem, type ProblemCode } from "../window/types.ts";

/** What an eye can follow; each snapshot is cloned across threads, with its histories. */
const TELL_EVERY_MS = 250;

export class Board {
  #snapshot: DonorSnapshot = idleDonor;
  readonly #tell: (snapshot: DonorSnapshot) => void;
  #toldAt = Number.NEGATIVE_INFINITY;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(tell: (snapshot: DonorSnapshot) => void) {
    this.#tell = tell;
  }

  get(): DonorSnapshot {
    return this.#snapshot;
  }

  set(change: Partial<DonorSnapshot>): void {
    this.#snapshot = { ...this.#snapshot, ...change };
    if (this.#timer !== undefined) return;
    const waitMs = Math.max(0, this.#toldAt + TELL_EVERY_MS - performance.now());
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#toldAt = performance.now();
      this.#tell(this.#snapshot);
    }, waitMs);
  }

  notice(problem: Problem): void {
    const others = this.#snapshot.notices.filter(({ code }) => code !== problem.code);
    this.set({ notices: [...others, problem] });
  }

  clear(code: ProblemCode): void {
    const { notices } = this.#snapshot;
    if (notices.some((notice) => notice.code === code))
      this.set({ notices: notices.filter((notice) => notice.code !== code) });
  }

  loss(point: LossPoint): void {
    this.set({ lossHistory: bounded([...this.#snapshot.lossHistory, point]) });
  }

  evaluation(point: LossPoint): void {
    this.set({ evalHistory: bounded([...this.#snapshot.evalHistory, point]) });
  }
}

/** Beyond HISTORY_MAX every second point of the older half goes: the newer half keeps its detail. */
function bounded(points: LossPoint[]): LossPoint[] {
  if (points.length <= HISTORY_MAX) return points;
  const half = points.length >> 1;
  return points.filter((_, i) => i >= half || i % 2 === 0);
}
