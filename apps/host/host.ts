// One host: data directory, run, signaling, API, page and STUN, started in the order in which each needs the one before.
import { join } from "node:path";
import { type DataFolder, DiskBlobStore, openDataFolder } from "#store/disk";
import { type IceServers, identityFrom, type PeerId, PROTOCOL_VERSION, ROSTER_MAX, type RunSpec } from "#wire";
import { ApiError } from "./answer.ts";
import { Api } from "./api.ts";
import { BUILD } from "./build.ts";
import { certificateFor, lanAddresses } from "./certificate.ts";
import { originIsAllowed } from "./headers.ts";
import { loadDraft, makeSpec, SpecError } from "./load-run.ts";
import { RelayServer } from "./relay.ts";
import { relayRooms } from "./relay-room.ts";
import { HostedRun } from "./run.ts";
import { bracketed, type ListeningServer, reachedAs, startServer } from "./server.ts";
import { type Room, type SignalLimits, SignalServer } from "./signal.ts";
import { type StunServer, startStun } from "./stun.ts";
import { type Swept, sweepBlobs } from "./sweep.ts";
import { type TurnServers, turnServer } from "./turn.ts";
import type { WitnessPort } from "./witness.ts";

/** STUN's port is the page's when it is free (UDP and TCP do not collide), else one of the next. */
const STUN_PORTS_TRIED = 20;

export interface NetworkOptions {
  readonly host: string;
  readonly port: number; // 0: any free one
  /** HTTPS on a certificate of our own, so that WebGPU works on other machines. */
  readonly share: boolean;
  readonly allowOrigins: readonly string[];
  /** Signaling host that the built page uses, if not this one. */
  readonly signal?: string | undefined;
  /** Built page; undefined serves none. */
  readonly page?: string | undefined;
  /** For pairs that cannot connect directly. */
  readonly turn?: TurnServers | undefined;
  readonly limits?: Partial<SignalLimits>;
  readonly report: (line: string) => void;
}

export interface HostOptions extends NetworkOptions {
  readonly data: string;
  /** Preset or file. */
  readonly run: string;
  /** Folder that a relative file name starts from. */
  readonly from: string;
  /** Bits per second that WS /relay carries for pairs that cannot connect; 0: none. */
  readonly relayMbit: number;
  /** How many must be ready before the first round opens; 1 unless given. */
  readonly startPeers?: number;
  readonly witness: (spec: RunSpec, data: DataFolder, blobs: DiskBlobStore) => WitnessPort;
  /** The disk or the witness failed; the host must stop. */
  readonly fatal: (error: Error) => void;
}

export interface RunningHost {
  /** For a browser on this machine, without a slash at the end. */
  readonly url: string;
  /** For browsers on other machines; empty on loopback. */
  readonly lanUrls: readonly string[];
  readonly port: number;
  readonly stunPort: number | undefined;
  /** Tells peers, closes sockets, syncs and closes the log, gives the lock back. */
  close(): Promise<void>;
}

/** What a page built for another signaling host connects to: its socket, and its documents if it has a run. */
function signalOrigins(signal: string | undefined): string[] {
  if (!signal || !URL.canParse(signal)) return [];
  const { host, protocol } = new URL(signal);
  const secure = protocol === "wss:" || protocol === "https:" ? "s" : "";
  return [`ws${secure}://${host}`, `http${secure}://${host}`];
}

interface Network {
  readonly server: ListeningServer;
  readonly stun: StunServer | undefined;
}

async function startStunNear(
  host: string,
  port: number,
  report: (line: string) => void,
): Promise<StunServer | undefined> {
  for (let offset = 0; offset < STUN_PORTS_TRIED; offset++) {
    try {
      return await startStun(host, port + offset);
    } catch {
      // the next one
    }
  }
  report(
    `No UDP port from ${port} to ${port + STUN_PORTS_TRIED - 1} is free: no STUN. Peers behind a router may not connect.`,
  );
  return undefined;
}

