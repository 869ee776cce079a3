// What every start of a host has in common: how it is reached, its certificate, STUN and TURN.
import type { IceServers, PeerId } from "#wire";
import { type Certificate, certificateFor, lanAddresses } from "./certificate.ts";
import type { RateLimit } from "./rate.ts";
import type { Report } from "./report.ts";
import { bracketed, type ListeningServer, StartError } from "./server.ts";
import type { SignalLimits } from "./signal.ts";
import { type StunServer, startStun } from "./stun.ts";
import { type TurnServers, turnServer } from "./turn.ts";
import { startTurnDev, type TurnDev } from "./turn-dev.ts";

/** STUN's port is the page's when it is free (UDP and TCP do not collide), else one of the next. */
const ICE_PORTS_TRIED = 20;

export interface NetworkOptions {
  readonly host: string;
  readonly port: number; // 0: any free one
  /** HTTPS on a certificate of our own, so that WebGPU works on other machines. */
  readonly share: boolean;
  /** HTTPS on the operator's own. */
  readonly certificate?: Certificate | undefined;
  readonly allowOrigins: readonly string[];
  /** Proxies whose X-Forwarded headers count: addresses and networks. */
  readonly trustProxy?: readonly string[] | undefined;
  /** "/swarm", without a slash at the end: page, API and sockets lie below it. */
  readonly basePath?: string | undefined;
  /** Signaling host that the built page uses, if not this one. */
  readonly signal?: string | undefined;
  /** Built page; undefined serves none. */
  readonly page?: string | undefined;
  /** For pairs that cannot connect directly. */
  readonly turn?: TurnServers | undefined;
  /** A TURN server in this process, to develop with, instead. */
  readonly turnDev?: boolean | undefined;
  readonly limits?: Partial<SignalLimits>;
  /** Requests of one address over HTTP. */
  readonly requests?: RateLimit | undefined;
  readonly report: Report;
}

export interface RunningHost {
  /** For a browser on this machine, without a slash at the end. */
  readonly url: string;
  /** For browsers on other machines; empty on loopback. */
  readonly lanUrls: readonly string[];
  readonly port: number;
  readonly stunPort: number | undefined;
  /** From the next connection on; for a host that listens with HTTPS. */
  renewCertificate(certificate: Certificate): void;
  /** Tells peers, closes sockets, syncs and closes the log, gives the lock back. */
  close(): Promise<void>;
}

/** What a page built for another signaling host connects to: its socket, and its documents if it has a run. */
export function signalOrigins(signal: string | undefined): string[] {
  if (!signal || !URL.canParse(signal)) return [];
  const { host, protocol } = new URL(signal);
  const secure = protocol === "wss:" || protocol === "https:" ? "s" : "";
  return [`ws${secure}://${host}`, `http${secure}://${host}`];
}

export interface Network {
  readonly server: ListeningServer;
  readonly ice: OwnIce;
}

/** The host's own servers for ICE: STUN, and a TURN to develop with where it was asked for. */
export interface OwnIce {
  readonly stun: StunServer | undefined;
  readonly turnDev: TurnDev | undefined;
  close(): Promise<void>;
}

/** @param port of the page: its UDP side, or one of the next. @throws StartError when --turn-dev finds none */
export async function startOwnIce({ host, turnDev, report }: NetworkOptions, port: number): Promise<OwnIce> {
  const ports = Array.from({ length: ICE_PORTS_TRIED }, (_, i) => port + i);
  const stun = await firstOf(ports, (at) => startStun(host, at));
  const where = `No UDP port from ${port} to ${ports.at(-1)} is free`;
  if (stun === undefined) report(`${where}: no STUN. Peers behind a router may not connect.`);
  const turn = turnDev ? await firstOf(ports, (at) => startTurnDev(host, at)) : undefined;
  if (turnDev && turn === undefined) {
    await stun?.close();
    throw new StartError(`--turn-dev: ${where} at ${host} over IPv4.`);
  }
  return {
    stun,
    turnDev: turn,
    async close() {
      await stun?.close();
      await turn?.close();
    },
  };
}

async function firstOf<T>(ports: readonly number[], start: (port: number) => Promise<T>): Promise<T | undefined> {
  for (const port of ports) {
    try {
      return await start(port);
    } catch {
      // the next one
    }
  }
  return undefined;
}

export const certificateOf = async (
  options: NetworkOptions & { readonly data: string },
): Promise<Certificate | undefined> =>
  options.certificate ?? (options.share ? await certificateFor(options.data) : undefined);

/** Our own STUN, and the operator's TURN: nobody else hears who volunteers. */
export function iceServers(
  own: OwnIce | undefined,
  turn: TurnServers | undefined,
  peer: PeerId,
  hostName: string,
): IceServers {
  const { stun, turnDev } = own ?? {};
  const dev = turnDev && { urls: [`turn:${hostName}:${turnDev.port}?transport=udp`], secret: turnDev.secret };
  return [
    ...(stun === undefined ? [] : [{ urls: `stun:${hostName}:${stun.port}` }]),
    ...[turn, dev].flatMap((one) => (one === undefined ? [] : [turnServer(one, peer, Date.now())])),
  ];
}

export function addressesOf(options: NetworkOptions, port: number): Pick<RunningHost, "url" | "lanUrls"> {
  const scheme = options.share || options.certificate ? "https" : "http";
  const anywhere = options.host === "0.0.0.0" || options.host === "::";
  const local = anywhere || options.host.startsWith("127.") ? "localhost" : bracketed(options.host);
  const { basePath = "" } = options;
  return {
    url: `${scheme}://${local}:${port}${basePath}`,
    lanUrls: anywhere ? lanAddresses().map((address) => `${scheme}://${address}:${port}${basePath}`) : [],
  };
}
