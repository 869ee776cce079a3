// RMSNorm with the residual addition before it (reference/rmsnorm.ts, K = 0 or 1).
//
//   forward    x = residual + partial      rstd = 1 / sqrt(mean(x²) + eps)      y = x · rstd · gamma
//   backward   dx = rstd (dy · gamma - x · rstd · projection / C), or added to dx: the gradient behind the norm      gamma   dgamma += Σ_rows dy · x · rstd
//
// Tasks of forward and backward are rows; those of gamma are columns, so that no two add to one number.
import { f32, f32x4, i32, type Module, v128 } from "./assembler.ts";
import { alongRow, rowsOfTask, total } from "./vector.ts";

export function defineRmsnorm(module: Module): void {
  // partial may be 0: nothing is added, and x is a copy of the residual.
  module.define(
    "rmsnorm-forward",
    ["i32", "i32", "i32", "i32", "i32", "i32", "i32", "i32", "i32", "i32", "f32"],
    (f, task, perTask, partial, residual, gamma, x, y, rstd, rows, C, eps) => {
      const width = f.int(i32.shl(C, 2));
      rowsOfTask(f, { task, perTask, rows }, (row) => {
        const start = f.int(i32.mul(row, width));
        const [from, added, to, normed] = [residual, partial, x, y].map((base) => f.int(i32.add(base, start)));
        const squares = f.vector(v128.zero);
        const one = f.vector();
        alongRow(f, width, (at) => {
          f.set(one, v128.load(i32.add(from, at)));
          f.if(partial, () => f.set(one, f32x4.add(one, v128.load(i32.add(added, at)))));
          f.store(i32.add(to, at), one);
          f.set(squares, f32x4.add(squares, f32x4.mul(one, one)));
        });
        const mean = f32.div(total(squares), f32.fromInt(C));
        const r = f.local("f32", f32.div(1, f32.sqrt(f32.add(mean, eps))));
        f.store(i32.add(rstd, i32.shl(row, 2)), r);
        alongRow(f, width, (at) => {
          const scaled = f32x4.mul(v128.load(i32.add(to, at)), f32x4.splat(r));
          f.store(i32.add(normed, at), f32x4.mul(scaled, v128.load(i32.add(gamma, at))));
        });
      });
    },
  );

  module.define(
    "rmsnorm-backward",
    ["i32", "i32", "i32", "i32", "i32", "i32", "i32", "i32", "i32", "i32"],
    (f, task, perTask, dy, x, rstd, gamma, dx, rows, C, add) => {
      const width = f.int(i32.shl(C, 2));
      rowsOfTask(f, { task, perTask, rows }, (row) => {
        const start = f.int(i32.mul(row, width));
        const [from, normed, to] = [dy, x, dx].map((base) => f.int(i32.add(base, start)));
        const along = f.vector(v128.zero);
        alongRow(f, width, (at) => {
          const scaled = f32x4.mul(v128.load(i32.add(from, at)), v128.load(i32.add(gamma, at)));
          f.set(along, f32x4.add(along, f32x4.mul(scaled, v128.load(i32.add(normed, at)))));
        });
        const r = f.local("f32", f32.load(i32.add(rstd, i32.shl(row, 2))));
        const projection = f32.div(f32.mul(f32.mul(total(along), r), r), f32.fromInt(C));
        const back = f.vector(f32x4.splat(projection));
        const own = f.vector();
        alongRow(f, width, (at) => {
          const scaled = f32x4.mul(v128.load(i32.add(from, at)), v128.load(i32.add(gamma, at)));
          const kept = f32x4.sub(scaled, f32x4.mul(v128.load(i32.add(normed, at)), back));
          f.set(own, f32x4.mul(kept, f32x4.splat(r)));
          f.if(add, () => f.set(own, f32x4.add(own, v128.load(i32.add(to, at)))));
          f.store(i32.add(to, at), own);
        });
      });
    },
  );

  module.define(
    "rmsnorm-gamma",
    ["i32", "i32", "i32", "i32", "i32", "i32", "i32", "i32"],
    (f, task, perTask, dy, x, rstd, dgamma, rows, C) => {
      const width = f.int(i32.shl(C, 2));
      const first = f.int(i32.shl(i32.mul(task, perTask), 2));
      const end = f.int(i32.min(i32.add(first, i32.shl(perTask, 2)), width));
      const [at, row] = [f.int(), f.int()];
      f.for(at, first, end, 16, () => {
        const to = f.int(i32.add(dgamma, at));
        const sum = f.vector(v128.load(to));
        const from = f.int(i32.add(dy, at));
        const normed = f.int(i32.add(x, at));
        f.for(row, 0, rows, 1, () => {
          const r = v128.loadSplat(i32.add(rstd, i32.shl(row, 2)));
          f.set(sum, f32x4.add(sum, f32x4.mul(f32x4.mul(v128.load(from), v128.load(normed)), r)));
          f.advance(from, width);
          f.advance(normed, width);
        });
        f.store(to, sum);
      });
    },
  );
}
