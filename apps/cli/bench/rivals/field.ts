// Who takes part.
export interface Entrant {
  readonly name: string;
  readonly page: PageName;
  readonly ours: boolean;
  readonly backend: "webgpu" | "wasm";
}

export type PageName = "ours-webgpu" | "ours-wasm" | "jax-webgpu" | "jax-wasm" | "tfjs-webgpu" | "tfjs-wasm";

export const FIELD: readonly Entrant[] = [
  { name: "Gossamer WebGPU", page: "ours-webgpu", ours: true, backend: "webgpu" },
  { name: "jax-js WebGPU", page: "jax-webgpu", ours: false, backend: "webgpu" },
  { name: "TensorFlow.js WebGPU", page: "tfjs-webgpu", ours: false, backend: "webgpu" },
  { name: "Gossamer wasm", page: "ours-wasm", ours: true, backend: "wasm" },
  { name: "jax-js wasm", page: "jax-wasm", ours: false, backend: "wasm" },
  { name: "TensorFlow.js wasm", page: "tfjs-wasm", ours: false, backend: "wasm" },
];
