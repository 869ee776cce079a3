// `gossamer run new` in a terminal: one question after another, each with an answer that one can take as it is.
import type { Readable, Writable } from "node:stream";
import { cancel, confirm, intro, isCancel, log, select, text } from "@clack/prompts";
import { methodsForBrowsers, type RunWishes, sizeLine, type TextPlace, tokensFor } from "./draft.ts";
import { devices, type Size, sizeFor, sizes, withVocabulary } from "./sizes.ts";

/** The terminal; a test has its own. */
export interface Terminal {
  readonly input?: Readable;
  readonly output?: Writable;
}

/** Escape or Ctrl-C: nothing is written. */
class Cancelled extends Error {}

async function answerOf<T>(asked: Promise<T>): Promise<Exclude<T, symbol>> {
  const answer = await asked;
  if (isCancel(answer)) throw new Cancelled();
  return answer as Exclude<T, symbol>;
}

/** @param placeOf where a text is, as said; throws what is wrong with it. @returns undefined when the person gives up */
export async function askWishes(at: Terminal, placeOf: (said: string) => TextPlace): Promise<RunWishes | undefined> {
  const required = (value: string | undefined) =>
    value?.trim() ? undefined : "Volunteers read it: it cannot be empty.";
  try {
    intro("A new run. Enter takes what is shown, Ctrl-C ends without a file.", at);
    const name = await answerOf(
      text({ ...at, message: "What is it called?", initialValue: "our first run", validate: required }),
    );
    const purpose = await answerOf(
      text({
        ...at,
        message: "What do volunteers give their time for?",
        initialValue: "A language model, trained by everybody who opens the page.",
        validate: required,
      }),
    );
    const own = await answerOf(
      select({
        ...at,
        message: "What does it read?",
        options: [
          {
            value: false,
            label: "State of the Union addresses",
            hint: "9.7 MB of English, public domain, comes along",
          },
          {
            value: true,
            label: "a text of our own",
            hint: "text, Markdown, JSON lines, Parquet; a folder of them, an address, a data set of the hub",
          },
        ],
      }),
    );
    const corpus = own ? await askText(at, placeOf, required) : undefined;
    const vocabSize = await answerOf(
      select({
        ...at,
        message: "What is a token?",
        options: [
          { value: 0, label: "a byte", hint: "the smallest model, and any text" },
          {
            value: 4096,
            label: "a piece of text, one of 4,096",
            hint: "learned from the text; for some megabytes of it",
          },
          { value: 16_384, label: "a piece of text, one of 16,384", hint: "for hundreds of megabytes" },
        ],
      }),
    );
    const tokenizer = vocabSize === 0 ? undefined : ({ kind: "train", vocabSize } as const);
    const sized = (size: Size): Size => withVocabulary(size, tokenizer?.vocabSize);
    const device = await answerOf(
      select({
        ...at,
        message: "Who should be able to train it?",
        options: Object.entries(devices).map(([value, { title, memoryGb }]) => ({
          value: value as keyof typeof devices,
          label: title,
          hint: sizeLine(sized(sizeFor(memoryGb, tokenizer?.vocabSize))),
        })),
      }),
    );
    const fitting = sizeFor(devices[device].memoryGb, tokenizer?.vocabSize);
    const chosen = await answerOf(
      select({
        ...at,
        message: "How large is the model?",
        initialValue: fitting,
        options: sizes.slice(0, sizes.indexOf(fitting) + 1).map((value) => ({
          value,
          label: value.name,
          hint: sizeLine(sized(value)),
        })),
      }),
    );
    const size = sized(chosen);
    const method = await answerOf(
      select({
        ...at,
        message: "By which method?",
        initialValue: "diloco",
        options: methodsForBrowsers.map(({ name: value, title, source }) => ({ value, label: title, hint: source })),
      }),
    );
    const suggested = tokensFor(size);
    const tokens = await answerOf(
      text({
        ...at,
        message: "After how many tokens does it end? (20 for each parameter is a good start)",
        initialValue: String(suggested),
        validate: (value) => (/^[1-9]\d{0,14}$/.test(value ?? "") ? undefined : "A whole number above 0."),
      }),
    );
    const prompt = await answerOf(
      text({
        ...at,
        message: "What should it continue at each checkpoint, for everybody to read? (nothing: leave it empty)",
        placeholder: "My fellow citizens, ",
      }),
    );
    if (corpus === undefined && Number(tokens) > 50 * 9.7e6)
      log.warn("That is more than 50 times this text: a longer one would teach it more.", at);
    if (!(await answerOf(confirm({ ...at, message: "Write it?" })))) throw new Cancelled();
    const prompts = prompt ? [prompt] : undefined; // Enter alone answers nothing
    return { name, purpose, text: corpus, tokenizer, prompts, size, method, tokens: Number(tokens) };
  } catch (error) {
    if (!(error instanceof Cancelled)) throw error;
    cancel("Nothing was written.", at);
    return undefined;
  }
}

async function askText(
  at: Terminal,
  placeOf: (said: string) => TextPlace,
  required: (value: string | undefined) => string | undefined,
) {
  const fault = (said = ""): string | undefined => {
    try {
      placeOf(said);
    } catch (error) {
      return (error as Error).message;
    }
  };
  const said = await answerOf(
    text({ ...at, message: "Where is it? A file, a folder, an address.", placeholder: "./book.txt", validate: fault }),
  );
  const source = await answerOf(text({ ...at, message: "Where does it come from?", validate: required }));
  const licence = await answerOf(
    text({ ...at, message: "Under which licence?", placeholder: "CC0-1.0", validate: required }),
  );
  return { place: placeOf(said), source, licence };
}
