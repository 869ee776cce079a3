export * from "./compare.ts";
export { Offers } from "./offers.ts";
export { type Estimate, estimate } from "./statistics.ts";
export type { Setting, Trained, Trainers } from "./swarm.ts";
export { type Link, linkFrom, ringAllReduce } from "./traffic.ts";
export { train } from "./train.ts";
export type { Course, Trainer } from "./trainer.ts";
