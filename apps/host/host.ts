// One host: data directory, run, signaling, API, page and STUN, started in the order in which each needs the one before.
import assert from "node:assert/strict";
import { join } from "node:path";
import { type DataFolder, DiskBlobStore, openDataFolder } from "#store/disk";
import { identityFrom, type PeerId, type RunSpec } from "#wire";
import { Access, type JoinPolicy } from "./access/access.ts";
import { AccessApi } from "./access/access-api.ts";
import { AuditLog } from "./access/audit.ts";
import { AdminApi } from "./admin-api.ts";
import { AdminTokens } from "./admin-tokens.ts";
import { ApiError } from "./answer.ts";
import { Api } from "./api.ts";
import { BUILD } from "./build.ts";
import { originIsAllowed } from "./headers.ts";
import { HostedRuns } from "./hosted-runs.ts";
import { type LoadedDraft, loadDraft } from "./load-run.ts";
import { Measures } from "./measures.ts";
import {
  addressesOf,
  certificateOf,
  iceServers,
  type Network,
  type NetworkOptions,
  type OwnIce,
  type RunningHost,
  signalOrigins,
  startOwnIce,
} from "./network.ts";
import { RelayServer } from "./relay.ts";
import { RelayBudget } from "./relay-budget.ts";
import { relayRooms } from "./relay-room.ts";
import type { HostedRun } from "./run.ts";
import { runRoom } from "./run-room.ts";
import type { MakeSamplePort } from "./samples/run-samples.ts";
import { reachedAs, startServer } from "./server.ts";
import { type Room, SignalServer } from "./signal.ts";
import { type Swept, sweepBlobs } from "./sweep.ts";
import type { WitnessPort } from "./witness.ts";

export interface HostOptions extends NetworkOptions {
  readonly data: string;
  /** Presets or files; the first is what the page shows. */
  readonly runs: readonly string[];
  /** Folder that a relative file name starts from. */
  readonly from: string;
  /** Bits per second that WS /relay carries for pairs that cannot connect; 0: none. */
  readonly relayMbit: number;
  /** What relay and TURN may carry in a calendar month; undefined: there is no cap. */
  readonly relayCapBytes?: number | undefined;
  /** Who may come in; anybody unless given. */
  readonly join?: JoinPolicy | undefined;
  /** How many must be ready before the first round opens; 1 unless given. */
  readonly startPeers?: number;
  readonly witness: (spec: RunSpec, data: DataFolder, blobs: DiskBlobStore) => WitnessPort;
  /** Continues prompts, for runs whose spec names some. */
  readonly samples: MakeSamplePort;
  /** The disk or the witness failed; the host must stop. */
  readonly fatal: (error: Error) => void;
}

export interface StartedHost extends RunningHost {
  /** The first that was named. */
  readonly run: HostedRun;
  readonly runs: HostedRuns;
}

/** A relay of 1 Gbit/s passes a cap by as much as it carries meanwhile: a gigabyte. */
const RELAYED_EVERY_MS = 10_000;

function reportSwept({ blobs, bytes, kept }: Swept, report: (line: string) => void): void {
  if (kept !== undefined) report(`Old uploads are not looked for: ${kept}.`);
  else if (blobs > 0)
    report(`Removed ${blobs} upload${blobs === 1 ? "" : "s"} of ${bytes} bytes that no commit names.`);
}

