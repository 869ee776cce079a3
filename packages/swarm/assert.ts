/** Our own mistake: stop at once, before it reaches the log. What a peer sends never comes here. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`bug: ${message}`);
}
