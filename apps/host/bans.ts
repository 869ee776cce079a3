// Keys that were sent away for what they did: for a while they do not come back. [R38]
import type { PeerId } from "#wire";

/** A machine that computes wrongly has had time to be looked at; a key of a stranger costs nothing, so longer would keep nobody out. */
export const BAN_MS = 10 * 60_000;
/** Four times the largest roster; the oldest go first. */
export const BANS_MAX = 4_096;

const volunteerOf = (peer: PeerId): string => peer.slice(0, 64);

export class Bans {
  readonly #untilByVolunteer = new Map<string, number>(); // oldest first

  add(peer: PeerId, nowMs: number): void {
    const volunteer = volunteerOf(peer);
    this.#untilByVolunteer.delete(volunteer);
    this.#untilByVolunteer.set(volunteer, nowMs + BAN_MS);
    if (this.#untilByVolunteer.size > BANS_MAX)
      this.#untilByVolunteer.delete(this.#untilByVolunteer.keys().next().value!);
  }

  refusal(volunteer: string, nowMs: number): string | undefined {
    const until = this.#untilByVolunteer.get(volunteer);
    if (until === undefined) return undefined;
    if (nowMs >= until) {
      this.#untilByVolunteer.delete(volunteer);
      return undefined;
    }
    const minutes = Math.ceil((until - nowMs) / 60_000);
    return `This peer was sent away for what it sent. It may come back in ${minutes} minute${minutes === 1 ? "" : "s"}.`;
  }
}
