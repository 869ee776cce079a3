import { expect, test } from "vitest";
import { findHost } from "./find-host.ts";

const OWN = "https://page.example";
const THERE = "https://signal.example";

/** A network in which these origins have a run; other origins refuse the page (no CORS), which fetch rejects. */
const network = (...origins: string[]) =>
  (async (url: string) => {
    if (!origins.includes(new URL(url).origin)) throw new TypeError("Failed to fetch");
    return Response.json([]);
  }) as typeof fetch;

test.each([
  ["no other host: the one that served the page", "", [], { base: OWN, room: null }],
  [
    "the other host has a run: everything goes there",
    "wss://signal.example/signal",
    [THERE, OWN],
    { base: THERE, room: null },
  ],
  [
    "the other host only signals: the run is where the page came from",
    "wss://signal.example/signal",
    [OWN],
    { base: OWN, room: "wss://signal.example/signal" },
  ],
  [
    "nobody answers: the one that the page was built for",
    "wss://signal.example/signal",
    [],
    { base: THERE, room: null },
  ],
])("%s", async (_name, signal, origins, expected) => {
  expect(await findHost(signal, OWN, network(...origins))).toEqual(expected);
});
