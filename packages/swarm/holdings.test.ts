// What goes from a peer's store, and when.
import { expect, test } from "vitest";
import { Holdings } from "./holdings.ts";
import type { PeerOutput } from "./ports.ts";
import { RunState } from "./run-state.ts";
import { hash, run, spec } from "./test-given.ts";

test("[R20] what is read goes as soon as it is not read any more, whatever goes in between", () => {
  const out: PeerOutput[] = [];
  let inUse = new Set([hash("a"), hash("b")]);
  const holdings = new Holdings({
    log: new RunState({ run, spec }),
    emit: (...outputs) => out.push(...outputs),
    tell: () => {},
    inUse: () => inUse,
  });
  for (const name of ["a", "b", "c"]) holdings.fetched(hash(name));
  holdings.forget([hash("a"), hash("b")]);
  expect(out).toEqual([]);
  inUse = new Set([hash("b")]);
  holdings.forget([hash("c")]);
  expect(out).toEqual([{ type: "forget", hashes: [hash("a"), hash("c")] }]);
  inUse = new Set();
  holdings.released();
  expect(out.slice(1)).toEqual([{ type: "forget", hashes: [hash("b")] }]);
});
