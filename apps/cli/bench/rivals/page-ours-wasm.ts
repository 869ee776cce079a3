import { enter } from "./page.ts";

enter(async () => (await import("./ours.ts")).oursWasm);
