import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { downloadPieceList, downloadPieces } from "#mesh";
import {
  apiErrorSchema,
  blobName,
  checkpointRowSchema,
  checkpointsSchema,
  decodePieceList,
  logEntrySchema,
  pieceCount,
  pieceIsGood,
  runDetailSchema,
  runSummarySchema,
  seriesSchema,
} from "#wire";
import { parseRange } from "./blob-api.ts";
import { startHost } from "./host.ts";
import type { RunningHost } from "./network.ts";
import type { HostedRun } from "./run.ts";
import { freshFolder, startTestHost, TestVolunteer, tinyDraft, writeRun } from "./test-given.ts";

let host: RunningHost & { readonly run: HostedRun };
let volunteer: TestVolunteer;
let page: string;

/** A host with two rounds behind it. */
beforeAll(async () => {
  const data = await freshFolder();
  page = await mkdtemp(join(tmpdir(), "gossamer-page-"));
  await writeFile(join(page, "index.html"), "<!doctype html><title>page</title>");
  await writeFile(join(page, "index.html.gz"), gzipSync("<!doctype html><title>page, packed</title>"));
  host = await startTestHost({ data, run: await writeRun(data), page, allowOrigins: ["https://page.example"] });
  volunteer = await TestVolunteer.join(host.url, 1);
  await volunteer.playRound(0, host.run.started.genesisHash);
  await volunteer.entry("checkpoint");
  const { anchorHash } = host.run.detail(0, 1).head;
  await volunteer.playRound(1, anchorHash);
  await volunteer.entry("checkpoint");
});
afterAll(async () => {
  volunteer.socket.close();
  await host.close();
});

const get = (path: string, headers: Record<string, string> = {}) => fetch(host.url + path, { headers });
const json = async (path: string) => (await get(path)).json();

