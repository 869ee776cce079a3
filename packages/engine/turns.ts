// Who may queue work: at most `slots` tasks in flight, in the order of their calls. A task that finds room starts at once, synchronously.

export class Turns {
  readonly #slots: number;
  #taken = 0;
  readonly #waiting: { readonly slots: number; readonly start: () => void }[] = [];

  constructor(slots: number) {
    this.#slots = slots;
  }

  /** Runs `task` when `slots` of them are free and every earlier call has started. */
  take<T>(task: () => Promise<T>, slots = 1): Promise<T> {
    return new Promise((resolve, reject) => {
      const start = (): void => {
        task()
          .finally(() => {
            this.#taken -= slots;
            this.#next();
          })
          .then(resolve, reject);
      };
      this.#waiting.push({ slots, start });
      this.#next();
    });
  }

  /** Alone: nothing else is in flight meanwhile. */
  takeAll<T>(task: () => Promise<T>): Promise<T> {
    return this.take(task, this.#slots);
  }

  #next(): void {
    while (this.#waiting.length > 0 && this.#taken + this.#waiting[0].slots <= this.#slots) {
      const { slots, start } = this.#waiting.shift()!;
      this.#taken += slots;
      start();
    }
  }
}
