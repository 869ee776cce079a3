// What an operator gives: a draft, and the files that it names.
import { readFileIfThere } from "#store/disk";
import type { CorpusPart, RunDraft } from "#wire";

/** What the operator gave cannot be a run; the message says which field, why, and what would do. */
export class SpecError extends Error {
  override readonly name = "SpecError";
}

export interface LoadedDraft {
  readonly draft: RunDraft;
  /** Folder that the corpus's paths are relative to. */
  readonly folder: string;
}

/** A file that the operator named. @throws SpecError when it is there and cannot be read: a folder, somebody else's, too large */
export async function readGiven(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFileIfThere(path);
  } catch (error) {
    throw new SpecError(`${path} cannot be read: ${(error as Error).message}`);
  }
}

/** The draft with each path that it names changed: of the text, of parts, of the tokenizer, of the base. */
export function withPaths(draft: RunDraft, change: (path: string, field: string) => string): RunDraft {
  const { corpus, base } = draft;
  const { path, parts, tokenizer } = corpus;
  const changedPart = (part: CorpusPart, i: number): CorpusPart =>
    part.path === undefined ? part : { ...part, path: change(part.path, `corpus.parts.${i}.path`) };
  const changed = {
    ...corpus,
    ...(path !== undefined && { path: change(path, "corpus.path") }),
    ...(parts !== undefined && { parts: parts.map(changedPart) }),
    ...(typeof tokenizer === "object" &&
      tokenizer.kind === "file" && {
        tokenizer: { ...tokenizer, path: change(tokenizer.path, "corpus.tokenizer.path") },
      }),
  };
  return { ...draft, corpus: changed, ...(base && { base: { ...base, path: change(base.path, "base.path") } }) };
}
