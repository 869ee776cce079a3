// Documents of all parts, as they are trained on: read, cleaned, each once, in their split, mixed by weight.
//
//   files -> documents -> cleaned -> not seen before -> train | evaluation -> in the order of the mixture
import type { CleanOptions } from "#wire";
import { cleaned, type DropReason } from "./clean.ts";
import { type Document, documentsOf } from "./documents.ts";
import type { CorpusError } from "./fault.ts";
import type { GatheredPart } from "./gather.ts";
import { fingerprintOf, SeenDocuments } from "./seen.ts";

export type Split = "train" | "evaluation";

export interface KeptDocument {
  readonly part: number;
  readonly split: Split;
  readonly text: string;
  readonly bytes: number; // as UTF-8
  /** Whether a text ends here. */
  readonly ends: boolean;
}

export interface PartTally {
  documents: number; // read
  kept: number;
  bytes: number; // of what was kept
  readonly dropped: Record<DropReason | "invalid" | "exact" | "near", number>;
}

export const emptyTally = (): PartTally => ({
  documents: 0,
  kept: 0,
  bytes: 0,
  dropped: { empty: 0, short: 0, long: 0, "little-text": 0, invalid: 0, exact: 0, near: 0 },
});

export interface PipelineOptions {
  readonly clean: CleanOptions;
  readonly deduplicate: "none" | "exact" | "near";
  readonly evaluationPart: number;
  readonly tallies: readonly PartTally[]; // one a part; counted up
  /** Bytes of files that were read since the last call. */
  readonly onRead: (bytes: number) => void;
}

/** @throws CorpusError */
export function keptDocuments(parts: readonly GatheredPart[], options: PipelineOptions): AsyncGenerator<KeptDocument> {
  const seen = options.deduplicate === "none" ? undefined : new SeenDocuments(options.deduplicate === "near");
  const streams = parts.map((part, i) => partDocuments(part, i, seen, options));
  const weights = parts.map(({ part }) => part.weight);
  return weights[0] === undefined ? inTurn(streams) : mixed(streams, weights as number[]);
}

async function* partDocuments(
  { part, files }: GatheredPart,
  index: number,
  seen: SeenDocuments | undefined,
  { clean, evaluationPart, tallies, onRead }: PipelineOptions,
): AsyncGenerator<KeptDocument> {
  const tally = tallies[index];
  const refuse = (fault: CorpusError): void => {
    if (clean.invalid !== "drop") throw fault;
    tally.documents++;
    tally.dropped.invalid++;
  };
  const keep = ({ text: given, goesOn }: Document): KeptDocument | undefined => {
    tally.documents++;
    const found = cleaned(given, clean);
    if ("dropped" in found) {
      tally.dropped[found.dropped]++;
      return undefined;
    }
    const { text } = found;
    const fingerprint = fingerprintOf(text);
    const before = seen?.was(text, fingerprint);
    if (before !== undefined) {
      tally.dropped[before]++;
      return undefined;
    }
    const split = fingerprint.place < evaluationPart ? "evaluation" : "train";
    const bytes = Buffer.byteLength(text);
    tally.kept++;
    tally.bytes += bytes;
    return { part: index, split, text, bytes, ends: !goesOn };
  };
  for (const file of files)
    for await (const document of documentsOf(file, { textField: part.textField ?? "text", refuse, onRead })) {
      const kept = keep(document);
      if (kept !== undefined) yield kept;
    }
}

async function* inTurn<T>(streams: readonly AsyncGenerator<T>[]): AsyncGenerator<T> {
  for (const stream of streams) yield* stream;
}

/** The part that has had the least for its weight is next. When one ends, so does the mixture: it would have another weight. */
async function* mixed(
  streams: readonly AsyncGenerator<KeptDocument>[],
  weights: readonly number[],
): AsyncGenerator<KeptDocument> {
  const given = streams.map(() => 0); // bytes / weight
  try {
    for (;;) {
      const next = given.indexOf(Math.min(...given));
      const { value, done } = await streams[next].next();
      if (done) return;
      given[next] += value.bytes / weights[next];
      yield value;
    }
  } finally {
    for (const stream of streams) await stream.return(undefined);
  }
}
