// A document's text as it is trained on, or why it is not. Pure.
import type { CleanOptions } from "#wire";

export type DropReason = "empty" | "short" | "long" | "little-text";

/** Line ends are \n whatever else is asked for; control characters go, but for tab and line end; U+FEFF and U+0000 are no text. */
const CONTROLS = /(?![\t\n\u0085])[\p{Cc}\ufeff\ufffe\uffff]/gu;
const CONTROL = /(?![\t\n\u0085])[\p{Cc}\ufeff\ufffe\uffff]/u;

export function cleaned(
  given: string,
  { normalize = "nfc", whitespace = "trim", ...limits }: CleanOptions,
): { readonly text: string } | { readonly dropped: DropReason } {
  let text = CONTROL.test(given) ? given.replace(/\r\n?/g, "\n").replace(CONTROLS, "") : given;
  if (normalize === "nfc") text = text.normalize("NFC");
  if (whitespace === "trim") text = text.replace(/[ \t\u00a0\u3000]+(?=\n|$)/g, "").trim();
  else if (whitespace === "collapse")
    text = text
      .replace(/[^\S\n]+/g, " ")
      .replace(/ ?\n ?/g, "\n")
      .replace(/\n{3,}/g, "\n\n")
      .trim();
  const { minCharacters = 1, maxCharacters = Number.POSITIVE_INFINITY, textShareMin = 0 } = limits;
  if (text === "") return { dropped: "empty" };
  if (text.length < minCharacters) return { dropped: "short" };
  if (text.length > maxCharacters) return { dropped: "long" };
  if (textShareMin > 0 && textShare(text) < textShareMin) return { dropped: "little-text" };
  return { text };
}

/** Of letters with their marks, digits and spaces: of markup, tables and noise it is small. */
function textShare(text: string): number {
  let signs = 0;
  for (const match of text.matchAll(/[^\p{L}\p{M}\p{N}\s]+/gu)) signs += match[0].length;
  return 1 - signs / text.length;
}
