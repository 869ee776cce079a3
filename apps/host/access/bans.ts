// Keys that do not come in: those that were sent away for what they did, for a while [R38], and those that the operator bans.
import * as z from "zod/mini";
import { type PeerId, publicKeySchema, type VolunteerId, volunteerOf } from "#wire";

/** A machine that computes wrongly has had time to be looked at; a key of a stranger costs nothing, so longer would keep nobody out. */
export const BAN_MS = 10 * 60_000;
/** Four times the largest roster of one page of peers; the oldest go first. */
export const BANS_MAX = 4_096;
/** The operator's own, which never make room: whoever reaches this wants an allow-list. */
const OPERATOR_BANS_MAX = 4_096;
const REASON_LENGTH_MAX = 200;

export const banSchema = z.strictObject({
  volunteer: publicKeySchema,
  by: z.enum(["host", "operator"]),
  since: z.int(), //              wall clock, ms since 1970
  until: z.nullable(z.int()), //  null: for ever
  reason: z.string().check(z.maxLength(REASON_LENGTH_MAX)),
});
export type Ban = z.infer<typeof banSchema>;

/** Times are wall clock: a ban outlives the process. */
export class Bans {
  readonly #byHost = new Map<VolunteerId, Ban>(); // oldest first
  readonly #byOperator = new Map<VolunteerId, Ban>();

  constructor(known: readonly Ban[] = []) {
    for (const ban of known) (ban.by === "host" ? this.#byHost : this.#byOperator).set(ban.volunteer, ban);
  }

  /** The host's own, of who was sent away. */
  add(peer: PeerId, nowMs: number, reason = ""): Ban {
    const volunteer = volunteerOf(peer);
    const ban: Ban = { volunteer, by: "host", since: nowMs, until: nowMs + BAN_MS, reason: cut(reason) };
    this.#byHost.delete(volunteer);
    this.#byHost.set(volunteer, ban);
    if (this.#byHost.size > BANS_MAX) this.#byHost.delete(this.#byHost.keys().next().value!);
    return ban;
  }

  /** The operator's. @returns undefined: there are too many */
  put(volunteer: VolunteerId, until: number | null, reason: string, nowMs: number): Ban | undefined {
    this.#forgetPast(nowMs);
    if (this.#byOperator.size >= OPERATOR_BANS_MAX && !this.#byOperator.has(volunteer)) return undefined;
    const ban: Ban = { volunteer, by: "operator", since: nowMs, until, reason: cut(reason) };
    this.#byOperator.set(volunteer, ban);
    return ban;
  }

  /** Both kinds. @returns false: there was none */
  remove(volunteer: VolunteerId): boolean {
    const [byHost, byOperator] = [this.#byHost.delete(volunteer), this.#byOperator.delete(volunteer)];
    return byHost || byOperator;
  }

  /** Those that hold, newest first. */
  list(nowMs: number): Ban[] {
    this.#forgetPast(nowMs);
    return [...this.#byHost.values(), ...this.#byOperator.values()].sort((a, b) => b.since - a.since);
  }

  refusal(volunteer: VolunteerId, nowMs: number): string | undefined {
    const ban = this.#byOperator.get(volunteer);
    if (ban !== undefined && holds(ban, nowMs)) {
      const end = ban.until === null ? "" : ` It may come back after ${new Date(ban.until).toISOString()}.`;
      return `The operator has banned this volunteer${ban.reason === "" ? "" : `: ${ban.reason}`}.${end}`;
    }
    const sentAway = this.#byHost.get(volunteer);
    if (sentAway === undefined || !holds(sentAway, nowMs)) return undefined;
    const minutes = Math.ceil(((sentAway.until ?? 0) - nowMs) / 60_000);
    return `This peer was sent away for what it sent. It may come back in ${minutes} minute${minutes === 1 ? "" : "s"}.`;
  }

  #forgetPast(nowMs: number): void {
    for (const bans of [this.#byHost, this.#byOperator])
      for (const [volunteer, ban] of bans) if (!holds(ban, nowMs)) bans.delete(volunteer);
  }
}

const holds = ({ until }: Ban, nowMs: number): boolean => until === null || nowMs < until;
const cut = (reason: string): string => reason.slice(0, REASON_LENGTH_MAX);
