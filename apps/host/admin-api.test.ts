import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { adminRunSchema, type Corpus } from "#wire";
import { AdminTokens } from "./admin-tokens.ts";
import type { StartedHost } from "./host.ts";
import { freshFolder, startTestHost, tinyDraft, writeRun } from "./test-given.ts";

let host: StartedHost;
let data: string;
let token: string;
beforeAll(async () => {
  data = await freshFolder();
  host = await startTestHost({ data, run: await writeRun(data) });
  token = (await new AdminTokens(data).make("a test", 1)).token;
});
afterAll(() => host.close());

async function ask(method: string, path: string, body?: unknown, bearer = token) {
  const response = await fetch(`${host.url}/api/admin/${path}`, {
    method,
    headers: { authorization: `Bearer ${bearer}` },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}
const errorOf = async (...given: Parameters<typeof ask>) => {
  const { status, body } = await ask(...given);
  return [status, (body.error as { code: string }).code];
};

describe("tokens", () => {
  test("without one nobody is let in, nor with one of another form, a wrong one or a session's", async () => {
    expect((await fetch(`${host.url}/api/admin/runs`)).status).toBe(401);
    for (const wrong of ["", "gsm_", `gsm_${"0".repeat(64)}`, "ab".repeat(32)])
      expect(await errorOf("GET", "runs", undefined, wrong)).toEqual([401, "token"]);
  });

  test("one that is removed counts no more, at once", async () => {
    const tokens = new AdminTokens(data);
    const made = await tokens.make("for a while", 2);
    expect((await ask("GET", "runs", undefined, made.token)).status).toBe(200);
    expect((await tokens.list()).map(({ label }) => label)).toEqual(["a test", "for a while"]);
    expect(await tokens.remove(made.row.id)).toBe(true);
    expect(await tokens.remove(made.row.id)).toBe(false);
    expect(await errorOf("GET", "runs", undefined, made.token)).toEqual([401, "token"]);
  });

  test("what lies on the disk is for its owner alone, and holds no token", async () => {
    const path = join(data, "tokens.json");
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readFile(path, "utf8")).not.toContain(token.slice(4));
  });

  test("guessing is answered ever more rarely", async () => {
    const fresh = await freshFolder();
    const other = await startTestHost({ data: fresh, run: await writeRun(fresh) });
    const guess = () =>
      fetch(`${other.url}/api/admin/runs`, { headers: { authorization: `Bearer gsm_${"1".repeat(64)}` } });
    const answers = await Promise.all(Array.from({ length: 25 }, guess));
    expect(answers.filter(({ status }) => status === 401).length).toBe(20);
    expect(answers.filter(({ status }) => status === 429).length).toBe(5);
    await other.close();
  });
});

describe("runs", () => {
  test("start by draft, pause, resume, end, archive, start again", async () => {
    const started = await ask("POST", "runs", { draft: tinyDraft({ name: "second", seed: 2 }) });
    expect(started.status).toBe(201);
    const { id } = adminRunSchema.parse(started.body);
    expect((await ask("POST", `runs/${id}/pause`)).body).toMatchObject({ state: "paused" });
    expect((await ask("POST", `runs/${id}/resume`, {})).body).toMatchObject({ state: "resting" });
    expect((await ask("POST", `runs/${id}/end`, { reason: "enough" })).body).toMatchObject({ state: "ended" });
    expect((await ask("POST", `runs/${id}/archive`)).body).toMatchObject({ state: "archived" });
    const rows = (await ask("GET", "runs")).body as unknown as { id: string; state: string }[];
    expect(rows.map((row) => adminRunSchema.parse(row).state)).toEqual(["resting", "archived"]);
    expect((await ask("POST", `runs/${id}/start`)).body).toMatchObject({ state: "ended", name: "second" });
  });

  test("what is wrong is said: no such run, action, method, draft or body", async () => {
    const nobody = "0".repeat(64);
    expect(await errorOf("POST", `runs/${nobody}/pause`)).toEqual([404, "not-found"]);
    expect(await errorOf("POST", `runs/${nobody}/start`)).toEqual([404, "not-found"]);
    expect(await errorOf("POST", "runs/../start")).toEqual([404, "not-found"]);
    expect(await errorOf("POST", `runs/${host.run.id}/explode`)).toEqual([404, "not-found"]);
    expect(await errorOf("GET", `runs/${host.run.id}/pause`)).toEqual([405, "method"]);
    expect(await errorOf("DELETE", "runs")).toEqual([405, "method"]);
    expect(await errorOf("GET", "secrets")).toEqual([404, "not-found"]);
    expect(await errorOf("POST", "runs", { run: "giant" })).toEqual([422, "spec"]);
    expect(await errorOf("POST", "runs", { draft: { name: "half" } })).toEqual([422, "spec"]);
    expect(await errorOf("POST", "runs", "{")).toEqual([400, "body"]);
    expect(await errorOf("POST", "runs", { run: "nano", also: 1 })).toEqual([400, "body"]);
    expect(await errorOf("POST", "runs", { draft: { text: "x".repeat(70_000) } })).toEqual([413, "too-large"]);
  });

  test("a draft that comes over the line names no file outside of the host's folder", async () => {
    await writeFile(join(data, "..", "secret.txt"), "secret ".repeat(1000));
    const corpus = { ...tinyDraft().corpus, path: "../secret.txt" };
    const { status, body } = await ask("POST", "runs", { draft: tinyDraft({ corpus }) });
    expect(status).toBe(422);
    expect(body.error).toMatchObject({ message: expect.stringContaining("corpus.path") });
  });

  test.each<[string, Partial<Corpus>, string]>([
    ["part", { parts: [{ path: "../secret.txt" }] }, "corpus.parts.0.path: over the network only what is in"],
    [
      "tokenizer",
      { parts: [{ path: "./text.txt" }], tokenizer: { kind: "file", path: "/etc/hosts" } },
      "corpus.tokenizer.path",
    ],
    [
      "address",
      { parts: [{ url: "http://127.0.0.1:1/a.txt" }] },
      "corpus.parts: over the network only texts on the host's disk",
    ],
  ])("nor a %s of a corpus, and sends the host to fetch nothing", async (_, changed, message) => {
    const { path: _path, ...rest } = tinyDraft().corpus;
    const corpus: Corpus = { ...rest, kind: "parts", ...changed };
    const { status, body } = await ask("POST", "runs", { draft: tinyDraft({ version: 5, corpus }) });
    expect([status, body.error]).toEqual([422, expect.objectContaining({ message: expect.stringContaining(message) })]);
  });
});
