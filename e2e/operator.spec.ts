// Who operates a host: settings from a file, a token, the page /admin and the command line, which decide about the same runs.
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, type Page, test } from "@playwright/test";
import { tinyDraft, writeRun } from "../apps/host/test-given.ts";
import type { AdminRun } from "../packages/wire/index.ts";
import { bringAxe, findings } from "./axe.ts";
import { startHost, type TestHost } from "./support.ts";

const gossamer = async (args: string[], env: Record<string, string> = {}): Promise<string> =>
  (await promisify(execFile)(process.execPath, ["dist/node/main.js", ...args], { env: { ...process.env, ...env } }))
    .stdout;

let folder: string;
let host: TestHost;
let token: string;
test.beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "gossamer-operator-"));
  await writeRun(folder);
  const config = join(folder, "gossamer.json");
  writeFileSync(config, JSON.stringify({ version: 1, waitFor: 2, relayMbit: 0 }));
  host = await startHost({ run: join(folder, "run.json"), args: ["--config", config] });
  token = (await gossamer(["token", "new", "--data", host.dataDir])).trim();
});
test.afterAll(async () => {
  await host.stop();
  host.remove();
  rmSync(folder, { recursive: true });
});

const rows = async (): Promise<AdminRun[]> =>
  JSON.parse(await gossamer(["run", "list", "--url", host.url, "--json"], { GOSSAMER_TOKEN: token }));
const row = (page: Page, name: string) => page.getByRole("row").filter({ hasText: name });

test("settings of the file are in force, and the tab that signs in with a wrong token is told", async ({ page }) => {
  expect(await (await fetch(`${host.url}/api/network`)).json()).toMatchObject({ relay: false }); // relayMbit of the file
  await page.goto(`${host.url}/admin`);
  await page.getByRole("textbox", { name: "Token" }).fill(`gsm_${"0".repeat(64)}`);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("alert")).toContainText("not one of this host's");
});

