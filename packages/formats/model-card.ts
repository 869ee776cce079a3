// The README.md that goes with an exported model: what it is, what it learnt from, who trained it, and how all of that can be checked.
//
// YAML in front as the Hugging Face hub reads it, then Markdown. Nothing is claimed that the run's spec or its log does not say.
import { heldOutText, lossMeasures } from "#data";
import { parameterTable } from "#outer";
import { type RunSpec, runIdOf } from "#wire";
import type { Provenance } from "./provenance.ts";

/** The hub's names of licences that runs are likely to have; any other is told by its own name. */
const hubLicences = new Set([
  "apache-2.0",
  "mit",
  "cc0-1.0",
  "cc-by-4.0",
  "cc-by-sa-4.0",
  "cc-by-nc-4.0",
  "cc-by-nc-sa-4.0",
  "odc-by",
  "unlicense",
  "bsd-3-clause",
  "llama2",
  "llama3",
  "llama3.1",
  "llama3.2",
  "openrail",
]);
/** The card names so many; provenance.json has all. */
const NAMED_MAX = 20;

const count = (value: number): string => value.toLocaleString("en");
const yaml = (text: string): string => JSON.stringify(text); // a YAML text in double quotes is JSON's
/** What people wrote goes on one line, and means nothing to Markdown. */
const plain = (text: string): string => text.replace(/\s+/g, " ").replace(/[\\`*_{}[\]<>|#]/g, "\\$&");

export interface CardFacts {
  readonly spec: RunSpec;
  readonly provenance: Provenance;
  /** Files with the weights, for people: "model.safetensors, bf16". */
  readonly weights: string;
}

export function modelCard({ spec, provenance, weights }: CardFacts): string {
  return [
    ...frontMatter(spec),
    `# ${plain(spec.name)}`,
    "",
    plain(spec.purpose),
    "",
    "Trained by volunteers in their browsers with Gossamer. A language model continues text; it knows nothing else, and repeats what it read, mistakes and prejudices too.",
    "",
    ...modelPart(spec, weights),
    ...originPart(spec, provenance),
    ...dataPart(spec),
    ...methodPart(spec, provenance),
    ...contributorsPart(provenance),
  ].join("\n");
}

function frontMatter({ modelLicence, base }: RunSpec): string[] {
  const id = modelLicence.toLowerCase();
  const licence = hubLicences.has(id) ? [`license: ${id}`] : ["license: other", `license_name: ${yaml(modelLicence)}`];
  const from = base === undefined ? [] : [`base_model: ${yaml(base.source)}`];
  return [
    "---",
    ...licence,
    ...from,
    "library_name: transformers",
    "pipeline_tag: text-generation",
    "tags:",
    "- gossamer",
    "- llama",
    "---",
    "",
  ];
}

function modelPart({ model, modelLicence }: RunSpec, weights: string): string[] {
  const { vocabSize, dModel, layers, heads, kvHeads, dFfn, contextLength, ropeTheta, normEps, tiedEmbedding } = model;
  return [
    "## Model",
    "",
    ...facts([
      ["architecture", "Llama (LlamaForCausalLM)"],
      ["parameters", count(parameterTable(model).length)],
      ["vocabulary", count(vocabSize)],
      ["width, layers, heads (key and value)", `${dModel}, ${layers}, ${heads} (${kvHeads})`],
      ["feed-forward width", `${dFfn}`],
      ["context", `${count(contextLength)} tokens`],
      ["rotary base, norm epsilon, head", `${ropeTheta}, ${normEps}, ${tiedEmbedding ? "the embedding" : "its own"}`],
      ["weights", weights],
      ["licence", plain(modelLicence)],
    ]),
  ];
}

function originPart(spec: RunSpec, { round, anchorHash, head, parameters, signature }: Provenance): string[] {
  return [
    "## Where it comes from",
    "",
    ...facts([
      ["run", `\`${runIdOf(spec)}\``],
      ["operator", plain(spec.operator)],
      ["host key", `\`${spec.hostKey}\``],
      ["round", count(round)],
      ["anchor", `\`${anchorHash}\``],
      ["log head", head === null ? "none yet" : `entry ${head.seq}, \`${head.hash}\``],
      [spec.lora ? "adapters in f32" : "parameters in f32", `blob \`${parameters}\``],
    ]),
    `The run's id is the SHA-256 of run.json (canonical JSON). provenance.json holds this table and all contributors${signature === null ? "; nobody signed it" : ", signed by the host key"}.`,
    "`gossamer replay` folds the run's log and its updates again: it arrives at this anchor, or names the round that differs. With `--export` and this folder it compares the weights byte for byte.",
    "",
  ];
}

