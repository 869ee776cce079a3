// A volunteer's key moves to a fresh browser, by file and by address; and a browser forgets.
import { readFile } from "node:fs/promises";
import { type BrowserContext, expect, type Page, test } from "@playwright/test";
import { hostForAll } from "./support.ts";

const PASSPHRASE = "correct horse battery";

const host = hostForAll();

async function openKeys(context: BrowserContext): Promise<Page> {
  const page = await context.newPage();
  await page.goto(host().url);
  await page.getByText("Your key, and what this browser keeps").click();
  return page;
}

test("a key file opens in a fresh browser, and only with its passphrase: the same volunteer donates; then that browser forgets", async ({
  browser,
}) => {
  const [old, fresh, phone] = await Promise.all([browser.newContext(), browser.newContext(), browser.newContext()]);
  const mine = await openKeys(old);
  await mine.getByLabel("Your name, if you like").fill("Ada");
  await mine.getByLabel("A passphrase of at least 8 characters").fill(PASSPHRASE);
  await mine.getByRole("button", { name: "Make a key file" }).click();
  const downloading = mine.waitForEvent("download");
  await mine.getByRole("link", { name: "Download the key file" }).click();
  const download = await downloading;
  const text = await readFile(await download.path(), "utf8");
  const { volunteer } = JSON.parse(text) as { volunteer: string };
  expect(download.suggestedFilename()).toBe(`gossamer-key-${volunteer.slice(0, 12)}.json`);
  await expect(mine.getByRole("img", { name: "The same key as a QR code" })).toBeVisible();

  const theirs = await openKeys(fresh);
  const bring = async (passphrase: string) => {
    await theirs
      .getByLabel("Key file")
      .setInputFiles({ name: "k.json", mimeType: "application/json", buffer: Buffer.from(text) });
    await theirs.getByLabel("Its passphrase").fill(passphrase);
    await theirs.getByRole("button", { name: "Use this key" }).click();
  };
  await bring("correct horse batterz");
  await expect(theirs.getByRole("alert")).toContainText("The passphrase does not open this file");
  await bring(PASSPHRASE);
  await expect(theirs.getByText(`This browser is volunteer ${volunteer.slice(0, 12)}`)).toBeVisible();
  await expect(theirs.getByLabel("Your name, if you like")).toHaveValue("Ada");
  await theirs.getByRole("button", { name: "Donate this GPU" }).click();
  const peers = async () => (await host().run()).peers.map(({ id, name }) => ({ id, name }));
  await expect.poll(peers, { timeout: 60_000 }).toEqual([{ id: `${volunteer}00`, name: "Ada" }]);
  await expect(theirs.getByText("Stop donating first")).toBeVisible();

  // The code's address, as a phone's camera opens it. It leaves the address bar at once.
  const byCode = await phone.newPage();
  await byCode.goto(`${host().url}/#key=${Buffer.from(text).toString("base64url")}`);
  await expect(byCode.getByText("This address brought a key.")).toBeVisible();
  expect(byCode.url()).toBe(`${host().url}/`);
  await byCode.getByLabel("Its passphrase").fill(PASSPHRASE);
  await byCode.getByRole("button", { name: "Use this key" }).click();
  await expect(byCode.getByText(`This browser is volunteer ${volunteer.slice(0, 12)}`)).toBeVisible();

  // Forgetting ends the donation, and leaves nothing in this browser.
  await theirs.getByText("Forget me", { exact: true }).click();
  await expect(theirs.getByText(/Deletes the key, the fetched text, settings and caches: [\d.]+ [kM]B/)).toBeVisible();
  await theirs.getByRole("button", { name: "Delete all of it" }).click();
  await expect(theirs.getByText("This browser has forgotten everything about you")).toBeVisible();
  await expect(theirs.getByLabel("Your name, if you like")).toHaveValue("");
  expect(theirs.url()).toBe(`${host().url}/`);
  await expect.poll(async () => (await host().run()).peers.filter(({ state }) => state !== "left")).toEqual([]);
  await theirs.getByText("Your key, and what this browser keeps").click();
  await theirs.getByLabel("A passphrase of at least 8 characters").fill(PASSPHRASE);
  await theirs.getByRole("button", { name: "Make a key file" }).click();
  await expect(theirs.getByRole("link", { name: "Download the key file" })).toHaveAttribute(
    "download",
    /^gossamer-key-/,
  );
  expect(await theirs.getByRole("link", { name: "Download the key file" }).getAttribute("download")).not.toContain(
    volunteer.slice(0, 12),
  );
  await Promise.all([old, fresh, phone].map((context) => context.close()));
});
