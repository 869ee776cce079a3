import { rm } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { freshFolder, startTestHost, TestVolunteer, writeRun } from "./test-given.ts";
import { Witness } from "./witness.ts";

describe("when the host's own parts fail", () => {
  test("a commit whose blob is lost is void: nobody's anchor moves, and the round is opened again", async () => {
    const data = await freshFolder();
    const host = await startTestHost({
      data,
      run: await writeRun(data),
      witness: (spec, _, blobs) => {
        const witness = new Witness(spec, blobs);
        const fold = witness.fold.bind(witness);
        let lost = false;
        witness.fold = async (commit, opened) => {
          // The disk loses the file between the commit and the fold, once.
          if (!lost) await rm(blobs.path(commit.contributors[0].update));
          lost = true;
          return fold(commit, opened);
        };
        return witness;
      },
    });
    const ada = await TestVolunteer.join(host.url, 1);
    const { genesisHash } = host.run.started;
    await ada.offerRound(0, genesisHash);
    const { hashes } = await ada.next("give-blobs");
    ada.send({ type: "lacks", hashes }); // [R34] nobody has it
    expect(await ada.entry("void")).toMatchObject({ round: 0, reason: expect.stringContaining("is not stored") });
    expect(host.run.detail(0, 1).head).toMatchObject({ round: 0, anchorHash: genesisHash });
    await ada.playRound(0, genesisHash);
    expect(host.run.detail(0, 1).head.round).toBe(1);
    ada.socket.close();
    await host.close();
  });

  test("a witness that breaks stops the host before anything more is acknowledged", async () => {
    const data = await freshFolder();
    let failed: (error: Error) => void;
    const failure = new Promise<Error>((resolve) => {
      failed = resolve;
    });
    const host = await startTestHost({
      data,
      run: await writeRun(data),
      fatal: (error) => failed(error),
      witness: (spec, _, blobs) => {
        const witness = new Witness(spec, blobs);
        witness.fold = async () => {
          throw new Error("out of memory");
        };
        return witness;
      },
    });
    const ada = await TestVolunteer.join(host.url, 1);
    await ada.offerRound(0, host.run.started.genesisHash);
    expect((await failure).message).toBe("out of memory");
    const { length } = host.run.entries;
    ada.send({ type: "ready", round: 0, anchorHash: host.run.started.genesisHash, stepMs: 1 });
    ada.socket.close();
    await ada.whenClosed();
    expect(host.run.entries).toHaveLength(length);
    await host.close();
  });

  test("an offer with another's signature is refused, and a blob that was never uploaded is not committed", async () => {
    const data = await freshFolder();
    const host = await startTestHost({ data, run: await writeRun(data) });
    const ada = await TestVolunteer.join(host.url, 1);
    const offer = await ada.offerRound(0, host.run.started.genesisHash, { signature: "00".repeat(64) });
    expect(await ada.next("offer-refused")).toMatchObject({
      openSeq: offer.openSeq,
      message: expect.stringContaining("signature"),
    });
    expect(host.run.entries.map(({ type }) => type)).toEqual(["open"]);
    ada.socket.close();
    await host.close();
  });
});

test("what a peer has on offer stays on the disk, however much it uploads after it", async () => {
  const data = await freshFolder();
  const host = await startTestHost({ data, run: await writeRun(data) });
  const [ada, bob] = [await TestVolunteer.join(host.url, 1), await TestVolunteer.join(host.url, 2)];
  const { genesisHash } = host.run.started;
  bob.send({ type: "ready", round: 0, anchorHash: genesisHash, stepMs: 1 });
  const { update } = await ada.offerRound(0, genesisHash);
  for (let i = 0; i < 6; i++) await ada.upload(Uint8Array.of(1, i)); // four unnamed ones stay
  expect((await fetch(`${host.url}/api/blobs/${update}`)).status).toBe(200);
  bob.send({ type: "pause", reason: "a test" });
  expect((await ada.entry("seal")).refused).toEqual([]);
  ada.socket.close();
  bob.socket.close();
  await host.close();
});

test("what a peer has moved stays in its row and in the run's totals when it leaves, and after the end", async () => {
  const data = await freshFolder();
  const host = await startTestHost({ data, run: await writeRun(data) });
  const ada = await TestVolunteer.join(host.url, 1);
  const bob = await TestVolunteer.join(host.url, 2);
  const links = [{ peer: bob.peer, kind: "direct" as const, bytesSent: 700, bytesReceived: 300, rttMs: 1 }];
  ada.send({ type: "links", links, bytesFromHost: 40, bytesToHost: 50 });
  await ada.playRound(0, host.run.started.genesisHash);
  const moved = { bytesSent: 700, bytesReceived: 300, bytesFromHost: 40, bytesToHost: 50 };
  const traffic = { direct: 700, turn: 0, relayed: 0, fromHost: 40, toHost: 50 };
  expect(host.run.detail(0, 2)).toMatchObject({ traffic, peers: [{ id: ada.peer, ...moved, links }, {}] });

  ada.send({ type: "bye", reason: "enough" });
  await ada.whenClosed();
  expect((await bob.next("left")).peer).toBe(ada.peer);
  host.run.end("a test");
  await bob.entry("end");
  const detail = host.run.detail(0, 2);
  expect(detail.traffic).toEqual(traffic);
  expect(detail.peers.find(({ id }) => id === ada.peer)).toMatchObject({ state: "left", ...moved, links: [] });
  bob.socket.close();
  await host.close();
});
