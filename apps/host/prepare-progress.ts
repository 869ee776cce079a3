// How far the preparation of a corpus is, in lines for a terminal: every few seconds, with the time that is left.
import { english } from "../web/words/format.ts";

/** Often enough that nobody takes it for dead, seldom enough for a log. */
const SAY_EVERY_MS = 5_000;

export class PrepareProgress {
  readonly #report: (line: string) => void;
  readonly #now: () => number;
  #what = "";
  #total = 0;
  #read = 0;
  #tokens = 0;
  readonly #madeAt: number;
  #began: number;
  #said: number;

  constructor(report: (line: string) => void, now: () => number = () => performance.now()) {
    this.#report = report;
    this.#now = now;
    this.#madeAt = now();
    this.#began = this.#madeAt;
    this.#said = this.#began;
  }

  /** @param total bytes that will be read */
  begin(what: string, total: number): void {
    [this.#what, this.#total, this.#read, this.#tokens] = [what, total, 0, 0];
    this.#began = this.#now();
  }

  /** Bytes since the last call. */
  read(bytes: number): void {
    this.#read += bytes;
    this.#say();
  }

  /** Tokens since the last call. */
  wrote(tokens: number): void {
    this.#tokens += tokens;
  }

  fetched(name: string, bytes: number, total: number | undefined): void {
    if (!this.#isDue()) return;
    this.#report(
      `fetching ${name}: ${english.bytes(bytes)}${total === undefined ? "" : ` of ${english.bytes(total)}`}`,
    );
  }

  /** A part of the work is done: with the time since the beginning. */
  end(what: string): void {
    this.#report(`${what} (${english.duration(this.#now() - this.#madeAt)})`);
  }

  #isDue(): boolean {
    const now = this.#now();
    if (now - this.#said < SAY_EVERY_MS) return false;
    this.#said = now;
    return true;
  }

  #say(): void {
    if (!this.#isDue()) return;
    const elapsed = this.#now() - this.#began;
    const left = (elapsed / this.#read) * Math.max(0, this.#total - this.#read);
    const speed = english.bytes(this.#read / (elapsed / 1000));
    const tokens = this.#tokens === 0 ? "" : `, ${english.count(this.#tokens)} tokens`;
    this.#report(
      `${this.#what}: ${english.bytes(this.#read)} of ${english.bytes(this.#total)}${tokens}, ${speed} a second, about ${english.duration(left)} left`,
    );
  }
}
