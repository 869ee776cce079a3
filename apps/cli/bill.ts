// `gossamer bill`: what a run makes its host carry and keep, computed from the spec, before anything is rented.
//
//   U bytes of an update, C of a checkpoint, n peers (k of them named by a commit), R rounds a day, e rounds between checkpoints
//     uploads    n · U · R                       in: the host keeps what is offered, unless the run's peers do
//     joiners    C + e / 2 · k · U + S each      out: a checkpoint, the updates since, the text (S); other peers may give a part
//     relayed    t · n · (k − 1) · U · R         in and out again: t is the part of the pairs that find no way of their own
//     disk       2 · C + 2 · e · k · U           with "retain": "window"; with "all" k · U · R + C · R / e more each day
import { type Command, Option } from "commander";
import { codecOf, hasVariance, parameterTable, sharedTable, updateBytesMax } from "#outer";
import { holdersOf, presets, type RunDraft } from "#wire";
import { loadDraft } from "../host/load-run.ts";
import { english as format } from "../web/words/format.ts";
import { GPT2_SMALL } from "./gpt2-small.ts";
import { MODEL_NAMES } from "./models.ts";
import { numberFrom, positiveNumber } from "./options.ts";

const DAY_SECONDS = 86_400;
/** 15 to 22 pairs of a hundred found no direct way in what others measured. */
const RELAYED_PERCENT = 20;
/** The page without what it loads when wanted, and one round trip more. */
const PAGE_BYTES = 200_000;
/** Bytes of text that every peer loads where the spec does not say: the presets' State of the Union addresses, packed. */
const TEXT_BYTES = 5e6;

export interface BillAsked {
  readonly peers: number;
  readonly roundSeconds: number;
  readonly joiners: number; //        a day
  readonly relayedPercent: number;
}

export interface Bill {
  readonly updateBytes: number;
  readonly checkpointBytes: number;
  readonly roundsADay: number;
  /** All of these a day. */
  readonly uploadedBytes: number;
  readonly joinersBytes: number;
  readonly relayedBytes: number; //   each way
  readonly inBytes: number;
  readonly outBytes: number;
  /** At most at once, where the run keeps a window; undefined: it keeps all. */
  readonly diskBytes: number | null;
  readonly diskBytesADay: number;
}

export function billOf(draft: RunDraft, { peers, roundSeconds, joiners, relayedPercent }: BillAsked): Bill {
  const parameters = sharedTable(draft).length;
  const updateBytes = updateBytesMax(codecOf(draft));
  const checkpointBytes = 4 * parameters * (hasVariance(draft.outer) ? 3 : 2);
  const named = Math.min(peers, draft.rounds.maxContributors);
  const roundsADay = DAY_SECONDS / roundSeconds;
  const { everyRounds, retain } = draft.checkpoint;
  const keptByPeers = holdersOf(draft) !== undefined;
  const uploadedBytes = keptByPeers ? 0 : peers * updateBytes * roundsADay;
  const baseBytes = draft.base ? 4 * parameterTable(draft.model).length : 0;
  const joiner = PAGE_BYTES + TEXT_BYTES + baseBytes + checkpointBytes + (everyRounds / 2) * named * updateBytes;
  const joinersBytes = keptByPeers ? joiners * (PAGE_BYTES + TEXT_BYTES + baseBytes) : joiners * joiner;
  const relayedBytes = (relayedPercent / 100) * peers * Math.max(0, named - 1) * updateBytes * roundsADay;
  const aRound = named * updateBytes + checkpointBytes / everyRounds;
  return {
    updateBytes,
    checkpointBytes,
    roundsADay,
    uploadedBytes,
    joinersBytes,
    relayedBytes,
    inBytes: uploadedBytes + relayedBytes,
    outBytes: joinersBytes + relayedBytes,
    diskBytes: retain === "all" ? null : keptByPeers ? 0 : 2 * checkpointBytes + 2 * everyRounds * named * updateBytes,
    diskBytesADay: retain === "all" && !keptByPeers ? aRound * roundsADay : 0,
  };
}

/** GPT-2 small has no preset: it is told as micro's settings with its model. */
async function draftOf(name: string, from: string): Promise<RunDraft> {
  if (name !== GPT2_SMALL.name) return (await loadDraft(name, from)).draft;
  return { ...presets.micro, name: GPT2_SMALL.name, model: GPT2_SMALL.model };
}

export function billLines(name: string, asked: BillAsked, bill: Bill): string[] {
  const day = (bytes: number): string => `${format.bytes(bytes)} a day`;
  const disk =
    bill.diskBytes === null
      ? `${day(bill.diskBytesADay)}: this run keeps all`
      : `${format.bytes(bill.diskBytes)} at most`;
  return [
    `${name}: ${asked.peers} peers, a round in ${asked.roundSeconds} s, ${asked.joiners} joiners a day, ${asked.relayedPercent} % relayed`,
    `update      ${format.bytes(bill.updateBytes)}; a checkpoint ${format.bytes(bill.checkpointBytes)}`,
    `uploads     ${day(bill.uploadedBytes)} in`,
    `joiners     ${day(bill.joinersBytes)} out, less what other peers give`,
    `relayed     ${day(bill.relayedBytes)} in and out: TURN, or this host's relay (--relay-mbit bounds it)`,
    `in all      ${day(bill.inBytes)} in, ${day(bill.outBytes)} out`,
    `line        ${format.rate(bill.inBytes / DAY_SECONDS)} in, ${format.rate(bill.outBytes / DAY_SECONDS)} out on average`,
    `disk        ${disk}`,
  ];
}

/** @param from folder that file names start from */
export function addBillCommand(program: Command, from: string): void {
  program
    .command("bill")
    .description("what a run makes its host carry and keep in a day: bytes in, out, relayed, on the disk")
    .argument("[name or file]", MODEL_NAMES, "nano")
    .option("--peers <count>", "in every round", numberFrom(1, 16_384), 20)
    .option("--round-seconds <count>", "how long a round takes", positiveNumber, 60)
    .option("--joiners <count>", "a day", numberFrom(0, 10_000_000), 100)
    .addOption(
      new Option("--relayed <percent>", "pairs that find no direct way")
        .default(RELAYED_PERCENT)
        .argParser(numberFrom(0, 100)),
    )
    .option("--json", "print one JSON object", false)
    .action(async (name: string, { json, relayed, ...rest }) => {
      const asked: BillAsked = { ...rest, relayedPercent: relayed };
      const bill = billOf(await draftOf(name, from), asked);
      for (const line of json ? [JSON.stringify(bill)] : billLines(name, asked, bill)) console.log(line);
    });
}
