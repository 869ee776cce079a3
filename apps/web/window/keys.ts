// Taking the key away, and bringing it here: loaded when somebody wants to.
//
//   exportKey(passphrase) -> text, address, QR code          importKey(text, passphrase) -> this browser is that volunteer
import "../no-eval.ts";
import encodeQR from "qr";
import { identitySeed, type Settings, setIdentitySeed } from "#store";
import { identityFrom, type VolunteerId } from "#wire";
import { type OpenedKey, openKey, sealKey } from "../identity/key-file.ts";
import { keyFragment } from "../identity/key-link.ts";
import { hostBaseOf } from "../views/places.ts";
import type { KeyState } from "./types.ts";

const RANDOM_BYTES = 28;

/** Makes a key if there is none yet. */
async function volunteerOf(settings: Settings): Promise<{ seed: Uint8Array; volunteer: VolunteerId }> {
  const seed = await identitySeed(settings, crypto.getRandomValues(new Uint8Array(32)));
  return { seed, volunteer: identityFrom(seed).volunteer };
}

export async function exportKey(
  settings: Settings,
  name: string,
  passphrase: string,
): Promise<KeyState & { kind: "exported" }> {
  const { seed, volunteer } = await volunteerOf(settings);
  const text = await sealKey(seed, name, passphrase, crypto.getRandomValues(new Uint8Array(RANDOM_BYTES)));
  const link = `${hostBaseOf(location)}/${location.search}${keyFragment(text)}`;
  return { kind: "exported", volunteer, text, link, qr: qrPath(link) };
}

/** @throws KeyFileError */
export async function importKey(settings: Settings, text: string, passphrase: string): Promise<OpenedKey> {
  const opened = await openKey(text, passphrase);
  await setIdentitySeed(settings, opened.seed);
  return opened;
}

/** Low error correction: a screen is clean, and fewer modules are larger ones. */
function qrPath(text: string): { readonly side: number; readonly path: string } {
  const rows = encodeQR(text, "raw", { ecc: "low", border: 2 });
  const dark = rows.flatMap((row, y) => row.flatMap((on, x) => (on ? [`M${x} ${y}h1v1h-1z`] : [])));
  return { side: rows.length, path: dark.join("") };
}
