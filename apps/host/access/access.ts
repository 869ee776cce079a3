// Who may come in: the join policy, invitations, known keys and bans, in one file of the data directory that is written whole.
//
//   hello (volunteer, invite?) -> refusalOf -> welcome -> joined (a use is counted, the key is known from now on)
//   DATA/access.json   {version, invites, known, bans}       codes stand there as hashes alone
import { join } from "node:path";
import * as z from "zod/mini";
import { DataError, readFileIfThere, writeFileWhole } from "#store/disk";
import type { PeerId, refusalCodes, VolunteerId } from "#wire";
import type { AuditLog } from "./audit.ts";
import { type Ban, Bans, banSchema } from "./bans.ts";
import { type Invite, Invites, inviteSchema, type Known, knownSchema } from "./invites.ts";

const ACCESS_VERSION = 1;

export const joinPolicies = ["open", "invite", "allow-list"] as const;
export type JoinPolicy = (typeof joinPolicies)[number];

export interface Refusal {
  readonly code: (typeof refusalCodes)[number];
  readonly message: string;
}

/** What the operator asked for and cannot have; the message says why. */
export class AccessError extends Error {
  override readonly name = "AccessError";
}

const fileSchema = z.strictObject({
  version: z.literal(ACCESS_VERSION),
  invites: z.array(inviteSchema),
  known: z.array(knownSchema),
  bans: z.array(banSchema),
});

const messages = {
  "invite-needed": "This run takes invited volunteers. Ask its operator for an invitation link.",
  "invite-unknown": "Nobody has made this invitation, or it was withdrawn.",
  "invite-ended": "This invitation has ended.",
  "invite-used-up": "This invitation was used as often as it may be.",
  "not-listed": "This run takes volunteers whose key its operator has listed. This one is",
} as const;

export interface AccessOptions {
  /** The data directory. */
  readonly data: string;
  readonly policy: JoinPolicy;
  readonly audit: Pick<AuditLog, "add">;
  /** Wall clock. */
  readonly now: () => number;
  /** Whoever is banned is sent away where he is. */
  readonly onBan?: (ban: Ban) => void;
  readonly fatal: (error: Error) => void;
}

export class Access {
  readonly policy: JoinPolicy;
  readonly #options: AccessOptions;
  readonly #path: string;
  readonly #invites: Invites;
  readonly #bans: Bans;
  #writing: Promise<void> = Promise.resolve();
  #toWrite = false;

  private constructor(options: AccessOptions, path: string, invites: Invites, bans: Bans) {
    this.#options = options;
    this.policy = options.policy;
    this.#path = path;
    this.#invites = invites;
    this.#bans = bans;
  }

  /** @throws DataError when the file is not one of this version */
  static async open(options: AccessOptions): Promise<Access> {
    const path = join(options.data, "access.json");
    const content = await readFileIfThere(path);
    if (content === undefined) return new Access(options, path, new Invites(), new Bans());
    const { invites, known, bans } = parse(path, content.toString());
    return new Access(options, path, new Invites(invites, known), new Bans(bans));
  }

  // ---- who comes ------------------------------------------------------------------------------------------------------------

  refusalOf({ volunteer, invite }: { volunteer: VolunteerId; invite?: string | undefined }): Refusal | undefined {
    const refusal = this.#refusalOf(volunteer, invite, this.#options.now());
    if (refusal !== undefined) this.#options.audit.add("join-refused", { volunteer, code: refusal.code });
    return refusal;
  }