describe("documents", () => {
  test("what it offers to those who would link up, without credentials", async () => {
    expect(await json("/api/network")).toEqual({
      stun: expect.stringMatching(/^stun:(localhost|127\.0\.0\.1):\d+$/),
      turn: false,
      relay: true,
    });
  });
  test("healthz", async () => expect(await json("/healthz")).toEqual({ ok: true }));

  test("the list of runs, and the run by id and as default", async () => {
    const [summary] = (await json("/api/runs")) as unknown[];
    expect(runSummarySchema.parse(summary)).toMatchObject({ id: host.run.id, name: "tiny", round: 2, peers: 1 });
    const detail = runDetailSchema.parse(await json(`/api/runs/${host.run.id}`));
    expect(runDetailSchema.parse(await json("/api/runs/default"))).toMatchObject({ id: detail.id, head: detail.head });
    expect(detail.peers).toMatchObject([{ id: volunteer.peer, rounds: 2, tokens: 2 * 4 * 2 * 8, state: "paused" }]);
    expect(detail.head).toMatchObject({ round: 2, trainLoss: 5, tokens: 128 });
    expect(detail.churn[0]).toMatchObject({ kind: "joined", peer: volunteer.peer, name: "Ada" });
  });

  test("the log describes commits; raw entries are exactly what was signed", async () => {
    const entries = (await json("/api/runs/default/log")) as { type: string }[];
    const commit = entries.find(({ type }) => type === "commit");
    const seal = entries.find(({ type }) => type === "seal") as unknown as { anchorHash: string };
    expect(commit).toMatchObject({
      round: 0,
      tokens: 64,
      contributorCount: 1,
      anchorHash: seal.anchorHash,
      contributors: [{ peer: volunteer.peer, tokens: 64, loss: 5 }],
    });
    const raw = (await json("/api/runs/default/log?raw=1")) as unknown[];
    expect(raw.map((entry) => logEntrySchema.parse(entry))).toEqual(host.run.entries);
  });

  test("the log comes in pages", async () => {
    const all = (await json("/api/runs/default/log")) as { seq: number }[];
    const two = (await json("/api/runs/default/log?from=1&limit=2")) as { seq: number }[];
    expect(two).toEqual(all.slice(1, 3));
    expect(await json("/api/runs/default/log?from=9999")).toEqual([]);
  });

  test("series by round, averaged into as many points as asked for", async () => {
    const series = seriesSchema.parse(await json("/api/runs/default/series?metric=trainLoss"));
    expect(series.points.map(({ round, tokens, value }) => [round, tokens, value])).toEqual([
      [1, 64, 5],
      [2, 128, 5],
    ]);
    const one = seriesSchema.parse(await json("/api/runs/default/series?metric=contributors&points=1"));
    expect(one.points).toMatchObject([{ round: 2, value: 1 }]);
  });

  test("checkpoints whose blobs are here, newest first", async () => {
    const { checkpoints } = checkpointsSchema.parse(await json("/api/runs/default/checkpoints"));
    expect(checkpoints.map(({ round }) => round)).toEqual([2, 1]);
    expect(checkpoints[0]).toMatchObject(await json("/api/runs/default/checkpoints/latest"));
  });

  test("the anchor of now: its parameters, as its checkpoint has them", async () => {
    const anchor = checkpointRowSchema.parse(await json("/api/runs/default/anchor"));
    const [{ round, anchorHash, blobs }] = checkpointsSchema.parse(
      await json("/api/runs/default/checkpoints"),
    ).checkpoints;
    expect(anchor).toMatchObject({ round, anchorHash, blobs: blobs.filter(({ name }) => name === "parameters") });
  });

  test("the newest checkpoint names blobs that are here", async () => {
    const { blobs } = (await json("/api/runs/default/checkpoints/latest")) as {
      blobs: { hash: string; bytes: number }[];
    };
    expect(blobs).toHaveLength(2);
    for (const { hash, bytes } of blobs) {
      const blob = new Uint8Array(await (await get(`/api/blobs/${hash}`)).arrayBuffer());
      expect([blob.length, blobName(blob)]).toEqual([bytes, hash]);
    }
  });

  test("metrics in Prometheus's text form", async () => {
    const text = await (await get("/metrics")).text();
    expect(text).toContain(`# TYPE gossamer_rounds_total counter\ngossamer_rounds_total{run="${host.run.id}"} 2\n`);
    expect(text).toMatch(/gossamer_host_sent_bytes_total\{run="[0-9a-f]{64}",kind="update"\} \d+\n/);
    for (const line of text.trimEnd().split("\n"))
      expect(line).toMatch(
        /^(# (HELP|TYPE) \w+ .+|[a-z_]+(\{[a-z]+="[a-z0-9.+-]+"(,[a-z]+="[A-Za-z0-9.+-]+")*\})? -?[\d.e+-]+)$/,
      );
  });

  test("events: the run at once, then entries", async () => {
    const data = await freshFolder();
    const other = await startTestHost({ data, run: await writeRun(data) });
    const response = await fetch(`${other.url}/api/runs/default/events`);
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    const until = async (pattern: RegExp) => {
      while (!pattern.test(text)) text += (await reader.read()).value ?? "";
      return pattern.exec(text)!;
    };
    const [, document] = await until(/event: run\ndata: (.*)\n\n/);
    runDetailSchema.parse(JSON.parse(document));
    const ada = await TestVolunteer.join(other.url, 1);
    ada.send({ type: "ready", round: 0, anchorHash: other.run.started.genesisHash, stepMs: 1 });
    const [, entry] = await until(/event: entry\ndata: (.*)\n\n/);
    expect(logEntrySchema.parse(JSON.parse(entry))).toMatchObject({ type: "open", roster: [ada.peer] });
    await reader.cancel();
    ada.socket.close();
    await other.close();
  });
});

describe("blobs", () => {
  const shard = () => host.run.spec.data.train[0];

  test.each([
    ["bytes=0-3", 206, "bytes 0-3/", 4],
    ["bytes=4-", 206, "bytes 4-", undefined],
    ["bytes=-5", 206, undefined, 5],
    ["nonsense", 200, undefined, undefined],
  ])("range %s", async (range, status, contentRange, bytes) => {
    const { hash } = shard();
    const whole = new Uint8Array(await (await get(`/api/blobs/${hash}`)).arrayBuffer());
    const response = await get(`/api/blobs/${hash}`, { range });
    const part = new Uint8Array(await response.arrayBuffer());
    expect(response.status).toBe(status);
    if (contentRange !== undefined) expect(response.headers.get("content-range")).toContain(contentRange);
    if (bytes !== undefined) expect(part).toHaveLength(bytes);
    if (range === "bytes=0-3") expect(part).toEqual(whole.slice(0, 4));
    if (range === "bytes=4-") expect(part).toEqual(whole.slice(4));
    if (range === "bytes=-5") expect(part).toEqual(whole.slice(-5));
  });

  test("a shard comes packed to whoever takes gzip, with a tag of its own; ranges and other blobs do not", async () => {
    const { hash, bytes } = shard();
    const plain = await get(`/api/blobs/${hash}`, { "accept-encoding": "gzip;q=0" });
    const packed = await get(`/api/blobs/${hash}`, { "accept-encoding": "gzip", origin: "https://page.example" });
    expect(plain.headers.get("content-encoding")).toBeNull();
    expect(packed.headers.get("content-encoding")).toBe("gzip");
    expect(Number(packed.headers.get("content-length"))).toBeLessThan(bytes / 3);
    expect(packed.headers.get("vary")).toBe("Origin, Accept-Encoding");
    expect(packed.headers.get("etag")).not.toBe(plain.headers.get("etag"));
    const content = new Uint8Array(await packed.arrayBuffer()); // unpacked by fetch, as in a browser
    expect(blobName(content)).toBe(hash);
    expect(content).toEqual(new Uint8Array(await plain.arrayBuffer()));
    const pieces: Uint8Array[] = [];
    const run = { name: hash, bytes, first: 0, pieces: pieceCount(bytes) };
    await downloadPieces({ base: host.url, fetch }, run, (_, piece) => pieces.push(piece)); // takes it packed, too
    expect(new Uint8Array(Buffer.concat(pieces))).toEqual(content);

    const part = await get(`/api/blobs/${hash}`, { "accept-encoding": "gzip", range: "bytes=0-3" });
    expect([part.status, part.headers.get("content-encoding")]).toEqual([206, null]);
    const { blobs } = (await json("/api/runs/default/checkpoints/latest")) as { blobs: { hash: string }[] };
    const other = await get(`/api/blobs/${blobs[0].hash}`, { "accept-encoding": "gzip" });
    expect(other.headers.get("content-encoding")).toBeNull();
    await other.arrayBuffer();
  });

  test("[R40] a blob's piece list, and single pieces of it, for who has the rest from peers", async () => {
    const { hash, bytes } = shard();
    const here = { base: host.url, fetch };
    const list = decodePieceList(await downloadPieceList(here, hash, bytes), hash)!;
    expect(list.bytes).toBe(bytes);
    const last = pieceCount(bytes) - 1;
    const pieces = new Map<number, Uint8Array>();
    const take = (piece: number, content: Uint8Array) => void pieces.set(piece, content);
    await downloadPieces(here, { name: hash, bytes, first: last, pieces: 1 }, take);
    expect([...pieces.keys()]).toEqual([last]);
    expect(pieceIsGood(list, last, pieces.get(last)!)).toBe(true);
    expect((await get(`/api/blobs/${"ab".repeat(32)}/pieces`)).status).toBe(404);
    expect((await get("/api/blobs/AB/pieces")).status).toBe(400);
  });

  test("a range behind the end is 416 and says how long the blob is", async () => {
    const { hash, bytes } = shard();
    const response = await get(`/api/blobs/${hash}`, { range: `bytes=${bytes}-` });
    expect(response.status).toBe(416);
    expect(response.headers.get("content-range")).toBe(`bytes */${bytes}`);
  });

  test.each([
    ["bytes=0-0", { start: 0, end: 0 }],
    ["bytes=5-99", { start: 5, end: 9 }],
    ["bytes=-99", { start: 0, end: 9 }],
    ["bytes=-0", "unsatisfiable"],
    ["bytes=10-", "unsatisfiable"],
    ["bytes=5-2", undefined],
    ["bytes=0-1,3-4", undefined],
    [undefined, undefined],
  ])("of ten bytes, %s is %j", (header, expected) => {
    expect(parseRange(header, 10)).toEqual(expected);
  });

  test("served bytes are counted by kind: shards, and updates apart", async () => {
    const before = { ...host.run.bytesServed };
    const { hash, bytes } = shard();
    await (await get(`/api/blobs/${hash}`, { "accept-encoding": "identity" })).arrayBuffer();
    const commit = host.run.entries.find((entry) => entry.type === "commit")!;
    const update = commit.contributors[0];
    await (await get(`/api/blobs/${update.update}`)).arrayBuffer();
    expect(host.run.bytesServed.shard - before.shard).toBe(bytes);
    expect(host.run.detail(0, 1).updateBytesServed - before.update).toBe(update.bytes);
  });

  test("an upload needs a session, the right bytes, and a size that an update of this run can have", async () => {
    const bytes = Uint8Array.of(1, 2, 3);
    expect((await volunteer.upload(bytes, undefined, "00".repeat(32))).status).toBe(401);
    expect((await volunteer.upload(bytes, blobName(Uint8Array.of(4)))).status).toBe(422);
    expect((await volunteer.upload(new Uint8Array(host.run.uploadBytesMax + 1))).status).toBe(413);
    expect((await volunteer.upload(bytes)).status).toBe(201);
    expect((await volunteer.upload(bytes)).status).toBe(200);
    expect(new Uint8Array(await (await get(`/api/blobs/${blobName(bytes)}`)).arrayBuffer())).toEqual(bytes);
  });

  test("what nobody names is deleted, oldest first, so that no peer fills the disk", async () => {
    const blobs = Array.from({ length: 6 }, (_, i) => Uint8Array.of(100, i));
    for (const bytes of blobs) await volunteer.upload(bytes);
    const status = async (bytes: Uint8Array) => (await get(`/api/blobs/${blobName(bytes)}`)).status;
    expect(await Promise.all(blobs.map(status))).toEqual([404, 404, 200, 200, 200, 200]);
  });

  test("an upload from another site's page is refused", async () => {
    const response = await fetch(`${host.url}/api/blobs/${blobName(Uint8Array.of(9))}`, {
      method: "PUT",
      headers: { authorization: `Bearer ${volunteer.welcome.session}`, origin: "https://evil.example" },
      body: Uint8Array.of(9),
    });
    expect(response.status).toBe(403);
  });
});

describe("errors and headers", () => {
  test.each([
    ["/api/nothing", 404, "not-found"],
    [`/api/runs/${"ab".repeat(32)}`, 404, "not-found"],
    ["/api/runs/default/series?metric=happiness", 400, "metric"],
    ["/api/runs/default/log?from=soon", 400, "parameter"],
    ["/api/blobs/../../host.key", 404, "not-found"],
    ["/api/blobs/AB", 400, "hash"],
    [`/api/blobs/${"ab".repeat(32)}`, 404, "not-found"],
    ["/nothing.js", 404, "not-found"],
    ["/%2e%2e/package.json", 404, "not-found"],
  ])("%s is %i %s", async (path, status, code) => {
    const response = await get(path);
    expect(response.status).toBe(status);
    expect(apiErrorSchema.parse(await response.json()).error.code).toBe(code);
  });

  test("another method is 405", async () => {
    expect((await fetch(`${host.url}/api/runs`, { method: "POST" })).status).toBe(405);
    expect((await fetch(`${host.url}/`, { method: "DELETE" })).status).toBe(405);
  });

  test("the page is isolated and may run its own scripts alone; /watch is the page too", async () => {
    for (const path of ["/", "/watch"]) {
      const response = await get(path, { "accept-encoding": "identity" });
      expect(await response.text()).toContain("<title>page</title>");
      expect(response.headers.get("cross-origin-opener-policy")).toBe("same-origin");
      expect(response.headers.get("cross-origin-embedder-policy")).toBe("require-corp");
      const policy = response.headers.get("content-security-policy");
      expect(policy).toContain("script-src 'self' 'wasm-unsafe-eval';");
      expect(policy).toContain(`connect-src 'self' ws://localhost:${host.port} wss://localhost:${host.port};`);
      expect(policy).not.toContain("unsafe-inline");
    }
  });

  test("what the build has packed is served packed, isolated all the same", async () => {
    for (const path of ["/", "/watch"]) {
      const response = await get(path, { "accept-encoding": "gzip, deflate" });
      expect(await response.text()).toContain("<title>page, packed</title>");
      expect(response.headers.get("content-type")).toMatch(/^text\/html/);
      expect(response.headers.get("vary")).toBe("Accept-Encoding");
      expect(response.headers.get("content-security-policy")).toContain("default-src 'self'");
    }
  });

  test("a page built for another signaling host may connect there, to its socket and its documents", async () => {
    const data = await freshFolder();
    const other = await startTestHost({
      data,
      run: await writeRun(data),
      page,
      signal: "wss://signal.example:7443/signal",
    });
    const policy = (await fetch(`${other.url}/`)).headers.get("content-security-policy");
    expect(policy).toMatch(/connect-src [^;]* wss:\/\/signal\.example:7443 https:\/\/signal\.example:7443;/);
    await other.close();
  });

  test("pages of an allowed origin read the API, others do not", async () => {
    const allowed = await get("/api/runs", { origin: "https://page.example" });
    expect(allowed.headers.get("access-control-allow-origin")).toBe("https://page.example");
    const other = await get("/api/runs", { origin: "https://evil.example" });
    expect(other.headers.get("access-control-allow-origin")).toBeNull();
  });
});

describe("a host that starts again", () => {
  test("continues the same run: same id, same chain, anchors folded again and compared", async () => {
    const data = await freshFolder();
    const run = await writeRun(data);
    const first = await startTestHost({ data, run });
    const ada = await TestVolunteer.join(first.url, 1);
    const seal = await ada.playRound(0, first.run.started.genesisHash);
    ada.socket.close();
    await first.close();
    const again = await startTestHost({ data, run });
    expect(again.run.id).toBe(first.run.id);
    expect(again.run.started).toMatchObject({ round: 1, anchorHash: seal.anchorHash });
    expect(again.run.entries).toEqual(first.run.entries);
    expect(runDetailSchema.parse(again.run.detail(0, 10))).toMatchObject({
      state: "resting",
      round: 1,
      peers: [{ id: ada.peer, state: "left", tokens: 64 }],
    });
    const bob = await TestVolunteer.join(again.url, 2);
    bob.send({ type: "ready", round: 1, anchorHash: seal.anchorHash, stepMs: 1 });
    expect(await bob.entry("open")).toMatchObject({ round: 1, baseHash: seal.anchorHash, tokensBefore: 64 });
    bob.socket.close();
    await again.close();
  });

  test("does not start when a sealed update was changed on the disk", async () => {
    const data = await freshFolder();
    const run = await writeRun(data, tinyDraft({ checkpoint: { everyRounds: 100, retain: "all" } }));
    const first = await startTestHost({ data, run });
    const ada = await TestVolunteer.join(first.url, 1);
    await ada.playRound(0, first.run.started.genesisHash);
    ada.socket.close();
    await first.close();
    const commit = first.run.entries.find((entry) => entry.type === "commit")!;
    const { update } = commit.contributors[0];
    const path = join(data, "blobs", update.slice(0, 2), update);
    const bytes = await readFile(path);
    bytes[bytes.length - 1] ^= 1;
    await writeFile(path, bytes);
    await expect(startTestHost({ data, run })).rejects.toThrow(/damaged on the disk/);
    await expect(startTestHost({ data, run })).rejects.toThrow(/damaged on the disk/); // the lock was given back
  });
});

describe("a host that cannot start says why", () => {
  test("a taken port: by whom, and which flag", async () => {
    const data = await freshFolder();
    const taken = createServer();
    const port = await new Promise<number>((resolve) =>
      taken.listen(0, "127.0.0.1", () => resolve((taken.address() as { port: number }).port)),
    );
    const starting = startTestHost({ data, run: await writeRun(data), port });
    await expect(starting).rejects.toThrow(`Port ${port} is taken by`);
    await expect(starting).rejects.toThrow(`--port ${port + 1}`);
    if (process.platform === "linux") await expect(starting).rejects.toThrow(`process ${process.pid}`);
    taken.close();
  });

  test("a data directory in use", async () => {
    const data = await freshFolder();
    const run = await writeRun(data);
    const first = await startTestHost({ data, run });
    await expect(startTestHost({ data, run })).rejects.toThrow(/in use by the host with process id/);
    await first.close();
  });

  test.each([
    ["no such file", "nowhere.json", undefined, /neither a preset \(nano, micro\) nor a file/],
    ["no JSON", "run.json", "{", /is not JSON/],
    [
      "a learning rate below zero",
      "run.json",
      JSON.stringify(wrong({ learningRate: -1 })),
      /inner\.learningRate: .*; for example 0\.\d+/,
    ],
    [
      "heads that do not divide",
      "run.json",
      JSON.stringify(wrongModel({ heads: 3 })),
      /model\.heads: must divide dModel/,
    ],
    [
      "a text that is not there",
      "run.json",
      JSON.stringify(tinyDraft({ corpus: { ...tinyDraft().corpus, path: "no.txt" } })),
      /corpus\.path: there is no file/,
    ],
    ["a method of the simulator alone", "nano+dsgt", undefined, /browsers do not track gradients: .*--methods dsgt/],
  ])("a run spec with %s", async (_, file, content, message) => {
    const data = await freshFolder();
    await writeRun(data);
    if (content !== undefined) await writeFile(join(data, file), content);
    const options = {
      host: "127.0.0.1",
      port: 0,
      share: false,
      allowOrigins: [],
      relayMbit: 0,
      report: () => {},
      from: data,
    };
    const starting = startHost({
      ...options,
      data,
      runs: [file],
      samples: () => ({ write: async () => [], close: async () => {} }),
      witness: () => {
        throw new Error("never asked for");
      },
      fatal: () => {},
    });
    await expect(starting).rejects.toThrow(message);
  });
});

function wrong(inner: Record<string, unknown>) {
  return { ...tinyDraft(), inner: { ...tinyDraft().inner, ...inner } };
}
function wrongModel(model: Record<string, unknown>) {
  return { ...tinyDraft(), model: { ...tinyDraft().model, ...model } };
}
