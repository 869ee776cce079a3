// A task file: multiple-choice questions, one JSON object a line (docs/FORMATS.md). What is no question is named by its line.
import { readFile } from "node:fs/promises";
import * as z from "zod/mini";
import { DataError } from "#store/disk";

/** A question of a harness is a page of text at most. */
const TEXT_MAX = 32_768;
/** Letters A to Z name them. */
const CHOICES_MAX = 26;
/** MMLU has 14,042; a file of ten times as many is read in a second. */
const QUESTIONS_MAX = 200_000;

const questionSchema = z
  .strictObject({
    prompt: z.string().check(z.minLength(1), z.maxLength(TEXT_MAX)),
    choices: z
      .array(z.string().check(z.minLength(1), z.maxLength(TEXT_MAX)))
      .check(z.minLength(2), z.maxLength(CHOICES_MAX)),
    answer: z.int().check(z.minimum(0)), //        place in choices
    task: z.optional(z.string().check(z.minLength(1), z.maxLength(80))), // what its result is counted under
  })
  .check(
    z.refine(({ choices, answer }) => answer < choices.length, {
      path: ["answer"],
      error: "is the place of the right choice, counted from 0",
    }),
  );
export type Question = z.infer<typeof questionSchema>;

/** @throws DataError that names the file, the line, the field and the remedy */
export async function readTasks(path: string): Promise<Question[]> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw new DataError(`The task file ${path} cannot be read: ${(error as Error).message}.`);
  }
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new DataError(`The task file ${path} is no UTF-8 text. Convert it, for example with iconv.`);
  }
  const questions = text.split("\n").flatMap((line, i) => (line.trim() === "" ? [] : [questionOf(line, path, i + 1)]));
  if (questions.length === 0)
    throw new DataError(
      `The task file ${path} has no question. A line is, for example: {"prompt": "Two and two are", "choices": [" four", " five"], "answer": 0}`,
    );
  if (questions.length > QUESTIONS_MAX)
    throw new DataError(`The task file ${path} has ${questions.length} questions; at most ${QUESTIONS_MAX} are read.`);
  return questions;
}

function questionOf(line: string, path: string, number: number): Question {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    throw new DataError(`${path}, line ${number} is not JSON (${(error as Error).message}). One object a line.`);
  }
  const parsed = questionSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [{ path: field, message }] = parsed.error.issues;
  const where = field.length > 0 ? `${field.map(String).join(".")}: ` : "";
  throw new DataError(
    `${path}, line ${number}: ${where}${message}. A question is {"prompt", "choices", "answer"} and perhaps "task".`,
  );
}
