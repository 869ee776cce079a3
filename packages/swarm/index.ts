export type { EntryCheck } from "./chain.ts";
export * from "./device-share.ts";
export * from "./peer.ts";
export * from "./ports.ts";
export * from "./run-state.ts";
export * from "./sequencer.ts";
