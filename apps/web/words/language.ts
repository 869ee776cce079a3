// The languages that the page speaks, and which one a person wants: what was chosen here before, else the browser's first that we have.

/** In their own words: who looks for a language reads it. */
export const languages = { en: "English", de: "Deutsch" } as const;
export type Language = keyof typeof languages;

const KEY = "gossamer-language";
const isLanguage = (name: string | null): name is Language => name !== null && Object.hasOwn(languages, name);

/** @param wanted as navigator.languages has them: "de-AT", "en" */
export function languageFor(remembered: string | null, wanted: readonly string[]): Language {
  if (isLanguage(remembered)) return remembered;
  return wanted.map((tag) => tag.split("-")[0].toLowerCase()).find(isLanguage) ?? "en";
}

export function rememberedLanguage(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null; // storage refused: the browser's language then
  }
}

export function rememberLanguage(language: Language): void {
  try {
    localStorage.setItem(KEY, language);
  } catch {
    // as above
  }
}
