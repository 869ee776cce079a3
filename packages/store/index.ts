export * from "./blob-store.ts";
export * from "./browser.ts";
export * from "./idb.ts";
export * from "./memory.ts";
