import { expect, test } from "vitest";
import { isAway, wayOf } from "./ways.ts";

const built = { cache: "1", shell: ["/", "/icon.svg", "/assets/index-1.js"], assets: ["/assets/donor-1.js"] };
const ways =
  (scope: string) =>
  (path: string, mode: RequestMode = "cors", method = "GET") =>
    wayOf({ url: new URL(path, scope).href, mode, method }, scope, built);

test.each([
  ["./", "navigate", "page"],
  ["./?run=abc", "navigate", "page"],
  ["./watch?kiosk", "navigate", "page"],
  ["./icon.svg", "cors", "fixed"],
  ["./assets/index-1.js", "cors", "asset"],
  ["./assets/donor-1.js", "cors", "asset"],
  ["./assets/donor-2.js", "cors", undefined], // another build's
  ["./", "cors", "fixed"],
  ["./api/runs/default/events", "cors", undefined],
  ["./api/blobs/ab", "navigate", undefined],
  ["https://elsewhere.example/assets/index-1.js", "cors", undefined],
] as const)("%s (%s): %s, at an origin's root and below it", (path, mode, way) => {
  for (const scope of ["https://host.example/", "https://host.example/gossamer/"])
    expect(ways(scope)(path, mode)).toBe(way);
});

test("what is no GET is never answered", () => {
  expect(ways("https://host.example/")("./", "navigate", "POST")).toBeUndefined();
});

test("a gateway without its host counts as no answer; a host that refuses does not", () => {
  expect([502, 503, 504].every(isAway)).toBe(true);
  expect([200, 304, 404, 421, 500].some(isAway)).toBe(false);
});
