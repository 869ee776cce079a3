import { expect, test } from "vitest";
import {
  backendOf,
  donateHref,
  hostBaseOf,
  inviteOf,
  isKiosk,
  islandOf,
  placeOf,
  processorHref,
  roundHref,
  roundOf,
  watchHref,
} from "./places.ts";

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
  ["http://host/", "http://host"],
  ["http://host:7070/watch?run=a", "http://host:7070"],
  ["https://host/swarm/", "https://host/swarm"],
  ["https://host/swarm", "https://host/swarm"],
  ["https://host/swarm/watch/", "https://host/swarm"],
  ["https://host/a/b/index.html", "https://host/a/b"],
])("the page at %s is served by the host at %s", (address, base) => {
  expect(hostBaseOf(new URL(address))).toBe(base);
  expect(new URL(donateHref("default"), `${base}/watch`).href).toBe(`${base}/`);
  expect(new URL(watchHref("default"), `${base}/`).href).toBe(`${base}/watch`);
});

test("an invitation's code is taken out of the address, and all else stays", () => {
  const code = "AbCdEfGhIjKlMnOpQrStU_";
  const link = new URL(`http://host/swarm/?run=ab&invite=${code}&backend=wasm#key`);
  expect(inviteOf(link)).toEqual({ invite: code, without: "/swarm/?run=ab&backend=wasm#key" });
  expect(inviteOf(new URL("http://host/"))).toEqual({ invite: null, without: "/" });
  expect(inviteOf(new URL("http://host/?invite="))).toEqual({ invite: null, without: "/" });
});

test.each([
  ["/?backend=wasm", "wasm"],
  ["/?backend=webgpu&run=ab", "webgpu"],
  ["/?backend=vulkan", null],
  ["/", null],
] as const)("%s asks for %s", (address, backend) => {
  expect(backendOf(new URL(address, "http://host"))).toBe(backend);
});

test("an address names a round of the past, and live again", () => {
  const url = new URL("http://host/watch?run=ab&round=7");
  expect(roundOf(url)).toBe(7);
  expect(roundHref(url, 9)).toBe("/watch?run=ab&round=9");
  expect(roundHref(url, null)).toBe("/watch?run=ab");
  for (const nonsense of ["0", "-1", "x", "1.5", ""])
    expect(roundOf(new URL(`http://host/?round=${nonsense}`))).toBeNull();
  expect([isKiosk(new URL("http://host/watch?kiosk")), isKiosk(url)]).toEqual([true, false]);
});

test.each([
  ["/?island=seek", 2],
  ["/?island=4", 4],
  ["/?island=1", null],
  ["/?island=5", null],
  ["/?island=2.5", null],
  ["/", null],
] as const)("%s wishes an island of %s", (address, ranks) => {
  expect(islandOf(new URL(address, "http://host"))).toBe(ranks);
});
