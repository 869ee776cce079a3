import type { IncomingMessage } from "node:http";
import { expect, test } from "vitest";
import type { HostBlobs } from "#store/disk";
import type { RunSpec } from "#wire";
import { DiskRoom } from "./disk-room.ts";
import { tinyDraft } from "./test-given.ts";
import { Uploads } from "./uploads.ts";

const MIB = 2 ** 20;
const peerOf = (volunteer: number, slot: number): string =>
  volunteer.toString(16).padStart(64, "0") + slot.toString(16).padStart(2, "0");

test("a volunteer that uploads far more than training makes is refused, in all its slots; others are not", async () => {
  let taken = 0;
  const blobs = {
    bytes: async () => undefined,
    receive: async () => {
      taken += 1;
      return MIB;
    },
  } as unknown as HostBlobs;
  const room = new DiskRoom({ freeBytes: async () => 1e12, now: () => 0, report: () => {} });
  const uploads = new Uploads(
    { spec: tinyDraft() as unknown as RunSpec, uploadBytesMax: MIB },
    blobs,
    room,
    async () => {},
  );
  const request = { headers: { "content-length": String(MIB) } } as unknown as IncomingMessage;
  const upload = (volunteer: number, slot: number) => uploads.take(request, peerOf(volunteer, slot), "");
  for (let i = 0; i < 64; i++) await upload(1, i % 16);
  const more = async () => {
    for (let i = 0; i < 64; i++) await upload(1, i % 16); // far more than comes back meanwhile
  };
  await expect(more()).rejects.toMatchObject({ status: 429, code: "rate" });
  const before = taken;
  await upload(2, 0);
  expect(taken).toBe(before + 1);
});
