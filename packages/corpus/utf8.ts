// UTF-8 that says where it is none.
import { isUtf8 } from "node:buffer";

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** The text, or the place of the first byte that does not belong to it. */
export function decodeUtf8(bytes: Uint8Array): string | { readonly faultAt: number } {
  if (isUtf8(bytes)) return decoder.decode(bytes);
  let [good, bad] = [0, bytes.length]; // the longest beginning that is good, but for a character that is cut
  while (good < bad) {
    const middle = (good + bad + 1) >> 1;
    if (beginsWell(bytes.subarray(0, middle))) good = middle;
    else bad = middle - 1;
  }
  while (!isUtf8(bytes.subarray(0, good))) good--; // back to where that character begins
  return { faultAt: good };
}

/** Whether more bytes could make it good. */
function beginsWell(bytes: Uint8Array): boolean {
  if (isUtf8(bytes)) return true;
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: true });
    return true;
  } catch {
    return false;
  }
}

/** Of the character that `at` would cut, else `at` itself. */
export function characterStart(bytes: Uint8Array, at: number): number {
  let start = at;
  while (start > 0 && at - start < 3 && (bytes[start] & 0xc0) === 0x80) start--;
  return start;
}
