// /api/admin: what an operator decides, behind a token (packages/wire/admin.ts has the documents).
import type { IncomingMessage, ServerResponse } from "node:http";
import { resolve, sep } from "node:path";
import { type AdminRun, type RunAction, runActionSchema, runActions, type StartRun, startRunSchema } from "#wire";
import type { AccessApi } from "./access/access-api.ts";
import type { AuditLog } from "./access/audit.ts";
import type { AdminTokens, TokenRow } from "./admin-tokens.ts";
import { ApiError, answerJson, notFound, readJson } from "./answer.ts";
import { withPaths } from "./given.ts";
import type { HostedRuns } from "./hosted-runs.ts";
import { checkDraft, type LoadedDraft, loadPreset, SpecError } from "./load-run.ts";
import { type RateLimit, TokenBucket } from "./rate.ts";

/** Wrong tokens, from everybody together: somebody who mistypes is not held up, and nobody guesses 256 bits anyway. */
const wrongTokens: RateLimit = { perSecond: 0.2, burst: 20 };

export interface AdminApiOptions {
  readonly runs: HostedRuns;
  readonly tokens: AdminTokens;
  readonly access: AccessApi;
  readonly audit: Pick<AuditLog, "add">;
  /** Texts of drafts that come over the network must lie in this folder. */
  readonly from: string;
}

export class AdminApi {
  readonly #options: AdminApiOptions;
  readonly #wrong = new TokenBucket(wrongTokens, performance.now());

  constructor(options: AdminApiOptions) {
    this.#options = options;
  }

  /** @param rest of the path what comes behind /api/admin/. @throws ApiError */
  async answer(request: IncomingMessage, response: ServerResponse, rest: string): Promise<void> {
    const { id: token } = await this.#operator(request);
    const { runs, access, audit } = this.#options;
    const [noun, id, action, ...more] = rest.split("/");
    if (await access.answer(request, response, [noun, id, action, ...more])) return;
    if (noun !== "runs" || more.length > 0)
      throw notFound(`There is no /api/admin/${rest}. The API is described in the README.`);
    if (id === undefined) {
      if (request.method === "GET") return answerJson(response, 200, await runs.rows());
      mustPost(request);
      const started = await this.#start(await readJson(request, startRunSchema));
      audit.add("admin", { token, action: "start", run: started.id });
      return answerJson(response, 201, started);
    }
    mustPost(request);
    if (!(runActions as readonly string[]).includes(action))
      throw notFound(`"${action}" cannot be done with a run. There are ${runActions.join(", ")}.`);
    const { reason = "by its operator" } = await readJson(request, runActionSchema);
    const acted = await this.#act(id, action as RunAction, reason);
    audit.add("admin", { token, action, run: acted.id, reason });
    answerJson(response, 200, acted);
  }

  async #operator({ headers }: IncomingMessage): Promise<TokenRow> {
    const token = /^Bearer (gsm_[0-9a-f]{64})$/.exec(headers.authorization ?? "")?.[1];
    if (token === undefined)
      throw new ApiError(401, "token", "This needs an operator's token: gossamer token new, on the host's machine.");
    const owner = await this.#options.tokens.owner(token);
    if (owner !== undefined) return owner;
    if (!this.#wrong.take(1, performance.now()))
      throw new ApiError(429, "token", "Too many wrong tokens. Try again in a minute.");
    throw new ApiError(401, "token", "This token is not one of this host's, or it was removed.");
  }

  async #start(body: StartRun): Promise<AdminRun> {
    const { runs, from } = this.#options;
    try {
      if ("run" in body) return await runs.start(loadPreset(body.run, from), body.run);
      const draft: LoadedDraft = { draft: checkDraft(body.draft, "the draft"), folder: from };
      withPaths(draft.draft, (path, field) => {
        if (resolve(from, path).startsWith(resolve(from) + sep)) return path;
        throw new SpecError(
          `${field}: over the network only what is in ${from} can be named, and ${path} is not there.`,
        );
      });
      if (draft.draft.corpus.parts?.some(({ path }) => path === undefined))
        throw new SpecError(
          "corpus.parts: over the network only texts on the host's disk can be named, so that nobody sends the host to fetch what only it can reach. Prepare it there: gossamer data prepare.",
        );
      return await runs.start(draft, "the draft");
    } catch (error) {
      if (error instanceof SpecError) throw new ApiError(422, "spec", error.message);
      throw error;
    }
  }

  #act(id: string, action: RunAction, reason: string): Promise<AdminRun> {
    const { runs } = this.#options;
    switch (action) {
      case "start":
        return runs.startStored(id);
      case "pause":
        return runs.pause(id);
      case "resume":
        return runs.resume(id);
      case "end":
        return runs.end(id, reason);
      case "archive":
        return runs.archive(id);
    }
  }
}

function mustPost({ method }: IncomingMessage): void {
  if (method !== "POST") throw new ApiError(405, "method", `${method} is not possible here; POST is.`);
}
