import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Command, Option } from "commander";
import { beforeEach, expect, test } from "vitest";
import { applyConfigFile, configText } from "./config-file.ts";
import { addHostCommand } from "./host-options.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gossamer-config-"));
});

/** `gossamer host` with these flags and that file, as far as its settings. */
async function settings(config: unknown, flags: string[] = [], env: Record<string, string> = {}) {
  const program = new Command();
  const dataOption = () => new Option("--data <dir>").env("GOSSAMER_DATA").default("/data");
  addHostCommand(program, folder, dataOption);
  const command = program.commands[0].action(() => {});
  const path = join(folder, "gossamer.json");
  await writeFile(path, typeof config === "string" ? config : JSON.stringify(config));
  const before = { ...process.env };
  Object.assign(process.env, env);
  try {
    program.parse(["node", "gossamer", "host", ...flags]);
    await applyConfigFile(command, path);
  } finally {
    process.env = before;
  }
  return command;
}

test("a flag counts before the environment, that before the file, that before the default", async () => {
  const config = { version: 1, port: 1111, host: "0.0.0.0", waitFor: 3 };
  const command = await settings(config, ["--wait-for", "2"], { PORT: "2222" });
  expect(command.opts()).toMatchObject({ port: 2222, host: "0.0.0.0", waitFor: 2, relayMbit: 20 });
});

test("lists, switches, and file names from where the file lies", async () => {
  const config = { version: 1, share: true, run: ["nano", "./mine.json"], turn: ["turn:a.example", "turn:b.example"] };
  const command = await settings({ $schema: "none", ...config, turnSecretFile: "../secret" });
  expect(command.opts()).toMatchObject({
    share: true,
    run: ["nano", join(folder, "mine.json")],
    turn: config.turn,
    turnSecretFile: resolve(folder, "../secret"),
  });
});

test.each([
  ["a setting that is none", { version: 1, prot: 1 }, /there is no setting "prot"\. There are port, host, data, run/],
  ["what no flag would take", { version: 1, port: 70_000 }, /port is 70000\. It must be a whole number from 0 to/],
  ["a text for a switch", { version: 1, share: "yes" }, /share is "yes"\. It must be true or false/],
  ["a list for one value", { version: 1, port: [1, 2] }, /port is \[1,2\]\. It must be one value/],
  ["an object for a value", { version: 1, host: {} }, /host is \{\}\. It must be a text or a number/],
  ["one that is not allowed", { version: 1, only: "witness" }, /only is "witness"\. Allowed choices are signaling/],
  ["no version", { port: 1 }, /version is missing; this build reads 1/],
  ["a version of tomorrow", { version: 2 }, /version is 2; this build reads 1/],
  ["what is no JSON", "{", /gossamer\.json is not JSON/],
  ["no object", [], /holds no settings/],
] as const)("%s is refused by name", async (_, config, message) => {
  await expect(settings(config)).rejects.toThrow(message);
});

test("a file that is not there is told with how to begin one", async () => {
  const program = new Command();
  addHostCommand(program, folder, () => new Option("--data <dir>"));
  await expect(applyConfigFile(program.commands[0], join(folder, "none.json"))).rejects.toThrow("--print-config");
});

test("what is printed can be read again, and means the same", async () => {
  const first = await settings({ version: 1, port: 1234, run: ["nano"], allowOrigin: ["https://a.example"] });
  const second = await settings(configText(first));
  expect(second.opts()).toEqual(first.opts());
});
