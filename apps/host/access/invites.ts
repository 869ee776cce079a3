// Invitations: a code that lets so many volunteers in until then, and who came in by one. Only a code's hash is kept.
import { createHash, randomBytes } from "node:crypto";
import * as z from "zod/mini";
import { hashSchema, publicKeySchema, type VolunteerId } from "#wire";

/** 128 bits: nobody guesses one, so its hash needs neither salt nor time. */
const CODE_BYTES = 16;
/** More than a person keeps track of. */
const INVITES_MAX = 1_024;
/** Keys that are remembered as let in: four of the largest rosters. At 150 bytes each 10 MB. */
const VOLUNTEERS_MAX = 65_536;
const LABEL_LENGTH_MAX = 80;

const labelSchema = z.string().check(z.maxLength(LABEL_LENGTH_MAX));

export const inviteSchema = z.strictObject({
  id: z.string().check(z.regex(/^[0-9a-f]{8}$/)), //  the hash's beginning: what lists and commands name it by
  hash: hashSchema,
  label: labelSchema,
  usesMax: z.int().check(z.minimum(1)),
  uses: z.int().check(z.minimum(0)), //               volunteers, not visits
  madeAt: z.int(),
  endsAt: z.nullable(z.int()), //                     null: for ever
});
export type Invite = z.infer<typeof inviteSchema>;

/** Who may come in without a code. */
export const knownSchema = z.strictObject({
  volunteer: publicKeySchema,
  by: z.string().check(z.maxLength(8)), // an invite's id, or "list": the operator named the key
  label: labelSchema,
  since: z.int(),
});
export type Known = z.infer<typeof knownSchema>;

export type CodeFault = "invite-unknown" | "invite-ended" | "invite-used-up";

const hashOf = (code: string): string => createHash("sha256").update(code).digest("hex");

export class Invites {
  readonly #byHash = new Map<string, Invite>(); // oldest first
  readonly #known = new Map<VolunteerId, Known>();

  constructor(invites: readonly Invite[] = [], known: readonly Known[] = []) {
    for (const invite of invites) this.#byHash.set(invite.hash, invite);
    for (const one of known) this.#known.set(one.volunteer, one);
  }

  list(): Invite[] {
    return [...this.#byHash.values()];
  }

  known(): Known[] {
    return [...this.#known.values()];
  }

  /** The code is told here and never again. @returns undefined: there are too many */
  make(
    given: Pick<Invite, "label" | "usesMax" | "endsAt">,
    nowMs: number,
  ): { invite: Invite; code: string } | undefined {
    if (this.#byHash.size >= INVITES_MAX) return undefined;
    const code = randomBytes(CODE_BYTES).toString("base64url");
    const hash = hashOf(code);
    const invite: Invite = { id: hash.slice(0, 8), hash, ...given, uses: 0, madeAt: nowMs };
    this.#byHash.set(hash, invite);
    return { invite, code };
  }

  /** Whoever it let in stays known. @returns false: there is none of that name */
  revoke(id: string): boolean {
    const invite = this.list().find((one) => one.id === id);
    return invite !== undefined && this.#byHash.delete(invite.hash);
  }

  knows(volunteer: VolunteerId): Known | undefined {
    return this.#known.get(volunteer);
  }

  /** By the operator, key by key. @returns false: there are too many */
  allow(volunteer: VolunteerId, label: string, nowMs: number): boolean {
    return this.#remember({ volunteer, by: "list", label, since: nowMs });
  }

  /** @returns false: it was not known */
  disallow(volunteer: VolunteerId): boolean {
    return this.#known.delete(volunteer);
  }

  faultOf(code: string, nowMs: number): CodeFault | undefined {
    const invite = this.#byHash.get(hashOf(code));
    if (invite === undefined || this.#known.size >= VOLUNTEERS_MAX) return "invite-unknown";
    if (invite.endsAt !== null && nowMs >= invite.endsAt) return "invite-ended";
    return invite.uses >= invite.usesMax ? "invite-used-up" : undefined;
  }

  /** A volunteer came in by it, for the first time: it is known from now on. */
  use(code: string, volunteer: VolunteerId, nowMs: number): Invite | undefined {
    const invite = this.#byHash.get(hashOf(code));
    if (invite === undefined || this.#known.has(volunteer)) return undefined;
    if (!this.#remember({ volunteer, by: invite.id, label: invite.label, since: nowMs })) return undefined;
    const used = { ...invite, uses: invite.uses + 1 };
    this.#byHash.set(invite.hash, used);
    return used;
  }

  #remember(known: Known): boolean {
    if (this.#known.size >= VOLUNTEERS_MAX && !this.#known.has(known.volunteer)) return false;
    this.#known.set(known.volunteer, known);
    return true;
  }
}
