import { expect, test } from "vitest";
import { backendOf, donateHref, placeOf, processorHref, watchHref } from "./places.ts";

test("an address names place and run, and back", () => {
  for (const runName of ["default", "ab".repeat(32), "a&b=c"]) {
    expect(placeOf(new URL(watchHref(runName), "http://host"))).toEqual({ place: "watch", runName });
    expect(placeOf(new URL(donateHref(runName), "http://host"))).toEqual({ place: "donate", runName });
    const processor = new URL(processorHref(runName), "http://host");
    expect(placeOf(processor)).toEqual({ place: "donate", runName });
    expect(backendOf(processor)).toBe("wasm");
  }
  expect(placeOf(new URL("http://host/watch/")).place).toBe("watch");
  expect(placeOf(new URL("http://host/watching")).place).toBe("donate");
});

test.each([
  ["/?backend=wasm", "wasm"],
  ["/?backend=webgpu&run=ab", "webgpu"],
  ["/?backend=vulkan", null],
  ["/", null],
] as const)("%s asks for %s", (address, backend) => {
  expect(backendOf(new URL(address, "http://host"))).toBe(backend);
});
