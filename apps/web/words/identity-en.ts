// The volunteer's key, and what this browser keeps, in English.
import type { KeyFault } from "../identity/key-link.ts";

export const identityTexts = {
  title: "Your key, and what this browser keeps",
  intro:
    "What you give is credited to a key that this browser made. Whoever has it is you: take it to a new machine, or put it away for the day when this browser’s data is cleared.",
  export: "Take the key with you",
  passphrase: "A passphrase of at least 8 characters",
  make: "Make a key file",
  made: (volunteer: string) =>
    `The key of volunteer ${volunteer}, under your passphrase. Without the passphrase nobody can use it, nor can you.`,
  download: "Download the key file",
  fileName: (volunteer: string) => `gossamer-key-${volunteer}.json`,
  qr: "The same key as a QR code",
  qrMore: "Open it with the camera of a phone: its browser asks for the passphrase.",
  import: "Bring a key here",
  importMore:
    "It takes the place of the key that this browser has now: make a file of that one first if it has credit.",
  file: "Key file",
  filePassphrase: "Its passphrase",
  bring: "Use this key",
  stopFirst: "Stop donating first: what is under way is signed with the key of now.",
  offered: "This address brought a key. It is not in the address bar any more, and nobody else has seen it.",
  imported: (volunteer: string) => `This browser is volunteer ${volunteer} from now on.`,
  working: "One moment…",
  faults: {
    "not-a-key": "This file is no volunteer’s key.",
    version: "This key file is of another version of this page. Reload the page, or use the build that made it.",
    damaged: "This key file is damaged: it is not as it was written.",
    passphrase: "The passphrase does not open this file, or the file was changed.",
    "too-short": "The passphrase is too short: at least 8 characters.",
    storage: "The browser did not store or read the key. Leave the private window, or free some disk space.",
  } satisfies Record<KeyFault | "storage", string>,
  forget: "Forget me",
  forgetMore: (bytes: string | null) =>
    `Deletes the key, the fetched text, settings and caches${bytes === null ? "" : `: ${bytes}`}. Without a key file your credit stays with a key that nobody has any more. What is in the run’s log stays there.`,
  forgetNow: "Delete all of it",
  forgotten: "This browser has forgotten everything about you: key, text, settings.",
};
