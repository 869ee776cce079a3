// Settings of a command from a JSON file: its keys are the flags' names, its values go through the flags' own checks.
//
//   {"version": 1, "port": 8080, "run": ["nano", "./mine.json"], "share": true}      flag > environment > file > default
import { dirname, resolve } from "node:path";
import { type Command, InvalidArgumentError, type Option } from "commander";
import { readFileIfThere } from "#store/disk";
import { StartError } from "../host/server.ts";

const VERSION = 1;
/** A file name in a configuration is meant from where the configuration lies. */
const isFileName = (text: string): boolean => /^\.{1,2}[\\/]/.test(text);

/**
 * Sets what neither a flag nor the environment has set.
 * @throws StartError that names the file, the setting and what would do
 */
export async function applyConfigFile(command: Command, path: string): Promise<void> {
  for (const [name, value] of Object.entries(await readConfig(path))) {
    if (name === "version" || name === "$schema") continue;
    const option = command.options.find((one) => one.attributeName() === name && one.long !== "--config");
    if (option === undefined)
      throw new StartError(`${path}: there is no setting "${name}". There are ${settingNames(command).join(", ")}.`);
    const source = command.getOptionValueSource(name);
    if (source !== undefined && source !== "default") continue;
    command.setOptionValueWithSource(name, parsed(option, value, path), "config");
  }
}

async function readConfig(path: string): Promise<Record<string, unknown>> {
  const content = await readFileIfThere(path).catch((error: Error) => {
    throw new StartError(`--config: ${path} cannot be read: ${error.message}`);
  });
  if (content === undefined)
    throw new StartError(`--config: there is no file ${path}. Begin one with: gossamer host --print-config`);
  let config: unknown;
  try {
    config = JSON.parse(content.toString());
  } catch (error) {
    throw new StartError(`${path} is not JSON: ${(error as Error).message}`);
  }
  if (typeof config !== "object" || config === null || Array.isArray(config))
    throw new StartError(`${path} holds no settings. It looks like {"version": 1, "port": 8080}.`);
  const { version } = config as { version?: unknown };
  if (version !== VERSION)
    throw new StartError(
      `${path}: version is ${version === undefined ? "missing" : JSON.stringify(version)}; this build reads ${VERSION}.`,
    );
  return config as Record<string, unknown>;
}

function parsed(option: Option, value: unknown, path: string): unknown {
  const name = option.attributeName();
  const wrong = (why: string) => new StartError(`${path}: ${name} is ${JSON.stringify(value)}. ${why}`);
  if (option.isBoolean()) {
    if (typeof value !== "boolean") throw wrong("It must be true or false.");
    return value;
  }
  let result: unknown;
  for (const one of Array.isArray(value) ? value : [value]) {
    if (typeof one !== "string" && typeof one !== "number") throw wrong("It must be a text or a number.");
    const text = typeof one === "string" && isFileName(one) ? resolve(dirname(path), one) : String(one);
    try {
      // Commander's type leaves the value before out where there is none.
      result = option.parseArg === undefined ? text : option.parseArg(text, result as string);
    } catch (error) {
      if (error instanceof InvalidArgumentError) throw wrong(error.message);
      throw error;
    }
  }
  if (Array.isArray(value) && !Array.isArray(result)) throw wrong("It must be one value, not a list.");
  return result;
}

const settingNames = (command: Command): string[] =>
  command.options
    .filter(({ long, hidden }) => !hidden && long !== "--config" && long !== "--print-config" && long !== "--help")
    .map((option) => option.attributeName());

/** All settings as such a file: what was set, and the defaults of the rest. */
export function configText(command: Command): string {
  const values = command.opts() as Record<string, unknown>;
  const settings = settingNames(command).map((name) => [name, values[name]]);
  return JSON.stringify({ version: VERSION, ...Object.fromEntries(settings) }, null, 2);
}
