// Against a real server: apt-get install nats-server.
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { blobName } from "#wire";
import { blobStoreContract } from "./contract.ts";
import { DiskBlobStore, LogConflictError } from "./disk.ts";
import { chainOf, contractHost, contractRun, hostBlobsContract, logContract } from "./host-contract.ts";
import {
  agreeOn,
  CachedBlobs,
  LeaseTakenError,
  type Nats,
  NatsBlobStore,
  natsLease,
  openNats,
  openNatsLog,
  parseNatsAddress,
} from "./nats.ts";
import { type NatsServer, startNats } from "./test-nats.ts";

let server: NatsServer;
const opened: Nats[] = [];
let clusters = 0;

beforeAll(async () => {
  server = await startNats();
});
afterAll(async () => {
  for (const { connection } of opened) await connection.close();
  await server?.close();
});

/** A line to a cluster of a test's own, or a second one to the same. */
async function line(name = `test-${clusters++}`): Promise<Nats> {
  const nats = await openNats(server.url(name));
  opened.push(nats);
  return nats;
}

const freshDisk = async () => DiskBlobStore.open(await mkdtemp(join(tmpdir(), "gossamer-store-")));

logContract(
  "JetStream",
  async () => {
    const nats = await line();
    return { open: (hostKey = contractHost.volunteer) => openNatsLog(nats, contractRun, hostKey) };
  },
  { shared: true },
);
blobStoreContract("JetStream", async () => NatsBlobStore.open(await line()));
const cached = async () => new CachedBlobs(await freshDisk(), await NatsBlobStore.open(await line()));
blobStoreContract("JetStream behind a disk", cached);
hostBlobsContract("JetStream behind a disk", cached);

describe("log on JetStream", () => {
  test("a long log comes back whole, and two clusters on one server have each its own", async () => {
    const [mine, other] = [await line(), await line()];
    const entries = chainOf(600);
    const { log } = await openNatsLog(mine, contractRun, contractHost.volunteer);
    await Promise.all(entries.map((entry) => log.append(entry)));
    expect((await openNatsLog(mine, contractRun, contractHost.volunteer)).entries).toEqual(entries);
    expect((await openNatsLog(other, contractRun, contractHost.volunteer)).entries).toEqual([]);
  });

  test("an entry of which no answer came is appended once", async () => {
    const nats = await line();
    const [first, second] = chainOf(2);
    const { log } = await openNatsLog(nats, contractRun, contractHost.volunteer);
    await log.append(first);
    // The server stores it, and its answer is lost.
    const publish = nats.js.publish.bind(nats.js);
    let lost = 0;
    nats.js.publish = async (...words) => {
      const answer = await publish(...words);
      if (lost++ > 0) return answer;
      throw new Error("timeout");
    };
    await log.append(second);
    expect((await openNatsLog(nats, contractRun, contractHost.volunteer)).entries).toEqual([first, second]);
  });
});

describe("blobs behind a disk", () => {
  test("what one host stores another one gets, once for all who ask at once, onto its own disk", async () => {
    const nats = await line();
    const blob = new Uint8Array(700_000).map((_, i) => i % 253);
    const name = blobName(blob);
    const here = new CachedBlobs(await freshDisk(), await NatsBlobStore.open(nats));
    const disk = await freshDisk();
    const there = new CachedBlobs(disk, await NatsBlobStore.open(await line(nats.address.name)));
    await here.put(name, blob);
    expect(await Promise.all([there.bring(name), there.bring(name), there.get(name)])).toEqual([
      true,
      true,
      expect.objectContaining({ length: blob.length }),
    ]);
    expect(await disk.bytes(name)).toBe(blob.length);
    expect(await there.bring("0".repeat(64))).toBe(false);
    await there.delete(name);
    expect(await (await NatsBlobStore.open(nats)).names()).toEqual([]);
    expect(await here.share(name)).toBe(true); // this disk has it still
    expect(await there.bytes(name)).toBe(blob.length);
  });

  test("two that store the same at once agree", async () => {
    const nats = await line();
    const store = await NatsBlobStore.open(nats);
    const blob = new Uint8Array(300_000).fill(5);
    await Promise.all([1, 2, 3].map(() => store.put(blobName(blob), blob)));
    expect(await store.usage()).toEqual({ blobs: 1, bytes: blob.length });
    expect(await store.get(blobName(blob))).toHaveLength(blob.length);
    expect(await store.namesBefore(Date.now() + 60_000)).toEqual([blobName(blob)]);
    expect(await store.namesBefore(Date.now() - 60_000)).toEqual([]);
  });
});

