// An export from a data directory, from its host's command line and from the host's API is the same bytes; what is cut off or refused leaves nothing.
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { checkProvenance, type ExportFormat } from "#formats";
import { readLlama } from "#formats/disk";
import { parameterTable } from "#outer";
import { DiskBlobStore } from "#store/disk";
import { type CheckpointRow, exportListSchema } from "#wire";
import { freshFolder, startTestHost, TestVolunteer, tinyDraft, writeRun } from "../../host/test-given.ts";
import { checkpointSource } from "../checkpoint-source.ts";
import { replay, replayLines } from "../replay.ts";
import { type ExportOptions, exportModel, writeFolder } from "./export.ts";

type TestHost = Awaited<ReturnType<typeof startTestHost>>;

let data: string;
let host: TestHost;
let volunteer: TestVolunteer;
let place: string;

/** Two rounds, each with its checkpoint. */
beforeAll(async () => {
  [data, place] = [await freshFolder(), await freshFolder()];
  const draft = tinyDraft({ checkpoint: { everyRounds: 1, retain: "all" } });
  host = await startTestHost({ data, run: await writeRun(data, draft) });
  volunteer = await TestVolunteer.join(host.url, 1);
  await volunteer.playCheckpoints(host, 2);
  volunteer.socket.close();
});
afterAll(() => host.close());

async function run(name: string, options: Partial<ExportOptions>) {
  const [out, lines]: [string, string[]] = [join(place, name), []];
  const given = { data, format: "safetensors" as const, dtype: "f32" as const, json: false, out };
  const report = await exportModel(
    { ...given, ...options },
    () => {},
    (line) => lines.push(line),
  );
  return { out, report, lines };
}
const contentOf = async (folder: string): Promise<Record<string, string>> =>
  Object.fromEntries(
    await Promise.all(
      (await readdir(folder)).map(
        async (name) => [name, (await readFile(join(folder, name))).toString("base64")] as const,
      ),
    ),
  );
const api = async (path: string): Promise<Response> => fetch(`${host.url}/api/runs/default/export${path}`);

test.each<[ExportFormat, ExportOptions["dtype"]]>([
  ["safetensors", "bf16"],
  ["gguf", "f16"],
])("%s: directory, host and API give the same files", async (format, dtype) => {
  const own = await run(`own-${format}`, { format, dtype });
  const fetched = await run(`fetched-${format}`, { format, dtype, url: host.url });
  expect(await contentOf(fetched.out)).toEqual(await contentOf(own.out));
  expect(own.report).toMatchObject({
    run: host.run.id,
    round: 2,
    anchorHash: host.run.entries.findLast((e) => e.type === "seal")?.anchorHash,
  });

  const query = `format=${format}&dtype=${dtype}&round=2`;
  const list = exportListSchema.parse(await (await api(`?${query}`)).json());
  expect(list.files).toEqual(own.report.files);
  for (const { name, bytes } of list.files) {
    const response = await api(`/${name}?${query}`);
    expect(response.headers.get("content-disposition")).toBe(
      name === "provenance.json" ? null : `attachment; filename="${name}"`,
    );
    const content = Buffer.from(await response.arrayBuffer());
    if (name === "provenance.json")
      expect(JSON.parse(content.toString())).toEqual(JSON.parse((await readFile(join(own.out, name))).toString()));
    else expect([content.length, content.equals(await readFile(join(own.out, name)))]).toEqual([bytes, true]);
  }
  const archive = await api(`/${list.archive.name}?${query}`);
  expect((await archive.arrayBuffer()).byteLength).toBe(list.archive.bytes);
  const head = await fetch(`${host.url}/api/runs/default/export/${list.archive.name}?${query}`, { method: "HEAD" });
  expect(Number(head.headers.get("content-length"))).toBe(list.archive.bytes);
});

test("in f32 it is read back as the very parameters of the checkpoint, with who gave what", async () => {
  const { out } = await run("whole", { round: 1 });
  const { model, parameters } = await readLlama(out);
  expect(model).toEqual(host.run.spec.model);
  const source = await checkpointSource({ data }, () => {});
  const row = source.rows.find(({ round }) => round === 1) as CheckpointRow;
  expect(parameters).toEqual(await source.load(row));
  expect(parameters.length).toBe(parameterTable(model).length);
  const provenance = checkProvenance(
    JSON.parse((await readFile(join(out, "provenance.json"))).toString()),
    source.spec,
    row,
  );
  const commit = host.run.entries.find((entry) => entry.type === "commit")!;
  expect(provenance.contributors).toEqual([
    {
      volunteer: volunteer.identity.volunteer,
      tokens: commit.type === "commit" && commit.contributors[0].tokens,
      rounds: 1,
    },
  ]);
  expect(provenance.head?.seq).toBe(host.run.entries.find((entry) => entry.type === "seal")?.seq);
});

