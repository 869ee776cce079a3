export * from "./compare.ts";
export { Offers } from "./offers.ts";
export { type Estimate, estimate } from "./statistics.ts";
export type { Setting, Trained, Trainers } from "./swarm.ts";
export { allGather, type Link, linkFrom, Meter, ringAllReduce, swap } from "./traffic.ts";
export { train } from "./train.ts";
export type { Course, Trainer } from "./trainer.ts";
