// Trying the model, in English: loaded with its part of the page.
import type { ExportFormat, ExportType } from "#formats";
import type { SideState, TryFault } from "../try/types.ts";
import { english as f } from "./format.ts";
import { plurals } from "./plural.ts";

const n = plurals("en");

export const tryTexts = {
  prompt: "Your text",
  example: "My fellow citizens, ",
  keys: "Ctrl and Enter writes.",
  checkpoint: "The model",
  newest: (round: string) => `the anchor of now, after round ${round}`,
  newestUnknown: "the anchor of now",
  afterRound: (round: string) => `after round ${round}`,
  sideTitle: (round: string) => `After round ${round}`,
  compare: "Beside it",
  compareNone: "no other",
  settings: (temperature: string, seed: string) => `Settings: temperature ${temperature}, seed ${seed}`,
  temperature: "Temperature",
  temperatureMore: "0 always takes the likeliest; 1 is what the model thinks.",
  topK: "Of the likeliest only",
  topKAll: "all",
  topP: "Of those only so much probability",
  tokens: "Length in tokens",
  tokensMore: "A token is one byte here: a letter, most of the time.",
  tokensMorePieces: "A token is a piece of text here: often a whole word.",
  seed: "Seed",
  seedMore: "The same text, settings and seed write the same again on this machine.",
  write: "Go on with it",
  writing: "Writing…",
  stop: "Stop",
  fetches: (bytes: string) => `The first time fetches ${bytes}.`,
  confirm: (bytes: string) => `That fetches ${bytes}. Is this connection the right one for it?`,
  confirmYes: (bytes: string) => `Fetch ${bytes}`,
  confirmNo: "Not now",
  states: {
    fetching: "Fetching",
    starting: "Starting",
    reading: "Reading your text",
    writing: "Writing",
    done: "Done",
    stopped: "Stopped",
    failed: "Not possible",
  } satisfies Record<SideState, string>,
  fetched: (done: string, total: string) => `Fetching the model: ${done} of ${total}`,
  figures: (tokens: number, rate: number | null): string =>
    `${f.count(tokens)} ${n(tokens, "token", "tokens")}${rate === null ? "" : `, ${f.count(rate)} a second`}`,
  announced: (round: string, text: string) => `After round ${round}: ${text}`,
  none: "There is nothing to try yet: the model comes with the run’s first rounds.",
  asking: "Asking the host what it keeps…",
  onGpu: (adapter: string) => `Computed by ${adapter}, beside whatever else this tab does.`,
  onProcessor: "Computed by this machine’s processor: fine for a small model, slow for a large one.",
  insteadOfGpu: (reason: string) => `The GPU could not take it: ${reason}`,
  donating: "Donating goes on meanwhile, a little slower.",
  samples: "How it learned to write",
  samplesNote: "At each checkpoint the host lets the model continue the same words, with the same dice.",
  samplesNone: "The run’s own prompts are continued here once the first checkpoint is made.",
  samplesTime: "Checkpoint",
  takeHome: "Take the model home",
  takeHomeNote:
    "As a file that other programs load. Run, round and anchor stand in it; the archive also says who trained it, signed by the host.",
  takeFor: "For",
  formats: {
    gguf: "llama.cpp and what builds on it (GGUF)",
    safetensors: "transformers and what builds on it (archive with safetensors)",
  } satisfies Record<ExportFormat, string>,
  exactness: "Exactness",
  types: {
    f32: "f32: as it was trained",
    bf16: "bf16: half the size",
    f16: "f16: half the size",
    q8_0: "q8_0: a quarter of the size",
  } satisfies Record<ExportType, string>,
  takeRound: "Of",
  take: "Download",
  begun: (name: string, bytes: string) => `The download has begun: ${name}, ${bytes}.`,
  refused: "The host does not give it:",
  faults: {
    none: "There is nothing to try yet: the model comes with the run’s first rounds.",
    unreachable: "The model did not arrive. Check the connection, and try again.",
    "unknown-run": "The host does not know this run any more. Reload the page.",
    "not-kept": "The host does not keep that checkpoint any more. Choose another one.",
    damaged: "What arrived is not the model that was announced. Try again, or choose another checkpoint.",
    "device-lost": "The GPU went away meanwhile. Try again: it begins anew.",
    "out-of-memory": "There is not enough memory free for it. Close other tabs, or stop donating, and try again.",
    "too-large": "The model is too large for this machine.",
    diverged: "This checkpoint’s numbers are no good: its training diverged. Choose another one.",
    failed: "That did not work. Try again, or reload the page.",
  } satisfies Record<TryFault, string>,
};

export type TryTexts = typeof tryTexts;
