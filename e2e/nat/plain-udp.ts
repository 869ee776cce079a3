// What plain UDP gets over a path of the lab: the yardstick for links over the same line.
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Lab, labFolder, type Place, PUBLIC_ADDRESS } from "./lab.ts";

export interface PlainUdp {
  readonly rttMs: number; //      the least of some, before the load
  readonly sent: number; //       packets
  readonly received: number;
  readonly mbit: number; //       payload that arrived, from the first packet to the last
}

const probe = (): string => join(labFolder(), "udp-probe.mjs");

/** From a home to the public address: offers `mbit` of IP packets for so many seconds. */
export async function plainUdp(lab: Lab, from: Place, mbit: number, seconds: number): Promise<PlainUdp> {
  const [enter, ...words] = lab.enter("pub");
  const sink = spawn(enter, [...words, process.execPath, probe(), "sink"], { stdio: ["ignore", "pipe", "inherit"] });
  try {
    const [port] = (await once(sink.stdout, "data")) as [Buffer];
    const [go, ...there] = lab.enter(from);
    const args = [
      ...there,
      process.execPath,
      probe(),
      "source",
      PUBLIC_ADDRESS,
      String(port).trim(),
      `${mbit}`,
      `${seconds}`,
    ];
    const { stdout } = await promisify(execFile)(go, args, { timeout: (seconds + 30) * 1e3 });
    return JSON.parse(stdout) as PlainUdp;
  } finally {
    sink.kill();
  }
}
