// One machine's own time, beside the simulation's. It begins anywhere, and it may stop: a lid that is closed, a pause for garbage.
// What should have happened meanwhile happens in a bunch afterwards, in its order.
//
//   after(delayMs, run) -> run, or kept while stopped -> resume
import type { Clock } from "./clock.ts";

export class LocalClock {
  private readonly clock: Clock;
  private offsetMs: number; //                    own time - virtual time
  private stoppedAt: number | undefined; //       virtual
  private late: (() => void)[] = [];
  private life = 0;

  /** @param originMs what the monotonic clock of a process that begins now says */
  constructor(clock: Clock, originMs: number) {
    this.clock = clock;
    this.offsetMs = originMs - clock.now;
  }

  /** Monotonic, in ms: the only time that the core is told. */
  get now(): number {
    return (this.stoppedAt ?? this.clock.now) + this.offsetMs;
  }

  get stopped(): boolean {
    return this.stoppedAt !== undefined;
  }

  /** As soon as this machine runs: at once, unless it is stopped. */
  do(run: () => void): void {
    if (this.stopped) this.late.push(run);
    else run();
  }

  after(delayMs: number, run: () => void): void {
    const here = this.thisLife();
    this.clock.after(delayMs, () => here(run));
  }

  /** An adapter's one timer for its core: what it was set to before is forgotten. */
  alarm(): (delayMs: number, run: () => void) => void {
    let newest = 0;
    return (delayMs, run) => {
      newest += 1;
      const mine = newest;
      const here = this.thisLife();
      this.clock.after(delayMs, () => {
        if (mine === newest) here(run);
      });
    };
  }

  /** Runs what comes later from outside, if this process is still the same by then. */
  thisLife(): (run: () => void) => void {
    const { life } = this;
    return (run) => {
      if (life === this.life) this.do(run);
    };
  }

  /** The process is gone: what it had planned never happens, and the next one's clock begins at `originMs`. */
  restart(originMs: number): void {
    this.life += 1;
    this.late = [];
    this.stoppedAt = undefined;
    this.offsetMs = originMs - this.clock.now;
  }

  stop(): void {
    this.stoppedAt ??= this.clock.now;
  }

  /**
   * @param counted the monotonic clock went on meanwhile, as some systems' do in sleep; else it stood still
   * @returns how much comes late
   */
  resume(counted: boolean): number {
    if (this.stoppedAt === undefined) return 0;
    if (!counted) this.offsetMs -= this.clock.now - this.stoppedAt;
    this.stoppedAt = undefined;
    const { late, life } = this;
    this.late = [];
    for (const run of late) if (life === this.life) this.do(run);
    return late.length;
  }
}
