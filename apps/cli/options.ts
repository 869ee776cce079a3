// What several commands read from the command line.
import { type Command, InvalidArgumentError, Option } from "commander";
import { placeOfAddress } from "./remote.ts";

export function numberFrom(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < min || value > max)
      throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
    return value;
  };
}

export function positiveNumber(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value < Number.POSITIVE_INFINITY)) throw new InvalidArgumentError("It must be a number above 0.");
  return value;
}

export const precisionOption = (): Option =>
  new Option("--precision <kind>", "f16: activations and weights take half the memory (adapters with shader-f16)")
    .choices(["f32", "f16"])
    .default("f32");
export const momentsOption = (): Option =>
  new Option("--moments <kind>", "how AdamW's moments are kept between steps").choices(["f32", "8bit"]).default("f32");

/** A flag that may be repeated. */
export const listFrom = (text: string, before: readonly string[] = []): string[] => [...before, text];

export function hostFrom(text: string): string {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol))
    throw new InvalidArgumentError("The address of a host, for example http://localhost:7070");
  return new URL(text).origin;
}

/** Where a host is, also below a path of its own. */
function baseFrom(text: string): string {
  try {
    return placeOfAddress(text).base;
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

/** Where a command takes a model from: what checkpoint-source.ts asks for, and which checkpoint. */
export const withCheckpointOptions = (command: Command, dataOption: () => Option) =>
  command
    .option(
      "--url <origin>",
      "a host to fetch it from, for example http://localhost:7070 (default: the data directory)",
      baseFrom,
    )
    .addOption(dataOption())
    .option("--run <id>", "a run's id (default: the host's, or the one that was written last)")
    .option(
      "--round <number>",
      "the checkpoint after so many rounds (default: a host's anchor of now, else the newest checkpoint)",
      numberFrom(0, 2 ** 31),
    );
