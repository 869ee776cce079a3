// A round of the past, and the way from there: shown once the host has told it, replayed at so many rounds a second, live at its end.
import type { Moment } from "#wire";
import type { ReaderTell } from "../window/types.ts";

/** What an eye follows; faster replays leave rounds out. */
const FRAMES_PER_SECOND = 4;

export interface PlaybackPorts {
  load(round: number): Promise<Moment>;
  /** Rounds sealed by now. */
  headRound(): number;
  tell(change: ReaderTell): void;
}

export class Playback {
  readonly #ports: PlaybackPorts;
  #asked: number | null = null;
  #loading = false;
  #roundsPerSecond = 0;
  #next: ReturnType<typeof setTimeout> | undefined;

  constructor(ports: PlaybackPorts) {
    this.#ports = ports;
  }

  /** null: live. While a hand drags, only the newest wish is loaded. */
  goTo(round: number | null): void {
    this.#asked = round;
    if (round === null) {
      this.play(0);
      this.#ports.tell({ moment: null });
    } else if (!this.#loading) void this.#load(round);
  }

  play(roundsPerSecond: number): void {
    this.#roundsPerSecond = roundsPerSecond;
    clearTimeout(this.#next);
    this.#ports.tell({ roundsPerSecond });
    if (roundsPerSecond > 0) this.#step();
  }

  #step(): void {
    const rate = Math.min(FRAMES_PER_SECOND, this.#roundsPerSecond);
    this.#next = setTimeout(() => {
      const round = (this.#asked ?? 0) + Math.max(1, Math.round(this.#roundsPerSecond / rate));
      if (round > this.#ports.headRound()) return this.goTo(null);
      this.goTo(round);
      this.#step();
    }, 1000 / rate);
  }

  async #load(round: number): Promise<void> {
    this.#loading = true;
    try {
      const moment = await this.#ports.load(round);
      if (this.#asked !== null) this.#ports.tell({ moment });
    } catch {
      // No such round, or no host: what is shown stays, and the address with it.
      if (this.#asked === round) this.play(0);
    }
    this.#loading = false;
    if (this.#asked !== null && this.#asked !== round) void this.#load(this.#asked);
  }
}
