// [R53] [R54] Islands over real sockets: who seeks one is told of it, the run's document names it, and it ends for all.
import { expect, test } from "vitest";
import { runDetailSchema } from "#wire";
import { freshFolder, startTestHost, TestVolunteer, writeRun } from "./test-given.ts";

test("two who seek and are linked are an island; the one who is left hears that the other is gone", async () => {
  const data = await freshFolder();
  const host = await startTestHost({ data, run: await writeRun(data) });
  const [ada, bo] = [await TestVolunteer.join(host.url, 1), await TestVolunteer.join(host.url, 2)];
  for (const [one, other] of [
    [ada, bo],
    [bo, ada],
  ]) {
    const link = {
      peer: other.peer,
      kind: "direct",
      bytesSent: 0,
      bytesReceived: 0,
      rttMs: 2,
      bytesPerSecond: 5e6,
    } as const;
    one.send({ type: "links", links: [link], bytesFromHost: 0, bytesToHost: 0 });
    one.send({ type: "seek-island", ranksMin: 2, reason: "1.2 GB where 1 GB is allowed" });
  }
  const { type: _, ...island } = await ada.next("island");
  expect(await bo.next("island")).toMatchObject(island);
  const members = [ada.peer, bo.peer].sort();
  expect(island).toMatchObject({ members, plan: { kind: "tensor", exchange: "int8", form: "direct" } });

  const documented = async () =>
    runDetailSchema.parse(await (await fetch(`${host.url}/api/runs/default`)).json()).islands;
  expect(await documented()).toEqual([{ ...island, leader: members[0], since: 0 }]);
  bo.socket.close();
  expect(await ada.next("island-over")).toMatchObject({ island: island.island, reason: "a member left" });
  expect(await documented()).toEqual([]);
  ada.socket.close();
  await host.close();
});
