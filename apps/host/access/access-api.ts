// The part of /api/admin that says who may come in: bans, invitations, listed keys, and the audit trail (packages/wire/admin.ts).
import type { IncomingMessage, ServerResponse } from "node:http";
import {
  type AllowedRow,
  type BanRow,
  type InviteRow,
  makeAllowedSchema,
  makeBanSchema,
  makeInviteSchema,
  publicKeySchema,
} from "#wire";
import { ApiError, answerJson, notFound, readJson } from "../answer.ts";
import { type Access, AccessError } from "./access.ts";
import type { AuditLog } from "./audit.ts";
import type { Invite } from "./invites.ts";

/** Lines of the audit trail in one answer. */
const AUDIT_PAGE = 200;
/** Unless the operator says otherwise, a link is for one. */
const USES_DEFAULT = 1;

export class AccessApi {
  readonly #access: Access;
  readonly #audit: AuditLog;

  constructor(access: Access, audit: AuditLog) {
    this.#access = access;
    this.#audit = audit;
  }

  /** @param path behind /api/admin/, in its parts. @returns false: it is none of these. @throws ApiError */
  async answer(request: IncomingMessage, response: ServerResponse, path: readonly string[]): Promise<boolean> {
    const [noun, id, action, ...more] = path;
    if (!["bans", "invites", "allowed", "audit"].includes(noun)) return false;
    if (more.length > 0 || (id !== undefined && action !== "remove")) throw notFound(`There is no ${path.join("/")}.`);
    try {
      if (id !== undefined) answerJson(response, 200, await this.#remove(request, noun, id));
      else if (request.method === "GET") answerJson(response, 200, await this.#list(noun));
      else if (request.method === "POST") answerJson(response, 201, await this.#make(request, noun));
      else throw new ApiError(405, "method", `${request.method} is not possible here; GET and POST are.`);
    } catch (error) {
      if (error instanceof AccessError) throw new ApiError(409, "access", error.message);
      throw error;
    }
    return true;
  }

  async #list(noun: string): Promise<unknown> {
    switch (noun) {
      case "bans":
        return this.#access.bans satisfies BanRow[];
      case "invites":
        return this.#access.invites.map(rowOf);
      case "allowed":
        return this.#access.known satisfies AllowedRow[];
      default:
        return this.#audit.newest(AUDIT_PAGE);
    }
  }

  async #make(request: IncomingMessage, noun: string): Promise<BanRow | InviteRow | AllowedRow> {
    switch (noun) {
      case "bans": {
        const { volunteer, forMs, reason } = await readJson(request, makeBanSchema);
        return this.#access.ban(volunteer, forMs ?? null, reason ?? "");
      }
      case "invites": {
        const { label = "", usesMax = USES_DEFAULT, forMs } = await readJson(request, makeInviteSchema);
        const { invite, code } = await this.#access.invite({ label, usesMax, forMs: forMs ?? null });
        return { ...rowOf(invite), code };
      }
      case "allowed": {
        const { volunteer, label } = await readJson(request, makeAllowedSchema);
        return this.#access.allow(volunteer, label ?? "");
      }
      default:
        throw new ApiError(405, "method", "The audit trail is written by the host alone; GET it.");
    }
  }

  async #remove(request: IncomingMessage, noun: string, id: string): Promise<{ removed: string }> {
    if (request.method !== "POST")
      throw new ApiError(405, "method", `${request.method} is not possible here; POST is.`);
    if (noun === "invites") await this.#access.revoke(id);
    else if (noun === "audit") throw new ApiError(405, "method", "Nothing is taken out of the audit trail.");
    else {
      if (!publicKeySchema.safeParse(id).success)
        throw new ApiError(400, "volunteer", "A volunteer's key has 64 lower-case hex digits.");
      await (noun === "bans" ? this.#access.unban(id) : this.#access.disallow(id));
    }
    return { removed: id };
  }
}

const rowOf = ({ hash: _, ...row }: Invite): InviteRow => row;
