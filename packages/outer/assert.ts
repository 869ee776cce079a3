/** For what only our own bug can break. A peer's mistake is answered with a reason instead. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${message}`);
}
