// The built page's files, packed where the build lies packed ones beside them (vite.config.ts) and the client takes them.
//
// A build may be replaced under a host that serves it: a file that is gone is an error of that request, and of nothing else.
import { existsSync } from "node:fs";
import { access } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { extname, join } from "node:path";
import send from "send";
import { ApiError, accepts } from "./answer.ts";

const encodings = [
  ["br", ".br"],
  ["gzip", ".gz"],
] as const;
/** What the packed ones are, whose names would say otherwise. */
const typeOf: Readonly<Record<string, string>> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
  ".webmanifest": "application/manifest+json",
};

export class PageFiles {
  readonly #root: string | undefined;

  /** @param root of the build; without an index.html there is no page to serve */
  constructor(root: string) {
    this.#root = existsSync(join(root, "index.html")) ? root : undefined;
  }

  /** @returns false when there is no such file */
  async answer(request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    const root = this.#root;
    if (root === undefined) return false;
    const asked = (request.url ?? "/").split("?", 1)[0];
    const path = asked === "/" ? "/index.html" : asked;
    // Built names hold a hash; what is served under a fixed name must be asked for again.
    const hashed = path.startsWith("/assets/");
    response.setHeader("Cache-Control", hashed ? "public, max-age=31536000, immutable" : "no-cache");
    const type = typeOf[extname(path)];
    if (type === undefined || !/^[\w./-]+$/.test(path) || path.includes(".."))
      return this.#send(request, response, path);
    response.setHeader("Vary", "Accept-Encoding");
    for (const [encoding, suffix] of encodings) {
      if (!accepts(request, encoding) || !(await isThere(join(root, path + suffix)))) continue;
      response.setHeader("Content-Encoding", encoding);
      response.setHeader("Content-Type", type);
      if (await this.#send(request, response, path + suffix)) return true;
      response.removeHeader("Content-Encoding"); // gone between two looks
    }
    return this.#send(request, response, path);
  }

  /** It takes care of ranges, tags, dates, and paths that lead elsewhere. */
  #send(request: IncomingMessage, response: ServerResponse, path: string): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const options = { root: this.#root, cacheControl: false, index: false, dotfiles: "ignore" } as const;
      send(request, path, options)
        .on("error", (error: Error & { status: number }) => {
          if (response.headersSent) {
            response.destroy();
            return resolve(true);
          }
          if (error.status === 412 || error.status === 416)
            return reject(new ApiError(error.status, "condition", `${error.message}: ${path}`));
          if (error.status >= 500) return reject(error);
          resolve(false); // not there, or a path that leads elsewhere
        })
        .on("directory", () => resolve(false))
        .on("end", () => resolve(true))
        .pipe(response);
      response.on("close", () => resolve(true));
    });
  }
}

const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
