// What a headless donor says: one line for now, and a line for each thing that happened. Functions of the snapshot, as a page's views are.
import { stateLine } from "../../web/views/state-lines.ts";
import type { DonorSnapshot, Problem, ProblemCode } from "../../web/window/types.ts";
import { en } from "../../web/words/en.ts";
import { english as format } from "../../web/words/format.ts";

/** What a terminal shows while it goes on: state, speed, loss, links, bytes. */
export function nowLine(donor: DonorSnapshot): string {
  const loss = donor.lossHistory.at(-1)?.loss;
  const parts = [
    stateLine(en, donor),
    ...(donor.status === "donating" && donor.tokensPerSecond > 0
      ? [`${format.count(donor.tokensPerSecond)} tokens/s`]
      : []),
    ...(loss === undefined ? [] : [`loss ${format.loss(loss)}`]),
    `${format.count(donor.rounds)} ${donor.rounds === 1 ? "round" : "rounds"} counted`,
    links(donor),
    `${format.bytes(donor.bytesSent + donor.bytesToHost)} up`,
    `${format.bytes(donor.bytesReceived + donor.bytesFromHost)} down`,
  ];
  return parts.join(" · ");
}

function links({ links }: DonorSnapshot): string {
  if (links.length === 0) return "no links";
  const relayed = links.filter(({ kind }) => kind !== "direct").length;
  return `${links.length} ${links.length === 1 ? "link" : "links"}${relayed === 0 ? "" : ` (${relayed} relayed)`}`;
}

/** What happened between two snapshots, oldest first. */
export function events(before: DonorSnapshot, now: DonorSnapshot): string[] {
  const said: string[] = [];
  if (now.adapter !== null && (before.adapter === null || machineOf(now) !== machineOf(before)))
    said.push(`Trains on ${machineOf(now)}.`);
  if (now.peer !== null && now.peer !== before.peer)
    said.push(`Takes part as peer ${now.peer.slice(0, 8)}, slot ${now.slot} of this key.`);
  if (now.status !== before.status && now.status !== "blocked") said.push(`${en.donor[now.status]}.`);
  if (isAway(before) && !isAway(now) && now.hostConnected) said.push("The host is back.");
  for (const notice of now.notices)
    if (!has(before, notice.code) && !SAID_WITH_THE_ADAPTER.has(notice.code)) said.push(notice.message);
  if (now.desyncs > before.desyncs) said.push("Its parameters differed from the others', and were fetched anew.");
  return said;
}

const SAID_WITH_THE_ADAPTER: ReadonlySet<ProblemCode> = new Set(["no-gpu", "software-adapter", "second-tab"]);
const has = ({ notices }: DonorSnapshot, wanted: ProblemCode): boolean => notices.some(({ code }) => code === wanted);

const isAway = (donor: DonorSnapshot): boolean => has(donor, "host-gone") || has(donor, "line-blocked");

const machineOf = ({ adapter }: DonorSnapshot): string =>
  adapter?.backend === "wasm"
    ? `the processor (${adapter.description})`
    : `${adapter?.description || adapter?.architecture || adapter?.vendor || "a GPU"}${adapter?.isFallback ? " (software)" : ""}`;

const creditOf = ({ rounds, tokensOffered }: DonorSnapshot): string =>
  `${format.count(rounds)} ${rounds === 1 ? "round" : "rounds"}, ${format.sizeInWords(tokensOffered)} tokens offered`;

/** The last line: what it came to. */
export const farewell = (donor: DonorSnapshot): string =>
  donor.peer === null
    ? "Nothing was donated."
    : `Thank you: ${creditOf(donor)}, ${format.duration(donor.trainedMs)} at work.`;

/** What a person at a terminal does about it; a page's advice would be to reload. */
const remedies: Readonly<Record<string, string>> = {
  version: "Take the version of this command that the host has: gossamer --version tells it there.",
  superseded: "The same key and slot donate elsewhere. Give this one another --slot, or a key of its own with --data.",
  signature: "The key could not prove itself. Remove identity.key in --data for a new one.",
};

export function problemLines({ message, remedy, report, told }: Problem): string[] {
  const code = told?.text === "refused" ? String(told.given[0]) : "";
  return [message, remedies[code] ?? remedy, ...(report === undefined ? [] : [report])];
}
