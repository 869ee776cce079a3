// What all commands of an operator share: which host, with which token, and asking it.
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { type Command, Option } from "commander";
import type * as z from "zod/mini";
import { StartError } from "../host/server.ts";
import { placeOfAddress, Remote } from "./remote.ts";

export interface AdminOptions {
  readonly url: string;
  readonly tokenFile?: string;
  readonly json: boolean;
}

/** @param from where file names start from */
export const addAdminOptions = (command: Command, from: string): Command =>
  command
    .option("--url <address>", "the host", "http://localhost:7070")
    .addOption(
      new Option("--token-file <file>", "an operator's token (or GOSSAMER_TOKEN): gossamer token new").argParser(
        (text) => resolve(from, text),
      ),
    )
    .option("--json", "print JSON", false);

async function tokenOf({ tokenFile }: AdminOptions): Promise<string> {
  const token =
    tokenFile === undefined
      ? process.env.GOSSAMER_TOKEN
      : await readFile(tokenFile, "utf8").catch((error: Error) => {
          throw new StartError(`--token-file cannot be read: ${error.message}`);
        });
  if (token?.trim()) return token.trim();
  throw new StartError(
    "This needs an operator's token: --token-file FILE, or GOSSAMER_TOKEN. One is made by: gossamer token new",
  );
}

/** @throws RemoteError, StartError */
export async function askAdmin<T>(
  options: AdminOptions,
  path: string,
  schema: z.ZodMiniType<T>,
  body?: object,
): Promise<T> {
  const headers = { authorization: `Bearer ${await tokenOf(options)}`, "content-type": "application/json" };
  const request = body === undefined ? { headers } : { method: "POST", headers, body: JSON.stringify(body) };
  return new Remote(placeOfAddress(options.url).base).ask(`/api/admin/${path}`, schema, request);
}
