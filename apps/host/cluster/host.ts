// One host of a cluster (`--cluster`): page, sockets and blobs for whoever the load balancer sends here; and, while it holds the lease, the
// run's order for all of them.
//
//   NATS server:  the host's key, the run's id | lease | log | blobs           this data directory: a lock and a cache of blobs
import { randomBytes, X509Certificate } from "node:crypto";
import { DataError, type DataFolder, DiskBlobStore, openDataFolder } from "#store/disk";
import { agreeOn, CachedBlobs, type Nats, NatsBlobStore, openNats } from "#store/nats";
import { identityFrom, type PeerId, type RunSpec, runIdOf, specBlobs } from "#wire";
import { Access } from "../access/access.ts";
import { AuditLog } from "../access/audit.ts";
import { BUILD } from "../build.ts";
import type { Certificate } from "../certificate.ts";
import { originIsAllowed } from "../headers.ts";
import { hubPlace } from "../hub-place.ts";
import { checkForBrowsers, loadDraft, makeSpec, SpecError } from "../load-run.ts";
import {
  addressesOf,
  certificateOf,
  iceServers,
  type Network,
  type NetworkOptions,
  type RunningHost,
  signalOrigins,
  startOwnIce,
} from "../network.ts";
import { reachedAs, startServer } from "../server.ts";
import { SignalServer } from "../signal.ts";
import type { WitnessPort } from "../witness.ts";
import { natsBus } from "./bus.ts";
import { ClusterApi } from "./cluster-api.ts";
import { Edge } from "./edge.ts";
import { Leading } from "./leading.ts";
import { Role } from "./role.ts";
import { BEAT_MS, type LeaderCard, subjectsOf } from "./words.ts";

/** A role that moves is vacant for some seconds; a balancer that then took all hosts away would end what they keep alive. */
const VACANCY_MS = 20_000;
/** The cache is looked at so often. What it holds may go: it comes again. */
const PRUNE_EVERY_MS = 10 * 60_000;
/** Blobs younger than this are of rounds that go on. */
const PRUNE_AGE_MS = 3_600_000;

export interface ClusterOptions extends NetworkOptions {
  /** nats://host:4222/NAME */
  readonly cluster: string;
  /** Under which the other hosts reach this one; undefined: found out. */
  readonly clusterAddress?: string | undefined;
  readonly data: string;
  readonly runs: readonly string[];
  readonly from: string;
  readonly startPeers?: number;
  readonly witness: (spec: RunSpec, data: DataFolder, disk: DiskBlobStore) => WitnessPort;
  /** It cannot serve any more. */
  readonly fatal: (error: Error) => void;
}

export interface ClusterHost extends RunningHost {
  readonly spec: RunSpec;
  /** Shown to people. */
  readonly server: string;
}

