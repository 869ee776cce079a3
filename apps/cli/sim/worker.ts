// One core's share of a fuzz: seeds come in, what became of each goes out.
import { parentPort } from "node:worker_threads";
import { bugs, fuzz } from "#sim";
import type { SeedAnswer, SeedRequest } from "./pool.ts";

const port = parentPort!;
port.on("message", ({ seed, peers, bug, islands }: SeedRequest) => {
  const plant = bugs.find(({ name }) => name === bug);
  let answer: SeedAnswer;
  try {
    const { rounds, events, struck } = fuzz({
      ...{ seed, islands },
      ...(peers === undefined ? {} : { peers }),
      ...(plant === undefined ? {} : { plant }),
    });
    answer = { seed, fault: undefined, rounds, events, struck };
  } catch (error) {
    answer = { seed, fault: (error as Error).message, rounds: 0, events: 0, struck: undefined };
  }
  port.postMessage(answer);
});
