// Matrix products alone, in as many threads as an engine would take, each ready to be timed.
import type { MatmulShape } from "../bench.ts";
import { Arena, CONTROL_AT } from "./arena.ts";
import { findCpu } from "./cpu.ts";
import { kernelModule } from "./kernels.ts";
import { MATMUL_SCRATCH_BYTES, matmul } from "./program.ts";
import { type Command, Threads } from "./threads.ts";

export class WasmMatmulBench {
  readonly #opened: Promise<Threads>[] = [];

  /** The product of fixed operands. `run` computes it `times` times, and waits for the last. */
  matmul(shape: MatmulShape): { run(times: number): Promise<void>; free(): void } {
    const opening = open(shape);
    this.#opened.push(opening);
    return {
      async run(times) {
        await (await opening).call(Array.from({ length: times }, (): Command => ({ run: "matmul" })));
      },
      free: () => void opening.then((threads) => threads.end()),
    };
  }

  destroy(): void {
    for (const opening of this.#opened) void opening.then((threads) => threads.end());
  }
}

async function open({ form, M, N, K }: MatmulShape): Promise<Threads> {
  const cpu = findCpu();
  if (!cpu) throw new Error("WebAssembly has no SIMD here");
  const arena = new Arena();
  const scratch = Array.from({ length: cpu.threads }, (_, i) => `scratch.${i}`);
  for (const name of scratch) arena.want(name, MATMUL_SCRATCH_BYTES / 4, "thread");
  const operands = { a: M * K, b: N * K, c: M * N };
  for (const [name, floats] of Object.entries(operands)) arena.want(name, floats, "model");
  const at = (name: keyof typeof operands, columns: number) => ({ at: arena.at(name), columns });
  const given = { a: at("a", form === "tn" ? M : K), b: at("b", form === "nt" ? K : N), c: at("c", N) };
  const bytes = kernelModule({ pages: arena.pages, shared: cpu.threads > 1, relaxed: cpu.relaxed });
  const threads = await Threads.open({
    module: await WebAssembly.compile(bytes),
    pages: arena.pages,
    control: CONTROL_AT,
    scratch: scratch.map((name) => arena.at(name)),
    programs: { matmul: [[matmul(form, given, [M, N, K])]] },
  });
  const noise = (floats: number) => Float32Array.from({ length: floats }, (_, i) => 0.1 * Math.sin(12.9898 * i)).buffer;
  await threads.call([
    { write: arena.at("a"), data: noise(M * K) },
    { write: arena.at("b"), data: noise(N * K) },
  ]);
  return threads;
}
