import fc from "fast-check";
import { expect, test } from "vitest";
import { FRAME_BYTES_MAX } from "./frames.ts";
import {
  decodeRelay,
  decodeRelayHello,
  encodeRelay,
  encodeRelayHello,
  RELAY_MESSAGE_BYTES_MAX,
  type RelayKind,
} from "./relay.ts";

const peer = `${"ab".repeat(32)}0f`;

test("[R43] the layout is kind, peer, frame", () => {
  const bytes = encodeRelay("frame", peer, Uint8Array.of(7, 8));
  expect([...bytes]).toEqual([3, ...Array(32).fill(0xab), 15, 7, 8]);
  expect(decodeRelay(bytes)).toEqual({ kind: "frame", peer, frame: Uint8Array.of(7, 8) });
});

test.each<[RelayKind, Uint8Array]>([
  ["ask", new Uint8Array(0)],
  ["leave", new Uint8Array(0)],
  ["frame", new Uint8Array(FRAME_BYTES_MAX)],
])("%s there and back", (kind, frame) => {
  expect(decodeRelay(encodeRelay(kind, peer, frame))).toEqual({ kind, peer, frame });
});

test("[R43] a stranger's bytes decode to a message of ours or to nothing", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      const message = decodeRelay(bytes);
      if (message) expect(encodeRelay(message.kind, message.peer, message.frame)).toEqual(bytes);
    }),
  );
  const good = encodeRelay("ask", peer);
  expect(decodeRelay(good.with(0, 9))).toBeUndefined();
  expect(decodeRelay(good.with(33, 16))).toBeUndefined(); // a slot above 15
  expect(decodeRelay(good.subarray(0, 33))).toBeUndefined();
  expect(decodeRelay(new Uint8Array([...good, 1]))).toBeUndefined(); // ask carries nothing
  expect(decodeRelay(encodeRelay("frame", peer, Uint8Array.of(1)).subarray(0, 34))).toBeUndefined();
  expect(decodeRelay(new Uint8Array(RELAY_MESSAGE_BYTES_MAX + 1).fill(3))).toBeUndefined();
  expect(() => encodeRelay("frame", peer, new Uint8Array(FRAME_BYTES_MAX + 1))).toThrow("most");
});

test("[R43] the hello names version and session, and nothing else passes", () => {
  expect(decodeRelayHello(encodeRelayHello("token"))).toBe("token");
  for (const text of ["", "{}", '{"version":9,"session":"x"}', '{"version":1}', " ".repeat(300)])
    expect(decodeRelayHello(text)).toBeUndefined();
});