test("replay holds an export against the fold: weights, origin, signature", async () => {
  const { out } = await run("checked", { round: 1, dtype: "bf16" });
  const gguf = await run("checked-gguf", { format: "gguf", dtype: "q8_0" });
  for (const folder of [out, gguf.out]) {
    const report = await replay({ data, eval: false, export: folder });
    expect([report.ok, report.fault]).toEqual([true, null]);
    expect(replayLines(report).join("\n")).toMatch(/export .* is the fold of round [12], byte for byte/);
  }
  const change = async (name: string, edit: (content: Buffer) => Buffer) => {
    const path = join(out, name);
    const before = await readFile(path);
    await writeFile(path, edit(Buffer.from(before)));
    const { ok, fault } = await replay({ data, eval: false, export: out });
    await writeFile(path, before);
    return ok ? "agrees" : fault;
  };
  expect(await change("README.md", () => Buffer.from("mine"))).toBe("agrees");
  const flipped = (content: Buffer) => Buffer.from(content.with(content.length - 1, content[content.length - 1] ^ 1));
  expect(await change("model.safetensors", flipped)).toMatch(
    /model.safetensors is not what the log folds to: .* byte \d+ on/,
  );
  expect(await change("model.safetensors", (content) => content.subarray(0, -1))).toMatch(/differ from byte/);
  const edited = (from: RegExp, to: string) => (content: Buffer) => Buffer.from(content.toString().replace(from, to));
  expect(await change("provenance.json", edited(/"tokens": \d+/, '"tokens": 1'))).toMatch(
    /says another tokens than the log/,
  );
  expect(await change("provenance.json", edited(/"signature": "../, '"signature": "00'))).toMatch(
    /not signed by the run's host key/,
  );
  expect(await change("provenance.json", edited(/"round": 1,/, '"round": 7,'))).toMatch(/after the log's end/);
  await expect(change("run.json", () => Buffer.from("{}"))).rejects.toThrow(/is of run .*, not of/);
});

test("the API refuses by name", async () => {
  const refused = async (path: string) => {
    const response = await api(path);
    return [response.status, (await response.json()).error.message];
  };
  expect(await refused("?format=zip")).toEqual([400, 'format is "zip"; there are safetensors, gguf.']);
  expect(await refused("?dtype=q8_0")).toEqual([400, expect.stringContaining("q8_0 is a type of GGUF")]);
  expect(await refused("?round=7")).toEqual([404, expect.stringContaining("No checkpoint of round 7 is kept")]);
  expect(await refused("/nothing.bin")).toEqual([
    404,
    expect.stringContaining('This export has no "nothing.bin". It has'),
  ]);
  expect(await refused("/%zz")).toEqual([404, expect.stringContaining("has no")]);
  expect(await refused("/..%2Frun.json")).toEqual([404, expect.stringContaining("has no")]);
});

test("a folder that is there, a damaged checkpoint, a disk or a source that fails in the middle: nothing half-made stays", async () => {
  const taken = join(place, "taken");
  await mkdir(taken);
  await writeFile(join(taken, "mine.txt"), "mine");
  await expect(run("taken", {})).rejects.toThrow(/is there already. Name another folder with --out/);
  expect(await readdir(taken)).toEqual(["mine.txt"]);
  const before = await readdir(place);
  await expect(run("none", { dtype: "q8_0" })).rejects.toThrow(/q8_0 is a type of GGUF/);
  await expect(run("none", { round: 9 })).rejects.toThrow(/No checkpoint of round 9 is kept/);
  const failing = {
    name: "model.safetensors",
    bytes: 10,
    async *chunks() {
      yield new Uint8Array(5);
      throw new Error("the source failed");
    },
  };
  const source = { length: 0, read: async () => new Float32Array(0) };
  await expect(writeFolder(join(place, "none"), [failing], source)).rejects.toThrow("the source failed");
  expect(await readdir(place)).toEqual(before);

  const entry = host.run.entries.find((each) => each.type === "checkpoint" && each.round === 1);
  const blob = entry?.type === "checkpoint" ? entry.blobs.find(({ name }) => name === "parameters") : undefined;
  await writeFile((await DiskBlobStore.open(data)).path(blob!.hash), "something else");
  await expect(run("none", { round: 1 })).rejects.toThrow(/round 1 is damaged on the disk/);
  expect(await readdir(place)).toEqual(before);
});
