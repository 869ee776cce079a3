export * from "./bugs.ts";
export * from "./compare/index.ts";
export * from "./fuzz.ts";
export * from "./scale.ts";
export * from "./struck.ts";
export * from "./utilization.ts";
