// Our engine as a peer drives it.
import { createEngine, createWebGpuEngine, MatmulBench, memoryTuning, WasmMatmulBench } from "#engine";
import type { Contestant } from "./contestant.ts";
import { STEP } from "./shapes.ts";

/** The best of so many rounds counts for each dispatch that is timed alone. */
const PROFILE_ROUNDS = 10;

export const oursWebGpu: Contestant = {
  async open({ model, B }, { weights, ids }) {
    const engine = await createWebGpuEngine({ model, microbatch: B });
    engine.load(weights);
    let matmuls: Promise<MatmulBench> | undefined;
    return {
      step: async () => (await engine.step([ids], STEP)).loss,
      async settle() {
        let through = false;
        void engine.tune(memoryTuning()).then(() => {
          through = true;
        });
        while (!through) await engine.step([ids], STEP);
        engine.load(weights);
        engine.resetMoments();
        await engine.step([ids], STEP);
      },
      async matmul(shape) {
        matmuls ??= MatmulBench.open();
        return (await matmuls).matmul(shape);
      },
      profile: async () => {
        const kernels = await engine.profile(PROFILE_ROUNDS);
        return Object.fromEntries(Object.entries(kernels).map(([label, { ms }]) => [label, ms]));
      },
    };
  },
};

export const oursWasm: Contestant = {
  async open({ model, B }, { weights, ids }) {
    const engine = await createEngine({ model, microbatch: B, backend: "wasm" });
    engine.load(weights);
    const matmuls = new WasmMatmulBench();
    return {
      step: async () => (await engine.step([ids], STEP)).loss,
      matmul: async (shape) => matmuls.matmul(shape),
    };
  },
};
