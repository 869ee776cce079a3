export * from "./api.ts";
export * from "./blob.ts";
export * from "./frames.ts";
export * from "./identity.ts";
export * from "./log.ts";
export * from "./messages.ts";
export * from "./spec.ts";
