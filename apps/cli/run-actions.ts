// `gossamer run list|start|pause|resume|end|archive`: what an operator decides, told to a host over its API.
import { resolve } from "node:path";
import type { Command } from "commander";
import * as z from "zod/mini";
import { type AdminRun, adminRunSchema, presets, type RunAction, type StartRun } from "#wire";
import { withPaths } from "../host/given.ts";
import { loadDraft } from "../host/load-run.ts";
import { type AdminOptions, addAdminOptions, askAdmin } from "./admin.ts";

/** @param from where file names start from */
export function addRunActions(runCommand: Command, from: string): void {
  const admin = (name: string, description: string): Command =>
    addAdminOptions(runCommand.command(name).description(description), from);

  admin("list", "all runs of a host: served, stored, archived").action(async (options: AdminOptions) => {
    const rows = await askAdmin(options, "runs", z.array(adminRunSchema));
    for (const line of options.json ? [JSON.stringify(rows)] : runLines(rows)) console.log(line);
  });
  admin("start", "serve one more run, beside those that the host serves")
    .argument("<name, file or id>", "preset, run spec as JSON, or the id of a stored or archived run")
    .action(async (what: string, options: AdminOptions) => {
      const isId = /^[0-9a-f]{64}$/.test(what);
      const body = isId ? {} : await startBody(what, from);
      tellRun(await askAdmin(options, isId ? `runs/${what}/start` : "runs", adminRunSchema, body), options);
    });
  const acts: [RunAction, string][] = [
    ["pause", "open no further round; the open one goes on to its commit, and peers stay"],
    ["resume", "go on with a paused run"],
    ["end", "end a run for good: its log gets an end"],
    ["archive", "put a paused or ended run away: nobody can join or watch it, its files stay"],
  ];
  for (const [action, description] of acts) {
    const command = admin(action, description).argument("<id>", "the run's id, or default");
    if (action === "end") command.option("--reason <text>", "what its volunteers read");
    command.action(async (id: string, options: AdminOptions & { reason?: string }) => {
      const { reason } = options;
      const body = reason === undefined ? {} : { reason };
      tellRun(await askAdmin(options, `runs/${encodeURIComponent(id)}/${action}`, adminRunSchema, body), options);
    });
  }
}

/** A file's draft goes over the line, with its text's name as the host's machine has it. */
async function startBody(what: string, from: string): Promise<StartRun> {
  if (Object.hasOwn(presets, what.split("+")[0])) return { run: what };
  const { draft, folder } = await loadDraft(what, from);
  return { draft: withPaths(draft, (path) => resolve(folder, path)) };
}

function tellRun(run: AdminRun, { json }: AdminOptions): void {
  for (const line of json ? [JSON.stringify(run)] : runLines([run])) console.log(line);
}

function runLines(rows: readonly AdminRun[]): string[] {
  if (rows.length === 0) return ["No run is here yet. Start one: gossamer run start nano"];
  return rows.map(({ id, name, state, round, peers, isDefault, problem }) => {
    const served = state !== "stored" && state !== "archived";
    const where = served ? `round ${round}, ${peers} ${peers === 1 ? "peer" : "peers"}` : "";
    return `${id.slice(0, 12)}  ${state.padEnd(9)}${isDefault ? "default  " : ""}${where ? `${where}  ` : ""}${problem ?? name}`;
  });
}
