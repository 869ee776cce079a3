// GET /badge/:run.svg: the run's name, round and loss as a picture for other pages. Text is ours or escaped: a run's name is its author's.
import type { RunDetail } from "#wire";

/** Wider names are cut: a badge stands in a line of text. */
const NAME_MAX = 32;
const LETTER_PX = 6.6; // of 11 px sans-serif, on the wide side
const PADDING_PX = 9;

const escaped = (text: string): string =>
  text.replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`).replace(/\p{Control}/gu, "");

export function badgeSvg({ name, state, head, peers }: Pick<RunDetail, "name" | "state" | "head" | "peers">): string {
  const left = name.length > NAME_MAX ? `${name.slice(0, NAME_MAX - 1)}…` : name;
  const here = peers.filter((peer) => peer.state !== "left").length;
  const value = head.evalLoss ?? head.trainLoss;
  const right = [
    `round ${head.round.toLocaleString("en")}`,
    ...(value === null ? [] : [`loss ${value.toFixed(3)}`]),
    state === "running" ? `${here} ${here === 1 ? "peer" : "peers"}` : state,
  ].join(" · ");
  const leftPx = Math.round(left.length * LETTER_PX) + 2 * PADDING_PX;
  const rightPx = Math.round(right.length * LETTER_PX) + 2 * PADDING_PX;
  const title = escaped(`${name}: ${right}`);
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${leftPx + rightPx}" height="22" role="img" aria-label="${title}">
<title>${title}</title>
<rect width="${leftPx + rightPx}" height="22" rx="3" fill="#0b666b"/>
<path d="M3 0h${leftPx - 3}v22h-${leftPx - 3}a3 3 0 0 1-3-3v-16a3 3 0 0 1 3-3z" fill="#1e2428"/>
<g fill="#fbfaf6" font-family="Verdana, DejaVu Sans, sans-serif" font-size="11" text-rendering="geometricPrecision">
<text x="${PADDING_PX}" y="15" textLength="${leftPx - 2 * PADDING_PX}">${escaped(left)}</text>
<text x="${leftPx + PADDING_PX}" y="15" textLength="${rightPx - 2 * PADDING_PX}">${escaped(right)}</text>
</g>
</svg>
`;
}