/** Our own STUN, and the operator's TURN: nobody else hears who volunteers. */
const iceServers = (
  stun: StunServer | undefined,
  turn: TurnServers | undefined,
  peer: PeerId,
  hostName: string,
): IceServers => [
  ...(stun === undefined ? [] : [{ urls: `stun:${hostName}:${stun.port}` }]),
  ...(turn === undefined ? [] : [turnServer(turn, peer, Date.now())]),
];

function addressesOf(options: NetworkOptions, port: number): Pick<RunningHost, "url" | "lanUrls"> {
  const scheme = options.share ? "https" : "http";
  const anywhere = options.host === "0.0.0.0" || options.host === "::";
  const local = anywhere || options.host.startsWith("127.") ? "localhost" : bracketed(options.host);
  return {
    url: `${scheme}://${local}:${port}`,
    lanUrls: anywhere ? lanAddresses().map((address) => `${scheme}://${address}:${port}`) : [],
  };
}

function reportSwept({ blobs, bytes, kept }: Swept, report: (line: string) => void): void {
  if (kept !== undefined) report(`Old uploads are not looked for: ${kept}.`);
  else if (blobs > 0)
    report(`Removed ${blobs} upload${blobs === 1 ? "" : "s"} of ${bytes} bytes that no commit names.`);
}

/** @throws StartError, SpecError, DataError: mistakes that the operator can put right */
export async function startHost(options: HostOptions): Promise<RunningHost & { readonly run: HostedRun }> {
  const data = await openDataFolder(options.data);
  const undo: (() => Promise<unknown> | unknown)[] = [() => data.close()];
  try {
    const blobs = await DiskBlobStore.open(options.data, { owner: true });
    const identity = identityFrom(await data.keySeed());
    const loaded = await loadDraft(options.run, options.from);
    if (loaded.draft.outer.extract === "tracked")
      throw new SpecError(
        `--run ${options.run}: browsers do not track gradients: two vectors at every step are more than their lines carry. See it in: npm run sim -- compare --methods dsgt`,
      );
    if ((loaded.draft.inner.growth ?? loaded.draft.inner.lateExchanges) !== undefined)
      throw new SpecError(
        `--run ${options.run}: rounds in browsers have one length, without inner.growth and inner.lateExchanges. See them in: npm run sim -- compare --methods qsr,late-merge`,
      );
    const spec = await makeSpec(loaded, identity.volunteer, data, blobs);
    reportSwept(await sweepBlobs(options.data, blobs), options.report);
    const witness = options.witness(spec, data, blobs);
    undo.unshift(() => witness.close());
    const run = await HostedRun.open({
      data,
      blobs,
      identity,
      spec,
      build: BUILD,
      witness,
      startPeers: options.startPeers,
      report: options.report,
      fatal: options.fatal,
    });
    undo.unshift(() => run.close());

    let network: Network | undefined;
    const room = runRoom(run, options.relayMbit > 0);
    const signal = new SignalServer({
      roomOf: (name) => (name === "default" || name === run.id ? room : undefined),
      hostNameOf: reachedAs,
      iceServers: (peer, hostName) => iceServers(network?.stun, options.turn, peer, hostName),
      sessionEnded: (token) => relay?.sessionEnded(token),
      ...(options.limits === undefined ? {} : { limits: options.limits }),
    });
    undo.unshift(() => signal.terminate());
    const relay =
      options.relayMbit > 0
        ? new RelayServer({ mbit: options.relayMbit, peerOfToken: (token) => signal.peerOfToken(token) })
        : undefined;
    undo.unshift(() => relay?.terminate());
    const api = new Api({
      run,
      blobs,
      peerOfToken: (token) => signal.peerOfToken(token),
      connections: () => signal.connections,
      relay: () => relay?.meter() ?? { links: 0, bytes: 0 },
      network: (request) => ({
        stun: network?.stun === undefined ? null : `stun:${reachedAs(request)}:${network.stun.port}`,
        turn: options.turn !== undefined,
        relay: options.relayMbit > 0,
      }),
      report: options.report,
      originIsAllowed: (request) => network !== undefined && originIsAllowed(request, network.server.policy),
    });
    const server = await startServer({
      ...options,
      certificate: options.share ? await certificateFor(options.data) : undefined,
      connect: signalOrigins(options.signal),
      api: (request, response, url) => api.handle(request, response, url),
      upgrade: (request, stream, head, refusal) => signal.upgrade(request, stream, head, refusal),
      upgradeRelay: relay && ((request, stream, head) => relay.upgrade(request, stream, head)),
    });
    undo.unshift(() => server.close());
    const stun = await startStunNear(options.host, server.port, options.report);
    network = { server, stun };
    run.attach({
      send: (to, message) => signal.send(run.id, to, message),
      broadcast: (message, except) => signal.broadcast(run.id, message, except),
      disconnect: (peer, code, message) => signal.disconnect(run.id, peer, code, message),
    });
    return {
      ...addressesOf(options, server.port),
      port: server.port,
      stunPort: stun?.port,
      run,
      async close() {
        api.close();
        signal.close();
        await run.close(); // first: what follows may fail, the log is safe
        await stun?.close();
        relay?.terminate();
        await server.close();
        signal.terminate();
        await data.close();
      },
    };
  } catch (error) {
    for (const step of undo) await step();
    throw error;
  }
}

