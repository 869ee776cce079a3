// What of the rivals' packages is used here: they are installed by the bench alone, so their own types are not at hand.
declare module "@jax-js/jax" {
  export type Device = "cpu" | "wasm" | "webgpu" | "webgl";
  type Operand = Array | number;
  type Index = number | [] | [number] | [number, number] | null | Array;

  /** Consumed by each use; `ref` keeps it for another. */
  export interface Array {
    readonly ref: this;
    readonly ndim: number;
    readonly shape: number[];
    add(other: Operand): Array;
    sub(other: Operand): Array;
    mul(other: Operand): Array;
    div(other: Operand): Array;
    sum(axis?: number): Array;
    mean(axis?: number, options?: { keepdims?: boolean }): Array;
    reshape(shape: number | number[]): Array;
    transpose(permutation?: number[]): Array;
    slice(...index: Index[]): Array;
    data(): Promise<Float32Array>;
    blockUntilReady(): Promise<Array>;
    dispose(): void;
  }

  export const numpy: {
    readonly int32: "int32";
    array(data: Float32Array | Int32Array, options?: { dtype?: "int32" }): Array;
    zeros(shape: number[]): Array;
    matmul(a: Array, b: Array): Array;
    concatenate(parts: Array[], axis?: number): Array;
    sqrt(a: Array): Array;
    square(a: Array): Array;
    reciprocal(a: Array): Array;
    minimum(a: Operand, b: Operand): Array;
    divide(a: Operand, b: Operand): Array;
  };
  export const nn: {
    silu(a: Array): Array;
    oneHot(a: Array, classes: number): Array;
    logsumexp(a: Array, axis?: number): Array;
    dotProductAttention(q: Array, k: Array, v: Array, options: { isCausal: boolean }): Array;
  };
  export function init(...devices: Device[]): Promise<Device[]>;
  export function defaultDevice(device: Device): Device;
  export function blockUntilReady<T>(tree: T): Promise<T>;
  export function jit<A extends unknown[], R>(f: (...args: A) => R): ((...args: A) => R) & { dispose(): void };
  export function valueAndGrad<T>(f: (argument: T) => Array): (argument: T) => [Array, T];
}

declare module "@tensorflow/tfjs-core" {
  export interface Tensor {
    readonly shape: number[];
    data(): Promise<Float32Array>;
    dispose(): void;
  }
  type Operand = Tensor | number;
  type Gradient = (dy: Tensor) => Tensor;

  export function setBackend(name: string): Promise<boolean>;
  export function tidy<T>(work: () => T): T;
  export function tensor1d(data: Float32Array | Int32Array, dtype?: "int32"): Tensor;
  export function tensor2d(data: Float32Array, shape: [number, number]): Tensor;
  export function tensor3d(data: Float32Array, shape: [number, number, number]): Tensor;
  export function zerosLike(a: Tensor): Tensor;
  export function cast(a: Tensor, dtype: "float32"): Tensor;
  export function oneHot(ids: Tensor, depth: number): Tensor;
  export function gather(table: Tensor, ids: Tensor): Tensor;
  export function reshape(a: Tensor, shape: number[]): Tensor;
  export function transpose(a: Tensor, permutation: number[]): Tensor;
  export function concat(parts: Tensor[], axis?: number): Tensor;
  export function split(a: Tensor, sizes: number | number[], axis?: number): Tensor[];
  export function slice(a: Tensor, begin: number[], size: number[]): Tensor;
  export function add(a: Operand, b: Operand): Tensor;
  export function sub(a: Operand, b: Operand): Tensor;
  export function mul(a: Operand, b: Operand): Tensor;
  export function div(a: Operand, b: Operand): Tensor;
  export function minimum(a: Operand, b: Operand): Tensor;
  export function square(a: Tensor): Tensor;
  export function sqrt(a: Tensor): Tensor;
  export function rsqrt(a: Tensor): Tensor;
  export function sigmoid(a: Tensor): Tensor;
  export function softmax(a: Tensor): Tensor;
  export function sum(a: Tensor): Tensor;
  export function mean(a: Tensor, axis: number, keepDims: boolean): Tensor;
  export function matMul(a: Tensor, b: Tensor, transposeA?: boolean, transposeB?: boolean): Tensor;
  export const losses: { softmaxCrossEntropy(labels: Tensor, logits: Tensor): Tensor };
  export function customGrad(f: (a: Tensor, save: unknown) => { value: Tensor; gradFunc: Gradient }): Gradient;
  export function valueAndGrads(
    f: (...args: Tensor[]) => Tensor,
  ): (args: Tensor[]) => { value: Tensor; grads: Tensor[] };
}

declare module "@tensorflow/tfjs-core/dist/register_all_gradients";
declare module "@tensorflow/tfjs-backend-webgpu";
declare module "@tensorflow/tfjs-backend-wasm" {
  export function setWasmPaths(prefix: string): void;
  export function setThreadsCount(count: number): void;
}
