// The line to a cluster's NATS server: which one, under which name, and what is wrong with it in words for the operator.
//
//   nats://[user:password@]host:4222[,host:4222…][/NAME][?replicas=3]       tls:// for TLS; NAME keeps two clusters on one server apart
import { type JetStreamClient, type JetStreamManager, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { DataError } from "./disk-file.ts";

export interface NatsAddress {
  readonly servers: readonly string[];
  readonly tls: boolean;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  /** Of the cluster: part of every stream, bucket and subject. */
  readonly name: string;
  /** Copies that JetStream keeps; more than one needs as many servers. */
  readonly replicas: number;
}

export interface Nats {
  readonly address: NatsAddress;
  /** For people: without a password. */
  readonly shown: string;
  readonly connection: NatsConnection;
  readonly js: JetStreamClient;
  readonly manager: JetStreamManager;
}

/** Names of NATS buckets and streams take no more than these. */
const NAME = /^[A-Za-z0-9_-]{1,32}$/;
/** JetStream's own bound. */
const REPLICAS_MAX = 5;
/** A request that has no answer by then is made again or given up: below the lease's time, so that whoever lost the server notices first. */
const REQUEST_MS = 2_000;
const CONNECT_MS = 5_000;
/** A server that started again, or another one of the list, is found within half a second. */
const RECONNECT_MS = 250;
/** A server that is silent for two of these is gone, whatever TCP still believes. */
const PING_MS = 2_000;
/** A peer's message has 256 KiB at most, ten entries 200 kB, a chunk of a blob 128 KiB; NATS's default is 1 MiB. */
const PAYLOAD_BYTES_MIN = 512 * 1024;

/** @throws DataError that says what an address looks like */
export function parseNatsAddress(text: string): NatsAddress {
  const fault = (why: string) =>
    new DataError(
      `--cluster ${text}: ${why}. For example nats://127.0.0.1:4222, or nats://a:4222,b:4222/team?replicas=3`,
    );
  const [first, ...others] = text.split(",");
  const last = others.at(-1) ?? first;
  if (!URL.canParse(first)) throw fault("this is no address");
  const url = new URL(first);
  if (url.protocol !== "nats:" && url.protocol !== "tls:") throw fault("it begins with nats:// or tls://");
  const tail = new URL(others.length === 0 ? first : `nats://${last}`);
  const name = tail.pathname.replace(/^\//, "") || "gossamer";
  if (!NAME.test(name)) throw fault(`"${name}" is no name of a cluster: up to 32 letters, digits, - and _`);
  const replicas = Number(tail.searchParams.get("replicas") ?? 1);
  if (!Number.isInteger(replicas) || replicas < 1 || replicas > REPLICAS_MAX)
    throw fault(`replicas is a number from 1 to ${REPLICAS_MAX}`);
  const hosts = [url, ...others.map((other) => new URL(`nats://${other}`))];
  return {
    servers: hosts.map(({ hostname, port }) => `${hostname}:${port || 4222}`),
    tls: url.protocol === "tls:",
    user: url.username === "" ? undefined : decodeURIComponent(url.username),
    password: url.password === "" ? undefined : decodeURIComponent(url.password),
    name,
    replicas,
  };
}

/** @throws DataError that names the remedy */
export async function openNats(text: string): Promise<Nats> {
  const address = parseNatsAddress(text);
  const { servers, user, password } = address;
  const shown = servers.join(", ");
  let connection: NatsConnection;
  try {
    connection = await connect({
      servers: [...servers],
      name: `gossamer ${process.pid}`,
      timeout: CONNECT_MS,
      maxReconnectAttempts: -1,
      reconnectTimeWait: RECONNECT_MS,
      pingInterval: PING_MS,
      maxPingOut: 2,
      ignoreAuthErrorAbort: true,
      ...(address.tls ? { tls: {} } : {}),
      ...(user === undefined ? {} : password === undefined ? { token: user } : { user, pass: password }),
    });
  } catch (error) {
    throw connectFault(shown, error as Error);
  }
  try {
    const bytesMax = connection.info?.max_payload ?? 0;
    if (bytesMax < PAYLOAD_BYTES_MIN)
      throw new DataError(
        `The NATS server at ${shown} takes messages of ${bytesMax} bytes; hosts send up to ${PAYLOAD_BYTES_MIN}. Take max_payload out of its configuration, or set it to 1MB.`,
      );
    const manager = await jetstreamManager(connection, { timeout: REQUEST_MS });
    return { address, shown, connection, manager, js: jetstream(connection, { timeout: REQUEST_MS }) };
  } catch (error) {
    await connection.close();
    throw error instanceof DataError ? error : jetStreamFault(shown, error as Error);
  }
}

function connectFault(shown: string, { name, message }: Error): DataError {
  if (name === "AuthorizationError" || /authorization|authentication/i.test(message))
    return new DataError(
      `The NATS server at ${shown} refuses the login (${message}). Give it in the address: nats://user:password@host:4222, or nats://token@host:4222.`,
    );
  return new DataError(
    `No NATS server answers at ${shown} (${message}). Start one with JetStream (nats-server -js -sd DIR), or correct --cluster.`,
  );
}

const jetStreamFault = (shown: string, { message }: Error): DataError =>
  new DataError(
    `The NATS server at ${shown} offers no JetStream (${message}), which keeps log and blobs. Start it with -js, or put jetstream {} into its configuration and allow this account to use it.`,
  );
