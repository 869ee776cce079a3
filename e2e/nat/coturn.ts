// coturn in the lab's public network, as an operator runs it beside a host: time-limited credentials from a shared secret.
import { type ChildProcess, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Lab, PUBLIC_ADDRESS, TURN_PORT } from "./lab.ts";

/** It listens within a tenth of it on an idle machine. */
const START_MS = 20_000;

export interface Coturn {
  /** What `--turn-secret-file` names. */
  readonly secretFile: string;
  readonly urls: { readonly udp: string; readonly tcp: string };
  /** Everything that it has logged. */
  log(): string;
}

/** @returns when it listens; it ends with the lab */
export async function startCoturn(lab: Lab, secret: string): Promise<Coturn> {
  const secretFile = join(lab.folder, "turn-secret");
  writeFileSync(secretFile, `${secret}\n`, { mode: 0o600 });
  const config = join(lab.folder, "turnserver.conf");
  writeFileSync(
    config,
    [
      `listening-ip=${PUBLIC_ADDRESS}`,
      `relay-ip=${PUBLIC_ADDRESS}`,
      `listening-port=${TURN_PORT}`,
      "realm=gossamer.lab",
      "use-auth-secret",
      `static-auth-secret=${secret}`,
      "fingerprint",
      "no-tls",
      "no-dtls",
      "no-cli",
      "no-multicast-peers",
      `userdb=${join(lab.folder, "turndb")}`,
      `pidfile=${join(lab.folder, "turn.pid")}`,
      "log-file=stdout",
      "verbose",
    ].join("\n"),
  );
  const [enter, ...words] = lab.enter("pub");
  const turn = spawn(enter, [...words, "turnserver", "-c", config], { stdio: ["ignore", "pipe", "pipe"] });
  const log = await untilListening(turn);
  const url = `turn:${PUBLIC_ADDRESS}:${TURN_PORT}?transport=`;
  return { secretFile, urls: { udp: `${url}udp`, tcp: `${url}tcp` }, log };
}

function untilListening(turn: ChildProcess): Promise<() => string> {
  let output = "";
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`coturn did not listen within ${START_MS} ms:\n${output}`)),
      START_MS,
    );
    const read = (chunk: Buffer): void => {
      output += chunk.toString();
      if (!/UDP listener opened on/.test(output)) return; // the last of its listeners
      clearTimeout(timer);
      resolve(() => output);
    };
    turn.stdout?.on("data", read);
    turn.stderr?.on("data", read);
    turn.once("error", reject);
    turn.once("exit", (code) => reject(new Error(`coturn ended with code ${code}:\n${output}`)));
  });
}
