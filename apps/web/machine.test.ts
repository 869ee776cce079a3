import { expect, test } from "vitest";
import { browserOf, type Machine, machineProblem, missingGpu } from "./machine.ts";

test.each([
  ["Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36", "chromium"],
  ["Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/150.0.0.0 Safari/537.36 Edg/150.0.0.0", "chromium"],
  ["Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", "firefox"],
  [
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15",
    "safari",
  ],
  [
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1",
    "safari",
  ],
  [
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/60.5 Safari/605.1.15",
    "other", // GNOME Web
  ],
  ["curl/8", "other"],
] as const)("%s is %s", (userAgent, browser) => {
  expect(browserOf(userAgent)).toBe(browser);
});

test("a machine that can, or that is being asked, has no problem", () => {
  const machine = { adapter: null, limits: null, browser: "other" } as const;
  const problemIn = (state: Machine["state"]) => machineProblem({ ...machine, state })?.code ?? null;
  expect((["checking", "ready", "insecure", "no-webgpu", "no-adapter"] as const).map(problemIn)).toEqual([
    null,
    null,
    "insecure-context",
    "no-webgpu",
    "no-adapter",
  ]);
});

test("where the processor stands in, the reason is told; where the person asked for it, or there is a GPU, there is none", () => {
  const machine = { state: "ready", adapter: null, limits: null, browser: "firefox" } as const;
  expect(missingGpu(machine)).toBeNull();
  expect(missingGpu({ ...machine, lacks: "no-webgpu" })).toMatchObject({
    code: "no-webgpu",
    remedy: expect.stringContaining("Update Firefox"),
  });
  expect(missingGpu({ ...machine, lacks: "no-adapter" })?.code).toBe("no-adapter");
});
