// From what a person wants of a run to its spec.
import { methods, parameterTable, withMethod } from "#outer";
import { type CorpusPart, presets, type RunDraft } from "#wire";
import { checkDraft, checkForBrowsers, methodOf, SpecError } from "../../host/load-run.ts";
import { english } from "../../web/words/format.ts";
import { bytesOf, type Size } from "./sizes.ts";

/** A plain text, or whatever else holds documents. */
export type TextPlace =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "parts"; readonly parts: [CorpusPart] };

export interface RunWishes {
  readonly name?: string | undefined;
  readonly purpose?: string | undefined;
  readonly operator?: string | undefined;
  /** Its vocabulary is the tokenizer's. */
  readonly size: Size;
  /** Without it the State of the Union addresses. */
  readonly text?: { readonly place: TextPlace; readonly source: string; readonly licence: string } | undefined;
  /** Undefined: a token is a byte. */
  readonly tokenizer?:
    | { readonly kind: "train"; readonly vocabSize: number }
    | { readonly kind: "file"; readonly path: string; readonly vocabSize: number }
    | undefined;
  /** Weights to start from, and adapters beside them. */
  readonly base?: RunDraft["base"];
  readonly lora?: RunDraft["lora"];
  readonly modelLicence?: string | undefined;
  readonly method: string;
  /** What the model continues at each checkpoint, for everybody to read; none: nothing. */
  readonly prompts?: readonly string[] | undefined;
  /** After so many committed tokens it ends. */
  readonly tokens?: number | undefined;
}

/** Hoffmann et al. 2022 (arXiv 2203.15556): about so many tokens a parameter use a budget of computation best. */
const TOKENS_PER_PARAMETER = 20;
/** Of all tokens: enough for AdamW's moments to settle, and for what is learned at a high rate to be polished. */
const WARM_UP_PART = 0.02;
const DECAY_PART = 0.2;

const parametersOf = ({ model }: Size): number => parameterTable(model).length;

export const sizeLine = (size: Size): string =>
  `${english.sizeInWords(parametersOf(size))} parameters, ${english.bytes(bytesOf(size))} of memory for training`;

/** To two figures, as a person would say it. */
export function tokensFor(size: Size): number {
  const exact = TOKENS_PER_PARAMETER * parametersOf(size);
  const unit = 10 ** (Math.floor(Math.log10(exact)) - 1);
  return Math.round(exact / unit) * unit;
}

/** Those that browsers can train. */
export const methodsForBrowsers = methods.filter((method) => {
  try {
    checkForBrowsers({ draft: withMethod(presets.nano, method), folder: "" }, method.name);
    return true;
  } catch {
    return false;
  }
});

const draftOfTokenizer = (tokenizer: NonNullable<RunWishes["tokenizer"]>): RunDraft["corpus"]["tokenizer"] =>
  tokenizer.kind === "train" ? tokenizer : { kind: "file", path: tokenizer.path };

const corpusOf = ({ place, source, licence }: NonNullable<RunWishes["text"]>): RunDraft["corpus"] => ({
  ...place,
  ...{ source, licence, evaluationPart: 0.1 },
});

/** @throws SpecError */
export function draftOf(wishes: RunWishes): RunDraft {
  const { size, text, method, prompts, tokenizer, base, lora } = wishes;
  const tokensMax = wishes.tokens ?? tokensFor(size);
  const preset = size.name === "micro" ? presets.micro : presets.nano;
  if (text !== undefined && (text.source === "" || text.licence === ""))
    throw new SpecError(
      "A text of your own needs --source (where it comes from) and --licence: volunteers read both before they give anything.",
    );
  // What needs no newer field keeps the version, and with it the id, that it had; older builds read it too.
  const isOld = [prompts, tokenizer, base].every((field) => field === undefined) && text?.place.kind !== "parts";
  const version = size.model.residual ? 6 : isOld ? preset.version : 5;
  const draft: RunDraft = {
    ...preset,
    version,
    name:
      wishes.name ??
      `${size.name}: ${text === undefined ? "presidents" : "a text of our own"}, ${tokenizer ? "piece by piece" : "byte by byte"}`,
    purpose: wishes.purpose ?? "A language model, trained by everybody who opens the page.",
    operator: wishes.operator ?? preset.operator,
    modelLicence: wishes.modelLicence ?? preset.modelLicence,
    corpus: {
      ...(text === undefined ? preset.corpus : corpusOf(text)),
      ...(tokenizer === undefined ? {} : { tokenizer: draftOfTokenizer(tokenizer) }),
    },
    model: size.model,
    ...(base === undefined ? {} : { base }),
    ...(lora === undefined ? {} : { lora }),
    inner: {
      ...preset.inner,
      ...size.inner,
      warmupTokens: Math.round(WARM_UP_PART * tokensMax),
      decayTokens: Math.round(DECAY_PART * tokensMax),
    },
    rounds: { ...preset.rounds, deadlineMaxMs: size.deadlineMaxMs },
    ...(prompts === undefined ? {} : { evaluation: { ...preset.evaluation, prompts: [...prompts] } }),
    checkpoint: { ...preset.checkpoint, retain: size.name === "nano" ? "all" : "window" },
    end: { tokensMax },
  };
  // The presets are DiLoCo, with the momentum that was measured for runs of their length.
  const composed = method === "diloco" ? draft : withMethod(draft, methodOf(method));
  const checked = checkDraft(composed, "the new run");
  checkForBrowsers({ draft: checked, folder: "" }, `--method ${method}`);
  return checked;
}
