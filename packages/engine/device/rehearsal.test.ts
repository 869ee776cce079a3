import { expect, test } from "vitest";
import { kernel } from "./kernel.ts";
import { MemoryPlan } from "./memory.ts";
import { slice } from "./plan.ts";
import { Rehearsal } from "./rehearsal.ts";

const add = kernel({
  label: "add",
  source: () => "",
  shape: { n: "u32" },
  bindings: { a: "read", b: "read", c: "write", d: "write" },
  workgroups: () => [1, 1, 1],
});

const plan = new MemoryPlan();
for (const name of ["a", "b", "c", "d"]) plan.want(name, 256, "scratch");
const memory = plan.blank();
const [a, b, c, d] = ["a", "b", "c", "d"].map((name) => memory.view(name));

test("uniforms of each plan are counted, and the widest range of each buffer is kept", () => {
  const rehearsal = new Rehearsal();
  const bytes = rehearsal.uniformBytesOf({
    one: (plan) => plan.add(add, { n: 1 }, { a, b: slice(b, 0, 128), c, d }),
    nothing: () => {},
    exchanging: (plan) => {
      const halves = { c: slice(c, 0, 64), d: slice(c, 64, 64) };
      plan.add(add, { n: 1 }, { a: slice(a, 64, 64), b: slice(a, 64, 64), ...halves });
      plan.add(add, { n: 1 }, { a, b, ...halves });
      plan.exchange({ from: a, to: b, late: false });
    },
  });
  expect(bytes).toBe(256 * (1 + 1 + 2 + 1)); // a plan without dispatches has a place, too
  expect([...rehearsal.widestByName]).toEqual([
    ["a", 256],
    ["b", 256],
    ["c", 256],
    ["d", 256],
  ]);
});

test.each([
  ["off the boundary", { a: slice(a, 32, 32), b, c, d }, 'kernel "add", binding "a": starts at float 32'],
  ["beyond the end", { a, b: slice(b, 192, 65), c, d }, 'binding "b": floats 192 to 257 of b are not all there'],
  ["nothing", { a, b: slice(b, 0, 0), c, d }, 'binding "b": floats 0 to 0'],
  ["read and written", { a, b, c: a, d }, 'binding "c": shares a with "a"'],
  ["read and written, apart", { a: slice(a, 0, 64), b, c: slice(a, 64, 64), d }, 'binding "c": shares a with "a"'],
  ["written twice", { a, b, c: slice(c, 0, 128), d: slice(c, 64, 64) }, 'binding "d": shares c with "c"'],
])("what WebGPU would refuse is named: %s", (_, views, message) => {
  expect(() => new Rehearsal().add(add, { n: 1 }, views)).toThrow(message);
});
