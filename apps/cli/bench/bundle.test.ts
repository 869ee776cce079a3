import { isBuiltin } from "node:module";
import { expect, test } from "vitest";
import { presets } from "#wire";
import { bundleScript } from "./bundle.ts";
import { SHAPE_NAMES, wishOf } from "./engine-report.ts";

test("the bundled bench is one script that imports nothing but Node's own modules", async () => {
  const script = await bundleScript();
  const imported = [...script.matchAll(/^\s*(?:import|export)\b[^"';]*?from\s*"([^"]+)"|^import\s*"([^"]+)"/gm)].map(
    ([, from, bare]) => from ?? bare,
  );
  expect(imported).toContain("node:path");
  expect(imported.filter((name) => !isBuiltin(name))).toEqual([]);
  expect(script).toContain("@workgroup_size"); // the kernels are in it
});

test("a shape's name is a preset's or a known model's; its microbatch can be another", () => {
  const flags = { steps: 3, profile: false, device: false };
  const { model, inner } = presets.nano;
  expect(wishOf({ ...flags, shape: "nano" })).toMatchObject({ model, microbatch: inner.windowsPerStep });
  expect(wishOf({ ...flags, shape: "gpt2-small", microbatch: 2, device: true, matmul: 64 })).toMatchObject({
    model: { layers: 12, vocabSize: 50_257 },
    microbatch: 2,
    device: { matmulSize: 64 },
  });
  expect(SHAPE_NAMES).toContain("gpt2-small");
});
