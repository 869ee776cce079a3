// `gossamer bans|invites|allow|audit`: who may come in to a host, told to it over its API.
import { type Command, InvalidArgumentError } from "commander";
import * as z from "zod/mini";
import {
  type AllowedRow,
  type AuditRow,
  allowedRowSchema,
  auditRowSchema,
  type BanRow,
  banRowSchema,
  type InviteRow,
  inviteRowSchema,
} from "#wire";
import { type AdminOptions, addAdminOptions, askAdmin } from "./admin.ts";
import { plain, tableLines } from "./ask/table.ts";
import { numberFrom } from "./options.ts";
import { placeOfAddress } from "./remote.ts";

const removedSchema = z.object({ removed: z.string() });
const unitMs = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** "30m", "12h", "7d" */
function spanFrom(text: string): number {
  const [, count, unit] = /^(\d{1,4})([mhd])$/.exec(text) ?? [];
  if (unit === undefined || Number(count) === 0)
    throw new InvalidArgumentError("A time is a number and m, h or d, for example 12h or 7d.");
  return Number(count) * unitMs[unit as keyof typeof unitMs];
}

/** A volunteer's key, or the id of one of its peers, which begins with it. */
function volunteerFrom(text: string): string {
  const key = /^([0-9a-f]{64})([0-9a-f]{2})?$/.exec(text)?.[1];
  if (key === undefined)
    throw new InvalidArgumentError("A volunteer's key has 64 hex digits: gossamer peers --json shows a peer's id.");
  return key;
}

const timeOf = (ms: number | null): string =>
  ms === null ? "for ever" : new Date(ms).toISOString().slice(0, 16).replace("T", " ");

/** The whole key: what a person copies from the list into the next command. */
const banLines = (bans: readonly BanRow[]): string[] =>
  bans.map(
    ({ volunteer, by, until, reason }) =>
      `${volunteer}  ${by.padEnd(8)}  ${timeOf(until).padEnd(16)}  ${plain(reason)}`,
  );
const allowedLines = (rows: readonly AllowedRow[]): string[] =>
  rows.map(({ volunteer, by, label }) => `${volunteer}  ${by.padEnd(8)}  ${plain(label)}`);
const inviteLines = (rows: readonly InviteRow[]): string[] =>
  tableLines(
    [
      { title: "id", cell: ({ id }) => id },
      { title: "used", cell: ({ uses, usesMax }) => `${uses} of ${usesMax}`, right: true },
      { title: "until (UTC)", cell: ({ endsAt }) => timeOf(endsAt) },
      { title: "label", cell: ({ label }) => label },
    ],
    rows,
  );

const say = (json: boolean, document: unknown, lines: readonly string[]): void => {
  for (const line of json ? [JSON.stringify(document)] : lines) console.log(line);
};

/** @param from where file names start from */
export function addAccessCommands(program: Command, from: string): void {
  const group = (name: string, description: string) => {
    const parent = program.command(name).description(description);
    return (sub: string, what: string): Command => addAdminOptions(parent.command(sub).description(what), from);
  };
  addBans(group("bans", "keys that a host does not let in"));
  addInvites(group("invites", "links that let volunteers in to a host with --join invite"));
  addAllowed(
    group("allow", "keys that come in without an invitation, and all that a host with --join allow-list takes"),
  );
  addAdminOptions(
    program.command("audit").description("what was decided on a host, and who was kept out: the newest lines"),
    from,
  ).action(async (options: AdminOptions) => {
    const rows = await askAdmin(options, "audit", z.array(auditRowSchema));
    say(options.json, rows, rows.map(auditLine));
  });
}

type Add = (name: string, description: string) => Command;

