// A key file in an address, and what can be wrong with one. Apart from key-file.ts, whose code is fetched when somebody brings or takes a key.
/** One of ours has 500 characters. */
export const KEY_FILE_LENGTH_MAX = 4_096;

/** not-a-key: no file of this kind. version: of a newer page. damaged: not what was written. passphrase: another one, or the file was changed. */
export type KeyFault = "not-a-key" | "version" | "damaged" | "passphrase" | "too-short";

export class KeyFileError extends Error {
  override readonly name = "KeyFileError";
  readonly fault: KeyFault;
  constructor(fault: KeyFault, message: string, cause?: unknown) {
    super(message, { cause });
    this.fault = fault;
  }
}

export const base64 = (bytes: Uint8Array): string => btoa(String.fromCharCode(...bytes));
export const bytesOf = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(atob(text), (char) => char.charCodeAt(0));

/** In an address's fragment, which no server hears: a phone's camera opens it from a QR code. */
export const keyFragment = (text: string): string =>
  `#key=${base64(new TextEncoder().encode(text)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "")}`;

/** Undefined when the address brings none. What it brings is judged by openKey. */
export function keyOfFragment(fragment: string): string | undefined {
  const encoded = /^#key=([\w-]+)$/.exec(fragment)?.[1];
  if (encoded === undefined || encoded.length > 2 * KEY_FILE_LENGTH_MAX) return undefined;
  try {
    return new TextDecoder().decode(bytesOf(encoded.replaceAll("-", "+").replaceAll("_", "/")));
  } catch {
    return undefined;
  }
}