/** @throws StartError, SpecError, DataError: mistakes that the operator can put right */
export async function startClusterHost(options: ClusterOptions): Promise<ClusterHost> {
  const { report } = options;
  const [named, ...others] = options.runs;
  if (others.length > 0)
    throw new SpecError("The hosts of a cluster serve one run: name one with --run, or start a cluster for each.");
  const data = await openDataFolder(options.data);
  const undo: (() => Promise<unknown> | unknown)[] = [() => data.close()];
  try {
    const nats = await openNats(options.cluster);
    undo.unshift(() => nats.connection.close());
    const disk = await DiskBlobStore.open(options.data, { owner: true });
    const blobs = new CachedBlobs(disk, await NatsBlobStore.open(nats));
    // Whoever may use the NATS server may order the run anyway, so its key lies there.
    const seed = await agreeOn(nats, "host-key", randomBytes(32).toString("hex"));
    const identity = identityFrom(new Uint8Array(Buffer.from(seed, "hex")));
    const spec = await specOf(options, named, identity.volunteer, data, blobs);
    const run = runIdOf(spec);
    await agreeOnRun(nats, run, named);

    const audit = new AuditLog({ data: options.data, now: Date.now, report });
    undo.unshift(() => audit.settled());
    const access = await Access.open({
      ...{ data: options.data, policy: "open", audit, now: Date.now, fatal: options.fatal },
      onBan: ({ volunteer, reason }) => signal.disconnectVolunteer(volunteer, "banned", reason),
    });
    const host = randomBytes(8).toString("hex");
    const subjects = subjectsOf(nats.address.name, run);
    const bus = natsBus(nats);
    let network: Network | undefined;
    const signal: SignalServer = new SignalServer({
      gate: access,
      roomOf: (name) => (name === "default" || name === run ? edge : undefined),
      hostNameOf: reachedAs,
      iceServers: (peer, hostName) => iceServers(network?.ice, options.turn, peer, hostName),
      ...(options.limits === undefined ? {} : { limits: options.limits }),
    });
    undo.unshift(() => signal.terminate());
    const edge = new Edge({
      ...{ bus, subjects, host, run, spec, report, now: () => performance.now() },
      sentAway: (peer, reason) => access.sentAway(peer, reason),
      after: (ms, later) => void setTimeout(later, ms).unref(),
      sockets: {
        send: (to, message) => signal.send(run, to, message),
        broadcast: (message, except) => signal.broadcast(run, message, except),
        disconnect: (peer, code, message) => signal.disconnect(run, peer, code, message),
        iceServers: (peer) => signal.iceServersOf(run, peer),
      },
    });
    undo.unshift(() => edge.close());
    let attachedAt = Number.NEGATIVE_INFINITY; // as far as somebody has asked
    const api = new ClusterApi({
      ...{ spec, blobs, report },
      peerOfToken: async (token): Promise<PeerId | undefined> =>
        signal.peerOfToken(token)?.peer ?? (await edge.peerOfToken(token)),
      stored: (peer, hash, bytes, isNew) => edge.stored(peer, hash, bytes, isNew),
      leader: () => (edge.leader?.host === host ? undefined : edge.leader),
      fault: () => {
        if (edge.fault === undefined) attachedAt = performance.now();
        return role.fault ?? (performance.now() - attachedAt > VACANCY_MS ? edge.fault : undefined);
      },
      connections: () => signal.connections,
      network: (request) => ({
        stun: network?.ice.stun === undefined ? null : `stun:${reachedAs(request)}:${network.ice.stun.port}`,
        turn: options.turn !== undefined || options.turnDev === true,
        relay: false,
      }),
      originIsAllowed: (request) => network !== undefined && originIsAllowed(request, network.server.policy),
    });
    undo.unshift(() => api.close());
    const certificate = await certificateOf(options);
    const server = await startServer({
      ...options,
      certificate,
      connect: signalOrigins(options.signal),
      api: (request, response, url) => api.handle(request, response, url),
      upgrade: (request, stream, head, refusal) => signal.upgrade(request, stream, head, refusal),
    });
    undo.unshift(() => server.close());
    const ice = await startOwnIce(options, server.port);
    undo.unshift(() => ice.close());
    network = { server, ice };
    const addresses = addressesOf(options, server.port);
    const cardOf = (own: Certificate | undefined): LeaderCard => ({
      host,
      url: options.clusterAddress ?? `${addresses.lanUrls[0] ?? addresses.url}${options.basePath ?? ""}`,
      fingerprint: own && new X509Certificate(own.cert).fingerprint256,
    });
    const role: Role = new Role({
      ...{ nats, run, blobs, report },
      begin: (failed) =>
        Leading.begin({
          ...{ nats, bus, subjects, host, spec, identity, blobs, report, failed },
          witness: () => options.witness(spec, data, disk),
          startPeers: options.startPeers,
        }),
      leads: (leading) => api.leads(leading?.run),
      follows: (card) => edge.follow(card),
    });
    role.contend(cardOf(certificate));
    audit.add("start", { build: BUILD, runs: 1, join: "open" });
    const beats = setInterval(() => edge.beat(), BEAT_MS);
    const prune = setInterval(() => void pruneCache(disk, report), PRUNE_EVERY_MS);
    let closing = false;
    void nats.connection.closed().then((error) => {
      if (!closing)
        options.fatal(new DataError(`The line to the NATS server at ${nats.shown} is closed for good: ${error}.`));
    });
    return {
      ...addresses,
      ...{ port: server.port, stunPort: ice.stun?.port, spec, server: `${nats.shown} (${nats.address.name})` },
      renewCertificate(own) {
        server.renewCertificate(own);
        void role.release().then(() => role.contend(cardOf(own)));
      },
      async close() {
        closing = true;
        audit.add("stop");
        clearInterval(prune);
        clearInterval(beats);
        await role.release(); // first: another host goes on at once
        api.close();
        signal.close();
        edge.close();
        await ice.close();
        await server.close();
        signal.terminate();
        await nats.connection.drain().catch(() => undefined);
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

async function specOf(
  { from, report }: ClusterOptions,
  named: string,
  hostKey: string,
  data: DataFolder,
  blobs: CachedBlobs,
): Promise<RunSpec> {
  const loaded = await loadDraft(named, from);
  checkForBrowsers(loaded, `--run ${named}`);
  const spec = await makeSpec(loaded, hostKey, data, blobs, { hub: hubPlace(process.env), report });
  // Made by an earlier start of this data directory, perhaps for another cluster.
  for (const { hash } of specBlobs(spec)) await blobs.share(hash);
  return spec;
}

async function agreeOnRun(nats: Nats, run: string, named: string): Promise<void> {
  const agreed = await agreeOn(nats, "run", run);
  if (agreed === run) return;
  const { name } = nats.address;
  throw new DataError(
    `The cluster ${name} at ${nats.shown} serves run ${agreed}; --run ${named} makes ${run} here. Start every host with the same spec and text, or name another cluster: --cluster nats://.../${name}-2`,
  );
}

async function pruneCache(disk: DiskBlobStore, report: (line: string) => void): Promise<void> {
  try {
    const { bytes } = await disk.usage();
    await disk.prune((bytes + (await disk.freeBytes())) / 2, Date.now() - PRUNE_AGE_MS);
  } catch (error) {
    report(`Pruning the cache of blobs: ${(error as Error).message}`);
  }
}