describe("what a cluster agrees on", () => {
  test("of several that bring a value, all get the first one's", async () => {
    const nats = await line();
    const values = await Promise.all(["a", "b", "c"].map((value) => agreeOn(nats, "key", value)));
    expect(new Set(values).size).toBe(1);
    expect(await agreeOn(nats, "key", "d")).toBe(values[0]);
  });

  test("a lease has one holder, and is the next one's when it is given back or not renewed", async () => {
    const nats = await line();
    const mine = await natsLease(nats, "run", 300);
    const theirs = await natsLease(await line(nats.address.name), "run", 300);
    const revision = await mine.create("mine");
    await expect(theirs.create("theirs")).rejects.toThrow(LeaseTakenError);
    const renewed = await mine.update("mine", revision);
    await expect(mine.update("mine", revision)).rejects.toThrow(LeaseTakenError);
    expect(await theirs.read()).toEqual({ value: "mine", revision: renewed });
    await mine.release(renewed);
    expect(await theirs.read()).toBeUndefined();
    await theirs.create("theirs");
    while ((await mine.read()) !== undefined); // until the server has forgotten it: the test's own time limit judges
    await mine.create("mine");
  });
});

describe("addresses and servers that will not do", () => {
  test("an address is taken apart", () => {
    expect(parseNatsAddress("nats://ada:s%40cret@a:4222,b/team?replicas=3")).toEqual({
      servers: ["a:4222", "b:4222"],
      tls: false,
      user: "ada",
      password: "s@cret",
      name: "team",
      replicas: 3,
    });
    expect(parseNatsAddress("tls://a")).toMatchObject({
      servers: ["a:4222"],
      tls: true,
      name: "gossamer",
      replicas: 1,
    });
  });

  test.each([
    ["localhost", /no address/],
    ["http://localhost:4222", /begins with nats/],
    ["nats://a/two words", /no name of a cluster/],
    ["nats://a/team?replicas=9", /from 1 to 5/],
  ])("%s is explained", (text, message) => {
    expect(() => parseNatsAddress(text)).toThrow(message);
  });

  test("a server that is not there, has no JetStream, or takes small messages alone is named with its remedy", async () => {
    await expect(openNats("nats://127.0.0.1:1")).rejects.toThrow(/No NATS server answers .*nats-server -js/);
    const plain = await startNats({ jetStream: false });
    await expect(openNats(plain.url())).rejects.toThrow(/offers no JetStream .* Start it with -js/);
    await plain.close();
    const guarded = await startNats({ more: ["--user", "ada", "--pass", "secret"] });
    await expect(openNats(guarded.url())).rejects.toThrow(/refuses the login .*user:password/);
    const nats = await openNats(guarded.url().replace("//", "//ada:secret@"));
    await nats.connection.close();
    await guarded.close();
    const config = join(await mkdtemp(join(tmpdir(), "gossamer-nats-")), "nats.conf");
    await writeFile(config, "max_payload: 65536\n");
    const small = await startNats({ more: ["-c", config] });
    await expect(openNats(small.url())).rejects.toThrow(/messages of 65536 bytes.* max_payload/);
    await small.close();
  });

  test("a server that is killed and started again has what it acknowledged, and the line finds it", async () => {
    const own = await startNats();
    const nats = await openNats(own.url());
    const entries = chainOf(3);
    const { log } = await openNatsLog(nats, contractRun, contractHost.volunteer);
    for (const entry of entries.slice(0, 2)) await log.append(entry);
    await own.kill();
    const third = log.append(entries[2]);
    await own.again();
    await third;
    expect((await openNatsLog(nats, contractRun, contractHost.volunteer)).entries).toEqual(entries);
    await nats.connection.close();
    await own.close();
  });

  test("another entry in the place of ours is a conflict, also after an answer was lost", async () => {
    const nats = await line();
    const { log } = await openNatsLog(nats, contractRun, contractHost.volunteer);
    const publish = nats.js.publish.bind(nats.js);
    const theirs = await openNatsLog(await line(nats.address.name), contractRun, contractHost.volunteer);
    nats.js.publish = async () => {
      nats.js.publish = publish;
      await theirs.log.append(chainOf(1, 100)[0]);
      throw new Error("timeout");
    };
    await expect(log.append(chainOf(1)[0])).rejects.toThrow(LogConflictError);
  });
});
