// Which slot this tab has: a Web Lock per volunteer and slot, held as long as the tab donates. The browser frees it when the tab ends.
import { SLOTS_MAX, type VolunteerId } from "#wire";

/** A reloaded tab waits so long for its own lock: the old page's worker may still be ending. */
const OWN_SLOT_WAIT_MS = 1_000;

export interface HeldSlot {
  readonly slot: number;
  /** Another tab of this browser held a slot when this one was taken. */
  readonly shared: boolean;
  /** Resolves when another tab may have it. */
  release(): Promise<void>;
}

/** Undefined when all slots are taken. A reload gets its slot back; a duplicated tab finds it taken and gets the next free one. */
export async function takeSlot(volunteer: VolunteerId, preferred: number | null): Promise<HeldSlot | undefined> {
  if (preferred !== null && preferred >= 0 && preferred < SLOTS_MAX) {
    const own = await tryLock(volunteer, preferred, OWN_SLOT_WAIT_MS);
    if (own) return own;
  }
  for (let slot = 0; slot < SLOTS_MAX; slot++) {
    const held = await tryLock(volunteer, slot, 0);
    if (held) return held;
  }
  return undefined;
}

const lockPrefix = (volunteer: VolunteerId): string => `gossamer-${volunteer}-`;

async function othersHold(volunteer: VolunteerId, slot: number): Promise<boolean> {
  const { held = [] } = await navigator.locks.query();
  const prefix = lockPrefix(volunteer);
  return held.some(({ name = "" }) => name.startsWith(prefix) && name !== `${prefix}${slot}`);
}

async function tryLock(volunteer: VolunteerId, slot: number, waitMs: number): Promise<HeldSlot | undefined> {
  const options: LockOptions = waitMs > 0 ? { signal: AbortSignal.timeout(waitMs) } : { ifAvailable: true };
  return new Promise((resolve) => {
    let free!: () => void;
    const held = new Promise<void>((release) => {
      free = release;
    });
    const requested: Promise<unknown> = navigator.locks
      .request(`${lockPrefix(volunteer)}${slot}`, options, (lock) => {
        if (lock === null) {
          resolve(undefined);
          return undefined;
        }
        const release = async () => {
          free();
          await requested;
        };
        othersHold(volunteer, slot).then(
          (shared) => resolve({ slot, shared, release }),
          () => resolve({ slot, shared: slot > 0, release }),
        );
        return held;
      })
      .catch((error: unknown) => {
        const waited = error instanceof DOMException && (error.name === "TimeoutError" || error.name === "AbortError");
        // A browser that refuses storage refuses locks too. Then each tab has an identity of its own, and any slot of it is free.
        resolve(waited ? undefined : { slot, shared: false, release: async () => {} });
      });
  });
}
