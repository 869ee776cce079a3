import { bytesToHex } from "@noble/hashes/utils.js";
import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeCheckpointSection, encodeCheckpointSection, genesisState, sectionsOf, stateFrom } from "./index.ts";
import { noise, tinySpec } from "./test-given.ts";

test("the bytes are golden", () => {
  expect(bytesToHex(encodeCheckpointSection("velocity", 258, Float32Array.of(1, -0, -2)))).toBe(
    "47434b500100010002010000030000000000803f00000000000000c0",
  );
});

test("round trip, from an odd address too", () => {
  const values = noise(1, 1000);
  const bytes = encodeCheckpointSection("parameters", 7, values);
  const odd = new Uint8Array(bytes.length + 1);
  odd.set(bytes, 1);
  expect(decodeCheckpointSection(odd.subarray(1))).toEqual({ name: "parameters", round: 7, values });
  expect(decodeCheckpointSection(encodeCheckpointSection("velocity", 0, new Float32Array()))).toEqual({
    name: "velocity",
    round: 0,
    values: new Float32Array(),
  });
});

test.each([
  ["magic", 0, "not a checkpoint section: wrong magic"],
  ["version", 4, "checkpoint version 255 is unknown; this build reads 1"],
  ["section", 6, "section 255 is unknown"],
  ["floats", 12, "28 bytes, but the header says 255 floats"],
  ["last byte", 28, "28 bytes"],
])("wrong %s is answered in words", (_, place, reason) => {
  const bytes = encodeCheckpointSection("parameters", 7, noise(1, 3));
  const changed = place === 28 ? bytes.subarray(0, 27) : bytes;
  if (place < 28) changed[place] = 255;
  expect(decodeCheckpointSection(changed)).toMatch(place === 28 ? /^27 bytes/ : reason);
});

test("a value that is not finite: refused in both directions", () => {
  expect(() => encodeCheckpointSection("velocity", 1, Float32Array.of(0, Number.NaN))).toThrow(/velocity\[1\]/);
  const bytes = encodeCheckpointSection("velocity", 1, Float32Array.of(0, 0));
  new DataView(bytes.buffer).setFloat32(20, Number.POSITIVE_INFINITY, true);
  expect(decodeCheckpointSection(bytes)).toBe("velocity[1] is Infinity");
});

test("any bytes: never an exception", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (junk) => typeof decodeCheckpointSection(junk) === "string"));
});

test.each([
  ["diloco", ["parameters", "velocity"]],
  ["fedadam", ["parameters", "variance", "velocity"]],
] as const)("a state of %s comes back from its sections, and from nothing less", (method, names) => {
  const { outer, ...rest } = tinySpec();
  const spec = { ...rest, outer: { ...outer, method, ...(method === "fedadam" && { beta2: 0.99, tau: 1e-3 }) } };
  const state = genesisState(spec);
  state.velocity.fill(0.5);
  state.variance?.fill(0.25);
  const blobs = sectionsOf(state).map(({ name, values }) => encodeCheckpointSection(name, 4, values));
  expect(sectionsOf(state).map(({ name }) => name)).toEqual(names);
  expect(stateFrom(spec, 4, [...blobs].reverse())).toEqual(state);
  expect(stateFrom(spec, 5, blobs)).toBe("parameters is of round 4, not 5");
  expect(stateFrom(spec, 4, blobs.slice(1))).toBe("parameters is missing");
  expect(stateFrom(spec, 4, [...blobs, blobs[0]])).toBe("this run has no parameters, or it is there twice");
  const short = encodeCheckpointSection("velocity", 4, new Float32Array(3));
  expect(stateFrom(spec, 4, [blobs[0], short])).toMatch(/^velocity has 3 floats, not \d+$/);
});
