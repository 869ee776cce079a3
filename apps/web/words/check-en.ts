// The check before donating, in English.
import type { CheckState, LinkPrognosis } from "../window/types.ts";

export const checkTexts = {
  title: "Check this machine first",
  intro: "Nothing is trained, and no other volunteer hears of it.",
  adapter: "Adapter",
  memory: "Memory",
  memoryNeed: (bytes: string) => `${bytes} for this run`,
  results: "Results",
  resultsMore: "compared with what they must be",
  link: "Links to others",
  states: {
    waiting: "to come",
    working: "checking…",
    passed: "in order",
    failed: "not possible",
  } satisfies Record<CheckState, string>,
  links: {
    waiting: "to come",
    working: "checking…",
    direct: "direct, as far as one end can tell",
    turn: "through the operator’s TURN server",
    relayed: "through the host: UDP does not get through from here, or you hide your address",
    none: "none: updates come from the host",
    unknown: "the host does not answer",
  } satisfies Record<LinkPrognosis, string>,
  passed: "This machine can donate.",
};
