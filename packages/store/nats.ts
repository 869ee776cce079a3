// What a cluster of hosts shares on a NATS server with JetStream. Node only, and loaded by clusters alone.
export * from "./cached-blobs.ts";
export * from "./lease.ts";
export * from "./nats-blobs.ts";
export * from "./nats-log.ts";
export * from "./nats-server.ts";
export * from "./nats-values.ts";
