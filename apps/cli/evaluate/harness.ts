// Multiple choice by likelihood: of each question's choices the model is asked how likely it holds them behind the prompt; the likeliest is its answer.
//
//   (prompt, choices) -> ln p(choice | prompt) of each -> the largest                 accuracy
//                                        … / its bytes -> the largest                 accuracy per byte: long choices are not punished
//
// Source: the acc and acc_norm of EleutherAI's lm-evaluation-harness (Gao et al.); a choice's tokens are those that it adds to the prompt's.
import { type Generator, logLikelihood } from "#engine/generation";
import { DataError } from "#store/disk";
import type { Question } from "./tasks.ts";

export interface Measure {
  readonly value: number; // 0 to 1
  /** Standard error of the mean, sqrt(p (1 - p) / (n - 1)); null for a single question. */
  readonly error: number | null;
}

export interface TaskReport {
  readonly task: string;
  readonly questions: number;
  /** What guessing gets: the mean of 1 / choices. */
  readonly chance: number;
  readonly accuracy: Measure;
  readonly accuracyPerByte: Measure;
}

export interface Reader {
  readonly generator: Generator;
  readonly encode: (text: string) => ArrayLike<number>;
}

interface Answered {
  readonly task: string;
  readonly choices: number;
  readonly right: boolean;
  readonly rightPerByte: boolean;
}

/** Where questions name no task. */
const UNNAMED = "all";

/** @param onQuestion how many are answered. @throws DataError for a choice that no context holds */
export async function answerAll(
  reader: Reader,
  questions: readonly Question[],
  onQuestion: (done: number) => void,
): Promise<TaskReport[]> {
  const answered: Answered[] = [];
  for (const [i, question] of questions.entries()) {
    answered.push(await answer(reader, question, i + 1));
    onQuestion(answered.length);
  }
  const tasks = new Set(answered.map(({ task }) => task));
  return [...tasks].map((task) =>
    reportOf(
      task,
      answered.filter((each) => each.task === task),
    ),
  );
}

async function answer(reader: Reader, question: Question, number: number): Promise<Answered> {
  const { prompt, choices, answer: right, task = UNNAMED } = question;
  const nats: number[] = [];
  for (const [i, choice] of choices.entries())
    nats.push(await likelihoodOf(reader, prompt, choice, `question ${number}, choice ${i}`));
  const perByte = nats.map((value, i) => value / Buffer.byteLength(choices[i]));
  return { task, choices: choices.length, right: best(nats) === right, rightPerByte: best(perByte) === right };
}

/** A tokenizer may join the prompt's end with what follows, so the choice is what both together have more than the prompt alone. */
async function likelihoodOf({ generator, encode }: Reader, prompt: string, choice: string, what: string) {
  const [before, both] = [encode(prompt), Array.from(encode(prompt + choice))];
  const cut = Math.min(before.length, both.length - 1);
  const { contextLength } = generator.model;
  if (both.length - cut > contextLength)
    throw new DataError(
      `${what} has ${both.length - cut} tokens; this model reads ${contextLength} at once. Shorten it, or leave the question out.`,
    );
  return logLikelihood(generator, both.slice(0, cut), both.slice(cut));
}

/** Of equals the first. */
const best = (values: readonly number[]): number => values.indexOf(Math.max(...values));

function reportOf(task: string, answered: readonly Answered[]): TaskReport {
  const questions = answered.length;
  const measure = (isRight: (each: Answered) => boolean): Measure => {
    const value = answered.filter(isRight).length / questions;
    return { value, error: questions === 1 ? null : Math.sqrt((value * (1 - value)) / (questions - 1)) };
  };
  return {
    task,
    questions,
    chance: answered.reduce((sum, { choices }) => sum + 1 / choices, 0) / questions,
    accuracy: measure(({ right }) => right),
    accuracyPerByte: measure(({ rightPerByte }) => rightPerByte),
  };
}
