// Everything but links (#mesh/links): those belong to whatever owns connections, these to the peer and to the host.
export * from "./blob-exchange.ts";
export * from "./blob-http.ts";
export * from "./heartbeat.ts";
export * from "./island-lines.ts";
export type { LinkMeter } from "./links.ts";
export * from "./paths.ts";
export * from "./port.ts";
export { openRelaySocket } from "./relay-line.ts";
export * from "./signaling.ts";
export { SleepWatch } from "./sleep.ts";
