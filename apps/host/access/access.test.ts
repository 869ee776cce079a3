import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { freshFolder } from "../test-given.ts";
import { Access, type JoinPolicy } from "./access.ts";
import { AuditLog } from "./audit.ts";

const volunteer = (n: number): string => n.toString(16).padStart(64, "0");

async function given(policy: JoinPolicy, data?: string) {
  const folder = data ?? (await freshFolder());
  const clock = { now: 1_000 };
  const now = () => clock.now;
  const audit = new AuditLog({ data: folder, now, report: () => {} });
  const fatal = (error: Error) => {
    throw error;
  };
  return { folder, clock, audit, access: await Access.open({ data: folder, policy, audit, now, fatal }) };
}

test("open: anybody comes in but who is banned", async () => {
  const { access } = await given("open");
  expect(access.refusalOf({ volunteer: volunteer(1) })).toBeUndefined();
  await access.ban(volunteer(1), null, "spam");
  expect(access.refusalOf({ volunteer: volunteer(1) })?.code).toBe("banned");
  await access.unban(volunteer(1));
  expect(access.refusalOf({ volunteer: volunteer(1) })).toBeUndefined();
  await expect(access.unban(volunteer(1))).rejects.toThrow("is not banned");
});

test("invite: a code lets in so many volunteers until its end; who came in may come back without", async () => {
  const { access, clock } = await given("invite");
  const { code, invite } = await access.invite({ label: "class 9b", usesMax: 2, forMs: 1_000 });
  expect(Buffer.from(code, "base64url")).toHaveLength(16);
  const come = (n: number, with_: string | undefined = code) => {
    const hello = { volunteer: volunteer(n), invite: with_ };
    const refusal = access.refusalOf(hello);
    if (refusal === undefined) access.joined(hello);
    return refusal?.code;
  };
  expect(access.refusalOf({ volunteer: volunteer(1) })?.code).toBe("invite-needed");
  expect(come(1, "A".repeat(22))).toBe("invite-unknown");
  expect([come(1), come(1), come(2), come(3)]).toEqual([undefined, undefined, undefined, "invite-used-up"]);
  expect(access.invites[0]).toMatchObject({ id: invite.id, uses: 2 });
  clock.now += 1_000;
  const late = await access.invite({ label: "", usesMax: 1, forMs: 1 });
  clock.now += 1;
  expect(come(3, late.code)).toBe("invite-ended");
  await access.revoke(invite.id);
  expect(come(3)).toBe("invite-unknown");
  expect(access.refusalOf({ volunteer: volunteer(2) })).toBeUndefined();
});

test("allow-list: those whom the operator named, and nobody else", async () => {
  const { access } = await given("allow-list");
  expect(access.refusalOf({ volunteer: volunteer(1), invite: "A".repeat(22) })?.code).toBe("not-listed");
  await access.allow(volunteer(1), "Ada");
  expect(access.refusalOf({ volunteer: volunteer(1) })).toBeUndefined();
  await access.disallow(volunteer(1));
  expect(access.refusalOf({ volunteer: volunteer(1) })?.code).toBe("not-listed");
});

test("all of it survives a restart, and the file holds no code", async () => {
  const { folder, access } = await given("invite");
  const { code } = await access.invite({ label: "class 9b", usesMax: 5, forMs: null });
  access.joined({ volunteer: volunteer(1), invite: code });
  await access.ban(volunteer(2), null, "spam");
  access.sentAway(`${volunteer(3)}00`, "lies");
  await access.settled();
  expect(await readFile(join(folder, "access.json"), "utf8")).not.toContain(code);
  const { access: again } = await given("invite", folder);
  expect(again.invites[0].uses).toBe(1);
  const codes = [1, 2, 3, 4].map((n) => again.refusalOf({ volunteer: volunteer(n) })?.code);
  expect(codes).toEqual([undefined, "banned", "banned", "invite-needed"]);
});

test("a file of another version, or that is none, is refused by name", async () => {
  const { folder } = await given("open");
  await writeFile(join(folder, "access.json"), '{"version": 9}');
  await expect(given("open", folder)).rejects.toThrow("has version 9; this build reads 1");
  await writeFile(join(folder, "access.json"), "{");
  await expect(given("open", folder)).rejects.toThrow("is not JSON");
});

test("the trail says what was done, without codes, and goes on in a new file when one is full", async () => {
  const { folder, access, audit } = await given("invite");
  const { code, invite } = await access.invite({ label: "class 9b", usesMax: 5, forMs: null });
  access.joined({ volunteer: volunteer(1), invite: code });
  await access.revoke(invite.id);
  const entries = (await audit.newest(10)) as { event: string }[];
  expect(entries.map(({ event }) => event)).toEqual(["invite-made", "invite-used", "invite-withdrawn"]);
  expect(JSON.stringify(entries)).not.toContain(code);

  const small = new AuditLog({ data: folder, now: () => 5, report: () => {}, fileBytesMax: 1_000 });
  for (let i = 0; i < 60; i++) small.add("admin", { action: `number ${i}` });
  await small.settled();
  const sizes = await Promise.all(
    ["", ".1", ".2", ".3", ".4"].map(async (age) => (await readFile(join(folder, `audit${age}.ndjson`))).length),
  );
  expect(Math.max(...sizes)).toBeLessThanOrEqual(1_000);
  await expect(readFile(join(folder, "audit.5.ndjson"))).rejects.toThrow("ENOENT");
  expect((await small.newest(1))[0]).toMatchObject({ event: "admin", action: "number 59" });
});

test("who is refused again and again fills no disk: the rest are counted", async () => {
  const { access, audit, clock } = await given("allow-list");
  for (let i = 0; i < 1_000; i++) access.refusalOf({ volunteer: volunteer(1) });
  clock.now += 60_000;
  access.refusalOf({ volunteer: volunteer(1) });
  const entries = (await audit.newest(200)) as { refusalsNotListed?: number }[];
  expect(entries).toHaveLength(101);
  expect(entries.at(-1)?.refusalsNotListed).toBe(900);
});
