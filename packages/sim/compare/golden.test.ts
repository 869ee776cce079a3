import { describe, expect, test } from "vitest";
import { methods } from "#outer";
import { arithmeticCourse, arithmeticTrainers, fallingCourse, methodOf, setting } from "./test-given.ts";
import { train } from "./train.ts";

/** Ten rounds of four peers that count: the same bits on every machine. A change here is another method for runs that are under way. */
const golden: Readonly<Record<string, string>> = {
  ddp: "d8296b2262bf7f14",
  fedavg: "0944b064fb3cfb1b",
  "local-adamw": "e7d710061c4bd4e6",
  qsr: "e7d710061c4bd4e6", // at a constant rate its rounds do not grow
  diloco: "f6a393693dc7a85a",
  "one-step-delay": "cdc684397bf933ec",
  co2: "312867ee99dc6b9f",
  streaming: "c3a02faac6bad37d",
  sparseloco: "8077980fba36d0cd",
  "power-sgd": "e36b1d46bf41eb05",
  noloco: "5fa10814fb5b6f17",
  "variance-corrected": "696d701faedd85ee", // of peers that began alike: plain gossip
  "late-merge": "70e0009be41e1f84", // its first tenth: one long round
  dsgt: "ff1a9f22cbf86ded",
  fedadagrad: "9d1766b99d24828b",
  fedadam: "11714b06fe6ceef8",
  fedyogi: "1e54f61d9b48ecad",
};

describe("golden trajectories", () => {
  test.each(methods)("$name", async (method) => {
    const { anchorHash } = await train(arithmeticCourse(method), setting, arithmeticTrainers(4));
    expect(anchorHash.slice(0, 16)).toBe(golden[method.name]);
  });

  test.each([
    ["qsr", 5, "9081f66e821d7361"],
    ["late-merge", 9, "3831328d8c181bac"],
  ])("%s as its rounds change length", async (name, rounds, hash) => {
    const course = fallingCourse(methodOf(name), setting.tokens);
    const trained = await train(course, setting, arithmeticTrainers(4));
    expect([trained.rounds, trained.anchorHash.slice(0, 16)]).toEqual([rounds, hash]);
  });
});
