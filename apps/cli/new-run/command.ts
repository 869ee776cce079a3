// `gossamer run new`: a run spec by questions, or by flags.
import { statSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { dirname, relative, resolve } from "node:path";
import { type Command, Option } from "commander";
import { formatOf } from "#corpus";
import { readTokenizer } from "#tokenizer";
import type { RunDraft } from "#wire";
import { SpecError } from "../../host/load-run.ts";
import { listFrom, numberFrom, positiveNumber } from "../options.ts";
import { type BaseFlags, baseWishes } from "./base.ts";
import { draftOf, methodsForBrowsers, type RunWishes, sizeLine, type TextPlace } from "./draft.ts";
import type { Terminal } from "./questions.ts";
import { type Device, devices, sizeFor, sizes, withVocabulary } from "./sizes.ts";

interface NewRunFlags extends BaseFlags {
  readonly name?: string;
  readonly purpose?: string;
  readonly operator?: string;
  readonly device?: Device;
  readonly memory?: number;
  readonly size?: string;
  readonly residual?: "ladder";
  readonly text?: string;
  readonly source?: string;
  readonly licence?: string;
  readonly modelLicence?: string;
  readonly method?: string;
  readonly prompt?: readonly string[];
  readonly tokenizer?: string;
  readonly tokens?: number;
}

/** @param from where file names start from */
export function addNewRunCommand(runCommand: Command, from: string): void {
  runCommand
    .command("new")
    .description("write a run spec: by questions in a terminal, or by flags")
    .argument("<file>", "JSON file that is not there yet", (text) => resolve(from, text))
    .option("--name <text>", "what it is called")
    .option("--purpose <text>", "what volunteers give their time for")
    .option("--operator <text>", "who hosts it")
    .addOption(
      new Option("--device <kind>", "who should be able to train it: the largest size that fits there").choices(
        Object.keys(devices),
      ),
    )
    .option("--memory <GB>", "the same, by the memory that training may take", positiveNumber)
    .addOption(
      new Option("--size <name>", "the model's size itself (default: nano)").choices(sizes.map(({ name }) => name)),
    )
    .addOption(
      new Option(
        "--residual <kind>",
        "ladder: blocks that do not wait for each other, for a deep model that several tabs hold together; only Gossamer runs it",
      ).choices(["ladder"]),
    )
    .option(
      "--text <place>",
      "a file or folder of your own, an address, or hub:NAME, with --source and --licence (default: State of the Union addresses)",
    )
    .option("--source <text>", "where that text comes from")
    .option("--licence <text>", "that text's licence")
    .option(
      "--tokenizer <what>",
      "bytes (default), a Hugging Face tokenizer.json, or a number: byte-level BPE of so many tokens is trained from the text",
    )
    .option("--base <folder>", "start from weights in Hugging Face's layout, with --base-source and --base-licence")
    .option("--base-source <text>", "where those weights come from")
    .option("--base-licence <text>", "their licence")
    .option(
      "--context <tokens>",
      "read so many at once (default: as the base does, at most 512)",
      numberFrom(2, 32_768),
    )
    .option("--lora <rank>", "train adapters of that rank beside the base, which stays", numberFrom(1, 256))
    .option("--model-licence <text>", "of the model that comes out (default: CC0-1.0)")
    .addOption(
      new Option("--method <name>", "gossamer run methods explains (default: diloco)").choices(
        methodsForBrowsers.map(({ name }) => name),
      ),
    )
    .option(
      "--prompt <text>",
      "the model continues it at each checkpoint, for everybody to read; may be repeated",
      listFrom,
    )
    .option("--tokens <count>", "it ends after so many (default: 20 for each parameter)", numberFrom(1, 1e15))
    .addHelpText(
      "after",
      `
Without any of these flags, in a terminal, it asks. What the file says can be changed by hand: gossamer run reference has every field, gossamer run
check FILE says what is wrong with it, gossamer plan FILE what it takes of a GPU.

Examples:
  gossamer run new my-run.json
  gossamer run new book.json --device laptop --text ./book.txt --source "Project Gutenberg" --licence "public domain"`,
    )
    .action(async (file: string, flags: NewRunFlags) => {
      const asks = Object.keys(flags).length === 0 && process.stdin.isTTY === true;
      await newRun(file, from, asks ? {} : undefined, flags);
    });
}

/** @param at the terminal to ask in; undefined: flags say it all. @throws SpecError */
export async function newRun(file: string, from: string, at: Terminal | undefined, flags: NewRunFlags): Promise<void> {
  const wishes =
    at === undefined
      ? await wishesOf(flags, from)
      : await (await import("./questions.ts")).askWishes(at, (said) => textPlace(said, from)); // its library takes time that no other command has to spare
  if (wishes === undefined) return;
  const draft = draftOf(beside(wishes, file, from));
  await writeFile(file, `${JSON.stringify(draft, null, 2)}\n`, { flag: "wx" }).catch((error: NodeJS.ErrnoException) => {
    const why = error.code === "EEXIST" ? "it is there already. Give another name, or remove it" : error.message;
    throw new SpecError(`${file} is not written: ${why}`);
  });
  for (const line of linesOf(draft, wishes, relative(from, file) || file)) console.log(line);
}

async function wishesOf(flags: NewRunFlags, from: string): Promise<RunWishes> {
  const {
    device,
    memory,
    text,
    source = "",
    licence = "",
    method = "diloco",
    prompt,
    tokenizer,
    residual,
    ...said
  } = flags;
  const weights = await baseWishes(said, from);
  const pieces = await tokenizerOf(tokenizer ?? weights?.tokenizer, from);
  const memoryGb = memory ?? (device === undefined ? undefined : devices[device].memoryGb);
  const named = sizes.find(({ name }) => name === said.size);
  const { vocabSize } = pieces ?? {};
  const chosen = withVocabulary(named ?? (memoryGb === undefined ? sizes[0] : sizeFor(memoryGb, vocabSize)), vocabSize);
  const { size: plain, base, lora } = weights ?? { size: chosen };
  const size = residual === undefined ? plain : { ...plain, model: { ...plain.model, residual } };
  const { name, purpose, operator, modelLicence, tokens } = said;
  return {
    ...{ name, purpose, operator, modelLicence, tokens },
    ...{ base, lora },
    tokenizer: pieces,
    prompts: prompt,
    size,
    method,
    text: text === undefined ? undefined : { place: placeOf("--text", text, from), source, licence },
  };
}

function placeOf(flag: string, said: string, from: string): TextPlace {
  try {
    return textPlace(said, from);
  } catch (error) {
    throw new SpecError(`${flag} ${said}: ${(error as Error).message}`);
  }
}

/** @throws SpecError, TokenizerError */
async function tokenizerOf(said: string | undefined, from: string): Promise<RunWishes["tokenizer"]> {
  if (said === undefined || said === "bytes") return undefined;
  if (/^\d+$/.test(said)) return { kind: "train", vocabSize: Number(said) };
  const content = await readFile(resolve(from, said)).catch((error: Error) => {
    throw new SpecError(
      `--tokenizer ${said}: neither bytes, nor a number of tokens, nor a file that can be read (${error.message}).`,
    );
  });
  return { kind: "file", path: said, vocabSize: (await readTokenizer(content, said)).vocabSize };
}

/** @throws SpecError with what is wrong with it */
function textPlace(said: string, from: string): TextPlace {
  const hub = /^hub:(.+)$/.exec(said)?.[1];
  if (hub !== undefined) return { kind: "parts", parts: [{ hub: { dataset: hub } }] };
  if (/^https?:/.test(said)) return { kind: "parts", parts: [{ url: said }] };
  if (said.trim() === "") throw new SpecError("A file or folder, an http address, or hub: and a data set's name.");
  const path = resolve(from, said);
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) throw new SpecError(`There is no file ${path}.`);
  const { format = "text", packed } = formatOf(path) ?? {};
  const plain = found.isFile() && format === "text" && packed === undefined;
  return plain ? { kind: "file", path: said } : { kind: "parts", parts: [{ path: said }] };
}

/** A spec names its files from its own folder. */
function beside(wishes: RunWishes, file: string, from: string): RunWishes {
  const { text, tokenizer, base } = wishes;
  const seen = <T extends { readonly path: string }>(given: T): T => {
    const path = relative(dirname(file), resolve(from, given.path));
    return { ...given, path: path.startsWith("..") ? path : `./${path}` };
  };
  const placed = (place: TextPlace): TextPlace => {
    if (place.kind === "file") return seen(place);
    const [{ path, ...part }] = place.parts;
    return path === undefined ? place : { kind: "parts", parts: [{ ...part, ...seen({ path }) }] };
  };
  return {
    ...wishes,
    base: base && seen(base),
    text: text && { ...text, place: placed(text.place) },
    tokenizer: tokenizer?.kind === "file" ? seen(tokenizer) : tokenizer,
  };
}

const linesOf = ({ name, end }: RunDraft, { size, method }: RunWishes, file: string): string[] => [
  `${file} is written: "${name}", ${sizeLine(size)}, by ${method}, until ${end.tokensMax?.toLocaleString("en")} tokens.`,
  `What it takes of a GPU:  npm run gossamer -- plan ${file}`,
  `Host it:                 npm start -- --run ${file}`,
];
