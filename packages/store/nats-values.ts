// Small values that a cluster agrees on, and its lease: who orders the run. Both are JetStream key-value buckets.
import { JetStreamApiError } from "@nats-io/jetstream";
import { type KV, Kvm } from "@nats-io/kv";
import type { LeaseBucket } from "./lease.ts";
import { LeaseTakenError } from "./lease.ts";
import type { Nats } from "./nats-server.ts";

const CONFLICT: readonly number[] = [10071, 10164];

const isConflict = (error: unknown): boolean => error instanceof JetStreamApiError && CONFLICT.includes(error.code);

/** Reads go to the stream's leader alone: a copy may be behind, and what is agreed on must not look unmade. */
const bucketOf = ({ js, address }: Nats, what: string, ttlMs = 0): Promise<KV> =>
  new Kvm(js).create(`gossamer_${address.name}_${what}`, {
    history: 1,
    replicas: address.replicas,
    allow_direct: false,
    ...(ttlMs > 0 ? { ttl: ttlMs } : {}),
  });

/** Whoever comes first decides; everybody else gets the same. */
export async function agreeOn(nats: Nats, key: string, mine: string): Promise<string> {
  const bucket = await bucketOf(nats, "agreed");
  try {
    await bucket.create(key, mine);
    return mine;
  } catch (error) {
    const there = await bucket.get(key);
    if (there === null) throw error;
    return there.string();
  }
}

/** The server itself forgets what is not renewed for ttlMs. */
export async function natsLease(nats: Nats, key: string, ttlMs: number): Promise<LeaseBucket> {
  const bucket = await bucketOf(nats, "lease", ttlMs);
  const orTaken = async (write: Promise<number>): Promise<number> => {
    try {
      return await write;
    } catch (error) {
      throw isConflict(error) ? new LeaseTakenError("another host holds it") : error;
    }
  };
  return {
    create: (value) => orTaken(bucket.create(key, value)),
    update: (value, revision) => orTaken(bucket.update(key, value, revision)),
    async read() {
      const entry = await bucket.get(key);
      return entry === null || entry.operation !== "PUT"
        ? undefined
        : { value: entry.string(), revision: entry.revision };
    },
    release: (revision) => bucket.delete(key, { previousSeq: revision }),
  };
}
