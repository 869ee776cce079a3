// What an offer and a seal cost where the CPU keeps the mark, and where the device does: in turn, over the same engine and the same parameters.
//
//   the CPU way      read all parameters, encode mark − local;       read them, add the new anchor, load them
//   the device way   encode there, read the update;                  load the new anchor, add there, read what is carried as an update
import { createWebGpuEngine, describeAdapter } from "#engine";
import { codecOf, type Decoded, parameterTable, Replica, readOwn, rebase } from "#outer";
import type { ModelShape, RunSpec } from "#wire";

export interface ExchangeWish {
  readonly model: ModelShape;
  readonly codec: RunSpec["outer"]["codec"];
  readonly rounds: number;
}

/** Medians over the rounds, and what crossed between CPU and device in one. */
export interface Crossing {
  readonly ms: number;
  readonly bytesDown: number;
  readonly bytesUp: number;
}

export interface ExchangeMeasurement {
  readonly adapter: string;
  readonly parameters: number;
  readonly codec: string;
  readonly updateBytes: number;
  readonly offer: Readonly<Record<Way, Crossing>>;
  readonly seal: Readonly<Record<Way, Crossing>>;
}

/** A load of one piece is queued at once, so that the device is idle when it is done. */
const ONE_PIECE = { pieceBytes: 2 ** 30 };

type Way = "cpu" | "device";

const traffic = { down: 0, up: 0 };
let counts = false;

function countTraffic(): void {
  if (counts) return;
  counts = true;
  const { mapAsync } = GPUBuffer.prototype;
  const { writeBuffer } = GPUQueue.prototype;
  GPUBuffer.prototype.mapAsync = function (this: GPUBuffer, ...given) {
    traffic.down += this.size;
    return mapAsync.apply(this, given);
  };
  GPUQueue.prototype.writeBuffer = function (this: GPUQueue, ...given: Parameters<GPUQueue["writeBuffer"]>) {
    traffic.up += (given[2] as ArrayBufferView).byteLength;
    return writeBuffer.apply(this, given);
  } as GPUQueue["writeBuffer"];
}

export async function measureExchange({ model, codec: name, rounds }: ExchangeWish): Promise<ExchangeMeasurement> {
  const found = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" });
  if (!found) throw new Error("WebGPU found no adapter");
  const devices: GPUDevice[] = [];
  const requestDevice = async (descriptor?: GPUDeviceDescriptor): Promise<GPUDevice> => {
    devices.push(await found.requestDevice(descriptor));
    return devices[0];
  };
  const { info, limits, features } = found;
  const adapter = { info, limits, features, requestDevice } as unknown as GPUAdapter;
  const codec = codecOf({ model, seed: 0, outer: { codec: name } as RunSpec["outer"] }).onDevice;
  if (!codec) throw new Error("the device makes no bodies of this codec");
  const engine = await createWebGpuEngine({ model, microbatch: 1, keepsMark: true, codec, adapter }, ONE_PIECE);
  const mark = engine.mark;
  if (!mark) throw new Error("the engine keeps no mark");
  const idle = () => devices[0].queue.onSubmittedWorkDone();
  const { length } = parameterTable(model);
  const anchor = Float32Array.from({ length }, (_, i) => 0.02 * Math.sin(12.9898 * i));
  const trained = anchor.map((value, i) => value - 1e-3 * Math.sin(78.233 * i));
  const next = anchor.map((value) => 0.999 * value);

  const times: Record<string, Crossing[]> = {};
  const timed = async (name: string, work: () => Promise<void>): Promise<void> => {
    await idle();
    [traffic.down, traffic.up] = [0, 0];
    const before = performance.now();
    await work();
    await idle();
    const ms = performance.now() - before;
    times[name] = [...(times[name] ?? []), { ms, bytesDown: traffic.down, bytesUp: traffic.up }];
  };
  countTraffic();
  let updateBytes = 0;
  for (let round = 0; round < rounds; round++) {
    const replica = new Replica(anchor);
    let sent: Decoded | undefined;
    engine.load(trained);
    await engine.read(); // behind the load, which may be of several pieces
    await timed("offer cpu", async () => {
      const local = await engine.read();
      const body = codec.encode(replica.toEncode(local));
      updateBytes = body.length;
      if (codec.feedback !== undefined) sent = readOwn(codec, body);
      replica.offered(local);
    });
    await timed("seal cpu", async () => {
      const local = await engine.read();
      engine.load(rebase(local, next, replica.sealed(next, true, sent)));
    });
    mark.set(anchor);
    engine.load(trained);
    await engine.read();
    await timed("offer device", async () => void (await mark.offer()));
    await timed("seal device", async () => void (await mark.sealed(next, { carries: true })));
  }
  engine.destroy();
  const of = (what: "offer" | "seal") => ({
    cpu: middle(times[`${what} cpu`]),
    device: middle(times[`${what} device`]),
  });
  const { vendor, architecture, description } = describeAdapter(found);
  return {
    adapter: [vendor, architecture, description].filter(Boolean).join(" "),
    parameters: length,
    codec: typeof name === "string" ? name : name.name,
    updateBytes,
    offer: of("offer"),
    seal: of("seal"),
  };
}

const middle = (crossings: readonly Crossing[]): Crossing =>
  [...crossings].sort((a, b) => a.ms - b.ms)[crossings.length >> 1];
