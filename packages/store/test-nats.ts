// A NATS server of a test's own: any free port, a folder that goes with it. Imported by tests only.
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface NatsServer {
  readonly port: number;
  /** Of a cluster with that name. */
  url(name?: string): string;
  /** kill -9; `again` starts one with the same port and store. */
  kill(): Promise<void>;
  again(): Promise<void>;
  close(): Promise<void>;
}

interface Running {
  readonly port: number;
  end(signal: NodeJS.Signals): Promise<void>;
}

const MISSING = "This test needs a NATS server: apt-get install nats-server (or put nats-server into the PATH).";

function start(folder: string, port: number, more: readonly string[]): Promise<Running> {
  const child = spawn("nats-server", ["-a", "127.0.0.1", "-p", String(port), "-sd", folder, ...more], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const stop = () => void child.kill("SIGKILL"); // a test that fails closes nothing
  process.once("exit", stop);
  void ended.then(() => process.off("exit", stop));
  return new Promise((resolve, reject) => {
    let said = "";
    child.once("error", (error: NodeJS.ErrnoException) => reject(error.code === "ENOENT" ? new Error(MISSING) : error));
    child.stderr.on("data", (chunk: Buffer) => {
      said += chunk.toString();
      const heard = /Listening for client connections on 127\.0\.0\.1:(\d+)/.exec(said)?.[1];
      if (heard === undefined || !said.includes("Server is ready")) return;
      resolve({
        port: Number(heard),
        async end(signal) {
          child.kill(signal);
          await ended;
        },
      });
    });
    void ended.then(() => reject(new Error(`nats-server ended: ${said}`)));
  });
}

export async function startNats({ jetStream = true, more = [] as readonly string[] } = {}): Promise<NatsServer> {
  const folder = await mkdtemp(join(tmpdir(), "gossamer-nats-"));
  const options = jetStream ? ["-js", ...more] : more;
  let running = await start(folder, -1, options);
  const { port } = running;
  return {
    port,
    url: (name = "gossamer") => `nats://127.0.0.1:${port}/${name}`,
    kill: () => running.end("SIGKILL"),
    async again() {
      running = await start(folder, port, options);
    },
    async close() {
      await running.end("SIGTERM");
      await rm(folder, { recursive: true, force: true });
    },
  };
}