/** @throws StartError, SpecError, DataError: mistakes that the operator can put right */
export async function startHost(options: HostOptions): Promise<StartedHost> {
  const data = await openDataFolder(options.data);
  const undo: (() => Promise<unknown> | unknown)[] = [() => data.close()];
  try {
    const blobs = await DiskBlobStore.open(options.data, { owner: true });
    const identity = identityFrom(await data.keySeed());
    const drafts: [LoadedDraft, string][] = [];
    for (const run of options.runs) drafts.push([await loadDraft(run, options.from), `--run ${run}`]);
    reportSwept(await sweepBlobs(options.data, blobs), options.report);
    const audit = new AuditLog({ data: options.data, now: Date.now, report: options.report });
    undo.unshift(() => audit.settled());
    const { join: policy = "open" } = options;
    const access = await Access.open({
      ...{ data: options.data, policy, audit, now: Date.now, fatal: options.fatal },
      onBan: ({ volunteer, reason }) =>
        signal.disconnectVolunteer(volunteer, "banned", `The operator has banned this volunteer. ${reason}`.trim()),
    });
    const budget = await RelayBudget.open({
      ...{ data: options.data, capBytes: options.relayCapBytes ?? null },
      ...{ now: Date.now, report: options.report },
    });
    const sentAway = (peer: PeerId, reason: string) => access.sentAway(peer, reason);
    const runs = new HostedRuns({ ...options, data, blobs, identity, sentAway });
    undo.unshift(() => runs.close());
    let run: HostedRun | undefined;
    for (const [draft, where] of drafts) run = [run, await runs.name(draft, where)].find(Boolean);
    assert(run !== undefined, "a host without a run");
    await runs.restore();

    let network: Network | undefined;
    const roomByRun = new Map<HostedRun, Room>();
    const measures = new Measures();
    let stopping = false;
    const signal: SignalServer = new SignalServer({
      gate: access,
      observer: {
        refused: (code) => measures.refusals.add({ code }),
        relayed: (ms) => measures.signalSeconds.observe(ms / 1000),
      },
      roomOf: (name) => {
        const found = runs.find(name);
        return found && roomByRun.get(found);
      },
      hostNameOf: reachedAs,
      iceServers: (peer, hostName) =>
        iceServers(network?.ice, budget.state.over ? undefined : options.turn, peer, hostName),
      sessionEnded: (token) => relay?.sessionEnded(token),
      ...(options.limits === undefined ? {} : { limits: options.limits }),
    });
    undo.unshift(() => signal.terminate());
    const peerOfToken = (token: string) => signal.peerOfToken(token);
    const relays = () => options.relayMbit > 0 && !budget.state.over;
    const relay =
      options.relayMbit > 0 ? new RelayServer({ mbit: options.relayMbit, peerOfToken, isOpen: relays }) : undefined;
    const sample = () => {
      budget.sample(relay?.meter().bytes ?? 0, new Map(runs.list().map((one) => [one.id, one.turnBytes])));
      if (budget.state.over) relay?.endAll("the month's allowance for relaying is used up");
    };
    const sampling = setInterval(sample, RELAYED_EVERY_MS);
    sampling.unref();
    undo.unshift(() => clearInterval(sampling));
    undo.unshift(() => relay?.terminate());
    const admin = new AdminApi({
      ...{ runs, audit, access: new AccessApi(access, audit) },
      ...{ tokens: new AdminTokens(options.data), from: options.from },
    });
    const api = new Api({
      runs,
      blobs,
      admin,
      peerOfToken,
      connections: () => signal.connections,
      relay: () => relay?.meter() ?? { links: 0, bytes: 0 },
      network: (request) => ({
        stun: network?.ice.stun === undefined ? null : `stun:${reachedAs(request)}:${network.ice.stun.port}`,
        turn: (options.turn !== undefined && !budget.state.over) || options.turnDev === true,
        relay: relays(),
        ...(budget.state.over ? { overCap: true } : {}),
      }),
      measures,
      operator: {
        notReady: () => [
          ...(network === undefined ? ["the host is starting"] : []),
          ...(stopping ? ["the host is stopping"] : []),
        ],
        bans: () => access.bans,
        relayed: () => budget.state,
      },
      report: options.report,
      originIsAllowed: (request) => network !== undefined && originIsAllowed(request, network.server.policy),
    });
    undo.unshift(() => api.close());
    const server = await startServer({
      ...options,
      certificate: await certificateOf(options),
      connect: signalOrigins(options.signal),
      api: (request, response, url) => api.handle(request, response, url),
      upgrade: (request, stream, head, refusal) => signal.upgrade(request, stream, head, refusal),
      answered: (status) => measures.requests.add({ status: `${Math.floor(status / 100)}xx` }),
      upgradeRelay: relay && ((request, stream, head) => relay.upgrade(request, stream, head)),
    });
    undo.unshift(() => server.close());
    const ice = await startOwnIce(options, server.port);
    undo.unshift(() => ice.close());
    network = { server, ice };
    runs.attach({
      portsOf: ({ id }) => ({
        send: (to, message) => signal.send(id, to, message),
        broadcast: (message, except) => signal.broadcast(id, message, except),
        disconnect: (peer, code, message) => signal.disconnect(id, peer, code, message),
      }),
      added(one) {
        roomByRun.set(one, runRoom(one, relays));
        api.added(one);
      },
      removed(one, reason) {
        roomByRun.delete(one);
        signal.closeRoom(one.id, "run-ended", reason);
        api.removed(one);
      },
    });
    audit.add("start", { build: BUILD, runs: runs.list().length, join: policy });
    return {
      ...addressesOf(options, server.port),
      port: server.port,
      stunPort: ice.stun?.port,
      run,
      runs,
      renewCertificate: (certificate) => server.renewCertificate(certificate),
      async close() {
        stopping = true;
        clearInterval(sampling);
        sample();
        audit.add("stop");
        api.close();
        signal.close();
        await runs.close(); // first: what follows may fail, the logs are safe
        await ice.close();
        relay?.terminate();
        await server.close();
        signal.terminate();
        await budget.close();
        await access.settled();
        await audit.settled();
        await data.close();
      },
    };
  } catch (error) {
    for (const step of undo) await step();
    throw error;
  }
}

/** Signaling and STUN, for pages and runs that live elsewhere (`--only signaling`). */
export async function startSignaling(options: NetworkOptions & { readonly data: string }): Promise<RunningHost> {
  let ice: OwnIce | undefined;
  const roomOf = relayRooms({
    build: BUILD,
    broadcast: (run, message, except) => signal.broadcast(run, message, except),
  });
  const signal: SignalServer = new SignalServer({
    roomOf,
    hostNameOf: reachedAs,
    iceServers: (peer, hostName) => iceServers(ice, options.turn, peer, hostName),
    ...(options.limits === undefined ? {} : { limits: options.limits }),
  });
  const server = await startServer({
    ...options,
    page: undefined,
    certificate: await certificateOf(options),
    connect: [],
    async api(_, response, { pathname }) {
      if (pathname !== "/healthz")
        throw new ApiError(404, "not-found", "This host only signals: WS /signal, GET /healthz.");
      response.writeHead(200, { "Content-Type": "application/json; charset=utf-8" }).end('{"ok":true}');
      return true;
    },
    upgrade: (request, stream, head, refusal) => signal.upgrade(request, stream, head, refusal),
  });
  const started = await startOwnIce(options, server.port);
  ice = started;
  return {
    ...addressesOf(options, server.port),
    port: server.port,
    stunPort: started.stun?.port,
    renewCertificate: (certificate) => server.renewCertificate(certificate),
    async close() {
      signal.close();
      await started.close();
      await server.close();
      signal.terminate();
    },
  };
}

/** Where the built page lies: beside this build. */
export const builtPage = (): string => join(import.meta.dirname, "..", "..", "dist", "web");
