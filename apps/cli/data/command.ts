// `gossamer data`: a run's corpus made into shards before a host starts, and a look at what was made.
import type { Command, Option } from "commander";
import { TokenSource } from "#data";
import { DiskBlobStore, openDataFolder } from "#store/disk";
import { openTokenizer } from "#tokenizer";
import type { DataRef } from "#wire";
import { decodedShard, makeData, preparedData } from "../../host/data-part.ts";
import type { LoadedDraft } from "../../host/given.ts";
import { hubPlace } from "../../host/hub-place.ts";
import { loadDraft, SpecError } from "../../host/load-run.ts";
import { english } from "../../web/words/format.ts";

/** Of each split, as a look whether text came out as it went in. */
const LOOK_TOKENS = 160;

interface DataOptions {
  readonly data: string;
  readonly json: boolean;
}

type Out = (line: string) => void;

/** @throws SpecError, DataError: also when a host uses the directory, which prepares its own */
export async function prepareData(
  run: string,
  from: string,
  { data, json }: DataOptions,
  out: Out,
  say: Out,
): Promise<DataRef> {
  const loaded = await loadDraft(run, from);
  const folder = await openDataFolder(data);
  try {
    const blobs = await DiskBlobStore.open(data, { owner: true });
    const made = await makeData(loaded, { data: folder, blobs }, { hub: hubPlace(process.env), report: say });
    for (const line of json ? [JSON.stringify(made)] : summaryOf(made)) out(line);
    return made;
  } finally {
    await folder.close();
  }
}

/** It only reads: a host may use the directory meanwhile. @throws SpecError */
export async function inspectData(run: string, from: string, { data, json }: DataOptions, out: Out): Promise<void> {
  const loaded: LoadedDraft = await loadDraft(run, from);
  const blobs = await DiskBlobStore.open(data);
  const made = await preparedData(loaded, data, blobs);
  if (made === undefined)
    throw new SpecError(`${data} holds nothing that was made of this corpus. Make it: gossamer data prepare ${run}`);
  const manifest = made.manifest && (await blobs.get(made.manifest.hash));
  const read: unknown = manifest && JSON.parse(new TextDecoder().decode(manifest));
  if (json) return out(JSON.stringify({ ...made, manifestContent: read ?? null }));
  for (const line of summaryOf(made)) out(line);
  const tokenizer = await openTokenizer(made.tokenizer, async ({ hash }) => (await blobs.get(hash))!);
  for (const split of ["train", "evaluation"] as const) {
    const source = new TokenSource([await decodedShard(blobs, made[split][0])]);
    const text = tokenizer.decode(source.windowAt(0, Math.min(LOOK_TOKENS, source.length)));
    out(`\n${split} begins:\n${text}`);
  }
}

const tokensOf = (refs: DataRef["train"]): number => refs.reduce((sum, { tokens }) => sum + tokens, 0);

function summaryOf({ tokenizer, train, evaluation, parts = [], manifest, source, licence }: DataRef): string[] {
  const made = (refs: DataRef["train"]): string =>
    `${english.count(tokensOf(refs))} tokens in ${refs.length} ${refs.length === 1 ? "shard" : "shards"}`;
  const named = parts.length === 0 ? [`source      ${source} (${licence})`] : [];
  return [
    `training    ${made(train)}`,
    `evaluation  ${made(evaluation)}`,
    `tokenizer   ${tokenizer === "bytes" ? "bytes" : `${english.count(tokenizer.vocabSize)} tokens, blob ${tokenizer.hash}`}`,
    ...named,
    ...parts.map(
      (part) =>
        `part        ${part.source} (${part.licence}): ${english.count(part.documents)} documents, ${english.bytes(part.bytes)}, ${english.count(part.tokens)} tokens`,
    ),
    ...(manifest === undefined ? [] : [`manifest    blob ${manifest.hash}`]),
  ];
}

export function addDataCommand(program: Command, from: string, dataOption: () => Option): void {
  const data = program
    .command("data")
    .description("a run's corpus: made into shards before a host starts, and looked at");
  const out: Out = (line) => console.log(line);
  data
    .command("prepare")
    .description("read, clean and tokenize a run's corpus into the data directory; a host does the same at its start")
    .argument("<name or file>", "preset or run spec")
    .addOption(dataOption())
    .option("--json", "print one JSON object at the end", false)
    .addHelpText(
      "after",
      `
Interrupted, it leaves nothing that counts: started again, it goes on with what was fetched, and makes the shards anew.
HF_TOKEN opens data sets of the hub that are not public, HF_ENDPOINT names another server with its paths. Neither is written anywhere.`,
    )
    .action(
      async (run: string, options: DataOptions) =>
        void (await prepareData(run, from, options, out, (line) => console.error(line))),
    );
  data
    .command("inspect")
    .description("what was made of a run's corpus: parts, licences, tokens, and how its text begins")
    .argument("<name or file>", "preset or run spec")
    .addOption(dataOption())
    .option("--json", "print one JSON object, with the manifest: files, hashes, what was dropped and why", false)
    .action((run: string, options: DataOptions) => inspectData(run, from, options, out));
}
