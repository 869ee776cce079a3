// A run by invitation, as the operator and two volunteers meet it: a link, a browser that came without one, and one that came with it.
import { execFileSync } from "node:child_process";
import { expect, test } from "@playwright/test";
import { hostForAll, openDonor, SHORT_ROUNDS } from "./support.ts";

const host = hostForAll({ run: SHORT_ROUNDS, args: ["--join", "invite"] });

const gossamer = (words: readonly string[], token = ""): string =>
  execFileSync(process.execPath, ["dist/node/main.js", ...words], {
    encoding: "utf8",
    env: { ...process.env, GOSSAMER_TOKEN: token },
    stdio: ["ignore", "pipe", "ignore"],
  }).trim();

test("who comes without an invitation reads what is missing; who opens the link donates, and the code leaves the address", async () => {
  const { url, dataDir } = host();
  const token = gossamer(["token", "new", "--data", dataDir]);
  const made = gossamer(["invites", "add", "--url", url, "--label", "class 9b", "--for", "1d", "--json"], token);
  const { link, id } = JSON.parse(made) as { link: string; id: string };
  expect(link).toMatch(/\/\?invite=[A-Za-z0-9_-]{22}$/);

  const stranger = await openDonor(url);
  try {
    await expect(stranger.page.getByText("this browser came without an invitation")).toBeVisible({ timeout: 60_000 });
    await expect(stranger.page.getByText("Open the invitation link that you were given")).toBeVisible();
  } finally {
    await stranger.close();
  }
  const guest = await openDonor(url, { path: link.slice(url.length), press: false });
  try {
    await expect(guest.page).toHaveURL(`${url}/`);
    await guest.page.reload(); // the tab keeps it
    await guest.donate();
    await expect(guest.page.getByRole("status").first()).toHaveText("Donating", { timeout: 60_000 });
  } finally {
    await guest.close();
  }
  const listed = JSON.parse(gossamer(["invites", "list", "--url", url, "--json"], token)) as {
    id: string;
    uses: number;
  }[];
  expect(listed).toEqual([expect.objectContaining({ id, uses: 1 })]);
  expect(gossamer(["audit", "--url", url], token)).toMatch(/join-refused.*code=invite-needed/);
});
