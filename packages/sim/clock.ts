// Virtual time: a queue of what happens when. Two events of one moment happen in the order in which they were asked for.
//
//   a binary heap in three arrays, so that numbers stay numbers: of a large swarm a million events wait, most of them timers

export class Clock {
  now = 0;
  events = 0; //  that have happened
  private readonly ats: number[] = [];
  private readonly orders: number[] = [];
  private readonly runs: (() => void)[] = [];
  private order = 0;

  after(delayMs: number, run: () => void): void {
    this.at(this.now + Math.max(0, delayMs), run);
  }

  at(at: number, run: () => void): void {
    const { ats, orders, runs } = this;
    const when = Math.max(at, this.now);
    let child = ats.length;
    ats.push(when);
    orders.push(this.order);
    runs.push(run);
    while (child > 0) {
      const parent = (child - 1) >> 1;
      if (ats[parent] <= when) break; // of one moment the one that stands there came first
      this.move(parent, child);
      child = parent;
    }
    this.put(child, when, this.order++, run);
  }

  /** @returns false when nothing is left to happen */
  next(): boolean {
    const { ats, orders, runs } = this;
    if (ats.length === 0) return false;
    const [now] = ats;
    const [run] = runs;
    const at = ats.pop()!;
    const order = orders.pop()!;
    const last = runs.pop()!;
    const { length } = ats;
    if (length > 0) {
      let parent = 0;
      for (let child = 1; child < length; child = 2 * parent + 1) {
        if (child + 1 < length && this.isBefore(child + 1, ats[child], orders[child])) child += 1;
        if (!this.isBefore(child, at, order)) break;
        this.move(child, parent);
        parent = child;
      }
      this.put(parent, at, order, last);
    }
    this.now = now;
    this.events += 1;
    run();
    return true;
  }

  private isBefore(index: number, at: number, order: number): boolean {
    return this.ats[index] < at || (this.ats[index] === at && this.orders[index] < order);
  }

  private move(from: number, to: number): void {
    this.put(to, this.ats[from], this.orders[from], this.runs[from]);
  }

  private put(index: number, at: number, order: number, run: () => void): void {
    this.ats[index] = at;
    this.orders[index] = order;
    this.runs[index] = run;
  }
}
