// The updates that a commit names: their bytes by name, and what they say. The fold of all and the fold of a pair read them alike.
import { blobName, type EntryOf, isGroup } from "#wire";
import { assert } from "./assert.ts";
import type { Codec, Decoded } from "./codec/index.ts";
import { readUpdate } from "./update.ts";

type Commit = EntryOf<"commit">;
type Contribution = Commit["contributors"][number];

/** How the updates that a commit names are read. */
export function readerOf(codec: Codec, commit: Commit, blob: (hash: string) => Uint8Array | undefined) {
  return {
    /** @throws Error when the blob is missing */
    bytesOf({ update, peer }: Contribution): Uint8Array {
      const bytes = blob(update);
      if (bytes === undefined) throw new Error(`blob ${update} of peer ${peer} is not here: fetch it before folding`);
      return bytes;
    },
    /** Or why its weight is 0 by rule. */
    read(contribution: Contribution, bytes: Uint8Array): Decoded | string {
      if (!isGroup(contribution) && (contribution.round !== commit.round || contribution.baseHash !== commit.baseHash))
        return "the offer is for another round or anchor";
      const { round, baseHash } = commit;
      const { tokens } = contribution;
      return readUpdate(bytes, { round, baseHash, tokens, codec });
    },
  };
}

/** The bytes are those of the contribution's name: whoever fetched them has seen to it. */
export function checked({ update: name }: Contribution, bytes: Uint8Array): Uint8Array {
  assert(blobName(bytes) === name, `the bytes given for blob ${name} are not its own`);
  return bytes;
}
