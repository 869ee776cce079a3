// What the host makes once of a text: a part to train on, a part held out for evaluation.
/** How far back the cut looks for a paragraph or a line to end: held-out text stays within this of what was asked. */
const BOUNDARY_SEARCH_BYTES = 64 * 1024;
const NEWLINE = 10;

/**
 * Holds out about `part` of the text, from its end: text that the model has not seen, later than all it has. The cut falls behind
 * the last paragraph that ends before it, else the last line, else between two characters. RangeError when a part would be empty.
 */
export function splitCorpus(text: Uint8Array, part: number): { train: Uint8Array; evaluation: Uint8Array } {
  const cut = boundaryBefore(text, Math.floor(text.length * (1 - part)));
  if (!(cut > 0 && cut < text.length))
    throw new RangeError(
      `corpus: ${text.length} bytes cannot be split with evaluationPart ${part}; give a longer text or a part between 0 and 0.5`,
    );
  return { train: text.subarray(0, cut), evaluation: text.subarray(cut) };
}

function boundaryBefore(text: Uint8Array, cut: number): number {
  const from = Math.max(1, cut - BOUNDARY_SEARCH_BYTES);
  const endsLine = (i: number) => text[i - 1] === NEWLINE && text[i] !== NEWLINE;
  const endsParagraph = (i: number) => endsLine(i) && text[i - 2] === NEWLINE;
  for (const ends of [endsParagraph, endsLine]) for (let i = cut; i >= from; i--) if (ends(i)) return i;
  let i = cut;
  while (i > 0 && (text[i] & 0xc0) === 0x80) i--; // 10xxxxxx continues a character
  return i;
}
