import { expect, test } from "vitest";
import { energyOf } from "./energy.ts";
import { processor, software } from "./fixtures.ts";

const gpu = (vendor: string) =>
  ({ backend: "webgpu", vendor, architecture: "", description: "", isFallback: false }) as const;

test("an hour of a kind of device is its watts; a phone is no desktop, a software adapter is the processor", () => {
  expect(energyOf(gpu("nvidia"), 3_600_000)).toEqual({ wattsMin: 30, wattsMax: 450, kWhMin: 0.03, kWhMax: 0.45 });
  expect(energyOf(gpu("qualcomm"), 3_600_000).wattsMax).toBeLessThan(energyOf(gpu("intel"), 3_600_000).wattsMax);
  expect(energyOf(software, 1)).toEqual(energyOf(processor, 1));
  expect(energyOf(gpu(""), 0)).toMatchObject({ kWhMin: 0, kWhMax: 0 });
});
