// What an operator gives: a draft, and the files that it names.
import { readFileIfThere } from "#store/disk";
import type { RunDraft } from "#wire";

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
