// A host that takes invited volunteers: what its operator does over the API, and what peers hear of it.
import { expect, test } from "vitest";
import { type AuditRow, allowedRowSchema, banRowSchema, identityFrom, inviteRowSchema } from "#wire";
import { AdminTokens } from "../admin-tokens.ts";
import type { StartedHost } from "../host.ts";
import { freshFolder, helloOf, startTestHost, TestSocket, writeRun } from "../test-given.ts";
import type { JoinPolicy } from "./access.ts";

async function startGiven(join: JoinPolicy, folder?: string) {
  const data = folder ?? (await freshFolder());
  const host = await startTestHost({ data, run: await writeRun(data), join });
  const { token } = await new AdminTokens(data).make("a test", 1);
  const ask = async (method: string, path: string, body?: object) => {
    const headers = { authorization: `Bearer ${token}` };
    const request = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
    const response = await fetch(`${host.url}/api/admin/${path}`, request);
    return { status: response.status, body: (await response.json()) as never };
  };
  return { data, host, token, ask };
}

const identity = (seed: number) => identityFrom(new Uint8Array(32).fill(seed));

/** @returns "welcome", or the code of the refusal */
async function come(host: StartedHost, seed: number, invite?: string) {
  const socket = new TestSocket(`${host.url}/signal`);
  const { nonce } = await socket.next("challenge");
  socket.send(helloOf(identity(seed), nonce, invite === undefined ? {} : { invite }));
  const refused = socket.next("refuse");
  refused.catch(() => {}); // closed without one
  const heard = await Promise.race([socket.next("welcome"), refused]);
  return { socket, refused, heard: heard.type === "refuse" ? heard.code : heard.type };
}

test("an invitation is made, used, used up and withdrawn; keys that came by it come again, also after a restart", async () => {
  const { data, host, ask } = await startGiven("invite");
  expect((await come(host, 1)).heard).toBe("invite-needed");
  const made = await ask("POST", "invites", { label: "class 9b", usesMax: 1, forMs: 60_000 });
  expect(made.status).toBe(201);
  const { id, code } = inviteRowSchema.parse(made.body);
  const first = await come(host, 1, code);
  expect(first.heard).toBe("welcome");
  first.socket.socket.close();
  await first.socket.whenClosed();
  expect((await come(host, 2, code)).heard).toBe("invite-used-up");
  expect((await come(host, 2, "not a code")).heard).toBe("invite-unknown");
  const { body: listed } = await ask("GET", "invites");
  expect(listed).toEqual([expect.objectContaining({ id, uses: 1, label: "class 9b" })]);
  expect(JSON.stringify(listed)).not.toContain(code);
  expect((await ask("POST", `invites/${id}/remove`)).status).toBe(200);
  expect((await ask("POST", `invites/${id}/remove`)).status).toBe(409);
  await host.close();

  const again = await startGiven("invite", data);
  expect((await come(again.host, 1)).heard).toBe("welcome");
  const { body: trail } = await again.ask("GET", "audit");
  const events = (trail as AuditRow[]).map(({ event }) => event);
  expect(events.slice(0, 3)).toEqual(["start", "join-refused", "invite-made"]);
  expect(events).toEqual(expect.arrayContaining(["invite-used", "invite-withdrawn", "stop"]));
  expect(JSON.stringify(trail)).not.toContain(code);
  await again.host.close();
});

test("a ban sends a volunteer away from all its slots, keeps it out, and ends when the operator says so", async () => {
  const { host, ask } = await startGiven("open");
  const first = await come(host, 1);
  const { volunteer } = identity(1);
  const ban = await ask("POST", "bans", { volunteer, reason: "spam" });
  expect(banRowSchema.parse(ban.body)).toMatchObject({ volunteer, by: "operator", until: null });
  const refused = await first.refused;
  expect([refused.code, refused.message]).toEqual(["banned", expect.stringContaining("spam")]);
  expect((await come(host, 1)).heard).toBe("banned");
  expect((await ask("POST", `bans/${volunteer}/remove`)).status).toBe(200);
  expect((await come(host, 1)).heard).toBe("welcome");
  expect((await ask("POST", "bans/nobody/remove")).status).toBe(400);
  expect((await ask("DELETE", "bans")).status).toBe(405);
  expect((await fetch(`${host.url}/api/admin/bans`)).status).toBe(401);
  await host.close();
});

test("an allow-list takes those that are listed; what the operator does with runs is in the trail", async () => {
  const { host, token, ask } = await startGiven("allow-list");
  expect((await come(host, 1)).heard).toBe("not-listed");
  const { volunteer } = identity(1);
  allowedRowSchema.parse((await ask("POST", "allowed", { volunteer, label: "Ada" })).body);
  expect((await come(host, 1)).heard).toBe("welcome");
  expect((await ask("POST", "runs/default/pause")).status).toBe(200);
  const { body } = await ask("GET", "audit");
  expect(body).toContainEqual(expect.objectContaining({ event: "admin", action: "pause", run: host.run.id }));
  expect(JSON.stringify(body)).not.toContain(token);
  expect((await ask("POST", "audit", {})).status).toBe(405);
  await host.close();
});