function addBans(add: Add): void {
  add("list", "those that hold, newest first").action(async (options: AdminOptions) => {
    const bans = await askAdmin(options, "bans", z.array(banRowSchema));
    say(options.json, bans, bans.length === 0 ? ["Nobody is banned."] : banLines(bans));
  });
  add("add", "send a volunteer away from all slots and runs, and keep it out")
    .argument("<volunteer>", "its key, or the id of one of its peers", volunteerFrom)
    .option("--for <time>", "30m, 12h, 7d (default: for ever)", spanFrom)
    .option("--reason <text>", "what the volunteer reads")
    .action(async (volunteer: string, options: AdminOptions & { for?: number; reason?: string }) => {
      const body = { volunteer, forMs: options.for, reason: options.reason };
      const ban = await askAdmin(options, "bans", banRowSchema, body);
      say(options.json, ban, banLines([ban]));
    });
  add("remove", "let it in again")
    .argument("<volunteer>", "as list shows it", volunteerFrom)
    .action(async (volunteer: string, options: AdminOptions) => {
      const removed = await askAdmin(options, `bans/${volunteer}/remove`, removedSchema, {});
      say(options.json, removed, [`${volunteer} may come in again.`]);
    });
}

function addInvites(add: Add): void {
  add("list", "those that there are; not their codes").action(async (options: AdminOptions) => {
    const rows = await askAdmin(options, "invites", z.array(inviteRowSchema));
    say(options.json, rows, rows.length === 0 ? ["There is no invitation."] : inviteLines(rows));
  });
  add("add", "make a link; it is shown once")
    .option("--label <text>", "for whom it is")
    .option("--uses <count>", "how many volunteers may come in by it (default: 1)", numberFrom(1, 100_000))
    .option("--for <time>", "30m, 12h, 7d (default: for ever)", spanFrom)
    .option("--run <id>", "a link to that run, where it is not the host's first")
    .action(async (options: AdminOptions & { label?: string; uses?: number; for?: number; run?: string }) => {
      const body = { label: options.label, usesMax: options.uses, forMs: options.for };
      const row = await askAdmin(options, "invites", inviteRowSchema, body);
      const run = options.run === undefined ? "" : `run=${encodeURIComponent(options.run)}&`;
      const link = `${placeOfAddress(options.url).base}/?${run}invite=${row.code}`;
      say(options.json, { ...row, link }, [...inviteLines([row]), "", link]);
    });
  add("remove", "nobody else comes in by it; who did may come again")
    .argument("<id>", "as list shows it")
    .action(async (id: string, options: AdminOptions) => {
      const removed = await askAdmin(options, `invites/${encodeURIComponent(id)}/remove`, removedSchema, {});
      say(options.json, removed, [`Invitation ${id} is withdrawn.`]);
    });
}

function addAllowed(add: Add): void {
  add("list", "who is known, and by what").action(async (options: AdminOptions) => {
    const rows = await askAdmin(options, "allowed", z.array(allowedRowSchema));
    say(options.json, rows, rows.length === 0 ? ["No key is listed."] : allowedLines(rows));
  });
  add("add", "list a key")
    .argument("<volunteer>", "its key, or the id of one of its peers", volunteerFrom)
    .option("--label <text>", "whose it is")
    .action(async (volunteer: string, options: AdminOptions & { label?: string }) => {
      const row = await askAdmin(options, "allowed", allowedRowSchema, { volunteer, label: options.label });
      say(options.json, row, allowedLines([row]));
    });
  add("remove", "it needs an invitation again; who is in stays until it leaves")
    .argument("<volunteer>", "as list shows it", volunteerFrom)
    .action(async (volunteer: string, options: AdminOptions) => {
      const removed = await askAdmin(options, `allowed/${volunteer}/remove`, removedSchema, {});
      say(options.json, removed, [`${volunteer} is listed no more.`]);
    });
}

const auditLine = ({ time, event, ...fields }: AuditRow): string =>
  plain(
    `${time.slice(0, 19).replace("T", " ")}  ${event.padEnd(16)}  ${Object.entries(fields)
      .map(([name, value]) => `${name}=${String(value)}`)
      .join(" ")}`,
  );
