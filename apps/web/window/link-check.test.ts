import { afterEach, expect, test, vi } from "vitest";
import { checkLink } from "./link-check.ts";

afterEach(() => vi.unstubAllGlobals());

const STUN = "stun:host.example:7070";
const offers = (offer: object, status = 200) =>
  vi.stubGlobal("fetch", async () => new Response(JSON.stringify(offer), { status }));

/** A browser whose candidates are of these types, in turn; then no more. */
function gathers(...types: string[]) {
  class FakeConnection {
    onicecandidate: (event: { candidate: { type: string } | null }) => void = () => {};
    createDataChannel() {}
    async setLocalDescription() {
      for (const type of types) this.onicecandidate({ candidate: { type } });
      this.onicecandidate({ candidate: null });
    }
    close() {}
  }
  vi.stubGlobal("RTCPeerConnection", FakeConnection);
}

test.each([
  ["UDP comes back", { stun: STUN, turn: true, relay: true }, ["host", "srflx"], false, "direct"],
  ["it does not, and there is TURN", { stun: STUN, turn: true, relay: true }, ["host"], false, "turn"],
  ["it does not, and the host relays", { stun: STUN, turn: false, relay: true }, ["host"], false, "relayed"],
  ["it does not, and nothing helps", { stun: STUN, turn: false, relay: false }, ["host"], false, "none"],
  ["the host has no STUN", { stun: null, turn: false, relay: true }, ["srflx"], false, "relayed"],
  ["the person hides the address", { stun: STUN, turn: true, relay: true }, ["srflx"], true, "turn"],
] as const)("%s", async (_, offer, candidates, relayOnly, expected) => {
  offers(offer);
  gathers(...candidates);
  expect(await checkLink("https://host.example", relayOnly)).toBe(expected);
});

test("on the host's own machine, and without WebRTC", async () => {
  offers({ stun: "stun:localhost:7070", turn: false, relay: true });
  gathers("host");
  expect(await checkLink("http://localhost:7070", false)).toBe("direct");
  vi.stubGlobal("RTCPeerConnection", undefined);
  expect(await checkLink("http://localhost:7070", false)).toBe("relayed");
});

test("a host that does not say is no answer", async () => {
  offers({}, 500);
  await expect(checkLink("https://host.example", false)).rejects.toThrow("500");
  offers({ stun: 3 });
  await expect(checkLink("https://host.example", false)).rejects.toThrow();
});
