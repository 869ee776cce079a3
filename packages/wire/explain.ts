// What is wrong with a run spec, in words for the person who wrote it: the field, the reason, an example.
import type * as z from "zod/mini";
import { presets } from "./presets.ts";

type Issue = z.core.$ZodIssue;
type Path = readonly PropertyKey[];

/** Fields that the nano preset leaves out. */
const furtherExamples: Record<string, unknown> = {
  "corpus.path": "./book.txt",
  "end.roundsMax": 1000,
  "inner.resetMoments": true,
  "outer.extract": "gradient",
  "outer.fragments": 2,
  "outer.merge": { keepLocal: 0.5 },
  "outer.merge.keepLocal": 0.5,
  "rounds.overlap": true,
};

/** One line per wrong field: `inner.learningRate: must be ..., got ...; for example 0.003`. Lists eight at most: the first ones explain the rest. */
export function explainSpecError(error: z.core.$ZodError): string {
  const lines = error.issues.slice(0, 8).map(explainIssue);
  const more = error.issues.length - lines.length;
  if (more > 0) lines.push(`... and ${more} more`);
  return lines.join("\n");
}

function explainIssue(issue: Issue): string {
  const field = issue.path.map(String).join(".") || "the spec";
  if (issue.code === "unrecognized_keys") {
    const known = exampleAt(issue.path);
    const names = known !== null && typeof known === "object" ? Object.keys(known) : [];
    const unknown = issue.keys.map((key) => `"${key}"`).join(", ");
    return `${field}: has the unknown field ${unknown}${names.length > 0 ? `; known are ${names.join(", ")}` : ""}`;
  }
  const reason = issue.message.replace(
    /^Invalid input: expected (.*), received undefined$/,
    "is missing: $1 belongs here",
  );
  const example = issue.path.length === 0 || reason.includes("for example") ? undefined : exampleAt(issue.path);
  return `${field}: ${reason}${example === undefined ? "" : `; for example ${JSON.stringify(example)}`}`;
}

function exampleAt(path: Path): unknown {
  let value: unknown = presets.nano;
  for (const key of path) {
    if (value === null || typeof value !== "object") return furtherExamples[path.join(".")];
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  return value ?? furtherExamples[path.map(String).join(".")];
}
