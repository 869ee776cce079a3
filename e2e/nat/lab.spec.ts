// The lab itself: what everything else here, and the benches that use it, rest on.
import { spawnSync } from "node:child_process";
import { expect, test } from "@playwright/test";
import { Lab, shapedLine } from "./lab.ts";
import { plainUdp } from "./plain-udp.ts";

const namespaces = (): string[] => spawnSync("ip", ["netns", "list"], { encoding: "utf8" }).stdout.split("\n");

test("a shaped line has the rate, the delay and the losses that it says, and nothing is left of its lab", async () => {
  const lab = await Lab.open({ A: { nat: "cone", line: shapedLine(0.01) }, B: { nat: "cone" } });
  try {
    const { rttMs, mbit } = await plainUdp(lab, "homeA", 24, 3);
    const { packets, lost, dropped } = (await lab.lineCounts("A")).there;
    console.log(`plain UDP: ${mbit.toFixed(2)} Mbit/s, ${rttMs.toFixed(1)} ms, ${lost} of ${packets} packets lost`);
    expect(rttMs).toBeGreaterThan(40);
    expect(rttMs).toBeLessThan(60);
    expect(mbit).toBeLessThan(20);
    expect(mbit).toBeGreaterThan(18);
    expect(lost / packets).toBeGreaterThan(0.005);
    expect(lost / packets).toBeLessThan(0.015);
    expect(dropped).toBeGreaterThan(0); // more was sent than the line takes
  } finally {
    await lab.close();
  }
  expect(namespaces().filter((name) => name.startsWith(lab.name))).toEqual([]);
});
