export * from "./exchange.ts";
export * from "./fetching.ts";
export * from "./links.ts";
