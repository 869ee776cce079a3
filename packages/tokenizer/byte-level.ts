// GPT-2's way of writing bytes as letters, and of cutting a text into words before it is merged.
//
// A byte-level vocabulary is JSON, so each byte has a visible character: itself where it is one, else a letter from U+0100 on.
// Source: the published encoder of GPT-2 (openai/gpt-2, src/encoder.py, bytes_to_unicode), which Hugging Face's ByteLevel follows.

/** Byte -> character. */
export const letterOfByte: readonly string[] = (() => {
  const isVisible = (byte: number) =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(isVisible(byte) ? byte : next++));
})();

const byteOfLetter = new Map(letterOfByte.map((letter, byte) => [letter, byte]));

/** Undefined when a character stands for no byte. */
export function bytesOfToken(token: string): Uint8Array | undefined {
  const bytes = Array.from(token, (letter) => byteOfLetter.get(letter));
  return bytes.includes(undefined) ? undefined : Uint8Array.from(bytes as number[]);
}

/** GPT-2's words: contractions, letters, digits and signs with a space before them, and spaces. */
export const GPT2_PATTERN = "'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

/** Unicode's White_Space, which is \s in the Hugging Face library; JavaScript's lacks U+0085 and has U+FEFF. */
const SPACES = "\\t-\\r \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
/** Letters that a pattern without case means beside the two of ASCII: long s, Kelvin sign. */
const furtherCases: Record<string, string> = { s: "\\u017f", k: "\\u212a" };
const PLAIN_ESCAPES = /[pPrntfv.*+?()[\]{}|\\/^$-]/;

/**
 * A pattern of a tokenizer.json, which is Oniguruma's, as JavaScript's: the same matches. Undefined when it uses what is not translated here.
 */
export function translatePattern(pattern: string): RegExp | undefined {
  let out = "";
  let inClass = false;
  let depth = 0;
  let caseless = -1; // depth at which a (?i: began
  for (let i = 0; i < pattern.length; i++) {
    const c = pattern[i];
    if (c === "\\") {
      const next = pattern[++i];
      if (next === undefined) return undefined;
      if (next === "s") out += inClass ? SPACES : `[${SPACES}]`;
      else if (next === "S" && !inClass) out += `[^${SPACES}]`;
      else if (next === "d") out += "\\p{Nd}";
      else if (PLAIN_ESCAPES.test(next)) out += c + next;
      else return undefined;
      if (next === "p" || next === "P") {
        const end = pattern.indexOf("}", i);
        if (pattern[i + 1] !== "{" || end === -1) return undefined;
        out += pattern.slice(i + 1, end + 1);
        i = end;
      }
    } else if (inClass) {
      if (c === "[" || pattern.startsWith("&&", i)) return undefined; // sets of sets
      if (caseless !== -1 && /[a-z-]/i.test(c)) return undefined;
      if (c === "]") inClass = false;
      out += c;
    } else if (c === "[") {
      inClass = true;
      out += c;
      if (pattern[i + 1] === "^") out += pattern[++i];
      if (pattern[i + 1] === "]") return undefined; // a bracket as a sign
    } else if (c === "(") {
      depth++;
      if (pattern.startsWith("(?i:", i)) {
        if (caseless !== -1) return undefined;
        caseless = depth;
        out += "(?:";
        i += 3;
      } else if (pattern[i + 1] === "?") {
        const group = /^\(\?(?::|=|!|<=|<!)/.exec(pattern.slice(i, i + 4));
        if (group === null) return undefined;
        out += group[0];
        i += group[0].length - 1;
      } else out += "(?:";
    } else if (c === ")") {
      if (caseless === depth) caseless = -1;
      depth--;
      out += c;
    } else if (/[.^$]/.test(c) || (/[*+?}]/.test(c) && pattern[i + 1] === "+")) {
      return undefined; // lines, and what takes all or nothing
    } else if (caseless !== -1 && /[a-z]/i.test(c)) {
      const low = c.toLowerCase();
      out += `[${low}${low.toUpperCase()}${furtherCases[low] ?? ""}]`;
    } else out += c;
  }
  try {
    return new RegExp(out, "gu");
  } catch {
    return undefined;
  }
}

/** The text's pieces in their order: what matches, and what lies between two matches. */
export function isolate(text: string, pattern: RegExp, take: (piece: string) => void): void {
  let at = 0;
  pattern.lastIndex = 0;
  for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
    const [piece] = match;
    const end = pattern.lastIndex;
    const from = end - piece.length;
    if (piece === "") pattern.lastIndex++;
    else {
      if (from > at) take(text.slice(at, from));
      take(piece);
      at = end;
    }
  }
  if (at < text.length) take(text.slice(at));
}

/** The same as a list. A pattern keeps its place in a text, so it must not be used for two at once. */
export function isolated(text: string, pattern: RegExp): string[] {
  const pieces: string[] = [];
  isolate(text, pattern, (piece) => pieces.push(piece));
  return pieces;
}
