// SwiGLU's elementwise part, and the embedding.
//
//   swiglu-forward    gateUp (N, 2F) -> h (N, F)                    h = silu(gate) · up
//   swiglu-backward   gateUp, dh (N, F) -> dgateUp (N, 2F)
//   embedding-forward ids (N), weight (V, C) -> y (N, C)            embedding-backward   ids, dy (N, C) -> dweight (V, C), added to
//
// Tasks are rows, but of embedding-backward columns: rows of the table meet no other task.
import { f32x4, i32, type Module, v128 } from "./assembler.ts";
import { alongRow, rowsOfTask, sigmoid } from "./vector.ts";

export function defineSwiglu(module: Module): void {
  // gateUp's halves and h are F floats wide.
  module.define(
    "swiglu-forward",
    ["i32", "i32", "i32", "i32", "i32", "i32"],
    (f, task, perTask, gateUp, h, rows, F) => {
      const width = f.int(i32.shl(F, 2));
      rowsOfTask(f, { task, perTask, rows }, (row) => {
        const gate = f.int(i32.add(gateUp, i32.mul(row, i32.shl(width, 1))));
        const up = f.int(i32.add(gate, width));
        const to = f.int(i32.add(h, i32.mul(row, width)));
        alongRow(f, width, (at) => {
          const x = f.vector(v128.load(i32.add(gate, at)));
          const silu = f32x4.mul(x, sigmoid(f, x));
          f.store(i32.add(to, at), f32x4.mul(silu, v128.load(i32.add(up, at))));
        });
      });
    },
  );

  module.define(
    "swiglu-backward",
    ["i32", "i32", "i32", "i32", "i32", "i32", "i32"],
    (f, task, perTask, gateUp, dh, dgateUp, rows, F) => {
      const width = f.int(i32.shl(F, 2));
      rowsOfTask(f, { task, perTask, rows }, (row) => {
        const gate = f.int(i32.add(gateUp, i32.mul(row, i32.shl(width, 1))));
        const up = f.int(i32.add(gate, width));
        const dgate = f.int(i32.add(dgateUp, i32.mul(row, i32.shl(width, 1))));
        const dup = f.int(i32.add(dgate, width));
        const from = f.int(i32.add(dh, i32.mul(row, width)));
        alongRow(f, width, (at) => {
          const x = f.vector(v128.load(i32.add(gate, at)));
          const d = f.vector(v128.load(i32.add(from, at)));
          const s = sigmoid(f, x);
          const slope = f32x4.mul(s, f32x4.add(f32x4.splat(1), f32x4.mul(x, f32x4.sub(f32x4.splat(1), s))));
          f.store(i32.add(dgate, at), f32x4.mul(f32x4.mul(d, v128.load(i32.add(up, at))), slope));
          f.store(i32.add(dup, at), f32x4.mul(d, f32x4.mul(x, s)));
        });
      });
    },
  );
}

export function defineEmbedding(module: Module): void {
  module.define(
    "embedding-forward",
    ["i32", "i32", "i32", "i32", "i32", "i32", "i32"],
    (f, task, perTask, ids, weight, y, rows, C) => {
      const width = f.int(i32.shl(C, 2));
      rowsOfTask(f, { task, perTask, rows }, (row) => {
        const from = i32.add(weight, i32.mul(i32.load(i32.add(ids, i32.shl(row, 2))), width));
        f.copy(i32.add(y, i32.mul(row, width)), from, width);
      });
    },
  );

  module.define(
    "embedding-backward",
    ["i32", "i32", "i32", "i32", "i32", "i32", "i32"],
    (f, task, perTask, ids, dy, dweight, rows, C) => {
      const width = f.int(i32.shl(C, 2));
      const first = f.int(i32.shl(i32.mul(task, perTask), 2));
      const bytes = f.int(i32.min(i32.shl(perTask, 2), i32.sub(width, first)));
      const row = f.int();
      f.for(row, 0, rows, 1, () => {
        const id = i32.load(i32.add(ids, i32.shl(row, 2)));
        const to = f.int(i32.add(i32.add(dweight, i32.mul(id, width)), first));
        const from = f.int(i32.add(i32.add(dy, i32.mul(row, width)), first));
        alongRow(f, bytes, (at) => {
          f.store(i32.add(to, at), f32x4.add(v128.load(i32.add(to, at)), v128.load(i32.add(from, at))));
        });
      });
    },
  );
}
