// TURN servers that the operator names for pairs that cannot connect directly, and what a peer needs to use them.
//
//   --turn URL..., --turn-secret-file | --turn-user + --turn-password-file  ->  TurnServers  ->  {urls, username, credential} per session
//
// With a shared secret (coturn's use-auth-secret, "TURN REST API") the password is made here and ends by itself:
//   username = expiry in Unix seconds ":" peer        credential = base64(HMAC-SHA1(secret, username))
import { createHmac } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { IceServers, PeerId } from "#wire";
import { StartError } from "./server.ts";

/** Browsers warn at five servers and more: each makes every link's gathering longer. The host's own STUN is one. */
export const TURN_URLS_MAX = 4;
/** Whoever has left, or was sent away, may go on for so long; a TURN server asks when a relay address is allocated, not while it is used. */
const LIFETIME_MS = 24 * 3600 * 1000;
/** Peers that stay get new ones this often (signal.ts): a link that opens at any time finds at least half of a lifetime left. */
export const ICE_RENEW_MS = LIFETIME_MS / 2;

export interface TurnOptions {
  readonly turn?: readonly string[] | undefined;
  readonly turnSecretFile?: string | undefined;
  readonly turnUser?: string | undefined;
  readonly turnPasswordFile?: string | undefined;
  readonly turnDev?: boolean | undefined;
}

export type TurnServers = { readonly urls: readonly string[] } & (
  | { readonly secret: string }
  | { readonly username: string; readonly credential: string }
);

/** Undefined when browsers will take the address (RFC 7065), else what to tell the operator. */
export function turnUrlFault(url: string): string | undefined {
  const parts = /^turns?:(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::(\d{1,5}))?(?:\?transport=(?:udp|tcp))?$/i.exec(url);
  if (parts !== null && Number(parts[2] ?? 1) >= 1 && Number(parts[2] ?? 1) <= 65_535) return undefined;
  return "A TURN address looks like turn:turn.example.org:3478?transport=udp (or tcp), or turns:turn.example.org:5349";
}

async function firstLine(option: string, path: string): Promise<string> {
  const text = await readFile(path, "utf8").catch((error: Error) => {
    throw new StartError(
      `${option} cannot be read: ${error.message}. Correct the path, or let this user read the file.`,
    );
  });
  const line = text.split(/\r?\n/, 1)[0].trim();
  if (line === "")
    throw new StartError(`${option}: the first line of ${path} is empty. Write the secret there, alone.`);
  return line;
}

/**
 * Undefined when no TURN server is named.
 * @throws StartError: what is missing or too much, and the remedy
 */
export async function loadTurn(options: TurnOptions): Promise<TurnServers | undefined> {
  const { turn: urls = [], turnSecretFile, turnUser, turnPasswordFile, turnDev } = options;
  if (turnDev && urls.length > 0)
    throw new StartError("--turn names a TURN server, and --turn-dev starts one: take one of them.");
  if (urls.length === 0) {
    const given = Object.entries({
      "--turn-secret-file": turnSecretFile,
      "--turn-user": turnUser,
      "--turn-password-file": turnPasswordFile,
    }).find(([, value]) => value !== undefined);
    if (given !== undefined)
      throw new StartError(`${given[0]} says how to log in, and no server is named. Add --turn URL.`);
    return undefined;
  }
  if (urls.length > TURN_URLS_MAX)
    throw new StartError(
      `--turn is given ${urls.length} times; ${TURN_URLS_MAX} is the most, as each slows every link down.`,
    );
  if (turnSecretFile !== undefined) {
    if (turnUser !== undefined || turnPasswordFile !== undefined)
      throw new StartError(
        "--turn-secret-file makes users and passwords itself: leave out --turn-user and --turn-password-file.",
      );
    return { urls, secret: await firstLine("--turn-secret-file", turnSecretFile) };
  }
  if (turnUser === undefined || turnPasswordFile === undefined)
    throw new StartError(
      "--turn needs a login: --turn-secret-file FILE with coturn's static-auth-secret, or --turn-user NAME and --turn-password-file FILE.",
    );
  return { urls, username: turnUser, credential: await firstLine("--turn-password-file", turnPasswordFile) };
}

export const turnPassword = (secret: string, username: string): string =>
  createHmac("sha1", secret).update(username).digest("base64");

/** @param nowMs wall time: the TURN server compares the expiry with its own clock */
export function turnServer(turn: TurnServers, peer: PeerId, nowMs: number): IceServers[number] {
  const urls = [...turn.urls];
  if (!("secret" in turn)) return { urls, username: turn.username, credential: turn.credential };
  const username = `${Math.floor((nowMs + LIFETIME_MS) / 1000)}:${peer}`;
  return { urls, username, credential: turnPassword(turn.secret, username) };
}