test("runs are paused, resumed, started, ended and archived, volunteers invited and kept out; the command line sees the same", async ({
  page,
}) => {
  await bringAxe(page);
  await page.goto(`${host.url}/admin/`); // with a slash too
  expect(await findings(page)).toEqual([]);
  await page.getByRole("textbox", { name: "Token" }).fill(token);
  await page.keyboard.press("Enter");
  await expect(row(page, "tiny")).toContainText("nobody trains");
  await page.getByRole("button", { name: "Pause tiny" }).click();
  await expect(page.getByRole("status").first()).toHaveText("tiny is paused: no further round opens.");
  await expect(row(page, "tiny")).toContainText("paused");
  expect((await host.run()).state).toBe("paused");
  await page.getByRole("button", { name: "Resume tiny" }).click();
  await expect(row(page, "tiny")).toContainText("nobody trains");

  const second = { name: "second.json", mimeType: "application/json", buffer: Buffer.from("{") };
  await page.getByLabel("Or a run spec").setInputFiles(second);
  await page.getByRole("button", { name: "Start", exact: true }).click();
  await expect(page.getByRole("alert")).toContainText("second.json is not JSON");
  const draft = tinyDraft({ name: "second", seed: 2, corpus: presetCorpus });
  await page.getByLabel("Or a run spec").setInputFiles({
    ...second,
    buffer: Buffer.from(JSON.stringify({ ...draft, model: { ...draft.model, dModel: 7 } })),
  });
  await page.getByRole("button", { name: "Start", exact: true }).click();
  await expect(page.getByRole("alert")).toContainText("model");
  await page.getByLabel("Or a run spec").setInputFiles({ ...second, buffer: Buffer.from(JSON.stringify(draft)) });
  await page.getByRole("button", { name: "Start", exact: true }).click();
  await expect(row(page, "second")).toContainText("nobody trains");
  expect(await findings(page)).toEqual([]);
  const volunteer = await page.context().newPage();
  await volunteer.goto(host.url);
  await volunteer.getByRole("link", { name: "second" }).click(); // its page, from the first one's
  await expect(volunteer.getByRole("heading", { level: 1, name: "second" })).toBeVisible();
  await volunteer.close();
  expect((await rows()).map(({ name, state }) => [name, state])).toEqual([
    ["tiny", "resting"],
    ["second", "resting"],
  ]);

  await page
    .getByRole("button", { name: "second: End…" })
    .or(page.getByRole("button", { name: "End… second" }))
    .click();
  await expect(page.getByRole("dialog")).toContainText("nothing takes back");
  expect(await findings(page)).toEqual([]);
  await page.getByRole("button", { name: "Keep it" }).click();
  expect((await rows())[1].state).toBe("resting");
  await page.getByRole("button", { name: "End… second" }).click();
  await page.getByRole("dialog").getByLabel("Why, for its volunteers").fill("only a test");
  await page.getByRole("button", { name: "End the run" }).click();
  await expect(row(page, "second")).toContainText("ended");
  const { id } = (await rows())[1];
  expect(await (await fetch(`${host.url}/api/runs/${id}`)).json()).toMatchObject({ endReason: "only a test" });
  await gossamer(["run", "archive", id, "--url", host.url], { GOSSAMER_TOKEN: token });
  await expect(row(page, "second")).toContainText("archived"); // decided elsewhere: the table follows

  await page.getByLabel("For whom").fill("the reading club");
  await page.getByRole("button", { name: "Make a link" }).click();
  await expect(page.getByText("The link, this once:")).toContainText(/\/\?invite=\w+/);
  await expect(row(page, "the reading club")).toContainText("0 of 1");
  const stranger = "ab".repeat(32);
  await page.getByLabel("Volunteer's key").fill(stranger);
  await page.getByLabel("Why (it is told)").fill("a test");
  await page.getByRole("button", { name: "Keep out" }).click();
  await expect(row(page, stranger.slice(0, 12))).toContainText("an operator");
  expect(await findings(page)).toEqual([]);
  await page.getByRole("button", { name: `Lift the ban of ${stranger.slice(0, 12)}` }).click();
  await expect(page.getByText("Nobody is kept out.")).toBeVisible();
  await page.getByRole("button", { name: "Withdraw the invitation for the reading club" }).click();
  await expect(page.getByText("None was made.")).toBeVisible();
  await expect(page.getByRole("listitem").first()).toContainText("invite-withdrawn"); // the audit trail, newest first
  await page.getByRole("button", { name: "Sign out" }).click();
  await expect(page.getByRole("heading", { name: "An operator's token" })).toBeVisible();
  await page.reload();
  await expect(page.getByRole("textbox", { name: "Token" })).toBeVisible(); // it is not kept
});

const presetCorpus = { kind: "sotu", source: "a test", licence: "CC0-1.0", evaluationPart: 0.1 } as const;

test("on the command line: without a token, of an unknown run, and at no host it says what to do", async () => {
  const failing = async (args: string[], env: Record<string, string> = {}) =>
    gossamer(args, env).then(
      () => "",
      ({ stderr, code }: { stderr: string; code: number }) => `${code} ${stderr}`,
    );
  const at = ["--url", host.url];
  const signed = { GOSSAMER_TOKEN: token };
  expect(await failing(["run", "list", ...at], { GOSSAMER_TOKEN: "" })).toContain("gossamer token new");
  expect(await failing(["run", "pause", "0".repeat(64), ...at], signed)).toContain("does not serve run");
  expect(await failing(["run", "start", "giant", ...at], signed)).toContain("neither a preset");
  expect(await failing(["run", "list", "--url", "http://127.0.0.1:9"], signed)).toContain("cannot be reached");
  const listed = await gossamer(["token", "list", "--data", host.dataDir]);
  expect(listed).toContain("operator");
  expect(listed).not.toContain(token);
});
