import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { describe, expect, test } from "vitest";
import { addressOf, arrive, basePathFault, belowBase, limitKeyOf, proxyFault, trustIn } from "./arrival.ts";

function arrived(from: string, headers: IncomingHttpHeaders, proxies: readonly string[]) {
  const request = { socket: { remoteAddress: from }, headers: { host: "10.0.0.5:7070", ...headers } };
  arrive(request as unknown as IncomingMessage, trustIn(proxies));
  return { address: addressOf(request as unknown as IncomingMessage), host: request.headers.host };
}

const forwarded = {
  "x-forwarded-for": "203.0.113.9",
  "x-forwarded-host": "swarm.example",
  "x-forwarded-proto": "https",
};

describe("behind a proxy", () => {
  test("a trusted one says who the client is, and under which name it came", () => {
    expect(arrived("10.0.0.2", forwarded, ["10.0.0.0/8"])).toEqual({ address: "203.0.113.9", host: "swarm.example" });
    expect(arrived("::ffff:127.0.0.1", forwarded, ["loopback"])).toEqual({
      address: "203.0.113.9",
      host: "swarm.example",
    });
  });

  test("anybody else's word counts for nothing", () => {
    for (const proxies of [[], ["10.0.0.0/8"]])
      expect(arrived("198.51.100.7", forwarded, proxies)).toEqual({ address: "198.51.100.7", host: "10.0.0.5:7070" });
  });

  test("a client that forges the header is found behind the proxies that are trusted", () => {
    const headers = { ...forwarded, "x-forwarded-for": "127.0.0.1, 192.0.2.44, 10.0.0.3" };
    expect(arrived("10.0.0.2", headers, ["10.0.0.0/8"]).address).toBe("192.0.2.44");
  });

  test("a proxy that only terminates TLS leaves the Host header: the default port of its scheme goes", () => {
    const headers = { host: "swarm.example:443", "x-forwarded-proto": "https" };
    expect(arrived("127.0.0.1", headers, ["loopback"])).toEqual({ address: "127.0.0.1", host: "swarm.example" });
    expect(arrived("127.0.0.1", { host: "swarm.example:8443" }, ["loopback"]).host).toBe("swarm.example:8443");
  });

  test.each([
    ["127.0.0.1", true],
    ["10.0.0.0/8", true],
    ["2001:db8::/32", true],
    ["uniquelocal", true],
    ["everybody", false],
    ["10.0.0.0/99", false],
    ["", false],
  ])("%s: an address is %s", (proxy, good) => {
    expect(proxyFault(proxy) === undefined).toBe(good);
  });
});

test.each([
  ["203.0.113.9", "203.0.113.9"],
  ["2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"],
  ["2001:0db8:1:2::7", "2001:db8:1:2::/64"],
  ["::1", "0:0:0:0::/64"],
  ["fe80::1%eth0", "fe80:0:0:0::/64"],
  ["", ""],
])("limits count %s as %s", (address, key) => {
  expect(limitKeyOf(address)).toBe(key);
});

test.each([
  ["/swarm/watch?run=a", "/swarm", "/watch?run=a"],
  ["/swarm/", "/swarm", "/"],
  ["/swarm", "/swarm", "redirect"],
  ["/swarm?run=a", "/swarm", "redirect"],
  ["/swarming", "/swarm", undefined],
  ["/", "/swarm", undefined],
  ["/watch", "", "/watch"],
])("%s below %s is %s", (url, base, rest) => {
  expect(belowBase(url, base)).toBe(rest);
});

test.each([
  ["/swarm", true],
  ["/a/b-c", true],
  ["/swarm/", true],
  ["swarm", false],
  ["/", false],
  ["/../x", false],
  ["/a?b", false],
  ["//evil.example", false],
])("%s as a base path: %s", (path, good) => {
  expect(basePathFault(path) === undefined).toBe(good);
});
