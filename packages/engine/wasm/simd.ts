// Which vectors this machine's WebAssembly has, found by asking it to validate one function that uses them.
import { f32x4, Module, v128 } from "./assembler.ts";

/** Relaxed SIMD multiplies and adds in one instruction (Node from 22 on, Chromium 114). Undefined: no SIMD at all. */
export function simdKind(): "relaxed" | "plain" | undefined {
  const compiles = (relaxed: boolean): boolean => {
    const probe = new Module();
    probe.define("probe", ["i32"], (f, at) => {
      const x = f.vector(v128.load(at));
      f.store(at, relaxed ? f32x4.relaxedMadd(x, x, x) : f32x4.mul(x, x));
    });
    return WebAssembly.validate(probe.bytes({ pages: 1, shared: false }));
  };
  if (typeof WebAssembly === "undefined" || !compiles(false)) return undefined;
  return compiles(true) ? "relaxed" : "plain";
}
