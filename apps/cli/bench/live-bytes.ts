// What a Node process holds on to: what is left of its memory after a collection that its inspector forces. Resident memory says less: V8 gives pages
// back when it likes, so that it rises and falls by a half in a process that leaks nothing.
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { WebSocket } from "ws";

/** What the inspector itself says there. */
const INSPECTORS_OWN = /^(Debugger |For help, see: )/;

/**
 * The address of its inspector, of a process started with `--inspect=127.0.0.1:0`. Whatever else it says on its error output is passed on.
 * @throws Error when it ends without saying it
 */
export function inspectorOf(stderr: Readable): Promise<string> {
  const lines = createInterface({ input: stderr });
  return new Promise((resolve, reject) => {
    lines.on("line", (line) => {
      const url = /^Debugger listening on (ws:\S+)/.exec(line)?.[1];
      if (url !== undefined) resolve(url);
      else if (!INSPECTORS_OWN.test(line)) console.error(line);
    });
    lines.once("close", () => reject(new Error("the process ended before it named its inspector")));
  });
}

/** Bytes that are alive: of the JavaScript heap, and of buffers beside it. */
export async function liveBytes(inspector: string): Promise<number> {
  const socket = new WebSocket(inspector);
  await once(socket, "open");
  try {
    await call(socket, 1, "HeapProfiler.collectGarbage", {});
    const { result } = await call(socket, 2, "Runtime.evaluate", {
      expression: "(({ heapUsed, external }) => heapUsed + external)(process.memoryUsage())",
    });
    return (result as { value: number }).value;
  } finally {
    socket.close();
  }
}

async function call(socket: WebSocket, id: number, method: string, params: object): Promise<Record<string, unknown>> {
  const answered = new Promise<Record<string, unknown>>((resolve, reject) => {
    socket.on("message", (data) => {
      const answer = JSON.parse(String(data));
      if (answer.id === id) resolve(answer.result ?? {});
    });
    socket.once("close", () => reject(new Error(`the inspector is gone before it answered ${method}`)));
  });
  socket.send(JSON.stringify({ id, method, params }));
  return answered;
}
