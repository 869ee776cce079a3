// The operator's API as the page asks it, with the token that this tab keeps.
import * as z from "zod/mini";
import {
  type AdminRun,
  type AuditRow,
  adminRunSchema,
  apiErrorSchema,
  auditRowSchema,
  type BanRow,
  banRowSchema,
  type InviteRow,
  inviteRowSchema,
  type makeBanSchema,
  type makeInviteSchema,
  type RunAction,
  type StartRun,
} from "#wire";

/** Who may come in, and what was decided. */
export interface AccessRows {
  readonly bans: readonly BanRow[];
  readonly invites: readonly InviteRow[];
  readonly audit: readonly AuditRow[];
}

/** What the host said against it; without a status it did not answer. */
export class AdminError extends Error {
  override readonly name = "AdminError";
  readonly status: number | undefined;
  constructor(message: string, status?: number) {
    super(message);
    this.status = status;
  }
}

export class AdminClient {
  readonly #base: string;
  readonly #token: string;

  /** @param base of the host, without a slash at the end */
  constructor(base: string, token: string) {
    this.#base = base;
    this.#token = token;
  }

  /** @throws AdminError */
  async runs(): Promise<AdminRun[]> {
    const rows = await this.#ask("runs");
    return (rows as unknown[]).map((row) => adminRunSchema.parse(row));
  }

  /** @throws AdminError */
  async start(what: StartRun): Promise<AdminRun> {
    return adminRunSchema.parse(await this.#ask("runs", what));
  }

  /** @throws AdminError */
  async act(id: string, action: RunAction, reason?: string): Promise<AdminRun> {
    return adminRunSchema.parse(await this.#ask(`runs/${id}/${action}`, reason ? { reason } : {}));
  }

  /** @throws AdminError */
  async access(): Promise<AccessRows> {
    const [bans, invites, audit] = await Promise.all(["bans", "invites", "audit"].map((noun) => this.#ask(noun)));
    return {
      bans: z.array(banRowSchema).parse(bans),
      invites: z.array(inviteRowSchema).parse(invites),
      audit: z.array(auditRowSchema).parse(audit),
    };
  }

  async ban(what: z.infer<typeof makeBanSchema>): Promise<void> {
    await this.#ask("bans", what);
  }

  /** With its code: this once. */
  async invite(what: z.infer<typeof makeInviteSchema>): Promise<InviteRow> {
    return inviteRowSchema.parse(await this.#ask("invites", what));
  }

  async remove(noun: "bans" | "invites", id: string): Promise<void> {
    await this.#ask(`${noun}/${id}/remove`, {});
  }

  async #ask(path: string, body?: object): Promise<unknown> {
    const headers = { authorization: `Bearer ${this.#token}`, "content-type": "application/json" };
    const init = body === undefined ? { headers } : { method: "POST", headers, body: JSON.stringify(body) };
    let response: Response;
    try {
      response = await fetch(`${this.#base}/api/admin/${path}`, init);
    } catch {
      throw new AdminError("");
    }
    const answer: unknown = await response.json().catch(() => undefined);
    if (response.ok) return answer;
    const told = apiErrorSchema.safeParse(answer);
    throw new AdminError(told.success ? told.data.error.message : response.statusText, response.status);
  }
}

const KEY = "gossamer-operator";

/** Where storage is refused one signs in anew after a reload. */
export const kept = {
  token(): string | null {
    try {
      return sessionStorage.getItem(KEY);
    } catch {
      return null;
    }
  },
  keep(token: string | null): void {
    try {
      if (token === null) sessionStorage.removeItem(KEY);
      else sessionStorage.setItem(KEY, token);
    } catch {
      // as above
    }
  },
};
