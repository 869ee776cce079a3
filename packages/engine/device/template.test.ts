import { expect, test } from "vitest";
import { expand } from "./template.ts";

test("lines with variables are written out, in order, all others once", () => {
  const source = "a\nx$j$i = $ju + $iu;\nb";
  expect(expand(source, { repeat: { j: 2, i: 2 } }).split("\n")).toEqual([
    "a",
    "x00 = 0u + 0u;",
    "x01 = 0u + 1u;",
    "x10 = 1u + 0u;",
    "x11 = 1u + 1u;",
    "b",
  ]);
});

test("flags choose branches, constants follow the directives, comments go", () => {
  const source =
    "// what it is\n#if FAST\nenable subgroups;\n#end\nfn main() {\n#if FAST\n  fast();\n#else\n  slow();\n#end\n}";
  const constants = { ROWS: 16 };
  expect(expand(source, { constants, flags: { FAST: true } })).toBe(
    "enable subgroups;\nconst ROWS = 16u;\nfn main() {\n  fast();\n}",
  );
  expect(expand(source, { constants, flags: { FAST: false } })).toBe("const ROWS = 16u;\nfn main() {\n  slow();\n}");
});

test("what is stored is f16 or f32, and only sources that store say so", () => {
  const source = "#if QUADS\nenable subgroups;\n#end\nvar<storage> x: array<vec4<Stored>>;";
  const flags = { QUADS: true };
  expect(expand(source, { flags, half: true })).toBe(
    "enable f16;\nenable subgroups;\nalias Stored = f16;\nvar<storage> x: array<vec4<Stored>>;",
  );
  expect(expand(source, { flags })).toBe(
    "enable subgroups;\nalias Stored = f32;\nvar<storage> x: array<vec4<Stored>>;",
  );
  expect(expand("fn main() {}", { half: true })).toBe("fn main() {}");
});

test("an unknown flag is a mistake of ours", () => {
  expect(() => expand("#if OTHER\n#end", {})).toThrow('unknown flag "OTHER"');
});
