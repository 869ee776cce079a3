// Reasons that the software itself gives, in the log and to watchers: English sentences, each with a code, so that a page says them in its
// own language. What others give (an operator's words, a build's that we do not know) is shown as it is. Apart from the schemas, for pages.

/** Why a peer left or paused. Old logs and other builds have these texts too: they are never changed, only added to. */
export const reasonByCode = {
  "page-closed": "the page was closed or reloaded", // the browser closed the line (1001), without a bye: no crash
  "connection-closed": "connection closed",
  "said-bye": "closed",
  "too-large": "sent too large a message",
  paused: "paused by the volunteer",
  stopped: "stopped by the volunteer",
} as const;
export type ReasonCode = keyof typeof reasonByCode;

const codeByReason = new Map(Object.entries(reasonByCode).map(([code, text]) => [text as string, code as ReasonCode]));

/** Undefined: not one of ours. */
export const reasonCodeOf = (reason: string): ReasonCode | undefined => codeByReason.get(reason);

/** The spec's goal that ended a run. */
export interface Goal {
  readonly of: "rounds" | "tokens";
  readonly count: number;
}

/** As an `end` entry says it. */
export const goalReason = ({ of, count }: Goal): string =>
  of === "rounds" ? `all ${count} rounds are done` : `${count} tokens are committed`;

/** Undefined: it ended for another reason. */
export function goalOf(reason: string): Goal | undefined {
  const count = Number(/\d+/.exec(reason)?.[0]);
  return (["rounds", "tokens"] as const).map((of): Goal => ({ of, count })).find((goal) => goalReason(goal) === reason);
}