function dataPart({ data, base }: RunSpec): string[] {
  const tokens = (shards: readonly { tokens: number }[]) => shards.reduce((sum, shard) => sum + shard.tokens, 0);
  return [
    "## Data",
    "",
    ...facts([
      ["source", plain(data.source)],
      ["licence", plain(data.licence)],
      [
        "tokenizer",
        data.tokenizer === "bytes"
          ? "bytes"
          : `tokenizer.json, ${count(data.tokenizer.vocabSize)} tokens, blob \`${data.tokenizer.hash}\``,
      ],
      ["training text", `${count(tokens(data.train))} tokens in ${count(data.train.length)} shards`],
      ["held out", `${count(tokens(data.evaluation))} tokens`],
      ...(base === undefined
        ? []
        : [["starts from", `${plain(base.source)}, licence ${plain(base.licence)}, parameters \`${base.hash}\``]]),
    ]),
    ...(data.parts === undefined ? [] : partsTable(data.parts)),
    `run.json names every shard by its hash${data.manifest === undefined ? "." : `; data-manifest.json (blob \`${data.manifest.hash}\`) says which files were read and what was left out.`}`,
    "",
  ];
}

const partsTable = (parts: NonNullable<RunSpec["data"]["parts"]>): string[] =>
  table(
    ["part", "licence", "documents", "bytes", "tokens"],
    parts.map(({ source, licence, documents, bytes, tokens }) => [
      ...[plain(source), plain(licence)],
      ...[documents, bytes, tokens].map(count),
    ]),
  );

function methodPart({ inner, outer, lora, data }: RunSpec, { tokens, evaluation }: Provenance): string[] {
  const codec = typeof outer.codec === "string" ? outer.codec : outer.codec.name;
  return [
    "## Training",
    "",
    ...facts([
      ["method", `${outer.method}, outer rate ${outer.learningRate}, momentum ${outer.momentum}, updates as ${codec}`],
      [
        "inner",
        `AdamW, ${inner.steps} steps a round, rate ${inner.learningRate}, ${inner.windowsPerStep} sequences a step`,
      ],
      ...(lora === undefined
        ? []
        : [
            [
              "adapters",
              `LoRA of rank ${lora.rank}, alpha ${lora.alpha}, beside ${lora.targets.join(", ")}; merged here`,
            ],
          ]),
      ["tokens that count", count(tokens)],
      ["held-out text", evaluation === null ? "not evaluated yet" : measured(data, evaluation)],
    ]),
  ];
}

function measured(data: RunSpec["data"], { loss, round }: NonNullable<Provenance["evaluation"]>): string {
  const { perplexity, bitsPerByte } = lossMeasures(loss, heldOutText(data));
  return `${loss.toFixed(4)} nats per token, perplexity ${perplexity.toPrecision(4)}, ${bitsPerByte.toFixed(4)} bits per byte, after round ${count(round)}`;
}

function contributorsPart({ contributors }: Provenance): string[] {
  const named = contributors.slice(0, NAMED_MAX);
  const more = contributors.length - named.length;
  return [
    "## Contributors",
    "",
    `${count(contributors.length)} ${contributors.length === 1 ? "volunteer" : "volunteers"}, by their keys. The log holds their own signatures, on every update that counts.`,
    "",
    ...table(
      ["volunteer", "tokens", "rounds"],
      named.map(({ volunteer, tokens, rounds }) => [`\`${volunteer}\``, count(tokens), count(rounds)]),
    ),
    ...(more > 0 ? [`… and ${count(more)} more in provenance.json.`, ""] : []),
  ];
}

const facts = (rows: readonly (readonly string[])[]): string[] => table(["", ""], rows);

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line), ""];
}
