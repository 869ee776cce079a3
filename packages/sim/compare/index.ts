export * from "./compare.ts";
export { trainSharedAnchor } from "./shared-anchor.ts";
export { type Estimate, estimate } from "./statistics.ts";
export type { Setting, Trained, Trainers } from "./swarm.ts";
export { type Link, linkFrom, ringAllReduce } from "./traffic.ts";
export type { Course, Trainer } from "./trainer.ts";
