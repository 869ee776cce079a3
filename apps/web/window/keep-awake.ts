// Keeps the screen on, and with it the machine, while this tab trains and the person wants it. The browser takes the lock away whenever
// the page is out of view: then it is asked for again as soon as the page is back.

export type Awake = "off" | "on" | "out-of-view" | "refused";

export class KeepAwake {
  readonly #onChange: (awake: Awake) => void;
  #wanted = false;
  #lock: WakeLockSentinel | undefined;
  #asking = false;
  #told: Awake = "off";

  constructor(onChange: (awake: Awake) => void) {
    this.#onChange = onChange;
    document.addEventListener("visibilitychange", () => void this.#follow());
  }

  want(wanted: boolean): void {
    if (wanted === this.#wanted) return;
    this.#wanted = wanted;
    void this.#follow();
  }

  async #follow(): Promise<void> {
    if (this.#asking) return; // looks again when it is answered
    if (!this.#wanted) {
      await this.#lock?.release();
      return this.#tell("off");
    }
    if (this.#lock) return this.#tell("on");
    if (document.visibilityState !== "visible") return this.#tell("out-of-view");
    this.#asking = true;
    let refused = false;
    try {
      const lock = await navigator.wakeLock.request("screen");
      this.#lock = lock;
      lock.addEventListener("release", () => {
        this.#lock = undefined;
        void this.#follow();
      });
    } catch {
      refused = true; // a battery saver, or a policy
    } finally {
      this.#asking = false;
    }
    if (refused && this.#wanted) return this.#tell("refused");
    await this.#follow();
  }

  #tell(awake: Awake): void {
    if (awake === this.#told) return;
    this.#told = awake;
    this.#onChange(awake);
  }
}
