// Islands, in English.
import type { IslandWait } from "#wire/islands";
import { english as f } from "./format.ts";
import { plurals } from "./plural.ts";

const n = plurals("en");

export const islandTexts = {
  waiting: "Waiting for company",
  forming: "Forming an island",
  serving: "Training with others, as a part of an island",
  tooLarge: (why: string) => `The model does not fit this tab alone. ${why}`,
  wished: "You asked to train with other tabs, as one.",
  missing: (count: number, ranks: number) =>
    `Waiting for ${f.count(count)} more ${n(count, "machine", "machines")}: it takes ${f.count(ranks)} for this model.`,
  asking: (ranks: number) => `It takes ${f.count(ranks)} machines for this model: asking the host who else waits.`,
  because: {
    "too-few": "It begins by itself when they come; another machine of yours, with this page open, counts.",
    unlinked: "Others wait too, but there are no direct links between you yet.",
    slow: "Others wait too, but what they answer takes too long to reach this machine.",
    measuring: "Others have just come: the links between you are being measured.",
    resting: "An island has just fallen apart here: the next one is tried in a moment.",
    full: "This run has as many islands as it may have.",
    "too-small":
      "Others wait too, but together you have too little memory for the model: it begins when one more comes, or a larger one.",
  } satisfies Record<IslandWait, string>,
  over: (reason: string) => `The island before fell apart. ${reason}`,
  leads: (size: number) => `This tab leads an island of ${f.count(size)}, with {names}.`,
  partOf: (size: number) => `Part of an island of ${f.count(size)}, led by {leader}, with {names}.`,
  partOfTwo: "Part of an island of 2, led by {leader}.",
  and: ", ",
  heads: (first: number, count: number, of: number, columns: string) =>
    count === 0
      ? `It holds no attention heads and ${columns} of each feed-forward layer.`
      : `It holds ${n(count, `head ${first}`, `heads ${first}–${first + count - 1}`)} of ${of} and ${columns} of each feed-forward layer.`,
  layers: (first: number, count: number, of: number) =>
    `It holds ${n(count, `layer ${first}`, `layers ${first}–${first + count - 1}`)} of ${of}.`,
  rows: "It holds a part of each text’s positions.",
  exchange: (perSecond: number, time: string, hidden: string, rate: string) =>
    `Between its members: ${f.count(perSecond)} ${n(Math.round(perSecond), "sum", "sums")} a second, ${time} each, ${hidden} of it behind what is computed meanwhile; this tab sends ${rate}.`,
};