  #refusalOf(volunteer: VolunteerId, invite: string | undefined, now: number): Refusal | undefined {
    const ban = this.#bans.refusal(volunteer, now);
    if (ban !== undefined) return { code: "banned", message: ban };
    const known = this.#invites.knows(volunteer);
    const refuse = (code: keyof typeof messages): Refusal => ({ code, message: messages[code] });
    switch (this.policy) {
      case "open":
        return undefined;
      case "allow-list":
        if (known?.by === "list") return undefined;
        return { code: "not-listed", message: `${messages["not-listed"]} ${volunteer}` };
      case "invite": {
        if (known !== undefined) return undefined;
        const fault = invite === undefined ? "invite-needed" : this.#invites.faultOf(invite, now);
        return fault === undefined ? undefined : refuse(fault);
      }
    }
  }

  /** It was welcomed. Under the open policy codes are not used up. */
  joined({ volunteer, invite }: { volunteer: VolunteerId; invite?: string | undefined }): void {
    if (this.policy !== "invite" || invite === undefined) return;
    const used = this.#invites.use(invite, volunteer, this.#options.now());
    if (used === undefined) return;
    this.#options.audit.add("invite-used", { volunteer, invite: used.id });
    void this.#write();
  }

  /** The host sends a peer away for what it did. */
  sentAway(peer: PeerId, reason: string): void {
    const { volunteer } = this.#bans.add(peer, this.#options.now(), reason);
    this.#options.audit.add("ban", { volunteer, by: "host", reason });
    void this.#write();
  }

  // ---- the operator: each resolves when it is on the disk -------------------------------------------------------------------

  get bans(): Ban[] {
    return this.#bans.list(this.#options.now());
  }

  get invites(): Invite[] {
    return this.#invites.list();
  }

  get known(): Known[] {
    return this.#invites.known();
  }

  async ban(volunteer: VolunteerId, forMs: number | null, reason: string): Promise<Ban> {
    const now = this.#options.now();
    const ban = this.#bans.put(volunteer, forMs === null ? null : now + forMs, reason, now);
    if (ban === undefined) throw new AccessError("There are 4,096 bans. Remove some, or start with --join allow-list.");
    this.#options.audit.add("ban", { volunteer, by: "operator", reason: ban.reason, until: ban.until });
    this.#options.onBan?.(ban);
    await this.#write();
    return ban;
  }

  async unban(volunteer: VolunteerId): Promise<void> {
    if (!this.#bans.remove(volunteer)) throw new AccessError(`${volunteer} is not banned.`);
    this.#options.audit.add("unban", { volunteer });
    await this.#write();
  }

  /** The code is in this answer and nowhere else. */
  async invite(given: {
    label: string;
    usesMax: number;
    forMs: number | null;
  }): Promise<{ invite: Invite; code: string }> {
    const now = this.#options.now();
    const { label, usesMax, forMs } = given;
    const made = this.#invites.make({ label, usesMax, endsAt: forMs === null ? null : now + forMs }, now);
    if (made === undefined) throw new AccessError("There are 1,024 invitations. Withdraw old ones first.");
    const { id, endsAt } = made.invite;
    this.#options.audit.add("invite-made", { invite: id, label, usesMax, endsAt });
    await this.#write();
    return made;
  }

  async revoke(id: string): Promise<void> {
    if (!this.#invites.revoke(id)) throw new AccessError(`There is no invitation ${id}.`);
    this.#options.audit.add("invite-withdrawn", { invite: id });
    await this.#write();
  }

  async allow(volunteer: VolunteerId, label: string): Promise<Known> {
    if (!this.#invites.allow(volunteer, label, this.#options.now()))
      throw new AccessError("65,536 keys are listed. Remove some first.");
    this.#options.audit.add("allowed", { volunteer, label });
    await this.#write();
    return { volunteer, by: "list", label, since: this.#options.now() };
  }

  async disallow(volunteer: VolunteerId): Promise<void> {
    if (!this.#invites.disallow(volunteer)) throw new AccessError(`${volunteer} is not listed.`);
    this.#options.audit.add("disallowed", { volunteer });
    await this.#write();
  }

  /** What is under way is on the disk. */
  settled(): Promise<void> {
    return this.#writing;
  }

  /** One write at a time; what changes meanwhile goes with the next. */
  #write(): Promise<void> {
    if (this.#toWrite) return this.#writing;
    this.#toWrite = true;
    this.#writing = this.#writing.then(async () => {
      this.#toWrite = false;
      const document = { version: ACCESS_VERSION, invites: this.invites, known: this.known, bans: this.bans };
      await writeFileWhole(this.#path, `${JSON.stringify(document, null, 1)}\n`, 0o600);
    });
    this.#writing = this.#writing.catch((error: Error) => {
      this.#options.fatal(
        new DataError(`${this.#path} cannot be written: ${error.message}. Check that disk and its rights.`),
      );
    });
    return this.#writing;
  }
}

function parse(path: string, text: string): z.infer<typeof fileSchema> {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    throw new DataError(
      `${path} is not JSON. Restore it from a backup; without it nobody is invited, listed or banned.`,
    );
  }
  const parsed = fileSchema.safeParse(document);
  if (parsed.success) return parsed.data;
  const { version } = document as { version?: unknown };
  if (version !== ACCESS_VERSION)
    throw new DataError(
      `${path} has version ${String(version)}; this build reads ${ACCESS_VERSION}. Use the build that wrote it.`,
    );
  const [issue] = parsed.error.issues;
  throw new DataError(
    `${path}: ${issue.path.map(String).join(".")}: ${issue.message}. Correct it, or restore it from a backup.`,
  );
}
