// The words of a part of the page that is loaded when it is wanted, in the language that the page speaks.
import type { TryTexts } from "./try-en.ts";

const loading = new Map<string, Promise<TryTexts>>();

/** The same promise each time. @param language as the page's words say it */
export function loadTryTexts(language: string): Promise<TryTexts> {
  const texts =
    loading.get(language) ??
    (language === "de" ? import("./try-de.ts") : import("./try-en.ts")).then((loaded) => loaded.tryTexts);
  loading.set(language, texts);
  return texts;
}
