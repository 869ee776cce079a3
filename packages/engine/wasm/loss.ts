// Cross-entropy over rows of logits (rows, V padded to `stride` bytes), forward and backward in one pass over them.
//
//   losses[row] = lse - logits[target]        logits -> (softmax - onehot) · scale, padding 0, when `train`
//
// loss-sum adds the losses of the first `STEP.rows` rows to the report, in f64.
import { demote, f32, f32x4, f64, i32, type Local, type Module, v128 } from "./assembler.ts";
import { REPORT, STEP } from "./step.ts";
import { alongRow, exp, largest, rowsOfTask, total } from "./vector.ts";

/** Where padding columns go for the softmax: far below any logit, and finite. */
const NEVER = -1e30;

export function defineLoss(module: Module): void {
  module.define(
    "cross-entropy",
    ["i32", "i32", "i32", "i32", "i32", "i32", "i32", "i32", "i32", "i32"],
    (f, task, perTask, logits, targets, losses, step, rows, V, stride, train) => {
      const column = f.int();
      const columns = f.int(i32.shr(stride, 2));
      const pad = (value: number, row: Local<"i32">) =>
        f.for(column, V, columns, 1, () => f.store(i32.add(row, i32.shl(column, 2)), f32.const(value)));
      rowsOfTask(f, { task, perTask, rows }, (row) => {
        const start = f.int(i32.add(logits, i32.mul(row, stride)));
        pad(NEVER, start);
        const max = f.vector(v128.load(start));
        alongRow(f, stride, (at) => f.set(max, f32x4.max(max, v128.load(i32.add(start, at)))));
        const top = f.local("f32", largest(max));
        const goal = f.int(i32.add(start, i32.shl(i32.load(i32.add(targets, i32.shl(row, 2))), 2)));
        const wanted = f.local("f32", f32.load(goal));
        const sum = f.vector(v128.zero);
        alongRow(f, stride, (at) => {
          const e = exp(f, f32x4.sub(v128.load(i32.add(start, at)), f32x4.splat(top)));
          f.set(sum, f32x4.add(sum, e));
          f.if(train, () => f.store(i32.add(start, at), e));
        });
        const whole = f.local("f32", total(sum));
        const logSum = f32.add(top, demote(module.log(f64.promote(whole))));
        f.store(i32.add(losses, i32.shl(row, 2)), f32.sub(logSum, wanted));
        f.if(train, () => {
          const scale = f.local("f32", f32.load(step, STEP.scale));
          const factor = f.vector(f32x4.splat(f32.div(scale, whole)));
          alongRow(f, stride, (at) => {
            f.store(i32.add(start, at), f32x4.mul(v128.load(i32.add(start, at)), factor));
          });
          f.store(goal, f32.sub(f32.load(goal), scale));
          pad(0, start);
        });
      });
    },
  );

  // One task: a few thousand numbers.
  module.define("loss-sum", ["i32", "i32", "i32", "i32"], (f, _task, losses, step, report) => {
    const end = f.int(i32.add(losses, i32.shl(i32.load(step, STEP.rows), 2)));
    const at = f.int();
    const sum = f.local("f64", f64.load(report, REPORT.lossSum));
    f.for(at, losses, end, 4, () => f.set(sum, f64.add(sum, f64.promote(f32.load(at)))));
    f.store(report, sum, REPORT.lossSum);
  });
}
