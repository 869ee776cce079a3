// Everything but links.ts (#mesh/links): that one belongs to the window, these to the worker and to Node.
export * from "./blob-http.ts";
export * from "./exchange.ts";
export * from "./fetching.ts";
export type { LinkMeter } from "./links.ts";
export * from "./paths.ts";
export * from "./port.ts";
export { openRelaySocket } from "./relay-line.ts";
export * from "./signaling.ts";