function runRoom(run: HostedRun, relay: boolean): Room {
  return {
    run: run.id,
    refusal: ({ volunteer }) => {
      const ban = run.ban(volunteer);
      if (ban !== undefined) return { code: "invalid", message: ban };
      // Who took part may come back for the last anchor. [R22]
      if (run.ended !== undefined && !run.hasCredited(volunteer))
        return { code: "run-ended", message: `This run has ended: ${run.ended}.` };
      if (run.peerCount < ROSTER_MAX) return undefined;
      return { code: "full", message: `${ROSTER_MAX} peers are here, and a round takes no more. Try again later.` };
    },
    welcome: (peer, session, iceServers) => ({
      type: "welcome",
      protocol: PROTOCOL_VERSION,
      build: BUILD,
      peer,
      run: run.id,
      spec: run.spec,
      session,
      iceServers,
      relay,
      ...run.head,
      members: run.neighbours(peer),
    }),
    connected: (member) => run.connected(member),
    disconnected: (peer, reason) => run.disconnected(peer, reason),
    mayReach: (from, to) => run.areNeighbours(from, to),
    message: (from, message) => run.message(from, message),
  };
}

/** Signaling and STUN, for pages and runs that live elsewhere (`--only signaling`). */
export async function startSignaling(options: NetworkOptions & { readonly data: string }): Promise<RunningHost> {
  let stun: StunServer | undefined;
  const roomOf = relayRooms({
    build: BUILD,
    broadcast: (run, message, except) => signal.broadcast(run, message, except),
  });
  const signal: SignalServer = new SignalServer({
    roomOf,
    hostNameOf: reachedAs,
    iceServers: (peer, hostName) => iceServers(stun, options.turn, peer, hostName),
    ...(options.limits === undefined ? {} : { limits: options.limits }),
  });
  const server = await startServer({
    ...options,
    page: undefined,
    certificate: options.share ? await certificateFor(options.data) : undefined,
    connect: [],
    async api(_, response, { pathname }) {
      if (pathname !== "/healthz")
        throw new ApiError(404, "not-found", "This host only signals: WS /signal, GET /healthz.");
      response.writeHead(200, { "Content-Type": "application/json; charset=utf-8" }).end('{"ok":true}');
      return true;
    },
    upgrade: (request, stream, head, refusal) => signal.upgrade(request, stream, head, refusal),
  });
  stun = await startStunNear(options.host, server.port, options.report);
  return {
    ...addressesOf(options, server.port),
    port: server.port,
    stunPort: stun?.port,
    async close() {
      signal.close();
      await stun?.close();
      await server.close();
      signal.terminate();
    },
  };
}

/** Where the built page lies: beside this build. */
export const builtPage = (): string => join(import.meta.dirname, "..", "..", "dist", "web");
