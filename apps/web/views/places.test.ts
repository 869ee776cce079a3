import { expect, test } from "vitest";
import { donateHref, placeOf, watchHref } from "./places.ts";

test("an address names place and run, and back", () => {
  for (const runName of ["default", "ab".repeat(32), "a&b=c"]) {
    expect(placeOf(new URL(watchHref(runName), "http://host"))).toEqual({ place: "watch", runName });
    expect(placeOf(new URL(donateHref(runName), "http://host"))).toEqual({ place: "donate", runName });
  }
  expect(placeOf(new URL("http://host/watch/")).place).toBe("watch");
  expect(placeOf(new URL("http://host/watching")).place).toBe("donate");
});
