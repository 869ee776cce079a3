// The end of a step over the flat vectors: norm of the gradient, clipping, AdamW (reference/adamw.ts), and the gradient back to zero.
//
//   squares   gradient -> one partial sum per task        grad-norm   partial sums -> norm and clip in the report        adamw   all four vectors
import { demote, f32, f32x4, f64, i32, type Local, type Module, v128 } from "./assembler.ts";
import { REPORT, STEP } from "./step.ts";
import { total } from "./vector.ts";

/** Moments below this are 0: numbers that decay for ever become denormals, which some processors take a hundred cycles for. */
const MOMENT_MIN = 1e-36;

export function defineOptimizer(module: Module): void {
  // n and perTask in floats, multiples of 16.
  module.define("squares", ["i32", "i32", "i32", "i32", "i32"], (f, task, perTask, x, partials, n) => {
    const first = f.int(i32.mul(task, perTask));
    const at = f.int();
    const end = f.int(i32.add(x, i32.shl(i32.min(i32.add(first, perTask), n), 2)));
    const sums = [0, 1, 2, 3].map(() => f.vector(v128.zero));
    const one = f.vector();
    f.for(at, i32.add(x, i32.shl(first, 2)), end, 64, () => {
      sums.forEach((sum, i) => {
        f.set(one, v128.load(at, 16 * i));
        f.set(sum, f32x4.add(sum, f32x4.mul(one, one)));
      });
    });
    const all = f.vector(f32x4.add(f32x4.add(sums[0], sums[1]), f32x4.add(sums[2], sums[3])));
    f.store(i32.add(partials, i32.shl(task, 2)), total(all));
  });

  module.define("grad-norm", ["i32", "i32", "i32", "i32", "i32"], (f, _task, partials, count, step, report) => {
    const at = f.int();
    const end = f.int(i32.add(partials, i32.shl(count, 2)));
    const sum = f.local("f64", f64.promote(0));
    f.for(at, partials, end, 4, () => f.set(sum, f64.add(sum, f64.promote(f32.load(at)))));
    const norm = f.local("f64", f64.sqrt(sum));
    f.store(report, norm, REPORT.gradNorm);
    const limit = f32.load(step, STEP.clipNorm);
    f.if(
      f32.lt(limit, demote(norm)),
      () => f.store(report, f32.div(limit, demote(norm)), REPORT.clip),
      () => f.store(report, f32.const(1), REPORT.clip),
    );
  });

  // Floats below `decayed` are matrices. n, perTask and decayed are multiples of 4.
  module.define(
    "adamw",
    ["i32", "i32", "i32", "i32", "i32", "i32", "i32", "i32", "i32", "i32"],
    (f, task, perTask, step, report, parameters, gradient, momentum, variance, n, decayed) => {
      const first = f.int(i32.mul(task, perTask));
      const end = f.int(i32.min(i32.add(first, perTask), n));
      const field = (name: keyof typeof STEP) => f.vector(v128.loadSplat(step, STEP[name]));
      const [rate, beta1, rest1, beta2, rest2] = [
        field("learningRate"),
        field("beta1"),
        field("beta1Rest"),
        field("beta2"),
        field("beta2Rest"),
      ];
      const [eps, correction1, correction2] = [field("eps"), field("correction1"), field("correction2")];
      const clip = f.vector(v128.loadSplat(report, REPORT.clip));
      const decay = field("weightDecay");
      const [at, i] = [f.int(), f.int()];
      const kept = (x: Local<"v128">) => f.set(x, v128.and(x, f32x4.greater(f32x4.abs(x), f32x4.splat(MOMENT_MIN))));
      const [g, m, v, p] = [f.vector(), f.vector(), f.vector(), f.vector()];
      f.for(i, first, end, 4, () => {
        f.if(i32.ge(i, decayed), () => f.set(decay, v128.zero)); // norms come after the matrices
        f.set(at, i32.shl(i, 2));
        f.set(g, f32x4.mul(v128.load(i32.add(gradient, at)), clip));
        f.set(m, f32x4.add(f32x4.mul(v128.load(i32.add(momentum, at)), beta1), f32x4.mul(g, rest1)));
        f.set(v, f32x4.add(f32x4.mul(v128.load(i32.add(variance, at)), beta2), f32x4.mul(f32x4.mul(g, g), rest2)));
        kept(m);
        kept(v);
        f.store(i32.add(momentum, at), m);
        f.store(i32.add(variance, at), v);
        f.set(p, v128.load(i32.add(parameters, at)));
        const root = f32x4.add(f32x4.sqrt(f32x4.mul(v, correction2)), eps);
        const direction = f32x4.div(f32x4.mul(m, correction1), root);
        f.store(i32.add(parameters, at), f32x4.sub(p, f32x4.mul(rate, f32x4.add(direction, f32x4.mul(decay, p)))));
        f.store(i32.add(gradient, at), v128.zero);
      });
    },
  );
}
